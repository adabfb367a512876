"""The grid meter of a home whose device counts its phases in another way than the legal meter: slot by slot.

Pure. The device's counters stay what is read and checked; only what is told of a slot is derived here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from edge_agent.metering.counters import ClosedCounterSlot, CounterMeter
from edge_agent.metering.phases.calmer_side import CalmerSide, SidedImport
from edge_agent.metering.phases.overlap import Counted, net_by_counters, net_phases, separate_phases, together
from edge_agent.metering.witness import FlowEvidence, PowerWitness, WitnessMark
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S
from protocols.wire.readings import LongInterval

PhaseStep = Literal["net", "separate"]
"""What has to be done with the device's counters: net what it counts apart, or take apart what it nets."""

FINE_STEP_WH: Final = 10
"""A counter with a step of at most this hides nothing worth deriving while it stands still."""

LONGEST_UNSEEN_S: Final = 60.0
"""A slot without power values for longer than this cannot be derived."""

_IMPORT, _EXPORT = Measure.GRID_IMPORT, Measure.GRID_EXPORT
_ENERGIES = (Mark.MEASURED, Mark.DERIVED)


def phase_step(device: str | None, legal: str) -> PhaseStep | None:
    """What to do where the device and the legal meter count like this; None if nothing differs or one is not known.

    >>> phase_step("separate", "netted"), phase_step("netted", "separate"), phase_step("single", "netted")
    ('net', 'separate', None)
    """
    if (device, legal) == ("separate", "netted"):
        return "net"
    return "separate" if (device, legal) == ("netted", "separate") else None


@dataclass(frozen=True, slots=True)
class PhaseError:
    """How well the last slot was derived: its bound in Wh, and whether that was good enough; None: it was not seen."""

    error_wh: int | None
    is_sure: bool


