"""What agents told of their grid meters, and when a meter's readings wait for the board. It stores nothing.

An agent that tells nothing, as all did before there was such a notice, holds nothing back.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.maps.model import Metrology, Phases
from protocols.slots import Slot
from protocols.wire.meter_notices import RELEASED, NettingTime, ToldQuality

UNPROVEN_METER: Final = "unproven_meter"
"""The code of the finding on a meter whose map is bronze: accepting it releases the meter's readings."""

OTHER_NETTING: Final = "other_netting"
"""The code of the finding on a home that says its grid operator nets within another time than the rulebook does."""

CERTIFIED: Final[frozenset[str]] = frozenset({"MID A", "MID B", "MID C"})


@dataclass(frozen=True, slots=True)
class ToldMeter:
    """A home's grid meter from a slot on, as the agent in this seat told it: see MeterNotice."""

    home: str
    seat: int
    from_slot: Slot
    quality: ToldQuality
    phases: Phases
    legal_phases: Phases
    is_derived: bool
    metrology: Metrology
    netting: NettingTime = "unknown"
    within_wh: int = 0
    within_percent: int = 0


@dataclass(frozen=True, slots=True)
class MeterSpan:
    """A meter as told, from its first slot up to another; `until` None: until now and beyond."""

    meter: ToldMeter
    first_slot: Slot
    until: Slot | None


def meter_spans(told: Iterable[ToldMeter]) -> list[MeterSpan]:
    """When each of these meters was in use, in the order in which they were told. Nothing told later begins earlier.

    >>> old = ToldMeter("h01", 1, 100, "bronze", "unknown", "netted", False, "none")
    >>> new = ToldMeter("h01", 1, 200, "silver", "netted", "netted", False, "MID B")
    >>> [(each.meter.quality, each.first_slot, each.until) for each in meter_spans([old, new])]
    [('bronze', 100, 200), ('silver', 200, None)]
    """
    of_seat: dict[tuple[str, int], list[ToldMeter]] = defaultdict(list)
    for each in told:
        of_seat[each.home, each.seat].append(each)
    spans = []
    for meters in of_seat.values():
        starts: list[Slot] = []
        for meter in meters:
            starts.append(max(meter.from_slot, starts[-1] if starts else meter.from_slot))
        ends: list[Slot | None] = [*starts[1:], None]
        spans += [MeterSpan(*each) for each in zip(meters, starts, ends, strict=True) if each[1] != each[2]]
    return spans


def unproven_spans(
    told: Iterable[ToldMeter],
    accepted: Iterable[tuple[str, Slot]],
    *,
    bundles: Iterable[tuple[Slot, Slot | None]] = (),
) -> list[MeterSpan]:
    """The meters read with a bronze map that no board member has released.

    `accepted` are the home and first slot of each finding that the board accepted last. `bundles` are the times in
    which a bundle of the board's had bronze maps: an agent that tells of a released map is believed in these alone.
    """
    released, times = list(accepted), list(bundles)
    waiting = _joined(part for whole in meter_spans(told) for part in _waiting_parts(whole, times))
    return [span for span in waiting if not any(_is_in(span, home, slot) for home, slot in released)]


def _joined(parts: Iterable[MeterSpan]) -> list[MeterSpan]:
    """What waits after a withdrawal, and goes on when the agent has heard of it, is one matter for the board."""
    joined: list[MeterSpan] = []
    for part in parts:
        before = joined[-1] if joined else None
        is_same = before is not None and (before.meter.home, before.meter.seat) == (part.meter.home, part.meter.seat)
        if before is not None and is_same and before.meter.quality == RELEASED and before.until == part.first_slot:
            joined[-1] = MeterSpan(part.meter, before.first_slot, part.until)
        else:
            joined.append(part)
    return joined


def _waiting_parts(span: MeterSpan, bundles: Iterable[tuple[Slot, Slot | None]]) -> Iterator[MeterSpan]:
    """The whole span of a bronze map, and of a released one what lies outside the bundles, which are in order."""
    if span.meter.quality == "bronze":
        yield span
    if span.meter.quality != RELEASED:
        return
    at = span.first_slot
    for first, until in bundles:
        if span.until is not None and first >= span.until:
            break
        if first > at:
            yield MeterSpan(span.meter, at, first)
        if until is None:
            return
        at = max(at, until)
    if span.until is None or at < span.until:
        yield MeterSpan(span.meter, at, span.until)


def uncertified_homes(told: Iterable[ToldMeter], *, slots: range | None = None) -> dict[str, Metrology]:
    """The homes whose grid meter in these slots has no certificate for billing, or none that is known, as it was told.

    Without `slots`: the present meter. Of several such meters of a home in these slots the last one is named.
    """
    found = {}
    for span in meter_spans(told):
        is_now = slots is None and span.until is None
        is_within = slots is not None and span.first_slot < slots.stop and (span.until or slots.stop) > slots.start
        if (is_now or is_within) and span.meter.metrology not in CERTIFIED:
            found[span.meter.home] = span.meter.metrology
    return found


def other_nettings(told: Iterable[ToldMeter], netting: str, *, of: Mapping[str, str]) -> list[MeterSpan]:
    """The meters of homes that say their grid operator nets within another time than this; not said is nothing other.

    `of`: the time of homes for which the rule says it by itself.

    >>> meter = ToldMeter("h01", 1, 100, "silver", "netted", "netted", False, "MID B", "60min")
    >>> [span.meter.home for span in other_nettings([meter], "15min", of={})], other_nettings([meter], "60min", of={})
    (['h01'], [])
    """
    spans = meter_spans(told)
    return [span for span in spans if span.meter.netting not in ("unknown", of.get(span.meter.home, netting))]


def _is_in(span: MeterSpan, home: str, slot: Slot) -> bool:
    is_after = slot >= span.first_slot and (span.until is None or slot < span.until)
    return span.meter.home == home and is_after
