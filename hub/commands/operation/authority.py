"""`commonwatt-hub authority`: makes the co-op's root key and identity key, shows, takes away, and renews under them."""

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
from hub.folder.keys.ending import hub_key_certificate
from hub.folder.keys.rotation import identity_in, make_identity, rotate_hub_key
from hub.folder.keys.signer import load_signer
from hub.folder.paths import is_running
from hub.folder.settings import HubSettings, load_settings
from hub.trust.authority import Authority
from hub.trust.authority_files import (
    FOLDER_NAME,
    ROOT_KEY_NAME,
    certificate_warnings,
    load_authority,
    make_authority,
    open_root_key,
    read_key_file,
    read_private,
    read_server,
    renew_working,
)
from hub.trust.certificates import ends_at, fingerprint
from hub.trust.new_root import replace_root
from hub.trust.safe_keys import keys_on_hub, open_safe_keys, safe_files
from hub.trust.server_certificate import refresh_server_certificate
from protocols.errors import RequestError

WORDS: Final = "the co-op's root key and identity key"
ANEW: Final = (
    "the co-op keeps its identity key, but homes that trust the root before do not follow to this one: put the folder"
    f" {FOLDER_NAME} back from a backup, or use commonwatt-hub authority renew --new-root with the identity key\n"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "what",
        choices=("make", "show", "export", "renew"),
        help="make the authority and the identity key of a hub that has none; show its certificates and what to do"
        " next; export the encrypted root key and identity key for a safe; renew the working certificate and the hub"
        " key with them",
    )
    parser.add_argument(OPTION, type=Path, metavar="FILE", help=OPTION_WORDS)
    parser.add_argument("--to", type=Path, metavar="FILE", help="with export: the new file for both keys")
    parser.add_argument("--remove", action="store_true", help="with export: then delete both keys from the hub")
    parser.add_argument(
        "--root-key",
        type=Path,
        metavar="FILE",
        action="append",
        help="with renew: the keys from the safe, more than once if they are in several files; the hub's without it",
    )
    parser.add_argument(
        "--new-root",
        action="store_true",
        help="with renew: a new root certificate and key too, while the hub does not run; homes follow by themselves",
    )
    parser.add_argument(
        "--stolen",
        action="store_true",
        help="with renew: the hub key may be in wrong hands: nothing it signs is accepted any more by homes that have"
        " heard of the new one",
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
        is_anew = load_signer(args.data).certificate is not None
        if not is_anew:
            make_identity(args.data, coop=coop, passphrase=passphrase, now_s=now_s)
        sys.stdout.write(made_lines(args.data) + (ANEW if is_anew else ""))
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
        f"and the co-op's identity key, the hub's public key for homes and members:\n"
        f"  {load_signer(folder).identity.hex()}\n"
        "whoever has these two keys and their passphrase can stand in for the co-op: put them into a safe, with\n"
        f"  commonwatt-hub authority export --data {folder} --to FILE --remove\n"
    )


def _export(folder: Path, *, to: Path | None, is_removed: bool, passphrase_file: Path | None) -> None:
    if to is None:
        raise RequestError("authority export: say where the keys go: --to FILE")
    if to.absolute().parent.resolve().is_relative_to(folder.resolve()):
        # Every backup holds the hub's folder, and whoever steals the computer has it.
        raise RequestError(f"authority export: --to {to}: this is in the hub's own folder: name a file elsewhere")
    root, paths = _required(folder).root, keys_on_hub(folder)
    if not paths:
        raise RequestError(
            f"{folder / FOLDER_NAME / ROOT_KEY_NAME}: the root key is not on this hub any more: it is where it was"
            " exported to"
        )
    passphrase = read_passphrase(passphrase_file, words=WORDS, is_new=False)
    # A key that nobody can open is worth nothing in a safe: they are opened here, and the copy again.
    _open_each(paths, folder=folder, root=root, passphrase=passphrase)
    write_new(to, b"".join(read_private(path) for path in paths.values()))
    _open_each(dict.fromkeys(paths, to), folder=folder, root=root, passphrase=passphrase)
    named = " and the ".join(paths)
    sys.stdout.write(f"wrote the encrypted {named} to {to}; the passphrase opens them\n")
    if is_removed:
        for path in paths.values():
            try:
                path.unlink()
            except OSError as error:
                raise RequestError(f"{path}: cannot be deleted: {error.strerror}") from None
        gone = " and ".join(str(path) for path in paths.values())
        sys.stdout.write(f"deleted {gone}; they are needed again each year, before the hub key ends\n")


def _open_each(paths: Mapping[str, Path], *, folder: Path, root: x509.Certificate, passphrase: bytes) -> None:
    for words, path in paths.items():
        if words == "root key":
            open_root_key(path, root, passphrase)
        else:
            identity_in(read_key_file(path), folder=folder, passphrase=passphrase, where=str(path))


