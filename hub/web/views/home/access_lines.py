"""Who looked at a home's data: the lines of the access log as sentences, as pages and as files. Shows no values."""

import csv
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from itertools import groupby
from typing import Final

from hub.storage.access_records import (
    ADULT_FIELDS,
    BILL_FIELDS,
    BOARD,
    ERASED_FIELDS,
    FAIRNESS_ALL_FIELDS,
    FAIRNESS_FIELDS,
    FINDING_FIELDS,
    GRID_FIELDS,
    JOB,
    LEDGER_FIELDS,
    LINK_FIELDS,
    NEIGHBOUR_FIELDS,
    REPORT_FIELDS,
    SELF,
    STATEMENT_LOOK,
    TRIAL_FIELDS,
    AccessFilter,
    AccessRow,
)
from hub.storage.records import Member
from hub.web.frame.translation import Localizer
from hub.web.views.home.own_record import purpose_words

ACCOUNT_FIELDS: Final = "bank account"
PAYMENT_FIELDS: Final = "payments"
OBJECTION_FIELDS: Final = "objections"


BY_BOARD: Final = "board"
FILTERS: Final = {
    BY_BOARD: AccessFilter(role=BOARD),
    "hub": AccessFilter(role=JOB),
    "you": AccessFilter(role=SELF),
    "link": AccessFilter(role=SELF, only_links=True),
    "all": AccessFilter(),
}
LINES_SHOWN: Final = 100
_PIECE_LINES: Final = 1000
_COLUMNS: Final = (
    "at", "actor", "role", "purpose", "reason", "fields", "rows", "count", "link_by", "position"
)  # fmt: skip
_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")
ReadLines = Callable[[AccessFilter, int], Awaitable[tuple[AccessRow, ...]]]


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One line of the access log as a sentence."""

    at: str
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class AccessDay:
    day: str
    entries: tuple[AccessEntry, ...]


def access_days(
    rows: Sequence[AccessRow], members: Sequence[Member], words: Localizer, *, self_id: str
) -> tuple[AccessDay, ...]:
    """The access log by local day, newest first."""
    names = {member.id: member.name for member in members}
    days = []
    for day, group in groupby(rows, key=lambda row: words.local(row.at).date()):
        entries = (_entry(row, names, words, self_id=self_id) for row in group)
        # One page may read several tables: identical lines of the same minute become one.
        days.append(AccessDay(words.day(day), tuple(entry for entry, _ in groupby(entries))))
    return tuple(days)


def _entry(row: AccessRow, names: dict[str, str], words: Localizer, *, self_id: str) -> AccessEntry:
    if row.role == "self":
        who = words.text("You") if row.actor == self_id else names.get(row.actor, row.actor)
        if row.link_by:
            maker = names.get(row.link_by, row.link_by)
            who = (
                words.text("%(who)s (at the address that %(maker)s entered)", who=who, maker=maker)
                if row.fields == LINK_FIELDS
                else words.text("%(who)s (signed in with a link made by %(maker)s)", who=who, maker=maker)
            )
        what = _own_access(row, words)
    elif row.role == "board":
        name = names.get(row.actor, row.actor)
        who = _job(row.actor, words) if row.actor.startswith("job:") else words.text("%(name)s (board)", name=name)
        if row.link_by and row.link_by != row.actor:
            maker = names.get(row.link_by, row.link_by)
            who = words.text("%(who)s (signed in with a link made by %(maker)s)", who=who, maker=maker)
        what = _board_access(row, words)
    else:
        who = _job(row.actor, words)
        what = words.text("Read your home's values. Purpose: %(purpose)s", purpose=purpose_words(row.purpose, words))
        if row.fields == ERASED_FIELDS:
            what = words.text("Erased your home's readings, because the time for which the co-op keeps them is over")
    if row.count > 1:
        what = words.plural("%(what)s (%(n)s time that day)", "%(what)s (%(n)s times that day)", row.count, what=what)
    return AccessEntry(words.clock_at(row.at), who, what)


def _board_access(row: AccessRow, words: Localizer) -> str:
    purpose = purpose_words(row.purpose, words)
    what = {
        LINK_FIELDS: words.text("Made a sign-in link to your pages. Who opens it sees what you see"),
        ADULT_FIELDS: words.text("Changed who sees your home's pages"),
        STATEMENT_LOOK: words.text("Opened your statement. Purpose: %(purpose)s", purpose=purpose),
        BILL_FIELDS: words.text("Opened all members' bills, yours among them. Purpose: %(purpose)s", purpose=purpose),
        LEDGER_FIELDS: words.text("Exported the ledger with your entries. Purpose: %(purpose)s", purpose=purpose),
        FINDING_FIELDS: words.text("Opened the problems found in your readings. Purpose: %(purpose)s", purpose=purpose),
        REPORT_FIELDS: words.text("Opened the report on all homes' days. Purpose: %(purpose)s", purpose=purpose),
        GRID_FIELDS: words.text("Compared your readings with the grid's. Purpose: %(purpose)s", purpose=purpose),
        TRIAL_FIELDS: words.text("Tried another rule on your settled days. Purpose: %(purpose)s", purpose=purpose),
        FAIRNESS_FIELDS: words.text("Opened your row of the fairness report. Purpose: %(purpose)s", purpose=purpose),
        FAIRNESS_ALL_FIELDS: words.text(
            "Made the fairness report, which counts your settled days. Purpose: %(purpose)s", purpose=purpose
        ),
        NEIGHBOUR_FIELDS: words.text(
            "Opened a neighbour's statement, whose sums include your values. Purpose: %(purpose)s", purpose=purpose
        ),
        ACCOUNT_FIELDS: words.text("Opened your bank account. Purpose: %(purpose)s", purpose=purpose),
        PAYMENT_FIELDS: words.text("Opened your payments. Purpose: %(purpose)s", purpose=purpose),
        OBJECTION_FIELDS: words.text("Opened your objections. Purpose: %(purpose)s", purpose=purpose),
    }.get(row.fields, words.text("Opened your readings. Purpose: %(purpose)s", purpose=purpose))
    if not row.reason:
        return what
    return words.text("%(what)s. Reason: %(reason)s", what=what, reason=row.reason)


def _own_access(row: AccessRow, words: Localizer) -> str:
    if row.reason == STATEMENT_LOOK:
        return words.text("Opened your statement")
    return {
        LINK_FIELDS: words.text("Was sent a sign-in link by e-mail, asked for on the sign-in page"),
        ACCOUNT_FIELDS: words.text("Opened your bank account"),
        OBJECTION_FIELDS: words.text("Opened your objections"),
        FINDING_FIELDS: words.text("Opened the problems found in your readings"),
        TRIAL_FIELDS: words.text("Tried another rule on your settled days"),
        FAIRNESS_FIELDS: words.text("Opened the fairness report"),
    }.get(row.fields, words.text("Opened your home's page"))


def _job(actor: str, words: Localizer) -> str:
    name = actor.removeprefix("job:")
    known = {
        "today-page": words.text("The hub (Today page)"),
        "forecast": words.text("The hub (forecast)"),
        "prompts": words.text("The hub (prompts)"),
        "prompt": words.text("The hub (prompts)"),
        "settlement": words.text("The hub (settlement)"),
        "settle": words.text("The hub (settlement)"),
        "settlement-preview": words.text("The hub (run preview)"),
        "statement": words.text("The hub (statements)"),
        "credits": words.text("The hub (credits told to your own agent)"),
        "what-if": words.text("The hub (trying a rule)"),
        "fairness": words.text("The hub (fairness report)"),
        "retention": words.text("The hub (erasing what is kept too long)"),
        "verify": words.text("The hub (verification)"),
    }
    return known.get(name, words.text("The hub (%(job)s)", job=name))


async def list_access(
    read: ReadLines, who: str, *, before: tuple[int, int] | None
) -> tuple[tuple[AccessRow, ...], str]:
    """One page of the log, and where the next one begins (empty: there is none)."""
    chosen = FILTERS[who]
    found = await read(AccessFilter(chosen.role, chosen.only_links, before), LINES_SHOWN + 1)
    shown = found[:LINES_SHOWN]
    return shown, f"{shown[-1].at}-{shown[-1].position}" if len(found) > LINES_SHOWN else ""


def read_place(text: str) -> tuple[int, int] | None:
    """The place in the log that `list_access` gave. Raises: ValueError."""
    if not text:
        return None
    at, _, position = text.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) < 16 for part in (at, position)):
        raise ValueError("not a place in the log")
    return int(at), int(position)


async def _every(read: ReadLines, who: str) -> AsyncIterator[AccessRow]:
    """All lines, newest first, read piece by piece."""
    chosen, before = FILTERS[who], None
    while found := await read(AccessFilter(chosen.role, chosen.only_links, before), _PIECE_LINES):
        for row in found:
            yield row
        before = (found[-1].at, found[-1].position)


async def access_json(read: ReadLines, who: str) -> AsyncIterator[str]:
    """The whole log for programs, as the pieces of one JSON document."""
    start = '{"looks": ['
    async for row in _every(read, who):
        yield start + json.dumps(_plain(row))
        start = ",\n"
    yield "]}\n" if start == ",\n" else start + "]}\n"


async def access_csv(read: ReadLines, who: str) -> AsyncIterator[str]:
    """The whole log as a table, line by line; a text that a spreadsheet would run as a formula gets an apostrophe."""
    yield _csv_line(_COLUMNS)
    async for row in _every(read, who):
        yield _csv_line(_plain(row).values())


def _csv_line(values: Iterable[object]) -> str:
    text = StringIO()
    csv.writer(text).writerow([f"'{value}" if str(value)[:1] in _FORMULA_SIGNS else value for value in values])
    return text.getvalue()


def _plain(row: AccessRow) -> dict[str, object]:
    whole = asdict(row)
    return {name: whole[name] for name in _COLUMNS}