class GridPhases:
    """One grid meter. Feed it every sample; it changes the slots that the counters give."""

    def __init__(self, step: PhaseStep, longest_hole_s: float) -> None:
        self.step = step
        self.last: PhaseError | None = None
        self._longest_hole_s = longest_hole_s
        self._witnesses: list[PowerWitness] = []
        self._marks: list[WitnessMark] | None = None
        self._sides = CalmerSide()
        self._total_w: int | None = None
        self._begun_s = self._last_s = 0.0
        self._peak_w = 0
        self._is_time_doubted = False

    def add(self, at_s: float, powers_w: Sequence[int] | None) -> None:
        """The total power (to net) or the power of each phase (to separate) at one instant; None if there is none."""
        if not self._witnesses:
            self._witnesses = [PowerWitness(self._longest_hole_s) for _ in powers_w or ()]
        given: Sequence[int | None] = powers_w if powers_w is not None else [None] * len(self._witnesses)
        for witness, power_w in zip(self._witnesses, given, strict=False):
            witness.add(at_s, power_w)
        self._peak_w = max(self._peak_w, *(abs(power_w or 0) for power_w in given), 0)
        self._last_s = at_s
        self._total_w = powers_w[0] if powers_w and self.step == "net" else None

    def note_counters(self, meters: Sequence[CounterMeter | None]) -> None:
        """The counters of import and export after the same instant's answer; none if one of them is not believed."""
        known = [(meter.known.reference, meter.limits.step_wh) for meter in meters if meter is not None]
        shown = [reference.counter_wh for reference, _ in known if reference is not None]
        difference_wh = shown[0] - shown[1] if len(shown) == 2 else None
        step_wh = max((step for _, step in known), default=1)
        self._sides.add(self._last_s, self._total_w, difference_wh, step_wh=step_wh)

    def step_time(self, by_s: float, *, is_small: bool = False) -> None:
        """The clock was changed: unless it is a small change, this slot does not have a slot's length."""
        self._is_time_doubted |= not is_small
        self._begun_s += by_s
        self._last_s += by_s
        self._sides.step_time(by_s)
        for witness in self._witnesses:
            witness.step_time(by_s)

    def open(self) -> None:
        """The last sample was taken at the start of a slot."""
        if self._witnesses:
            self._marks = [witness.mark() for witness in self._witnesses]
        self._sides.open()
        self._begun_s, self._peak_w, self._is_time_doubted = self._last_s, 0, False

    def close(
        self,
        values: Mapping[Measure, ClosedCounterSlot],
        meters: Sequence[CounterMeter | None],
        *,
        is_at_end: bool,
    ) -> dict[Measure, ClosedCounterSlot]:
        """What is told of the slot just closed. `is_at_end`: the last sample is the one at its end.

        Whatever is told as derived is within the error that `ConnectionEnergy.is_sure` allows.
        """
        steps_wh = [meter.limits.step_wh for meter in meters if meter is not None]
        is_told = is_at_end and len(steps_wh) == len(meters)
        found = self._told(values, step_wh=max(steps_wh)) if is_told else self._unknown(values)
        if is_at_end:
            self.open()
        else:
            self._marks = None
        return found

    def _told(self, values: Mapping[Measure, ClosedCounterSlot], *, step_wh: int) -> dict[Measure, ClosedCounterSlot]:
        taken, given = values[_IMPORT], values[_EXPORT]
        if taken.energy_wh is None or given.energy_wh is None or {taken.mark, given.mark} - {*_ENERGIES}:
            return self._unknown(values)
        is_certain = taken.mark is given.mark is Mark.MEASURED
        counted = Counted(taken.energy_wh, given.energy_wh, step_wh, is_certain=is_certain)
        if self.step == "net" and is_certain and counted.both_wh == 0 and step_wh <= FINE_STEP_WH:
            # One direction stood still in every phase: netted, it stood still as well. A coarse counter stands still
            # while up to a step flows, so there the power has to say it.
            self.last = PhaseError(0, True)
            return dict(values)
        seen = self._seen()
        if self.step == "net" and seen is not None:
            found = net_phases(counted, *seen[:2], sided=seen[2])
        elif self.step == "net" and is_certain:
            found = net_by_counters(counted)
        elif seen is not None:
            found = separate_phases(counted, *seen[:2])
        else:
            return self._unknown(values)
        self.last = PhaseError(found.error_wh, found.is_sure)
        if not found.is_sure:
            return self._unknown(values, error_wh=found.error_wh)
        energies = {_IMPORT: found.import_wh, _EXPORT: found.export_wh}
        return {
            measure: replace(values[measure], energy_wh=energy_wh, mark=Mark.DERIVED)
            for measure, energy_wh in energies.items()
        }

    def _seen(self) -> tuple[FlowEvidence, FlowEvidence, SidedImport | None] | None:
        """What the power says of the slot, above zero and below and by the calmer side; None if it does not suffice."""
        if self._marks is None or len(self._marks) != len(self._witnesses) or self._is_time_doubted:
            return None
        if self.step == "separate" and len(self._witnesses) < 2:
            return None
        elapsed_s = self._last_s - self._begun_s
        pairs = zip(self._witnesses, self._marks, strict=True)
        halves = [[each.since(mark, half, elapsed_s=elapsed_s) for half in (0, 1)] for each, mark in pairs]
        above, below = (together(tuple(each[half] for each in halves)) for half in (0, 1))
        unseen_s = max(above.unseen_s, abs(elapsed_s - SLOT_S))
        if unseen_s > LONGEST_UNSEEN_S:
            return None
        # Boundaries that were read late: the counters are taken back to them, the power is not.
        missing_wh = unseen_s * self._peak_w / 3600
        sided = self._sides.best()
        if sided is not None:
            sided = replace(sided, spread_wh=sided.spread_wh + missing_wh)
        return _looser(above, missing_wh), _looser(below, missing_wh), sided

    def _unknown(
        self, values: Mapping[Measure, ClosedCounterSlot], *, error_wh: int | None = None
    ) -> dict[Measure, ClosedCounterSlot]:
        """Neither direction is known: what was counted would be too much (or too little) for the legal meter."""
        self.last = PhaseError(error_wh, False)
        worst = next((each for each in values.values() if each.mark not in _ENERGIES), None)
        gap = worst.gap if worst is not None and worst.gap != Gap.NONE else Gap.IMPLAUSIBLE
        return {measure: replace(each, energy_wh=None, mark=Mark.MISSING, gap=gap) for measure, each in values.items()}


def _looser(found: FlowEvidence, by_wh: float) -> FlowEvidence:
    return replace(found, spread_wh=found.spread_wh + by_wh)


def certain_totals(totals: Iterable[LongInterval]) -> list[LongInterval]:
    """Totals over an outage, of which only the difference of import and export is known for a netting meter.

    That much surely passed, in the one direction. A total of one direction alone is left out.
    """
    found = {total.measure: total for total in totals}
    taken, given = found.pop(_IMPORT, None), found.pop(_EXPORT, None)
    if taken and given and (taken.first_slot, taken.slots) == (given.first_slot, given.slots):
        difference_wh = taken.energy_wh - given.energy_wh
        found[_IMPORT] = replace(taken, energy_wh=max(0, difference_wh))
        found[_EXPORT] = replace(given, energy_wh=max(0, -difference_wh))
    return [found[measure] for measure in sorted(found)]
