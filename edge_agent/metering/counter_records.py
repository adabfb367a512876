"""What is known of one counter, as plain frozen records: its limits, its readings, and what survives a restart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge_agent.metering.witness import WOBBLE_WH, WitnessMark
from protocols.slots import Slot

LIFETIME_H = 50 * 8766


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


class Fit(Enum):
    """How a reading agrees with an earlier one: with the limits, and with the power between them."""

    TIGHT = "tight"
    LOOSE = "loose"
    UNSEEN = "unseen"
    BEHIND = "behind"
    """Up, but by less than the power says."""
    ABOVE = "above"
    FALLEN = "fallen"


FITS = frozenset({Fit.TIGHT, Fit.LOOSE, Fit.UNSEEN})


@dataclass(frozen=True, slots=True)
class CounterLimits:
    """Physical limits of a counter. Units: W, Wh. `step_wh` is the smallest step it can show.

    `sleeps`: the device may show 0 while it has nothing to do, as inverters do at night.
    """

    max_power_w: int
    step_wh: int = 1
    wraps_wh: int | None = None
    sleeps: bool = False

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
    """A reading and what the power had summed up to by then. `counter_wh` continues across wraps."""

    at_s: float
    counter_wh: int
    mark: WitnessMark | None = None


@dataclass(frozen=True, slots=True)
class Excursion:
    """Readings that agree with each other but not with the reference. `base` is the first at a slot's boundary."""

    first: CounterReading
    last: CounterReading
    rises: int = 0
    base: SlotBase | None = None


@dataclass(frozen=True, slots=True)
class CounterMemory:
    """What a counter's state machine keeps over a restart beside the slot's base."""

    reference: CounterReading
    former: CounterReading | None = None
    excursion: Excursion | None = None
    is_doubted: bool = False
