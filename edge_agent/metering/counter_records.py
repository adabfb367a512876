"""What is known of one counter, as plain frozen records: its limits, its readings, and what survives a restart.

Pure. The last part writes what survives as plain lists and numbers for the checkpoint, and reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from edge_agent.metering.witness import STARTS_S, WOBBLE_WH, WitnessMark
from protocols.slots import Slot

LIFETIME_H = 50 * 8766

LEAP_WH = 100
"""A register that begins again has run at least once between two readings; less than this may be its first step."""


class ReadingVerdict(Enum):
    """How one reading was judged."""

    GOOD = "good"
    NOTHING = "nothing"
    """The device answered without a value, or with 0 as sleeping devices do."""
    SUSPECT = "suspect"
    """It contradicts what is known; a later reading decides."""


class NewBase(Enum):
    """What a new reference means for the energy counted since the slot's base."""

    KEPT = "kept"
    """The counter's own total holds."""
    OF_EXCURSION = "of_excursion"
    """Counted from the excursion's first boundary; the way there is no energy."""
    IF_OLDER = "if_older"
    """The counter is back where it was: a base from before it left still holds."""
    UNKNOWN = "unknown"
    """It may be another register near where the counter was: only what the excursion ran may be known."""


class Fit(Enum):
    """How a reading agrees with an earlier one: with the limits, and with the power between them."""

    TIGHT = "tight"
    LOOSE = "loose"
    UNSEEN = "unseen"
    BEHIND = "behind"
    """Up, but by less than the power says."""
    ABOVE = "above"
    FALLEN = "fallen"


FITS = (Fit.TIGHT, Fit.LOOSE, Fit.UNSEEN)


@dataclass(frozen=True, slots=True)
class CounterLimits:
    """Physical limits of a counter. Units: W, Wh. `step_wh` is the smallest step it can show.

    `sleeps`: the device may show 0 while it has nothing to do, as inverters do at night. `is_recorded`: its readings
    come from a finished recording, which has no power and no second look; whoever made the recording has checked them.
    """

    max_power_w: int
    step_wh: int = 1
    wraps_wh: int | None = None
    sleeps: bool = False
    is_recorded: bool = False

    def energy_wh(self, seconds: float) -> float:
        """The most energy that can flow in this time, plus a tenth, plus one counter step."""
        return self.max_power_w * seconds / 3600 * 1.1 + self.step_wh

    @property
    def lifetime_wh(self) -> float:
        """No counter shows more than its greatest power over fifty years."""
        return self.max_power_w * LIFETIME_H

    @property
    def wobble_wh(self) -> int:
        """A fall of at most this is rounding inside the device."""
        return self.step_wh + WOBBLE_WH

    @property
    def near_wh(self) -> int:
        """Two places this close may be one counter that lost or gained a little; it costs no total."""
        return 2 * self.step_wh + 10 * WOBBLE_WH


@dataclass(frozen=True, slots=True)
class SlotBase:
    """The reading a slot's energy is counted from, at the start of `slot`.

    `is_derived`: the power had to say where the counter was at that moment.
    """

    slot: Slot
    at_s: float
    counter_wh: int
    is_derived: bool = False
    memory: CounterMemory | None = None
    """What else is kept over a restart, where there is anything."""


@dataclass(frozen=True, slots=True)
class CounterReading:
    """A reading and what the power had summed up to by then. `counter_wh` continues across wraps.

    `other_wh`: what the device's other register showed in the same answer.
    """

    at_s: float
    counter_wh: int
    mark: WitnessMark | None = None
    other_wh: int | None = None


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where the counter was at a boundary, and the reading that says so; None if it is an estimate."""

    at_s: float
    counter_wh: int
    is_derived: bool
    read: CounterReading | None


def moved(reading: CounterReading | None, by_s: float) -> CounterReading | None:
    """The same reading after the clock was changed by so much."""
    return None if reading is None else replace(reading, at_s=reading.at_s + by_s)


@dataclass(frozen=True, slots=True)
class Excursion:
    """Readings that agree with each other but not with the reference. `base` is the first at a slot's boundary."""

    first: CounterReading
    last: CounterReading
    rises: int = 0
    base: SlotBase | None = None
    leap_wh: int = 0
    """The greatest rise from one reading to the next; not kept over a restart."""

    def stays_off(self, known: CounterReading) -> bool:
        """Whether it has been at another number for long; a counter that stands still at its own is only stuck."""
        is_other = abs(self.last.counter_wh - known.counter_wh) > WOBBLE_WH
        return is_other and self.last.at_s - self.first.at_s >= STARTS_S

    @property
    def is_leap(self) -> bool:
        """Whether it got where it is by one leap rather than by running: it may be of two registers."""
        return self.leap_wh > max(LEAP_WH, (self.last.counter_wh - self.first.counter_wh) / 2)

    def after(self, earlier: Excursion) -> Excursion:
        """This one as the continuation of an earlier one."""
        leap_wh = max(earlier.leap_wh, self.leap_wh, self.first.counter_wh - earlier.last.counter_wh)
        rises = earlier.rises + self.rises
        return replace(self, first=earlier.first, rises=rises, base=earlier.base, leap_wh=leap_wh)


