"""Findings as lines of text for the board, in the co-op's local time; an outage of several days is one line."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hub.core.quality.home_checks import Finding
from hub.storage.finding_records import FindingRow, NewFinding
from protocols.slots import format_slot, start_of

SEVERITY_WORDS: Final = {"hold": "holds credits", "check": "look at it", "note": "note"}
VERDICT_WORDS: Final = {"accept": "accepted", "reject": "rejected", "estimate": "to be estimated"}
NOTHING: Final = "nothing found\n"

_NUMBER: Final = re.compile(r"\d+")


def found_lines(found: Sequence[Finding], tz: str) -> str:
    """The findings of a check made now: the home, how serious it is, when, and what."""
    lines = (
        f"{each.home}  {SEVERITY_WORDS[each.severity]:<13}  {_when(each, each, tz)}: {_what(each)}\n" for each in found
    )
    return "".join(lines) or NOTHING


def finding_lines(rows: Sequence[FindingRow], tz: str) -> str:
    """Stored findings: the home, the state, when, what, and the numbers for --decide.

    Consecutive days of one home whose findings differ only in their amounts are one line.
    """
    lines = []
    for group in _groups(rows):
        first, last = group[0].found, group[-1].found
        days = f" on {len(group)} days" if len(group) > 1 else ""
        numbers = _listed([row.id for row in group])
        lines.append(
            f"{numbers:>5}  {first.home}  {state_words(group[0]):<15}  {_when(first, last, tz)}{days}:"
            f" {_ranges([_what(row.found) for row in group])}\n"
        )
    return "".join(lines) or NOTHING


def state_words(row: FindingRow) -> str:
    """The state of a finding in words."""
    if row.closed is not None:
        return "closed"
    return VERDICT_WORDS[row.decisions[-1].verdict] if row.decisions else SEVERITY_WORDS[row.found.severity]


def _groups(rows: Sequence[FindingRow]) -> Iterator[list[FindingRow]]:
    """The rows in groups of consecutive days, each group where its first row stood."""
    groups: list[list[FindingRow]] = []
    open_groups: dict[tuple[object, ...], list[FindingRow]] = {}
    for row in sorted(rows, key=lambda each: (each.day, each.found.first_slot, each.id)):
        found = row.found
        key = (found.home, found.code, found.measure, state_words(row), _NUMBER.sub("0", _what(found)))
        group = open_groups.get(key)
        if group is not None and _next_day(group[-1]) == row.day:
            group.append(row)
        else:
            open_groups[key] = [row]
            groups.append(open_groups[key])
    place = {row.id: at for at, row in enumerate(rows)}
    yield from sorted(groups, key=lambda group: min(place[row.id] for row in group))


def _next_day(row: FindingRow) -> str:
    return (date.fromisoformat(row.day) + timedelta(days=1)).isoformat()


def _what(found: Finding | NewFinding) -> str:
    """The sentence without its time, which stands there in UTC."""
    sentence = found.sentence.removesuffix(f" from {format_slot(found.first_slot)} on.")
    return f"{sentence.rstrip('.,')}."


def _ranges(sentences: Sequence[str]) -> str:
    """Sentences alike but for their numbers as one, each number as the least and the most."""
    numbers = list(zip(*(map(int, _NUMBER.findall(sentence)) for sentence in sentences), strict=True))
    words = iter(f"{min(each)} to {max(each)}" if min(each) < max(each) else str(each[0]) for each in numbers)
    return _NUMBER.sub(lambda _: next(words), sentences[0])


def _when(first: Finding | NewFinding, last: Finding | NewFinding, tz: str) -> str:
    """From the start of the first to the end of the last, in local time; the day of the end only if it is another."""
    begin, end = _local(start_of(first.first_slot), tz), _local(start_of(last.first_slot + last.slots), tz)
    shown_end = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{begin:%Y-%m-%d %H:%M} to {shown_end}"


def _local(at_s: int, tz: str) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(tz))


def _listed(numbers: Sequence[int]) -> str:
    """Ascending numbers in few characters: 3-9,12."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