def _renew(args: argparse.Namespace, *, settings: HubSettings, now_s: int) -> None:
    folder, coop = args.data, settings.coop.id
    root = _required(folder).root
    if args.new_root and is_running(folder):
        raise RequestError("authority renew --new-root: stop the hub first: its servers work with the old root")
    if args.stolen and load_signer(folder).certificate is None:
        raise RequestError(
            "authority renew --stolen: this hub still signs with its identity key, and nothing stands in for that one:"
            " make a new hub and invite every home"
        )
    files = safe_files(args.root_key or (), folder=folder)
    passphrase = read_passphrase(args.passphrase_file, words=WORDS, is_new=False)
    keys = open_safe_keys(files, folder=folder, root=None if args.new_root else root, passphrase=passphrase)
    if keys.root is None or args.new_root:
        identity = keys.identity or load_signer(folder).key
        authority = replace_root(folder, coop=coop, identity=identity, passphrase=passphrase, now_s=now_s)
        sys.stdout.write(
            f"made a new root certificate with the fingerprint\n  {fingerprint(authority.root)}\n"
            "its key and the identity key are on the hub; they go into the safe in place of the old file:\n"
            f"  commonwatt-hub authority export --data {folder} --to FILE --remove\n"
        )
    else:
        authority = renew_working(folder, coop=coop, root_key=keys.root, now_s=now_s)
    sys.stdout.write(f"the new working certificate is valid until {_day(ends_at(authority.working))}\n")
    if settings.public is not None:
        refresh_server_certificate(folder, names=settings.public.all_names, now_s=now_s)
        sys.stdout.write("the hub's servers have a certificate of it; a running hub uses it within seconds\n")
    if keys.identity is None:
        held = make_identity(folder, coop=coop, passphrase=passphrase, now_s=now_s)
        sys.stdout.write(
            "what the hub signed with until now is the co-op's identity key from now on; put it into the safe:\n"
            f"  commonwatt-hub authority export --data {folder} --to FILE --remove\n"
        )
    else:
        held = rotate_hub_key(folder, keys.identity, now_s=now_s, is_stolen=args.stolen)
    sys.stdout.write(f"hub key {held.number} is valid until {_day(held.valid_until)}; no home enrols again\n")
    if is_running(folder):
        sys.stdout.write("the running hub signs with it within seconds\n")
    if args.stolen:
        sys.stdout.write(_after_theft(folder, is_new_root=args.new_root))


def _after_theft(folder: Path, *, is_new_root: bool) -> str:
    said = "homes refuse what the hub's earlier keys sign from now on, each as soon as it has heard of the new key\n"
    if is_new_root:
        return said
    return said + (
        "if the server or a copy of its files was stolen too, its certificate needs a new root; stop the hub, then:\n"
        f"  commonwatt-hub authority renew --new-root --data {folder}\n"
    )


def _shown(folder: Path, *, as_json: bool, now_s: int) -> str:
    authority = load_authority(folder)
    certificates: dict[str, x509.Certificate] = {}
    to_do = [_make_advice(folder)]
    if authority is not None:
        certificates |= {"root": authority.root, "working": authority.working}
        if (server := read_server(folder)) is not None:
            certificates["server"] = server
        to_do = _to_do(folder, now_s=now_s)
    on_hub, hub_key = keys_on_hub(folder), _hub_key_record(folder)
    if as_json:
        rows = [_record(use, each) for use, each in certificates.items()]
        held = {"root_key_on_hub": "root key" in on_hub, "identity_key_on_hub": "identity key" in on_hub}
        return json.dumps({"certificates": rows, "hub_key": hub_key, **held, "to_do": to_do}) + "\n"
    lines = [line for use, each in certificates.items() for line in _lines(use, each)]
    if authority is None:
        lines.append("no certificate authority yet")
    lines += _hub_key_lines(hub_key)
    lines += [f"to do: {each}" for each in to_do] or ["nothing to do"]
    return "".join(f"{line}\n" for line in lines)


def _to_do(folder: Path, *, now_s: int) -> list[str]:
    found = list(certificate_warnings(folder, now_s=now_s))
    on_hub = keys_on_hub(folder)
    if on_hub:
        named, verb = " and the ".join(on_hub), "is" if len(on_hub) == 1 else "are"
        found.append(
            f"the {named} {verb} on the hub: commonwatt-hub authority export --data {folder} --to FILE --remove"
        )
    if load_signer(folder).certificate is None:
        found.append(
            "the hub signs with the co-op's identity key itself: commonwatt-hub authority renew gives it a hub key, and"
            " no home enrols again"
        )
    return found


def _hub_key_record(folder: Path) -> dict[str, object]:
    signer, held = load_signer(folder), hub_key_certificate(folder)
    return {
        "identity": signer.identity.hex(),
        "number": None if held is None else held.number,
        "public_key": signer.public_key.hex(),
        "ends": None if held is None else _moment(held.valid_until),
    }


def _hub_key_lines(record: Mapping[str, object]) -> tuple[str, str, str]:
    said = "the identity key itself" if record["number"] is None else f"number {record['number']}"
    until = "" if record["ends"] is None else f", valid until {str(record['ends'])[:10]}"
    return f"hub key  {said}{until}", f"         {record['public_key']}", f"identity {record['identity']}"


def _record(use: str, certificate: x509.Certificate) -> dict[str, str]:
    return {
        "use": use,
        "name": certificate.subject.rfc4514_string().removeprefix("CN="),
        "ends": _moment(ends_at(certificate)),
        "sha256": fingerprint(certificate),
    }


def _lines(use: str, certificate: x509.Certificate) -> tuple[str, str]:
    record = _record(use, certificate)
    return f"{use:<8} {record['name']}, valid until {record['ends'][:10]}", f"         {record['sha256']}"


def _moment(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()


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
        ("--stolen", args.stolen, ("renew",)),
        ("--new-root", args.new_root, ("renew",)),
        ("--json", args.json, ("show",)),
        (OPTION, args.passphrase_file, ("make", "export", "renew")),
    ):
        if given and args.what not in belongs:
            raise RequestError(f"authority {args.what}: {option} belongs to {' and '.join(belongs)}")
