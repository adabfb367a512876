"""A data logger's recording, sent through the same meter, consent, sealing and outbox as live readings.

Reads text; the entry point opens the file. The format is `commonwatt-recording,1` with rows in time order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation

from edge_agent.metering.home_meter import FIELDS_OF_ROLE, HomeMeter, MeasuringPoint, Sample
from edge_agent.metering.sample_feed import SampleFeed
from edge_agent.run_loop import GROUP, SlotCloser
from protocols.errors import InputError
from protocols.recordings import HEADER
from protocols.slots import SLOT_S, Slot, slot_of, start_of

MAX_LINE = 200
MAX_AT_S = 7_258_118_400
"""The year 2200: a larger number is not in seconds."""
LONGEST_PAUSE_S = 400 * 86400
"""A longer gap than this is a mistake in the times: each slot in it would become a message."""
MAX_VALUE = Decimal(10) ** 15
POINTS = frozenset(name for fields in FIELDS_OF_ROLE.values() for name in fields) | {"power_w"}


class RecordingError(InputError):
    """The recording cannot be used; one line that names the row and what was expected."""


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One value of a recording."""

    at_s: int
    device: str
    point: str
    value: Decimal


def read_rows(lines: Iterable[str], *, name: str) -> Iterator[RecordingRow]:
    """The rows of a recording, checked one by one. Raises RecordingError."""
    numbered = _numbered(lines, name)
    first = next(numbered, (1, ""))[1].strip()
    if first != HEADER:
        raise RecordingError(f"{name}: row 1: expected {HEADER!r}")
    last_s = 0
    for number, line in numbered:
        if not line.strip():
            continue
        row = _row(line, f"{name}: row {number}")
        if row.at_s < last_s:
            raise RecordingError(f"{name}: row {number}: expected rows in time order")
        if last_s and row.at_s - last_s > LONGEST_PAUSE_S:
            days = LONGEST_PAUSE_S // 86400
            raise RecordingError(f"{name}: row {number}: more than {days} days after the row before")
        last_s = row.at_s
        yield row


def _numbered(lines: Iterable[str], name: str) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            yield number, line
    except (OSError, UnicodeDecodeError) as cause:
        raise RecordingError(f"{name}: cannot be read after row {number}: {cause}") from None


def _row(line: str, where: str) -> RecordingRow:
    parts = line.strip().split(",") if len(line) <= MAX_LINE else []
    if len(parts) != 4:
        raise RecordingError(f"{where}: expected unix_s,device,point,value")
    at, device, point, value = parts
    if point not in POINTS:
        raise RecordingError(f"{where}: {point[:40]!r}: expected one of {', '.join(sorted(POINTS))}")
    try:
        at_s, number = int(at), Decimal(value)
    except (ValueError, InvalidOperation):
        raise RecordingError(f"{where}: expected a whole number of seconds and a decimal number") from None
    if not 0 <= at_s < MAX_AT_S or not number.is_finite() or abs(number) > MAX_VALUE:
        raise RecordingError(f"{where}: time or value is out of range")
    return RecordingRow(at_s, device, point, number)


def moments(rows: Iterable[RecordingRow]) -> Iterator[tuple[int, dict[str, dict[str, Decimal]]]]:
    """The rows grouped by time: device, point, value."""
    at_s, found = -1, dict[str, dict[str, Decimal]]()
    for row in rows:
        if row.at_s != at_s:
            if found:
                yield at_s, found
            at_s, found = row.at_s, {}
        found.setdefault(row.device, {})[row.point] = row.value
    if found:
        yield at_s, found


class Replay:
    """Drives the meter from a recording."""

    def __init__(self, metering: HomeMeter, *, window_s: int) -> None:
        self._feed = SampleFeed(metering, window_s=window_s)
        self._places: dict[str, list[MeasuringPoint]] = {}
        for place in metering.places:
            self._places.setdefault(place.device, []).append(place)

    def feed(self, at_s: int, found: dict[str, dict[str, Decimal]]) -> None:
        """Process one instant of the recording; closes the slots that end at it or ended before it without a row."""
        samples: dict[MeasuringPoint, Sample] = {}
        for device, points in found.items():
            if device not in self._places:
                known = ", ".join(self._places)
                raise RecordingError(f"recording: device {device[:40]!r} is not configured, expected one of {known}")
            made = {place: _sample(place, at_s, points) for place in self._places[device]}
            samples |= {place: sample for place, sample in made.items() if sample is not None}
        self._feed.add_samples(float(at_s), samples)

    def finish(self, through: Slot) -> None:
        """Close everything up to the boundary where the recording ends."""
        self._feed.miss_through(through)


def _sample(place: MeasuringPoint, at_s: int, points: dict[str, Decimal]) -> Sample | None:
    counters: dict[str, int | None] = {
        name: int(points[name].to_integral_value(rounding=ROUND_FLOOR))
        for name in FIELDS_OF_ROLE[place.role]
        if name in points
    }
    power = points.get("power_w")
    if not counters and power is None:
        return None
    return Sample(float(at_s), counters, None if power is None else _whole(power), is_recorded=True)


def _whole(power: Decimal) -> int:
    return int(power.to_integral_value(rounding=ROUND_HALF_EVEN))


async def replay(
    rows: Iterable[RecordingRow],
    *,
    make: Callable[[Slot], tuple[HomeMeter, SlotCloser]],
    window_s: int,
    stored: Callable[[], None],
) -> int:
    """Put a whole recording into the outbox in groups; returns the last boundary's time.

    `make` returns the meter and the slot closer that start at a slot. Raises RecordingError.
    """
    parts: tuple[Replay, SlotCloser] | None = None
    slot_seen, at_s = 0, 0
    for at_s, found in moments(rows):
        if parts is None:
            metering, closing = make(slot_of(at_s))
            parts = Replay(metering, window_s=window_s), closing
        parts[0].feed(at_s, found)
        if slot_of(at_s) - slot_seen >= GROUP:
            slot_seen = slot_of(at_s)
            await _store(parts[1], stored)
            # The uplink shares this thread: let it send while the recording is being read.
            await asyncio.sleep(0)
    if parts is not None:
        parts[0].finish(slot_of(at_s))
        await _store(parts[1], stored)
    return start_of(slot_of(at_s)) if parts else 0


async def _store(closing: SlotCloser, stored: Callable[[], None]) -> None:
    """Wait until everything is stored: a recording can wait, a live meter cannot."""
    if await closing.store_closed():
        stored()
    while closing.is_stuck:
        await asyncio.sleep(STUCK_S)
        if await closing.store_closed():
            stored()


LONGEST_HOLE_S = float(SLOT_S)
STUCK_S = 5.0
