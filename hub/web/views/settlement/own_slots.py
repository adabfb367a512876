"""One member's intervals of a settled day, as their statement has them: no run's record is read for a day's page."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocols.slots import Slot


@dataclass(frozen=True, slots=True)
class OwnSlot:
    """What a run settled for one member in one interval. Units: Wh.

    Provisional: at least one member's reading is missing. Not present: the member's own reading is missing, and the
    energy is 0. None: told as a part of the day's sum only, because the quarter hour would tell another home's energy.
    """

    slot: Slot
    is_present: bool
    is_provisional: bool
    surplus_wh: int
    demand_wh: int
    received_wh: int | None
    given_wh: int | None


def own_slots(day: Mapping[str, Any]) -> tuple[OwnSlot, ...]:
    """The intervals of this day of a statement, in order; none of a day whose run did not know the member yet."""
    first, step, window = day["first_slot"], day["step"], day["window"]
    if window is not None and window[0] >= first + step * len(day["surplus"]):
        return ()  # the day has a fee, but no energy
    provisional = frozenset(day["provisional"])
    columns = zip(day["surplus"], day["demand"], day["received"], day["sold"], strict=True)
    slots = []
    for slot, (surplus, demand, received, sold) in zip(itertools.count(first, step), columns, strict=False):
        is_present = surplus is not None
        energies = (surplus, demand, received, sold) if is_present else (0, 0, 0, 0)
        slots.append(OwnSlot(slot, is_present, slot in provisional, *energies))
    return tuple(slots)
