"""`commonwatt-hub settle --month` with --kind or --preview: books a month run or shows what it would change."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from datetime import date

from hub.board.run_service import book_run, preview_run
from hub.commands.members.named_look import look_at_all
from hub.commands.runs import run_json, run_line
from hub.core.ledger.month_preview import BoardPreview, MonthPreview, board_preview
from hub.core.ledger.month_runs import MonthRun
from hub.core.ledger.run_calendar import month_name
from hub.core.rules.input_checks import RejectedInputError
from hub.folder.opening import OpenHub, opened_hub
from hub.storage.access_records import LEDGER_FIELDS
from protocols.errors import RequestError
from protocols.timeline import Clock

NANO_PER_UNIT = 10**9


def run_month(options: argparse.Namespace, *, month: date, clock: Clock) -> int:
    """Preview the month's run or book it, and print it. Raises: RequestError with a one-line message."""
    if options.kind is None and not options.preview:
        raise RequestError("settle: --decision goes with --kind X")
    if options.by is not None and not options.preview:
        raise RequestError("settle: --by goes with --preview")
    found = asyncio.run(_preview_or_book(options, month=month, clock=clock))
    if isinstance(found, BoardPreview | MonthPreview):
        lines = sum_lines(found) if isinstance(found, BoardPreview) else preview_lines(found)
        sys.stdout.write(json.dumps(asdict(found)) + "\n" if options.json else lines)
    else:
        sys.stdout.write((json.dumps(run_json(found)) if options.json else run_line(run_json(found))) + "\n")
    return 0


async def _preview_or_book(
    options: argparse.Namespace, *, month: date, clock: Clock
) -> BoardPreview | MonthPreview | MonthRun:
    """A preview does not change the books; a refused run leaves nothing behind. Raises: RequestError."""
    try:
        async with opened_hub(options.data, clock=clock) as hub:
            if options.preview:
                return await _preview(hub, month, by=options.by)
            return await book_run(
                hub.store,
                month,
                kind=options.kind,
                decision=options.decision or "",
                calendar=hub.settings.calendar,
                key=hub.signer,
                at=hub.opened_at,
                today=hub.today,
            )
    except RejectedInputError as refusal:
        raise RequestError(f"settle: {month_name(month)} is refused: {refusal}") from None
    except RequestError as problem:
        raise RequestError(f"settle: {problem}") from None


async def _preview(hub: OpenHub, month: date, *, by: str | None) -> BoardPreview | MonthPreview:
    """Sums, as on the board's page; member by member only for a named person, whom each home's log then names."""
    if by is None:
        return board_preview(await preview_run(hub.store, month, today=hub.today))
    reason = "what a run would change was shown member by member"
    look = await look_at_all(hub.store, by, command="settle", purpose="settle.share", reason=reason)
    found = await preview_run(hub.store, month, today=hub.today)
    await hub.store.log_access(look, [home.id for home in await hub.store.homes()], fields=LEDGER_FIELDS, rows=1)
    return found


def sum_lines(preview: BoardPreview) -> str:
    """The preview's sums for people; they are withheld if they are about one to four members."""
    lines = _first_lines(preview)
    if not preview.days:
        return "".join(lines)
    if preview.margin_nano is None or preview.shared_wh is None:
        return f"{lines[0]}{preview.members} member(s) would change: too few for sums\n"
    lines.append(f"{preview.members} members would change\n")
    named = (
        ("members receive more", preview.to_members_nano),
        ("members pay more", preview.from_members_nano),
        ("the co-op's margin", preview.margin_nano),
        ("the largest change for one member", preview.largest_nano),
    )
    lines.append(f"shared energy: {_thousandths(preview.shared_wh)} kWh\n")
    lines += [f"{words}: {_money(amount)}\n" for words, amount in named if amount is not None]
    return "".join(lines)


def _first_lines(preview: BoardPreview | MonthPreview) -> list[str]:
    if not preview.days:
        return [f"{preview.month}: the books already agree with the inputs; a run would change nothing\n"]
    return [f"{preview.month}: {len(preview.days)} day(s) would change, {preview.entries} entries\n"]


def preview_lines(preview: MonthPreview) -> str:
    """The preview for people: the change in kilowatt-hours and money, member by member."""
    lines = [line.rstrip("\n") for line in _first_lines(preview)]
    if not preview.days:
        return "".join(f"{line}\n" for line in lines)
    lines.append(f"{'member':<12}{'got kWh':>12}{'gave kWh':>12}{'bought kWh':>12}{'sold kWh':>12}{'money':>16}")
    for each in preview.members:
        energy = (each.received_wh, each.sold_wh, each.imported_wh, each.exported_wh)
        cells = "".join(f"{_thousandths(wh):>12}" for wh in energy)
        lines.append(f"{each.member:<12}{cells}{_money(each.money_nano):>16}")
    lines.append(f"the co-op's margin: {_money(preview.margin_nano)}")
    return "\n".join(lines) + "\n"


def _thousandths(wh: int) -> str:
    return f"{'-' if wh < 0 else '+'}{abs(wh) // 1000}.{abs(wh) % 1000:03d}"


def _money(nano: int) -> str:
    return f"{'-' if nano < 0 else '+'}{abs(nano) // NANO_PER_UNIT}.{abs(nano) % NANO_PER_UNIT:09d}"
