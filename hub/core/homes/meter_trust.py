"""What agents told of their grid meters, and when a meter's readings wait for the board. It stores nothing.

An agent that tells nothing, as all did before there was such a notice, holds nothing back.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hub.core.rules.derived_energy import DerivedRule
from protocols.maps.model import Metrology, Phases
from protocols.slots import Slot
from protocols.wire.meter_notices import ONCE, RELEASED, NettingTime, ToldQuality

UNPROVEN_METER: Final = "unproven_meter"
"""The code of the finding on a meter whose map is bronze: accepting it releases the meter's readings."""

OTHER_NETTING: Final = "other_netting"
"""The code of the finding on a home that says its grid operator nets within another time than the rulebook does."""

LATE_NOTICE: Final = "late_notice"
"""The code of the finding on a home that told of its meter late, so that days settled before are settled again."""

WAITING: Final[frozenset[ToldQuality]] = frozenset({"bronze", RELEASED})
"""What waits for the board, or for a bundle of its."""

DERIVABLE: Final[frozenset[tuple[Phases, Phases]]] = frozenset({("separate", "netted"), ("netted", "separate")})
"""How device and legal meter count where the agent derives: see the agent's phase_step."""

CERTIFIED: Final[frozenset[str]] = frozenset({"MID A", "MID B", "MID C"})


@dataclass(frozen=True, slots=True)
class ToldMeter:
    """A home's grid meter from a slot on, as the agent in this seat told it: see MeterNotice.

    `told_slot` is when the hub heard of it.
    """

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
    told_slot: Slot = 0
    factor_millionths: int = ONCE

    @property
    def stated_error(self) -> tuple[int, int]:
        """How far what it derives may be off, in Wh and percent; 0 and 0 if it says so of a meter that derives nothing.

        Whether it is so in a single quarter hour, only the grid operator's readings show.
        """
        derives = self.is_derived and (self.phases, self.legal_phases) in DERIVABLE
        return (self.within_wh, self.within_percent) if derives else (0, 0)


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
    return [span for span, _ in _followed_spans(told) if span.first_slot != span.until]


def _followed_spans(told: Iterable[ToldMeter]) -> Iterator[tuple[MeterSpan, ToldMeter | None]]:
    """Each meter's span, perhaps an empty one, with the meter that was told after it in its seat."""
    of_seat: dict[tuple[str, int], list[ToldMeter]] = defaultdict(list)
    for each in told:
        of_seat[each.home, each.seat].append(each)
    for meters in of_seat.values():
        starts: list[Slot] = []
        for meter in meters:
            starts.append(max(meter.from_slot, starts[-1] if starts else meter.from_slot))
        ends: list[Slot | None] = [*starts[1:], None]
        following: list[ToldMeter | None] = [*meters[1:], None]
        yield from zip(map(MeterSpan, meters, starts, ends), following, strict=True)


def _held_spans(told: Iterable[ToldMeter], is_doubtful: Callable[[ToldMeter], bool]) -> Iterator[MeterSpan]:
    """The spans of doubtful meters. No later word of their agent's clears them of the time before the hub heard it."""
    for span, after in _followed_spans(told):
        until = span.until
        if until is not None and after is not None and not is_doubtful(after):
            until = max(until, after.told_slot)
        if is_doubtful(span.meter) and span.first_slot != until:
            yield MeterSpan(span.meter, span.first_slot, until)


def _may_wait(meter: ToldMeter) -> bool:
    return meter.quality in WAITING


def _is_uncertified(meter: ToldMeter) -> bool:
    return meter.metrology not in CERTIFIED


def late_notices(told: Iterable[ToldMeter], rule: DerivedRule) -> list[MeterSpan]:
    """The meters told after their first slot, by which what counts before is another than by what was told until then.

    >>> old = ToldMeter("h01", 1, 100, "silver", "netted", "netted", False, "none", told_slot=100)
    >>> new = ToldMeter("h01", 1, 200, "bronze", "unknown", "netted", False, "none", told_slot=300)
    >>> [span.first_slot for span in late_notices([old, new], DerivedRule())]
    [200]
    """
    found = []
    before: dict[tuple[str, int], ToldMeter] = {}
    for span, _ in _followed_spans(told):
        meter, last = span.meter, before.get((span.meter.home, span.meter.seat))
        waits = _may_wait(meter) and (last is None or not _may_wait(last))
        counts = rule.lets_count(meter.stated_error) != (last is not None and rule.lets_count(last.stated_error))
        if meter.told_slot > span.first_slot and (waits or counts):
            found.append(span)
        before[meter.home, meter.seat] = meter
    return found


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
    waiting = _joined(part for whole in _held_spans(told, _may_wait) for part in _waiting_parts(whole, times))
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
    for span in _held_spans(told, _is_uncertified):
        is_now = slots is None and span.until is None
        is_within = slots is not None and span.first_slot < slots.stop and (span.until or slots.stop) > slots.start
        if is_now or is_within:
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
