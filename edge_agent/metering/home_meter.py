"""The home's meter: device samples become one value per measure and slot, with a mark and a reason.

Pure: samples and boundaries go in; closed slots, totals over outages and a checkpoint come out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from edge_agent.metering.companions import compare_registers, tell_companions
from edge_agent.metering.counter_records import CounterLimits, ReadingVerdict, SlotBase, read_memory, write_memory
from edge_agent.metering.counters import ClosedCounterSlot, CounterMeter
from edge_agent.metering.dc_side import DcSide
from edge_agent.metering.integration import PowerMeter
from edge_agent.metering.outage_totals import OutageTotals, sum_of_places
from edge_agent.metering.phases.grid_meter import GridPhases, PhaseStep, certain_totals
from edge_agent.metering.shaping import CounterShape
from edge_agent.metering.slot_check import drifting
from edge_agent.metering.witness import PowerWitness
from protocols.consent.reduction import SlotValue
from protocols.maps.model import BatterySide, Counted, RoleName
from protocols.maps.prepared.whole_readings import WholeReading, whole_reading
from protocols.maps.roles import RoleReading
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot, start_of
from protocols.wire.readings import LongInterval

FIELDS_OF_ROLE: dict[RoleName, dict[str, Measure]] = {
    "grid": {"import_wh": Measure.GRID_IMPORT, "export_wh": Measure.GRID_EXPORT},
    "pv": {"production_wh": Measure.PV_PRODUCTION},
    "wind": {"production_wh": Measure.WIND_PRODUCTION},
    "battery": {"charge_wh": Measure.BATTERY_CHARGE, "discharge_wh": Measure.BATTERY_DISCHARGE},
    "load": {"import_wh": Measure.SUBMETER},
}
_SLEEPING: frozenset[RoleName] = frozenset({"pv", "wind"})
"""What may be switched off at night, and then shows 0."""


@dataclass(frozen=True, slots=True)
class MeasuringPoint:
    """A measuring place: one role of one device. Units: W.

    `bus` is the same for all places read from one unit; `counts` and `side` are what the device map says of the role.
    """

    device: str
    role: RoleName
    max_power_w: int
    bus: str = field(default="", compare=False)
    counts: Counted | None = field(default=None, compare=False)
    side: BatterySide | None = field(default=None, compare=False)
    scaled: str = field(default="", compare=False)

    def __hash__(self) -> int:
        return hash(self.device)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures counted here."""
        return tuple(FIELDS_OF_ROLE[self.role].values())

    def bounded_w(self, power_w: int | None) -> int | None:
        """What a power reading counts as: the nameplate at most, and nothing if it is over by more than a tenth."""
        if power_w is None or abs(power_w) * 10 > self.max_power_w * 11:
            return None
        return max(-self.max_power_w, min(power_w, self.max_power_w))


@dataclass(frozen=True, slots=True)
class Sample:
    """What one reading of a point gave. Whole Wh (rounded down) and W; None where the device has no value now."""

    at_s: float
    counters_wh: Mapping[str, int | None]
    power_w: int | None = None
    steps_wh: Mapping[str, int] = field(default_factory=dict)
    wraps_wh: Mapping[str, int] = field(default_factory=dict)
    is_shaped: bool = False
    """The counters are coarse: power shows how their steps are spread over time."""

    late_s: float = 0.0
    """How long after `at_s` the device answered."""

    is_witness: bool = True
    """Power and counters count the same thing, so that one can be checked against the other."""

    is_recorded: bool = False
    """From a recording of the past, not read from the device now."""

    phases_w: tuple[int, ...] | None = None
    """The power of each phase, where the legal meter counts each by itself and the device does not."""


def sample_at(at_s: float, reading: WholeReading, late_s: float = 0.0) -> Sample:
    """The sample in a device's reading of this instant."""
    counters, power_w, steps, wraps, is_shaped, phases = reading
    return Sample(at_s, counters, power_w, steps, wraps, is_shaped, late_s, phases_w=phases)


def sample_of(
    reading: RoleReading,
    at_s: float,
    counted: Iterable[str],
    *,
    phases_w: tuple[Decimal, ...] | None = None,
) -> Sample:
    """The sample in a device's reading; `counted` are the fields the device has a counter for, readable now or not."""
    return sample_at(at_s, whole_reading(reading, counted, phases_w=phases_w))


@dataclass(frozen=True, slots=True)
class ClosedSlot:
    """Everything known about one slot of the home, before consent is applied."""

    slot: Slot
    values: Mapping[Measure, SlotValue]
    long_intervals: tuple[LongInterval, ...]


