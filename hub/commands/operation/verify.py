"""`commonwatt-hub verify`: rechecks every message, entry and run of a hub. It works while the hub is running."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.backups.restoring import unpack_checked
from hub.backups.unlocking import add_lock_arguments, lock_for
from hub.console.progress import Progress, ReportProgress, ignore_progress
from hub.folder.clock import open_clock
from hub.folder.keys.salt_key import load_seals
from hub.folder.keys.signer import load_certificates, load_signer
from hub.folder.opening import open_store
from hub.folder.paths import SALT_NAME
from hub.folder.settings import load_settings
from hub.storage.contract import Store
from hub.storage.errors import StoreError
from hub.storage.records import Coop
from hub.verify.books import check_books
from hub.verify.check_result import CheckResult
from hub.verify.hub_keys import HubKeys
from hub.verify.kept_roots import SignedLogHead, check_kept_roots, read_kept_roots, signed_log_heads
from hub.verify.messages import check_messages
from hub.verify.people import ACT_TABLES, check_approvers, check_people
from hub.verify.rows import RowCheck, check_rows
from hub.verify.rulebook import check_adoptions, check_bundles, check_proposals
from protocols.errors import RequestError
from protocols.hub_keys import HubKeyCertificate
from protocols.timeline import Clock

MESSAGES: Final = "messages"
BOOKS: Final = "books"
ROWS: Final = "rows"
KEPT: Final = "kept"
FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "--only", choices=(MESSAGES, BOOKS, ROWS), help="this part alone, as when several are run at once"
    )
    parser.add_argument(
        "--hub-key", type=_public_key, metavar="HEX", help="the hub's public key as you know it: any other is wrong"
    )
    parser.add_argument(
        "--kept", type=Path, action="append", metavar="FILE",
        help="a statement.json that a member kept: the books must still hold the day roots it names (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--backup", type=Path, metavar="FILE",
        help="instead of --data: open this backup in a folder of its own, check all that is in it, and delete it again",
    )  # fmt: skip
    add_lock_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what was found; returns 1 if something is wrong."""
    if (args.data is None) == (args.backup is None):
        raise RequestError("verify: give --data DIR for a hub's folder, or --backup FILE for a backup")
    if args.backup is None:
        return _verify(args)
    lock = lock_for(args.backup, key_file=args.key_file, passphrase_file=args.passphrase_file)
    with TemporaryDirectory(prefix="commonwatt-verify-") as folder:  # for its owner alone
        args.data = Path(folder)
        try:
            unpack_checked(args.backup, args.data, lock=lock)
        except OSError as error:
            raise RequestError(
                f"{folder}: cannot hold what is in the backup: {error.strerror}; name a larger place with TMPDIR"
            ) from None
        return _verify(args)


def _verify(args: argparse.Namespace) -> int:
    progress = Progress(sys.stderr)
    clock = open_clock(args.clock)
    found = asyncio.run(
        verify_hub(
            args.data, clock=clock, only=args.only, pinned=args.hub_key, kept=args.kept or (), report=progress.report
        )
    )
    progress.end()
    sys.stdout.write(json.dumps(found) + "\n" if args.json else verify_lines(found))
    return 0 if found["ok"] else FAILED


