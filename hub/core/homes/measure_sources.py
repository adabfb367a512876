"""Which of a home's agents brings what each meter counts, so that nothing counts twice. It decides; it stores nothing.

Each meter is brought by one agent: the first one that sends energy of it. While that agent or one that replaced it
works, what another agent of the home sends of the same meter does not count. Once it is shut out and nobody replaced
it, the next agent that sends energy of the meter takes over from there on, and earlier readings stay.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.quantities import Measure
from protocols.slots import Slot, start_of

GRID_METER: Final = Measure.GRID_IMPORT
_OTHER_DIRECTION: Final = {
    Measure.GRID_EXPORT: Measure.GRID_IMPORT,
    Measure.BATTERY_DISCHARGE: Measure.BATTERY_CHARGE,
}


def meter_of(measure: Measure) -> Measure:
    """The meter that counts a measure, named by its first measure: one meter counts both directions.

    >>> meter_of(Measure.GRID_EXPORT).code, meter_of(Measure.PV_PRODUCTION).code
    ('grid_import', 'pv_production')
    """
    return _OTHER_DIRECTION.get(measure, measure)


def measures_of(meter: Measure) -> frozenset[Measure]:
    """All measures that come from a meter."""
    return frozenset(measure for measure in Measure if meter_of(measure) is meter)


@dataclass(frozen=True, slots=True)
class MeterSource:
    """`agent` in `seat` of the home brings what `meter` counts, for slots from `first_slot` on.

    It holds for messages stored after `after_position`; `since_at` is when the hub decided it, unix seconds.
    """

    home: str
    meter: Measure
    agent: str
    seat: int
    first_slot: Slot
    since_at: int
    after_position: int = 0


@dataclass(frozen=True, slots=True)
class MeterShare:
    """What one agent may count of one meter now: slots from `first_slot` on. `is_new`: its energy makes it the source.

    `is_takeover`: from an agent in another seat, which is vacant; without energy nothing counts. `brought_by` is the
    other agent that brings the meter; then nothing counts either.
    """

    first_slot: Slot = 0
    is_new: bool = False
    is_takeover: bool = False
    brought_by: str | None = None

    def counts(self, first_slot: Slot) -> bool:
        """Whether a value counts whose first slot is this one."""
        return self.brought_by is None and first_slot >= self.first_slot


def share_of(held: MeterSource | None, *, agent: str, seat: int, vacant_from: Slot | None) -> MeterShare:
    """What this agent may count of the meter whose source is `held`.

    `vacant_from` is None while an agent works in the source's seat; otherwise the slot after the last one it sent.
    """
    if held is None:
        return MeterShare(is_new=True)
    if held.seat == seat:
        return MeterShare(held.first_slot, is_new=held.agent != agent)
    if vacant_from is None:
        return MeterShare(brought_by=held.agent)
    return MeterShare(max(held.first_slot, vacant_from), is_new=True, is_takeover=True)


class SourceHistory:
    """Who brought each meter of one home at each message. `seats` gives the seat of each of its agents."""

    def __init__(self, rows: Iterable[MeterSource] = (), *, seats: Mapping[str, int] | None = None) -> None:
        self._seats = seats or {}
        self._of_meter: dict[Measure, list[MeterSource]] = {}
        for row in sorted(rows, key=lambda row: row.after_position):
            self._of_meter.setdefault(row.meter, []).append(row)

    def counts(self, measure: Measure, *, agent: str, position: int, first_slot: Slot) -> bool:
        """Whether a value counts that this agent's message at `position` says of slots from `first_slot` on."""
        rows: Sequence[MeterSource] = self._of_meter.get(meter_of(measure), ())
        place = bisect_left(rows, position, key=lambda row: row.after_position)
        if place == 0:
            return True
        row = rows[place - 1]
        return row.seat == self._seats.get(agent) and first_slot >= row.first_slot


@dataclass(frozen=True, slots=True)
class BroughtSpan:
    """Readings of a meter that an agent brought, from and until unix seconds (None: until now and beyond).

    Of earlier slots, from `first_slot` on, it is what the agent's messages after `after_position` say.
    """

    from_s: int
    until_s: int | None
    after_position: int = 0
    first_slot: Slot = 0


def brought_spans(
    sources: Sequence[MeterSource], *, seat: int, enrolled_at: int, revoked_at: int | None
) -> list[BroughtSpan]:
    """What an agent in this seat brought of one meter of its home; `sources` are the meter's, in order.

    Where no other seat ever brought the meter, it is the whole time since the agent came: also its gaps are its own.
    """
    if all(source.seat == seat for source in sources):
        return [BroughtSpan(enrolled_at, revoked_at)]
    found = []
    for place, source in enumerate(sources):
        is_takeover = place > 0 and sources[place - 1].seat != seat
        if source.seat != seat or (place > 0 and not is_takeover):
            continue
        later = next((other.since_at for other in sources[place:] if other.seat != seat), None)
        if later is not None and later <= enrolled_at:
            continue
        if not is_takeover or source.since_at < enrolled_at:
            after = (source.after_position, source.first_slot) if is_takeover else (0, 0)
            found.append(BroughtSpan(enrolled_at, revoked_at or later, *after))
        elif revoked_at is None or source.since_at < revoked_at:
            after = (source.after_position, source.first_slot)
            found.append(BroughtSpan(start_of(source.first_slot), revoked_at or later, *after))
    return found