@dataclass(frozen=True, slots=True)
class CounterMemory:
    """What a counter's state machine keeps over a restart beside the slot's base."""

    reference: CounterReading
    former: CounterReading | None = None
    excursion: Excursion | None = None
    is_doubted: bool = False

    def before(self, now: WitnessMark) -> CounterMemory:
        """The same for a power witness that begins again now."""
        away = self.excursion
        return replace(
            self,
            reference=_marked(self.reference, now),
            former=None if self.former is None else _marked(self.former, now),
            excursion=away and replace(away, first=_marked(away.first, now), last=_marked(away.last, now)),
        )


def _marked(reading: CounterReading, now: WitnessMark) -> CounterReading:
    return reading if reading.mark is None else replace(reading, mark=reading.mark.before(now))


def write_memory(base: SlotBase) -> dict[str, Any]:
    """What the checkpoint keeps of this counter beside its base; empty if there is nothing."""
    written: dict[str, Any] = {"derived": True} if base.is_derived else {}
    if (memory := base.memory) is None:
        return written
    written["reference"] = _write(memory.reference)
    if memory.reference.other_wh is not None:
        written["other"] = memory.reference.other_wh
    if memory.former is not None:
        written["former"] = _write(memory.former)
    if memory.is_doubted:
        written["doubted"] = True
    if (away := memory.excursion) is not None:
        begun = None if away.base is None else [away.base.slot, round(away.base.at_s), away.base.counter_wh]
        written["excursion"] = [_write(away.first), _write(away.last), away.rises, begun]
    return written


def read_memory(base: SlotBase, written: Any) -> SlotBase:
    """The base with what was kept beside it. Raises KeyError, TypeError or ValueError for anything else."""
    if written is None:
        return base
    base = replace(base, is_derived=written.get("derived") is True)
    if "reference" not in written:
        return base
    former, away, other_wh = written.get("former"), written.get("excursion"), written.get("other")
    memory = CounterMemory(
        replace(_read(written["reference"]), other_wh=None if other_wh is None else int(other_wh)),
        None if former is None else _read(former),
        None if away is None else _excursion(*away),
        written.get("doubted") is True,
    )
    return replace(base, memory=memory)


def _excursion(first: Any, last: Any, rises: Any, begun: Any) -> Excursion:
    base = None
    if begun is not None:
        slot, at_s, counter_wh = begun
        base = SlotBase(int(slot), float(at_s), int(counter_wh))
    return Excursion(_read(first), _read(last), int(rises), base)


def _write(reading: CounterReading) -> list[int]:
    written = [round(reading.at_s), reading.counter_wh]
    if (mark := reading.mark) is None:
        return written
    sums = (*mark.areas_ws, *mark.spreads_ws, mark.covered_s, mark.squares_s2)
    frozen = (mark.frozen_s, *mark.frozen_ws) if mark.frozen_s else ()
    return [*written, *(round(each) for each in (*sums, *frozen))]


def _read(written: Any) -> CounterReading:
    at_s, counter_wh, *sums = written
    if not sums:
        return CounterReading(float(at_s), int(counter_wh))
    above, below, spread, other, covered_s, squares_s2, *frozen = map(float, sums)
    frozen_s, frozen_above, frozen_below = frozen or (0.0, 0.0, 0.0)
    mark = WitnessMark((above, below), (spread, other), covered_s, squares_s2, frozen_s, (frozen_above, frozen_below))
    return CounterReading(float(at_s), int(counter_wh), mark)
