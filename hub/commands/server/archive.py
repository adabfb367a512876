"""`commonwatt-hub archive`: writes the signed messages before a month into a sealed file, or checks such files."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from hub.backups.keys import load_backup_key
from hub.backups.sealed_file import Lock, SealedReader, SealedWriter
from hub.backups.unlocking import add_lock_arguments, lock_for
from hub.commands.operation.verify import FAILED, public_key
from hub.commands.periods import parse_month
from hub.console.output_files import new_file
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.storage.records import Access
from hub.verify.homes.archive import NOTHING, ArchiveCheck, ArchiveError, ArchiveWriter, End, check_archive
from protocols.errors import InputError, RequestError
from protocols.timeline import Clock

SUFFIX: Final = ".cwarchive"
PAGE: Final = 500
REASON_CHARS_MAX: Final = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--before", metavar="MONTH", help="write what the hub received before this month, like 2026-05")
    parser.add_argument("--to", type=Path, metavar="DIR", help="the folder of the archives; each goes on from the last")
    parser.add_argument("--by", metavar="ID", help="the board member who keeps the file")
    parser.add_argument("--reason", metavar="TEXT", help="why; each home's access log shows it")
    parser.add_argument(
        "--check", type=Path, action="append", metavar="FILE",
        help="instead of --data: check this archive without the hub (may be repeated: each goes on from the last)",
    )  # fmt: skip
    parser.add_argument(
        "--hub-key",
        type=public_key,
        metavar="HEX",
        help="check: the hub's public key as you know it: any other is wrong",
    )
    parser.add_argument("--json", action="store_true", help="check: print JSON")
    add_lock_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write or check. Raises: CommonwattError with a one-line message; then nothing is written."""
    if args.check is not None:
        if args.data is not None or args.to is not None or args.before is not None:
            raise RequestError("archive: --check stands alone, without --data, --to and --before")
        return _check(args)
    if args.data is None or args.to is None or args.before is None:
        raise RequestError("archive: give --data DIR, --before MONTH and --to DIR; or --check FILE")
    reason = (args.reason or "").strip()
    if not args.by or not 0 < len(reason) <= REASON_CHARS_MAX or not reason.isprintable():
        raise RequestError(f"archive: give --by ID and --reason TEXT, 1 to {REASON_CHARS_MAX} printable characters")
    if not args.to.is_dir():
        raise RequestError(f"{args.to}: no such folder")
    month, lock = parse_month(args.before), load_backup_key(args.data)
    asyncio.run(_write(args, month=month, reason=reason, lock=lock, clock=open_clock(args.clock)))
    return 0


async def _write(args: argparse.Namespace, *, month: date, reason: str, lock: Lock, clock: Clock) -> None:
    async with opened_hub(args.data, clock=clock) as hub:
        member, coop = await hub.store.member(args.by), hub.settings.coop
        if member is None or not member.is_board:
            raise RequestError(f"--by {args.by[:40]}: not a member of the board")
        before_s = datetime(month.year, month.month, 1, tzinfo=ZoneInfo(coop.tz)).timestamp()
        if before_s > clock.now():
            raise RequestError(f"--before {month:%Y-%m}: that month has not begun")
        path = args.to / f"{coop.id}-before-{month:%Y-%m}{SUFFIX}"
        ends = _ends_before(path, coop=coop.id, lock=lock)
        access = Access(actor=args.by, role="board", purpose="settle.share", reason=reason)
        with new_file(path) as file:
            sealed = SealedWriter(file, lock, words={"archive": coop.id, "before": f"{month:%Y-%m}"})
            count = await _fill(hub, sealed, ends=ends, before_s=before_s, access=access)
            sealed.finish()
    sys.stdout.write(f"{path}: {count} messages, sealed with the backup key; check it with:\n")
    sys.stdout.write(f"  commonwatt-hub archive --check {path} --hub-key {hub.signer.identity.hex()} --key-file FILE\n")


def _ends_before(path: Path, *, coop: str, lock: Lock) -> dict[str, End]:
    """How far the newest archive in the folder goes, which must hold. Raises: RequestError if it is not older."""
    there = sorted(path.parent.glob(f"{coop}-before-????-??{SUFFIX}"))
    if not there:
        return {}
    if there[-1].name >= path.name:
        raise RequestError(f"{there[-1]} is there already, and holds what was received before that month")
    check = _checked(there[-1], lock=lock)
    if check.wrong:
        raise RequestError(f"{there[-1]}: {check.findings[0]}: nothing is written that goes on from it")
    return check.ends


async def _fill(hub: OpenHub, out: SealedWriter, *, ends: Mapping[str, End], before_s: float, access: Access) -> int:
    store = hub.store
    agents = {agent.id: agent for agent in await store.agents()}
    identity, coop = hub.signer.identity, hub.settings.coop.id
    writer = ArchiveWriter(out.write, coop=coop, identity=identity, agents=agents, ends=ends)
    homes = sorted({agent.home_id for agent in agents.values()})
    rows = await store.stored_rows(homes, access=access)
    for home in homes:
        async with rows.view(home) as view:
            for name in sorted(agent.id for agent in agents.values() if agent.home_id == home):
                epoch, seq, _ = ends.get(name, NOTHING)
                is_before = True
                while is_before and (page := await view.messages(name, after=(epoch, seq), limit=PAGE)):
                    for row in page:
                        if row.received_at >= before_s:
                            is_before = False
                            break
                        writer.add(name, row)
                        epoch, seq = row.epoch, row.seq
    writer.finish(hub.signer)
    return writer.count


def _check(args: argparse.Namespace) -> int:
    ends: Mapping[str, End] | None = None
    found: list[tuple[Path, ArchiveCheck]] = []
    for path in args.check:
        lock = lock_for(path, key_file=args.key_file, passphrase_file=args.passphrase_file)
        check = _checked(path, lock=lock, pinned=args.hub_key, ends=ends)
        ends = check.ends
        found.append((path, check))
    if args.json:
        document = [
            {
                "file": str(path), "identity": check.identity.hex(), "agents": len(check.ends),
                "messages": check.messages, "erased": check.erased, "wrong": check.wrong, "findings": check.findings,
            }
            for path, check in found
        ]  # fmt: skip
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        sys.stdout.writelines(_line(path, check) for path, check in found)
    return FAILED if any(check.wrong for _, check in found) else 0


def _line(path: Path, check: ArchiveCheck) -> str:
    verdict = f"{check.wrong} contradictions" if check.wrong else "everything holds"
    line = (
        f"{path}: {check.messages} messages of {len(check.ends)} agents, {check.erased} of them erased by rule, signed"
        f" under the key {check.identity.hex()}: {verdict}\n"
    )
    return line + "".join(f"  {sentence}\n" for sentence in check.findings)


def _checked(
    path: Path, *, lock: Lock, pinned: bytes | None = None, ends: Mapping[str, End] | None = None
) -> ArchiveCheck:
    with _reader(path, lock) as reader:
        try:
            return check_archive(reader.read, pinned=pinned, ends=ends)
        except ArchiveError as error:
            raise InputError(f"{path}: {error}") from None


@contextmanager
def _reader(path: Path, lock: Lock) -> Iterator[SealedReader]:
    try:
        with path.open("rb") as file:
            yield SealedReader(file, lock, name=str(path))
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from None