def _public_key(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a public key of 64 hex digits")
    return raw


async def verify_hub(
    folder: Path,
    *,
    clock: Clock,
    only: str | None = None,
    pinned: bytes | None = None,
    kept: Sequence[Path] = (),
    report: ReportProgress = ignore_progress,
) -> dict[str, object]:
    """Check every message, entry and run again; `ok` is true if no contradiction was found.

    If `only` is MESSAGES, BOOKS or ROWS, only that part is checked and returned. `pinned` is the public key that the
    hub's identity must have, and `kept` are files with day roots that it gave away. A store that cannot be opened is a
    finding.
    Raises: SettingsError or IdentityError, if the folder holds no hub. RequestError if a kept file has no roots.
    """
    settings, signer = load_settings(folder), load_signer(folder)
    certificates = [certificate for _, certificate in load_certificates(folder)]
    for path in kept:
        read_kept_roots(path)
    found: dict[str, CheckResult] = {}
    if problem := _wrong_keys(signer.identity, certificates, coop=settings.coop.id, pinned=pinned):
        found[ROWS] = RowCheck()
        found[ROWS].note(problem)
        return _result(found)
    try:
        store = await open_store(folder, clock=clock, server=settings.store)
    except StoreError as error:
        found[ROWS] = RowCheck()
        found[ROWS].note(f"store: {error}")
        return _result(found)
    try:
        key = Ed25519PublicKey.from_public_bytes(signer.identity)
        if only in (None, ROWS):
            found[ROWS] = await _check_rows(store, settings.coop, key, certificates, report=report)
        if only in (None, MESSAGES):
            found[MESSAGES] = await check_messages(store, report=report)
        if only in (None, BOOKS):
            found[BOOKS] = await check_books(store, key, certificates=certificates, report=report)
        if kept:
            seals = load_seals(folder) if (folder / SALT_NAME).exists() else None
            found[KEPT] = await check_kept_roots(
                kept, store, coop=settings.coop.id, keys=HubKeys(key, certificates), seals=seals
            )
    finally:
        await store.close()
    return _result(found)


def _result(found: Mapping[str, CheckResult]) -> dict[str, object]:
    ok = not any(each.wrong for each in found.values())
    return {"ok": ok, **{name: asdict(each) for name, each in found.items()}}


def _wrong_keys(
    identity: bytes, certificates: Sequence[HubKeyCertificate], *, coop: str, pinned: bytes | None
) -> str | None:
    """Why nothing in this folder can be this co-op's; None if its keys are."""
    if pinned is not None and identity != pinned:
        return "the folder's key is not the one given with --hub-key: another hub signed what is stored here"
    others = sorted({certificate.coop for certificate in certificates} - {coop})
    return f"the certificates of the hub keys are of {others[0]}, hub.toml says {coop}" if others else None


async def _check_rows(
    store: Store,
    coop: Coop,
    key: Ed25519PublicKey,
    certificates: Sequence[HubKeyCertificate],
    *,
    report: ReportProgress,
) -> RowCheck:
    unread, heads = CheckResult(), list[SignedLogHead]()
    with unread.reading("day roots"):
        heads = await signed_log_heads(store)
    check, history = await check_rows(
        store, key, certificates=certificates, acts=ACT_TABLES, heads=heads, report=report
    )
    for problem in unread.findings:
        check.note(problem)
    with check.reading("coop"):
        held = await store.coop()
        if (held.id, held.tz) != (coop.id, coop.tz):
            check.note(f"coop: the store is that of {held.id} in {held.tz}, hub.toml says {coop.id} in {coop.tz}")
    with check.reading("rules"):
        await check_adoptions(store, history, check, tz=coop.tz)
        await check_proposals(store, history, check, tz=coop.tz)
    with check.reading("device maps"):
        check.bundles = await check_bundles(store, check, coop=coop.id)
    with check.reading("who decided what"):
        check.acts = await check_people(store, history, check) + await check_approvers(store, history, check)
    return check


def verify_lines(found: Mapping[str, object]) -> str:
    """The result of the verification for people."""
    rows, messages, books = found.get(ROWS, {}), found.get(MESSAGES, {}), found.get(BOOKS, {})
    kept = found.get(KEPT, {})
    assert isinstance(rows, dict)
    assert isinstance(messages, dict)
    assert isinstance(books, dict)
    assert isinstance(kept, dict)
    lines = []
    if rows:
        lines.append(
            f"rows: {rows['rows']} compared with {rows['lines']} lines of the log of rows, the log with {rows['heads']}"
            f" day roots, {rows['acts']} decisions of people with their roles, {rows['bundles']} bundles of device maps"
            f" with the texts added, {rows['wrong']} wrong"
        )
    if messages:
        lines.append(
            f"messages: {messages['messages']} checked again, {messages['readings']} readings and"
            f" {messages['consents']} consents compared, {messages['wrong']} wrong"
        )
    if books:
        lines.append(
            f"books: {books['entries']} entries, {books['recomputed']} of {books['runs']} runs computed again,"
            f" {books['attestations']} signed documents,"
            f" {books['wrong']} wrong; sums {books['sums']['Wh']} Wh and {books['sums']['nano']} nano"
        )
    if kept:
        unnamed = f" ({kept['unnamed']} of them name no document of the books)" if kept["unnamed"] else ""
        lines.append(f"kept roots: {kept['roots']} compared with the books{unnamed}, {kept['wrong']} wrong")
    lines += [f"  {finding}" for half in (rows, messages, books, kept) for finding in half.get("findings", ())]
    if rows.get("taken_over"):
        since = datetime.fromtimestamp(rows["taken_over_at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines.append(
            f"taken over at upgrade: {rows['taken_over']} rows are older than the log of rows and are held by it since"
            f" {since}; what happened to them before, it cannot say"
        )
    if books.get("unsigned"):
        lines.append(
            f"not signed: all {books['unsigned']} runs were booked before this hub signed its books; nothing is wrong"
            " with that, only the chain of hashes holds them. The next settlement signs them"
        )
    lines += [f"erased by rule, not missing: {each}" for each in messages.get("erased", ())]
    if books.get("erased_days"):
        days = books["erased_days"]
        lines.append(
            f"not computed again: {len(days)} days, {days[0]} to {days[-1]}, rest on readings erased by rule; their"
            " records have the hashes that were signed"
        )
    if books.get("late_days"):
        lines.append(f"to be settled again for late readings or decisions: {', '.join(books['late_days'])}")
    lines.append("everything holds" if found["ok"] else "something does not hold: see the lines above")
    return "\n".join(lines) + "\n"
