"""`commonwatt-hub authority`: makes the co-op's certificate authority, shows it, takes its root key away, renews it."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from hub.console.output_files import write_new
from hub.console.passphrase import OPTION, OPTION_WORDS, read_passphrase
from hub.folder.settings import HubSettings, load_settings
from hub.trust.authority import Authority
from hub.trust.authority_files import (
    FOLDER_NAME,
    ROOT_KEY_NAME,
    certificate_warnings,
    load_authority,
    make_authority,
    open_root_key,
    read_private,
    read_server,
    renew_working,
)
from hub.trust.certificates import ends_at, fingerprint
from hub.trust.server_certificate import refresh_server_certificate
from protocols.errors import RequestError

WORDS: Final = "the co-op's root key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "what",
        choices=("make", "show", "export", "renew"),
        help="make the authority of a hub that has none; show its certificates and what to do next; export the"
        " encrypted root key for a safe; renew the working certificate with the root key",
    )
    parser.add_argument(OPTION, type=Path, metavar="FILE", help=OPTION_WORDS)
    parser.add_argument("--to", type=Path, metavar="FILE", help="with export: the new file for the root key")
    parser.add_argument("--remove", action="store_true", help="with export: then delete the root key from the hub")
    parser.add_argument(
        "--root-key", type=Path, metavar="FILE", help="with renew: the root key from the safe; the hub's without it"
    )
    parser.add_argument("--json", action="store_true", help="with show: print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Carry it out. Raises: SettingsError, AuthorityError, RequestError."""
    _refuse_stray_options(args)
    settings = load_settings(args.data)
    coop = settings.coop.id
    now_s = int(time.time())  # real time: TLS checks certificates by it, whatever clock the hub lives by
    if args.what == "make":
        _refuse_second(args.data)
        passphrase = read_passphrase(args.passphrase_file, words=WORDS, is_new=True)
        make_authority(args.data, coop=coop, passphrase=passphrase, now_s=now_s)
        sys.stdout.write(made_lines(args.data))
    elif args.what == "show":
        sys.stdout.write(_shown(args.data, as_json=args.json, now_s=now_s))
    elif args.what == "export":
        _export(args.data, to=args.to, is_removed=args.remove, passphrase_file=args.passphrase_file)
    else:
        _renew(args, settings=settings, now_s=now_s)
    return 0


def made_lines(folder: Path) -> str:
    """What to say after an authority was made: the root's fingerprint, and where its key belongs."""
    authority = _required(folder)
    return (
        f"made the co-op's certificate authority in {folder / FOLDER_NAME}; its root has the fingerprint\n"
        f"  {fingerprint(authority.root)}\n"
        "whoever has the root key and its passphrase can stand in for the co-op: put the key into a safe, with\n"
        f"  commonwatt-hub authority export --data {folder} --to FILE --remove\n"
    )


def _export(folder: Path, *, to: Path | None, is_removed: bool, passphrase_file: Path | None) -> None:
    if to is None:
        raise RequestError("authority export: say where the root key goes: --to FILE")
    root, path = _required(folder).root, folder / FOLDER_NAME / ROOT_KEY_NAME
    if not path.exists():
        raise RequestError(f"{path}: the root key is not on this hub any more: it is where it was exported to")
    passphrase = read_passphrase(passphrase_file, words=WORDS, is_new=False)
    # A key that nobody can open is worth nothing in a safe: it is opened here, and the copy again.
    open_root_key(path, root, passphrase)
    write_new(to, read_private(path))
    open_root_key(to, root, passphrase)
    sys.stdout.write(f"wrote the encrypted root key to {to}; it opens with the passphrase\n")
    if is_removed:
        try:
            path.unlink()
        except OSError as error:
            raise RequestError(f"{path}: cannot be deleted: {error.strerror}") from None
        sys.stdout.write(f"deleted {path}; it is needed again before the working certificate ends\n")


