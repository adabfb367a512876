"""One day of the neighbourhood: what was measured, what is expected, and when there is power to spare. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.core.rules.group_size import LEAST_HOMES
from protocols.slots import Slot

MIN_HOMES: Final = LEAST_HOMES
"""A total is shown only if at least this many homes are part of it."""

SHORTEST_SPAN_SLOTS: Final = 2
_ONE_SOURCE_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class ExpectedSlot:
    """What to expect in a slot, with the likely range of production. Units: Wh per slot."""

    sun_wh: float
    wind_wh: float
    made_low_wh: float
    made_high_wh: float
    used_wh: float

    @property
    def made_wh(self) -> float:
        return self.sun_wh + self.wind_wh


@dataclass(frozen=True, slots=True)
class SlotOutlook:
    """One slot as the page shows it: measured if it is over, expected if not, None if unknown."""

    slot: Slot
    is_measured: bool
    made_wh: float | None
    sun_wh: float
    low_wh: float | None
    high_wh: float | None
    used_wh: float | None

    @property
    def spare_wh(self) -> float | None:
        """Production minus use; negative if the grid supplies the rest."""
        return None if self.made_wh is None or self.used_wh is None else self.made_wh - self.used_wh


@dataclass(frozen=True, slots=True)
class SurplusSpan:
    """A period [first, end) of slots with more production than use. `source` is sun, wind or both."""

    first: Slot
    end: Slot
    energy_wh: float
    source: str


@dataclass(frozen=True, slots=True)
class BestStart:
    """The best time to start a run of several slots; `covered` is the share of those slots with power to spare."""

    first: Slot
    slots: int
    covered: float


def measured_moment(slot: Slot, *, sun_wh: float, wind_wh: float, used_wh: float) -> SlotOutlook:
    return SlotOutlook(slot, True, sun_wh + wind_wh, sun_wh, None, None, used_wh)


def expected_moment(slot: Slot, expected: ExpectedSlot) -> SlotOutlook:
    return SlotOutlook(
        slot,
        False,
        expected.made_wh,
        expected.sun_wh,
        expected.made_low_wh,
        expected.made_high_wh,
        expected.used_wh,
    )


def unknown_moment(slot: Slot) -> SlotOutlook:
    return SlotOutlook(slot, False, None, 0.0, None, None, None)


def find_spare(moments: Sequence[SlotOutlook]) -> tuple[SurplusSpan, ...]:
    """The periods with power to spare, in order; a single quarter hour without any does not split a period in two."""
    flags = [moment.spare_wh is not None and moment.spare_wh > 0 for moment in moments]
    for i in range(1, len(flags) - 1):
        if not flags[i] and flags[i - 1] and flags[i + 1] and moments[i].spare_wh is not None:
            flags[i] = True
    found: list[SurplusSpan] = []
    start: int | None = None
    for i, is_spare in enumerate([*flags, False]):
        if is_spare and start is None:
            start = i
        elif not is_spare and start is not None:
            if i - start >= SHORTEST_SPAN_SLOTS:
                found.append(_spare(moments[start:i]))
            start = None
    return tuple(found)


def _spare(span: Sequence[SlotOutlook]) -> SurplusSpan:
    made = sum(moment.made_wh or 0.0 for moment in span)
    sun_share = sum(moment.sun_wh for moment in span) / made if made > 0 else 0.0
    source = "sun" if sun_share >= _ONE_SOURCE_SHARE else "wind" if sun_share <= 1 - _ONE_SOURCE_SHARE else "both"
    energy_wh = sum(moment.spare_wh or 0.0 for moment in span)
    return SurplusSpan(span[0].slot, span[-1].slot + 1, energy_wh, source)


def best_start(moments: Sequence[SlotOutlook], slots: int) -> BestStart | None:
    """The window of `slots` with the most power to spare, the earliest if tied; None if no window is fully known."""
    best: tuple[float, int] | None = None
    for i in range(len(moments) - slots + 1):
        window = moments[i : i + slots]
        spare = [moment.spare_wh for moment in window]
        if any(value is None for value in spare):
            continue
        total = round(sum(value for value in spare if value is not None), 3)
        if best is None or total > best[0]:
            best = (total, i)
    if best is None:
        return None
    window = moments[best[1] : best[1] + slots]
    covered = sum(1 for moment in window if (moment.spare_wh or 0.0) > 0) / slots
    return BestStart(window[0].slot, slots, covered)