@dataclass(frozen=True, slots=True)
class _PlaceSlot:
    """One point's closed slot and its counter values at the end."""

    values: Mapping[Measure, ClosedCounterSlot]
    bases: Mapping[str, SlotBase]


class HomeMeter:
    """All points of a home between boundaries. Each point closes its slots in order, without omissions.

    A point may be slots ahead of another that is still trying to read its boundary; `next_closed_slot` returns the
    slots that every point has closed, in order, each with the checkpoint after it.
    """

    def __init__(
        self,
        places: Iterable[MeasuringPoint],
        *,
        next_slot: Slot,
        longest_hole_s: float,
        bases: Mapping[str, SlotBase] | None = None,
        phase_steps: Mapping[MeasuringPoint, PhaseStep] | None = None,
    ) -> None:
        self.places = tuple(places)
        self.next_slot = next_slot
        self._first_slot = next_slot
        self._longest_hole_s = longest_hole_s
        self._next_of = dict.fromkeys(self.places, next_slot)
        self._counters: dict[tuple[MeasuringPoint, str], CounterMeter] = {}
        self._witnesses = {each: PowerWitness(longest_hole_s, sleeps=each.role in _SLEEPING) for each in self.places}
        self._powers: dict[MeasuringPoint, PowerMeter] = {}
        self._shapes: dict[tuple[MeasuringPoint, str], CounterShape] = {}
        self._good_at: dict[tuple[MeasuringPoint, str], float] = {}
        self._closed: dict[Slot, dict[MeasuringPoint, _PlaceSlot]] = {}
        self._totals = OutageTotals()
        self._dc_side = DcSide(self.places, longest_hole_s)
        self.phases = {place: GridPhases(step, longest_hole_s) for place, step in (phase_steps or {}).items()}
        for place in self.places:
            for name in FIELDS_OF_ROLE[place.role]:
                if bases and (base := bases.get(_key(place, name))):
                    self._begin_counter(place, name, base)

    def next_of(self, place: MeasuringPoint) -> Slot:
        """The slot this point closes next."""
        return self._next_of[place]

    def add_sample(self, place: MeasuringPoint, sample: Sample) -> ReadingVerdict:
        """Judge one sample of a point: the worst verdict of its counters, GOOD for a possible power alone."""
        shown_w, bounded_w = sample.power_w, place.bounded_w(sample.power_w)
        if bounded_w != shown_w:
            sample = replace(sample, power_w=bounded_w)
        if sample.power_w is not None:
            self._good_at[place, "power_w"] = sample.at_s
            self._dc_side.add_power(place, sample.at_s, sample.power_w)
        if phases := self.phases.get(place):
            total_w = None if sample.power_w is None else (sample.power_w,)
            phases.add(sample.at_s + sample.late_s, total_w if phases.step == "net" else sample.phases_w)
        if (verdict := self._judge(place, sample, shown_w=shown_w)) and phases:
            phases.note_counters(self._meters(place) if verdict is ReadingVerdict.GOOD else ())
        return verdict

    def _judge(self, place: MeasuringPoint, sample: Sample, *, shown_w: int | None) -> ReadingVerdict:
        if not sample.counters_wh:
            if sample.power_w is None:
                return ReadingVerdict.NOTHING if shown_w is None else ReadingVerdict.SUSPECT
            self._powers.setdefault(place, PowerMeter(self._longest_hole_s)).add_sample(sample.at_s, sample.power_w)
            return ReadingVerdict.GOOD
        self._witness(place, sample)
        meters = {name: self._meter_of(place, name, sample) for name in sample.counters_wh}
        answered_s = sample.at_s + sample.late_s
        surplus: dict[str, float] = {}
        if len(meters) > 1:
            counters = sample.counters_wh
            compare_registers(meters, counters)
            surplus = {name: each.known.surplus_wh(answered_s, counters[name]) for name, each in meters.items()}
        verdicts = []
        for name, meter in meters.items():
            excess_wh = sum([each for other, each in surplus.items() if other != name])
            shaped_wh = self._shaped(place, name, sample=sample, meter=meter)
            verdict = meter.add_reading(sample.at_s, shaped_wh, late_s=sample.late_s, excess_wh=excess_wh)
            if verdict is ReadingVerdict.GOOD:
                self._good_at[place, name] = sample.at_s
                if self._shapes and (shape := self._shapes.get((place, name))):
                    shape.confirm_reading(has_begun_again=meter.has_begun_again)
            verdicts.append(verdict)
        tell_companions(meters.values())
        worst_first = (ReadingVerdict.SUSPECT, ReadingVerdict.NOTHING, ReadingVerdict.GOOD)
        return next(each for each in worst_first if each in verdicts)

    def _begin_counter(self, place: MeasuringPoint, name: str, base: SlotBase | None = None) -> CounterMeter:
        half = list(FIELDS_OF_ROLE[place.role]).index(name)
        limits = CounterLimits(place.max_power_w, sleeps=place.role in _SLEEPING)
        meter = CounterMeter(limits, base, witness=self._witnesses[place], half=half)
        self._counters[place, name] = meter
        return meter

    def _meter_of(self, place: MeasuringPoint, name: str, sample: Sample) -> CounterMeter:
        meter = self._counters.get((place, name)) or self._begin_counter(place, name)
        step_wh, wraps_wh = sample.steps_wh.get(name, 1), sample.wraps_wh.get(name)
        limits, told = meter.limits, (step_wh, wraps_wh, sample.is_recorded)
        if (limits.step_wh, limits.wraps_wh, limits.is_recorded) != told:
            meter.limits = replace(limits, step_wh=step_wh, wraps_wh=wraps_wh, is_recorded=sample.is_recorded)
        return meter

    def _witness(self, place: MeasuringPoint, sample: Sample) -> None:
        """Let the power of this answer say what the counters of it should show."""
        self._witnesses[place].add(
            sample.at_s + sample.late_s,
            sample.power_w if sample.is_witness else None,
            answer=tuple(sample.counters_wh.get(name) for name in FIELDS_OF_ROLE[place.role]),
            step_wh=max(sample.steps_wh.values(), default=1),
        )

    def _shaped(self, place: MeasuringPoint, name: str, *, sample: Sample, meter: CounterMeter) -> int | None:
        """The counter as read, or refined by power."""
        counter_wh = sample.counters_wh[name]
        is_coarse = sample.steps_wh.get(name, 1) > 1 and self._dc_side.is_inside(place)
        if not (sample.is_shaped or is_coarse):
            return counter_wh
        shape = self._shapes.get((place, name))
        if shape is None:
            half = list(FIELDS_OF_ROLE[place.role]).index(name)
            begins_at_wh = meter.base.counter_wh if meter.base else None
            shape = self._shapes[place, name] = CounterShape(half, self._longest_hole_s, begins_at_wh=begins_at_wh)
        step_wh = sample.steps_wh.get(name, 1)
        fine_wh = shape.refine_reading(sample.at_s, counter_wh, power_w=sample.power_w, step_wh=step_wh)
        meter.shift(shape.found_wh)
        return fine_wh

    def step_time(self, place: MeasuringPoint, by_s: float, *, is_small: bool = False) -> None:
        """Report that the clock was changed since the last sample: the slot is then a total, but for a small change."""
        if phases := self.phases.get(place):
            phases.step_time(by_s, is_small=is_small)
        for name in FIELDS_OF_ROLE[place.role]:
            if meter := self._counters.get((place, name)):
                meter.step_time(by_s, is_small=is_small)
            if shape := self._shapes.get((place, name)):
                shape.step_time(by_s)
        self._witnesses[place].step_time(by_s)
        if not is_small:
            self._dc_side.step_time(place, by_s)
            if power := self._powers.get(place):
                power.step_time(by_s)

    def open(self, place: MeasuringPoint) -> None:
        """Report that the last sample was taken at the start of this point's next slot."""
        self._dc_side.open(place)
        if phases := self.phases.get(place):
            phases.open()
        for name in FIELDS_OF_ROLE[place.role]:
            if meter := self._counters.get((place, name)):
                meter.open(self._next_of[place])
        if power := self._powers.get(place):
            power.open()

    def close(self, place: MeasuringPoint, reason: Gap = Gap.DEVICE_SILENT) -> None:
        """Close this point's next slot; `reason` applies to whatever had no good sample since the slot's end."""
        slot = self._next_of[place]
        self._next_of[place] = slot + 1
        values = self._close_place(place, slot, reason=reason)
        if phases := self.phases.get(place):
            is_at_end = self._good_at.get((place, "power_w"), 0.0) >= start_of(slot + 1)
            values = phases.close(values, self._meters(place), is_at_end=is_at_end)
        self._dc_side.close(place, slot, self._missed(place, "power_w", slot=slot, reason=reason))
        bases = {
            _key(place, name): replace(meter.base, memory=meter.memory)
            for name in FIELDS_OF_ROLE[place.role]
            if (meter := self._counters.get((place, name))) and meter.base is not None
        }
        self._closed.setdefault(slot, {})[place] = _PlaceSlot(values, bases)

    def next_closed_slot(self) -> tuple[ClosedSlot, bytes] | None:
        """The next slot that all points have closed and the checkpoint after it; None if one is still open."""
        slot = self.next_slot
        parts = self._closed.get(slot, {})
        if len(parts) < len(self.places):
            return None
        del self._closed[slot]
        self.next_slot = slot + 1
        closed = _by_measure({place: parts[place].values for place in self.places})
        balanced = _by_measure(self._dc_side.balance(slot, {place: parts[place].values for place in self.places}))
        values = {measure: sum_of_places(each.values()) for measure, each in sorted(balanced.items())}
        found = [self._totals.after(measure, slot, closed=each) for measure, each in sorted(closed.items())]
        totals = self._dc_side.balance_totals(each for each in found if each)
        if any(each.step == "net" for each in self.phases.values()):
            totals = certain_totals(totals)
        return ClosedSlot(slot, values, tuple(totals)), self._checkpoint(parts)

    def first_checkpoint(self) -> bytes:
        """The checkpoint before anything is measured, so that the first slot is a gap if this start fails."""
        return self._checkpoint({})

    def _checkpoint(self, parts: Mapping[MeasuringPoint, _PlaceSlot]) -> bytes:
        bases = {key: base for part in parts.values() for key, base in part.bases.items()}
        kept: dict[str, object] = {
            "next_slot": self.next_slot,
            "bases": {key: [base.slot, round(base.at_s), base.counter_wh] for key, base in bases.items()},
        }
        if memories := {key: written for key, base in bases.items() if (written := write_memory(base))}:
            kept["memories"] = memories
        return json.dumps(kept, separators=(",", ":")).encode()

    def _close_place(self, place: MeasuringPoint, slot: Slot, *, reason: Gap) -> dict[Measure, ClosedCounterSlot]:
        fields = FIELDS_OF_ROLE[place.role]
        power = self._powers.get(place)
        missed = self._missed(place, "power_w", slot=slot, reason=reason)
        halves = (power.close(missed) if power else None) or (None, None)
        closed: dict[Measure, ClosedCounterSlot] = {}
        for half, (name, measure) in zip(halves, fields.items(), strict=False):
            found, meter = half, self._counters.get((place, name))
            if meter is not None:
                missed = self._missed(place, name, slot=slot, reason=reason)
                found = meter.close(slot, missed)
            if found and found.mark is Mark.MEASURED and (place, name) in self._shapes:
                found = replace(found, mark=Mark.DERIVED)
            closed[measure] = found or self._unknown(slot, missed)
        for measure in drifting({fields_of: self._counters.get((place, name)) for name, fields_of in fields.items()}):
            if closed[measure].mark is Mark.MEASURED:
                closed[measure] = replace(closed[measure], mark=Mark.DERIVED)
        return closed

    def _meters(self, place: MeasuringPoint) -> list[CounterMeter | None]:
        return [self._counters.get((place, name)) for name in FIELDS_OF_ROLE[place.role]]

    def _missed(self, place: MeasuringPoint, name: str, *, slot: Slot, reason: Gap) -> Gap:
        is_there = self._good_at.get((place, name), 0.0) >= start_of(slot + 1)
        return Gap.NONE if is_there else reason

    def _unknown(self, slot: Slot, missed: Gap) -> ClosedCounterSlot:
        """A slot without a reading at its start; for the first slot because the agent was not running."""
        off = slot == self._first_slot and missed in (Gap.NONE, Gap.AGENT_OFF)
        reason = missed if missed != Gap.NONE else Gap.DEVICE_SILENT
        return ClosedCounterSlot(None, Mark.MISSING, Gap.AGENT_OFF if off else reason)


def read_checkpoint(data: bytes) -> tuple[Slot, dict[str, SlotBase]]:
    """The next slot and the bases in a checkpoint. Raises ValueError if it is not a checkpoint."""
    try:
        found = json.loads(data)
        memories = found.get("memories", {})
        bases = {
            key: read_memory(SlotBase(int(slot), float(at), int(wh)), memories.get(key))
            for key, (slot, at, wh) in found["bases"].items()
        }
        return int(found["next_slot"]), bases
    except (KeyError, TypeError, AttributeError) as cause:
        raise ValueError(f"not a metering checkpoint: {cause}") from None


def _key(place: MeasuringPoint, name: str) -> str:
    return f"{place.device}/{place.role}/{name}{place.scaled}"  # with another factor it is another counter


def _by_measure(
    values: Mapping[MeasuringPoint, Mapping[Measure, ClosedCounterSlot]],
) -> dict[Measure, dict[MeasuringPoint, ClosedCounterSlot]]:
    found: dict[Measure, dict[MeasuringPoint, ClosedCounterSlot]] = {}
    for place, each in values.items():
        for measure, value in each.items():
            found.setdefault(measure, {})[place] = value
    return found
