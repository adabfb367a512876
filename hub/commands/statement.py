"""`commonwatt-hub statement`: a member's month as the files from which hub/verify/statement.py recomputes it."""

import argparse
import asyncio
import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from hub.commands.members.named_look import add_by_and_reason, log_others, look_at_all, look_at_one
from hub.commands.periods import parse_month
from hub.console.output_files import write_new
from hub.core.ledger.signed_document import canonical_bytes
from hub.core.statements.document import StatementFiles
from hub.core.statements.tables import bills_csv, statement_csv
from hub.folder.clock import open_clock
from hub.folder.keys.salt_key import load_seals
from hub.folder.opening import open_hub
from hub.statements.months import StatementService
from hub.statements.script import NAME, script_text
from hub.storage.access_records import NEIGHBOUR_FIELDS, STATEMENT_LOOK
from protocols.errors import RequestError
from protocols.timeline import Clock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--member", required=True, metavar="ID", help="the member's id, such as m01")
    add_by_and_reason(parser)
    parser.add_argument("--month", required=True, metavar="MONTH", help="a month like 2026-05")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make; not there yet")
    parser.add_argument("--pdf", action="store_true", help="add statement.pdf (needs the extra 'pdf')")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Write the folder, whole or not at all. Raises: RequestError with a one-line message."""
    month = parse_month(args.month)
    clock = open_clock(args.clock)
    if args.pdf and find_spec("typst") is None:
        raise RequestError("statement: --pdf needs the package typst: install commonwatt with the extra 'pdf'")
    files, language = asyncio.run(
        statement_of(args.data, member_id=args.member, by=args.by, reason=args.reason, month=month, clock=clock)
    )
    write_folder(args.out, files, pdf=_as_pdf(files, language) if args.pdf else None)
    sys.stdout.write(_summary(args.out, files, as_json=args.json))
    return 0


async def statement_of(
    folder: Path, *, member_id: str, by: str, reason: str | None, month: date, clock: Clock
) -> tuple[StatementFiles, str]:
    """A member's month from the hub in `folder`, and the member's language. The home's log names who looked and why.

    Raises: RequestError.
    """
    settings, signer, store = await open_hub(folder, clock=clock)
    try:
        member, home = await store.member(member_id), await store.home_of(member_id)
        if member is None or home is None:
            raise RequestError(f"statement: there is no member {member_id[:40]!r} with a home")
        access = await look_at_one(
            store, by, member=member_id, reason=reason, command="statement", purpose="settle.share"
        )
        await store.log_access(access, [home.id], fields=STATEMENT_LOOK, rows=1)
        beside = await look_at_all(
            store, by, command="statement", purpose="settle.share", reason="a neighbour's statement was made"
        )
        await log_others(store, beside, member=member_id, fields=NEIGHBOUR_FIELDS)
        service = StatementService(store, key=signer, seals=load_seals(folder), plants=settings.plants)
        try:
            files = await service.state(member, home, month=month, access=access)
        except RequestError as problem:
            raise RequestError(f"statement: {problem}") from None
    finally:
        await store.close()
    if files is None:
        raise RequestError(f"statement: nothing of {month:%Y-%m} is settled for {member_id[:40]}")
    return files, member.language


def file_contents(files: StatementFiles) -> dict[str, bytes]:
    """The content of each file, by file name."""
    documents = {"statement.json": files.signed, "readings.json": files.readings, "pool.json": files.pool}
    contents = {name: canonical_bytes(document) + b"\n" for name, document in documents.items()}
    tables = {"statement.csv": statement_csv(files.statement), "bills.csv": bills_csv(files.statement)}
    if files.before is not None:
        contents["before.json"] = canonical_bytes(files.before) + b"\n"
    return contents | {name: table.encode() for name, table in tables.items()} | {NAME: script_text().encode()}


def _as_pdf(files: StatementFiles, language: str) -> bytes:
    """The statement as a PDF. Loads the pages' translations and the drawing package, which nothing else here needs.

    Raises: RequestError.
    """
    from hub.web.pdf.files import statement_pdf  # noqa: PLC0415
    from hub.web.pdf.statement import PdfRenderError  # noqa: PLC0415

    try:
        return statement_pdf(files, language)
    except PdfRenderError:
        raise RequestError(
            "statement: the PDF cannot be drawn, perhaps for a letter in a name that its fonts lack; leave out --pdf"
        ) from None


def write_folder(folder: Path, files: StatementFiles, *, pdf: bytes | None = None) -> None:
    """Write the files to a new folder. If power fails, there is no folder with this name. Raises: RequestError."""
    part = folder.with_name(folder.name + ".part")
    try:
        if folder.exists():
            raise RequestError(f"{folder} already exists; nothing written, choose another name")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        for name, content in file_contents(files).items():
            write_new(part / name, content)
        if pdf is not None:
            write_new(part / "statement.pdf", pdf)
        part.rename(folder)
    except OSError as error:
        raise RequestError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def command_line(folder: Path, hub_key: str, *, before: bool) -> str:
    """The command that the member runs at home, ready to be pasted into a shell."""
    names = [str(folder / name) for name in (NAME, "statement.json", "readings.json", "pool.json")]
    earlier = ["--before", str(folder / "before.json")] if before else []
    return shlex.join(["python", *names, "--hub-key", hub_key, *earlier])


def _summary(folder: Path, files: StatementFiles, *, as_json: bool) -> str:
    statement = files.statement
    summary: Mapping[str, object] = {
        "folder": str(folder),
        "month": statement["month"],
        "state": statement["state"],
        "billed": statement["billed"],
        "later": dict(files.later),
        "hub_key": files.hub_key,
        "script": str(folder / NAME),
        "verify": command_line(folder, files.hub_key, before=files.before is not None),
    }
    if as_json:
        return json.dumps(summary) + "\n"
    billed = "billed" if statement["billed"] else "not billed"
    lines = [f"{folder}: {statement['month']} of {_member_id(files)}, {statement['state']}, {billed}"]
    lines += [f"  {day}: {why} since; the next run will pick it up" for day, why in files.later.items()]
    return "\n".join([*lines, str(summary["verify"]), ""])


def _member_id(files: StatementFiles) -> str:
    return str(files.readings["member"])