def _renew(args: argparse.Namespace, *, settings: HubSettings, now_s: int) -> None:
    _required(args.data)
    key_file = args.root_key or args.data / FOLDER_NAME / ROOT_KEY_NAME
    try:
        is_there = key_file.exists()
    except OSError as error:
        raise RequestError(f"{key_file}: the hub's user cannot read it: {error.strerror}") from None
    if not is_there:
        raise RequestError(f"{key_file}: no root key here: give the one from the safe with --root-key FILE")
    passphrase = read_passphrase(args.passphrase_file, words=WORDS, is_new=False)
    authority = renew_working(args.data, coop=settings.coop.id, key_file=key_file, passphrase=passphrase, now_s=now_s)
    sys.stdout.write(f"the new working certificate is valid until {_day(authority.working)}\n")
    if settings.public is not None:
        refresh_server_certificate(args.data, names=settings.public.all_names, now_s=now_s)
        sys.stdout.write("the hub's servers have a certificate of it; a running hub uses it within seconds\n")


def _shown(folder: Path, *, as_json: bool, now_s: int) -> str:
    authority = load_authority(folder)
    if authority is None:
        record: Mapping[str, object] = {"certificates": [], "root_key_on_hub": False, "to_do": [_make_advice(folder)]}
        return json.dumps(record) + "\n" if as_json else f"no certificate authority yet: {_make_advice(folder)}\n"
    certificates = {"root": authority.root, "working": authority.working}
    server = read_server(folder)
    if server is not None:
        certificates["server"] = server
    has_key = (folder / FOLDER_NAME / ROOT_KEY_NAME).exists()
    to_do = list(certificate_warnings(folder, now_s=now_s))
    if has_key:
        to_do.append(f"the root key is on the hub: commonwatt-hub authority export --data {folder} --to FILE --remove")
    if as_json:
        rows = [_record(use, each) for use, each in certificates.items()]
        return json.dumps({"certificates": rows, "root_key_on_hub": has_key, "to_do": to_do}) + "\n"
    lines = [line for use, each in certificates.items() for line in _lines(use, each)]
    lines += [f"to do: {each}" for each in to_do] or ["nothing to do"]
    return "".join(f"{line}\n" for line in lines)


def _record(use: str, certificate: x509.Certificate) -> dict[str, str]:
    return {
        "use": use,
        "name": certificate.subject.rfc4514_string().removeprefix("CN="),
        "ends": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sha256": fingerprint(certificate),
    }


def _lines(use: str, certificate: x509.Certificate) -> tuple[str, str]:
    record = _record(use, certificate)
    return f"{use:<8} {record['name']}, valid until {record['ends'][:10]}", f"         {record['sha256']}"


def _day(certificate: x509.Certificate) -> str:
    return datetime.fromtimestamp(ends_at(certificate), UTC).date().isoformat()


def _required(folder: Path) -> Authority:
    authority = load_authority(folder)
    if authority is None:
        raise RequestError(f"{folder}: no certificate authority yet: {_make_advice(folder)}")
    return authority


def _make_advice(folder: Path) -> str:
    return f"make one with commonwatt-hub authority make --data {folder}"


def _refuse_second(folder: Path) -> None:
    if load_authority(folder) is not None:
        raise RequestError(
            f"{folder}: the co-op has a certificate authority already; see it with commonwatt-hub authority show"
        )


def _refuse_stray_options(args: argparse.Namespace) -> None:
    for option, given, belongs in (
        ("--to", args.to, ("export",)),
        ("--remove", args.remove, ("export",)),
        ("--root-key", args.root_key, ("renew",)),
        ("--json", args.json, ("show",)),
        (OPTION, args.passphrase_file, ("make", "export", "renew")),
    ):
        if given and args.what not in belongs:
            raise RequestError(f"authority {args.what}: {option} belongs to {' and '.join(belongs)}")
