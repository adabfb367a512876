"""Turns one lifetime energy counter into slot energies: what is energy, and what only looks like it.

Pure: readings and boundaries go in, closed slots come out. No device, no clock, no storage. Which reading is believed
is decided in `reference`; here a believed reading at a boundary ends a slot, and a missed one leaves a gap that the
next boundary closes with one total.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_agent.metering.counter_records import (
    Boundary,
    CounterLimits,
    CounterMemory,
    CounterReading,
    Excursion,
    NewBase,
    ReadingVerdict,
    SlotBase,
)
from edge_agent.metering.fitting import REFRESH_SLACK_S
from edge_agent.metering.reference import UNSEEN_STEP_WH, CounterReference
from edge_agent.metering.witness import STARTS_S, FlowEvidence, PowerWitness
from protocols.quantities import Gap, Mark
from protocols.slots import SLOT_S, Slot, slot_of, start_of

CERTAIN_WH = 10
"""A boundary value that power has corrected is still measured if it is this certain."""


@dataclass(frozen=True, slots=True)
class CounterInterval:
    """Energy between two boundaries that are more than one slot apart."""

    first_slot: Slot
    slots: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class ClosedCounterSlot:
    """What is known of one slot. `energy_wh` is None when missing; `long` ends with this slot."""

    energy_wh: int | None
    mark: Mark
    gap: Gap
    long: CounterInterval | None = None


class CounterMeter:
    """The memory of one counter between boundaries.

    Slot energies and long intervals add up to exactly what the counter counted, except for stretches marked with
    a reason. Not energy: a fall to 0 or back, a rise that no fuse would carry or that the power contradicts, a return
    from such an excursion.
    """

    def __init__(
        self,
        limits: CounterLimits,
        base: SlotBase | None = None,
        *,
        witness: PowerWitness | None = None,
        half: int = 0,
    ) -> None:
        self.witness = witness or PowerWitness()
        self.base = base
        self.slot_evidence: tuple[int, FlowEvidence] | None = None
        """What the counter and the power said of the slot just closed, if both saw all of it."""
        self.slept_through = False
        """It has not moved in that slot, and nothing flowed at its two ends."""
        self._known = CounterReference(limits, self.witness, half)
        if base is not None:
            self._known.begin(CounterReading(base.at_s, base.counter_wh), base.memory)
        self._base_read: CounterReading | None = None
        self._base_w = 0
        self._asleep: tuple[CounterReading, SlotBase | None] | None = None
        self._base_before: tuple[SlotBase, SlotBase] | None = None
        self._boundary: Boundary | None = None
        self._noted: list[tuple[CounterReading, SlotBase]] = []
        self._read_at_s = float("-inf")
        self._paced_at_s = float("inf")
        self._late_s = 0.0
        self._verdict = ReadingVerdict.NOTHING
        self._taint = Gap.NONE
        self._run_reason = Gap.NONE
        self._is_time_uncertain = False

    @property
    def limits(self) -> CounterLimits:
        """What this counter can do; a device may report another step at any reading."""
        return self._known.limits

    @limits.setter
    def limits(self, limits: CounterLimits) -> None:
        self._known.limits = limits

    @property
    def power_w(self) -> int:
        """The power read last in this counter's direction; 0 if it flows the other way."""
        now_w = self.witness.power_w or 0
        return max(0, now_w if self._known.half == 0 else -now_w)

    @property
    def running_wh(self) -> int | None:
        """What was counted since the base; None without one, or while a later reading may still take it back."""
        known, base = self._known, self.base
        if base is None or known.reference is None or self._taint != Gap.NONE or known.excursion or known.awaiting:
            return None
        if known.is_doubted or known.has_leapt or known.is_unsure:
            return None
        counted_wh = known.reference.counter_wh - base.counter_wh
        most_wh = self.limits.energy_wh(max(0.0, known.reference.at_s - base.at_s))
        return counted_wh if 0 <= counted_wh <= most_wh else None

    @property
    def known(self) -> CounterReference:
        """Which reading is believed, and what contradicts it."""
        return self._known

    def has_fallen_to(self, shown_wh: int | None) -> bool | None:
        """Whether the register shows less than it had counted; None if it is too near 0 to tell, or full itself."""
        known, wraps_wh = self._known.reference, self.limits.wraps_wh
        if known is None or shown_wh is None:
            return None
        counted_wh = known.counter_wh % wraps_wh if wraps_wh else known.counter_wh
        return shown_wh < counted_wh - self.limits.near_wh if counted_wh > 2 * self.limits.near_wh else None

    @property
    def has_just_fallen(self) -> bool:
        """Whether the last reading was the first below the reference, after a time without answers."""
        known, away = self._known.reference, self._known.excursion
        if known is None or away is None or away.first is not away.last:
            return False
        return away.first.counter_wh < known.counter_wh and self._known.has_hole(known, away.first)

    @property
    def memory(self) -> CounterMemory | None:
        """What a restart needs beside the base."""
        return None if self.base is None else self._known.memory(self.base)

    def add_reading(
        self, at_s: float, counter_wh: int | None, *, late_s: float = 0.0, excess_wh: float = 0.0
    ) -> ReadingVerdict:
        """Judge one reading, wanted at `at_s` and answered `late_s` after it.

        Units: `counter_wh` as the device shows it, whole Wh. `excess_wh`: see `CounterReference.judge`.
        """
        self._read_at_s, self._late_s = at_s, late_s
        if at_s > self._paced_at_s:
            self._known.pace_s = min(self._known.pace_s, at_s - self._paced_at_s)
        self._paced_at_s = at_s
        was_unknown, before = self._known.reference is None, (self._known.excursion, self._known.rival)
        self._verdict = self._known.judge(at_s + late_s, counter_wh, excess_wh=excess_wh)
        if was_unknown:
            self._wake(at_s + late_s, counter_wh)
        new_base, ended = self._known.new_base, self._known.ended
        if new_base is not None and ended is not None:
            self._move_base(new_base, ended.base)
        if self._verdict is ReadingVerdict.GOOD:
            first = self._boundary
            if first is None or slot_of(first.at_s) != slot_of(at_s):
                self._boundary = self._found_boundary()
        else:
            self._known.excursion = self._without_waking(before, self._known.excursion)
            self._known.rival = self._without_waking(before, self._known.rival)
            self._note_away(self._known.excursion, slot_of(at_s))
            self._note_away(self._known.rival, slot_of(at_s))
        return self._verdict

    def _wake(self, at_s: float, counter_wh: int | None) -> None:
        """A counter that was 0 asleep and then shows what the power saw since was 0 in truth: it counts from there."""
        known, asleep = self._known.reference, self._asleep
        if known is None:
            if counter_wh == 0:
                self._asleep = CounterReading(at_s, 0, self.witness.mark()), asleep[1] if asleep else None
            return
        if asleep is not None and asleep[1] is not None and self._known.is_confirmed(asleep[0], known):
            self.base, self._base_read = asleep[1], None
        self._asleep = None

    def _note_away(self, away: Excursion | None, slot: Slot) -> None:
        """Remember where an excursion, or what may take its place, was at its first reading in this quarter hour."""
        if away is None or away.last.at_s < self._read_at_s + self._late_s:
            return
        if (noted := self._noted_of(away)) is None or noted.slot != slot:
            flowed_wh, _ = self._flowed_late(away.last, late_s=self._late_s, run_wh=self._known.run_wh)
            noted = SlotBase(slot, self._read_at_s, max(0, away.last.counter_wh - flowed_wh))
            firsts = [each.first for each in (self._known.excursion, self._known.rival) if each and each is not away]
            kept = [each for each in self._noted if any(each[0] is first for first in firsts)]
            self._noted = [*kept, (away.first, noted)]

    def _noted_of(self, away: Excursion) -> SlotBase | None:
        return next((base for first, base in self._noted if first is away.first), None)

    def _without_waking(self, earlier: tuple[Excursion | None, ...], away: Excursion | None) -> Excursion | None:
        """The excursion without a base at which the device only showed 0, as it does while it starts.

        The number after it is more than can have flowed since that boundary: the counter had begun before. `earlier`:
        what there was before this answer.
        """
        before = next((each for each in earlier if each and away and each.first is away.first), None)
        base = None if away is None else away.base or self._noted_of(away)
        if before is None or away is None or base is None or not self._known.is_zero(before.last):
            return away
        has_started = self.limits.sleeps or self.witness.started_at_s >= base.at_s - STARTS_S
        most_wh = self.power_w * (away.last.at_s - base.at_s) / 3600 + self.limits.wobble_wh
        is_possible = away.last.counter_wh - before.last.counter_wh <= most_wh
        if not has_started or self.witness.power_w is None or is_possible:
            return away
        self._noted = [each for each in self._noted if each[0] is not away.first]
        return replace(away, base=None)

    def _move_base(self, new_base: NewBase, excursion_base: SlotBase | None) -> None:
        base, earlier = self.base, self._known.returned_to
        if new_base is NewBase.KEPT or (base and earlier and base.at_s <= earlier.at_s):
            return
        before, self._base_before = self._base_before, None
        if before is not None and earlier is not None and before[1] is base and before[0].at_s <= earlier.at_s:
            # Nothing was told since the counter seemed to begin again: it did not.
            self.base, self._base_read = before[0], None
            return
        if new_base is NewBase.IF_OLDER and base is not None and self._known.offset_wh is not None:
            # The base is of the wrong register: where the right one stood then is known by the power of one reading.
            corrected_wh = base.counter_wh + self._known.offset_wh
            self.base, self._base_read = replace(base, counter_wh=corrected_wh, is_derived=True), None
            return
        self.base = None
        if new_base is not NewBase.IF_OLDER and excursion_base is not None:
            # No power has been compared with what ran since that boundary: no measurement.
            self.base = replace(excursion_base, is_derived=True)
        if base is not None and self.base is not None:
            self._base_before = base, self.base
        self._base_read = None
        if self.base is None:
            self._taint = Gap.COUNTER_RESET if new_base is NewBase.OF_EXCURSION else Gap.IMPLAUSIBLE

    @property
    def has_begun_again(self) -> bool:
        """Whether the last reading ended an excursion: the counter restarted."""
        return self._known.new_base is NewBase.OF_EXCURSION

    def shift(self, by_wh: int) -> None:
        """Shift everything up by this much: only now is it known where the counter started."""
        if self.base is not None:
            self.base = replace(self.base, counter_wh=self.base.counter_wh + by_wh)
        self._known.shift(by_wh)

    def step_time(self, by_s: float, *, is_small: bool = False) -> None:
        """The clock was changed: earlier readings move with it.

        Unless it is a small change, this slot does not have a slot's length.
        A small change leaves a boundary where it was.
        """
        self._is_time_uncertain |= not is_small
        self._asleep, self._paced_at_s = None, float("inf")
        if self.base is not None:
            self.base = replace(self.base, at_s=self.base.at_s + by_s)
        self._known.step_time(by_s)
        if self._boundary is not None and not is_small:
            self._boundary = replace(self._boundary, at_s=self._boundary.at_s + by_s)

    def open(self, slot: Slot) -> None:
        """Count from the last reading, taken at the start of `slot`. A counter that has a base keeps it."""
        if self.base is None and self._verdict is ReadingVerdict.GOOD and (found := self._found_boundary()):
            self._set_base(slot, found)

    def close(self, slot: Slot, missed: Gap) -> ClosedCounterSlot | None:
        """Close `slot`. `missed` is NONE if the last reading is the one at the slot's end.

        Otherwise it says why that reading is missing. Returns None for a slot before the first boundary.
        """
        self.slot_evidence = None
        first = self._boundary
        is_there = missed == Gap.NONE and first is not None and slot_of(first.at_s) == slot + 1
        boundary = first if is_there else self._estimate(slot)
        if boundary is None:
            self._note_excursion(slot)
            if self._asleep is not None and self._asleep[1] is None and self._read_at_s >= start_of(slot + 1):
                self._asleep = self._asleep[0], SlotBase(slot + 1, self._read_at_s, 0)
            return self._missing(missed)
        base, base_read, was_w = self.base, self._base_read, self._base_w
        self._set_base(slot + 1, boundary)
        if base is None:
            closed = None if self._taint == Gap.NONE else ClosedCounterSlot(None, Mark.MISSING, self._taint)
        else:
            closed = self._closed(base, slot, at=boundary)
        if closed is not None and closed.energy_wh is not None and base_read is not None and boundary.read is not None:
            read = boundary.read
            found = self._known.evidence_between(base_read, read)
            self.slot_evidence = read.counter_wh - base_read.counter_wh, found
            self.slept_through = self.slot_evidence[0] <= 0 and was_w == 0 == self.power_w
        self._taint, self._run_reason, self._is_time_uncertain = Gap.NONE, Gap.NONE, False
        self._known.has_leapt, self._known.most_unseen_wh = False, 0
        return closed

    def _set_base(self, slot: Slot, boundary: Boundary) -> None:
        self.base = SlotBase(slot, boundary.at_s, boundary.counter_wh, boundary.is_derived)
        self._base_read = boundary.read
        self._base_w = self.power_w

    def _missing(self, missed: Gap) -> ClosedCounterSlot | None:
        reason = missed if missed != Gap.NONE else Gap.DEVICE_SILENT
        found = self._known.reason if self._known.reason != Gap.NONE else self._taint
        self._run_reason = found if found != Gap.NONE else self._run_reason
        if self.base is None and found == Gap.NONE:
            return None
        return ClosedCounterSlot(None, Mark.MISSING, found if found != Gap.NONE else reason)

    def _found_boundary(self) -> Boundary | None:
        """The last believed reading, taken back by what flowed while its answer was late."""
        known = self._known.reference
        if known is None:
            return None
        flowed_wh, doubt_wh = self._flowed_late(known, late_s=self._late_s, run_wh=self._known.run_wh)
        corrected_wh = known.counter_wh - flowed_wh
        if self.base is not None:
            corrected_wh = max(corrected_wh, min(self.base.counter_wh, known.counter_wh))
        return Boundary(self._read_at_s, corrected_wh, doubt_wh > CERTAIN_WH or self._known.is_unsure, known)

    def _flowed_late(self, known: CounterReading, *, late_s: float, run_wh: int) -> tuple[int, float]:
        """What flowed between the boundary and its late answer, and how uncertain that is; 0 within a step."""
        step_wh, sign = self.limits.step_wh, 1 if self._known.half == 0 else -1
        if late_s <= 0:
            return 0, 0.0
        now_w, before_w = self.witness.power_w, self.witness.power_before_w
        if now_w is None:
            if self.base is None:
                return 0, 0.0
            length_s = max(1.0, self._read_at_s + late_s - self.base.at_s)
            flowed_wh = max(0, known.counter_wh - self.base.counter_wh) / length_s * late_s
            # All that was counted since the reading before may have flowed after the boundary.
            doubt_wh = min(run_wh, self.limits.max_power_w * late_s / 3600)
            return (round(flowed_wh), doubt_wh) if doubt_wh > max(step_wh, CERTAIN_WH) else (0, 0.0)
        mine_w = max(0, sign * now_w)
        flowed_wh = mine_w * late_s / 3600
        change_w = abs(mine_w - max(0, sign * before_w)) if before_w is not None else mine_w
        doubt_wh = change_w * late_s / 3600
        return (round(flowed_wh), doubt_wh) if max(flowed_wh, doubt_wh) > step_wh else (0, 0.0)

    def _estimate(self, slot: Slot) -> Boundary | None:
        """Where the counter must be if it stood still only shortly, or if only one reading shows where it is."""
        known, end_s = self._known, start_of(slot + 1)
        if self._read_at_s < end_s or self.base is None or self._taint != Gap.NONE:
            return None
        if (found := known.single_look) is not None and found.at_s >= end_s:
            run_wh = max(0, found.counter_wh - known.reference.counter_wh) if known.reference else 0
            late_s = max(0.0, found.at_s - self._read_at_s)
            flowed_wh, doubt_wh = self._flowed_late(found, late_s=late_s, run_wh=run_wh)
            if doubt_wh > CERTAIN_WH + self.limits.step_wh:
                # What is before the boundary and what after it is not known: the next one ends the total of both.
                return None
            return Boundary(self._read_at_s, max(found.counter_wh - flowed_wh, self.base.counter_wh), True, None)
        moved, last = known.moved, known.reference
        if known.stuck_wh is None or moved is None or last is None or known.excursion is not None:
            return None
        if self._read_at_s - moved.at_s > REFRESH_SLACK_S or self.base.slot != slot:
            return None
        estimate_wh = max(last.counter_wh + round(known.stuck_wh), self.base.counter_wh)
        return Boundary(self._read_at_s, estimate_wh, True, None)

    def _note_excursion(self, slot: Slot) -> None:
        """Keep the first boundary of an excursion: its energy counts from there if it turns out to be the counter."""
        known = self._known
        known.excursion, known.rival = self._begun(known.excursion, slot), self._begun(known.rival, slot)

    def _begun(self, away: Excursion | None, slot: Slot) -> Excursion | None:
        noted = None if away is None or away.base is not None else self._noted_of(away)
        if away is None or noted is None or noted.slot != slot + 1 or away.first.at_s > noted.at_s + self._late_s:
            return away
        return replace(away, base=noted)

    def _closed(self, base: SlotBase, slot: Slot, *, at: Boundary) -> ClosedCounterSlot:
        slots = slot + 1 - base.slot
        energy_wh = at.counter_wh - base.counter_wh
        elapsed_s = max(at.at_s - base.at_s, slots * SLOT_S)
        was_high = energy_wh < 0 and (base.is_derived or -energy_wh <= self.limits.near_wh)
        if was_high:
            # The boundary before was a little high: the counter will reach it.
            energy_wh = 0
            self.base = replace(base, slot=slot + 1, is_derived=True)
        if self._taint == Gap.NONE and not 0 <= energy_wh <= self.limits.energy_wh(elapsed_s):
            self._taint = Gap.COUNTER_RESET if energy_wh < 0 else Gap.IMPLAUSIBLE
        if self._taint != Gap.NONE:
            return ClosedCounterSlot(None, Mark.MISSING, self._taint)
        if slots == 1 and not self._is_time_uncertain:
            is_derived = was_high or base.is_derived or at.is_derived or self._known.is_doubted or self._known.has_leapt
            is_derived = is_derived or self._known.most_unseen_wh > UNSEEN_STEP_WH
            return ClosedCounterSlot(energy_wh, Mark.DERIVED if is_derived else Mark.MEASURED, Gap.NONE)
        gap = self._run_reason if self._run_reason != Gap.NONE else Gap.DEVICE_SILENT
        gap = Gap.CLOCK_UNTRUSTED if self._is_time_uncertain else gap
        return ClosedCounterSlot(None, Mark.MISSING, gap, CounterInterval(base.slot, slots, energy_wh))
