"""A rule's parameters turned into columns: what an allocation needs, and nothing of prices or calendars."""

from dataclasses import dataclass
from typing import Final

GRID_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class AllocationKey:
    """One method with its parameters by column; columns are the members in the byte order of their ids.

    Invariants: `weights` has one entry per column where the method uses it; `tiers` hold every column once,
    ascending inside a tier; `group` ascends; `coefficients` ascend by producer, and by consumer inside.
    """

    method: str
    weights: tuple[int, ...] = ()
    rounds: int = 1
    tiers: tuple[tuple[int, ...], ...] = ()
    group: tuple[int, ...] = ()
    reserve_ppm: int = 0
    coefficients: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ()
