"""A home on three phases, second by second: sun on one phase, loads that switch on all of them. Made for tests."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SLOT_S = 900


@dataclass(frozen=True, slots=True)
class Load:
    """A load that is on for about `on_s` and off for about `off_s`, again and again."""

    phase: int
    power_w: int
    on_s: int
    off_s: int


LOADS = (
    Load(0, 120, 600, 1200),
    Load(1, 2000, 150, 5400),
    Load(1, 1800, 6, 9),
    Load(2, 2200, 45, 60),
    Load(2, 90, 900, 1500),
    Load(0, 700, 300, 900),
)
"""A fridge, a kettle, a hob that takes full power every few seconds, an oven, a pump and something else."""

USUAL_LOADS = (
    Load(0, 120, 600, 1200),
    Load(1, 2000, 150, 5400),
    Load(2, 1200, 900, 7200),
    Load(2, 90, 900, 1500),
    Load(0, 700, 300, 900),
)
"""A fridge, a kettle, a washing machine, a pump and something else: nothing that switches within seconds."""


def powers(
    seed: int, *, seconds: int, sun_w: int = 4000, loads: Sequence[Load] = LOADS
) -> Iterator[tuple[int, int, int]]:
    """The power of each phase at the connection in every second, import +."""
    chance = random.Random(seed)
    left_s = [chance.randint(1, load.on_s + load.off_s) for load in loads]
    is_on = [chance.random() < load.on_s / (load.on_s + load.off_s) for load in loads]
    chosen = [chance.random() < 0.6 for _ in loads]
    sky, cloud_s = 0.7, 0
    for _ in range(seconds):
        if cloud_s == 0:
            sky, cloud_s = chance.uniform(0.15, 1.0), chance.randint(20, 400)
        cloud_s -= 1
        phases = [150 - int(sky * sun_w), 100, 80]
        for at, load in enumerate(loads):
            left_s[at] -= 1
            if left_s[at] <= 0:
                is_on[at] = not is_on[at]
                left_s[at] = max(1, int(chance.expovariate(1 / (load.on_s if is_on[at] else load.off_s))))
            phases[load.phase] += load.power_w * (is_on[at] and chosen[at])
        yield phases[0], phases[1], phases[2]


@dataclass(slots=True)
class Totals:
    """Import and export in watt-seconds, of the phases added up at every instant and of each by itself."""

    netted_import: int = 0
    netted_export: int = 0
    separate_import: int = 0
    separate_export: int = 0

    def add(self, phases: tuple[int, int, int]) -> None:
        """One second."""
        total = sum(phases)
        self.netted_import += max(0, total)
        self.netted_export += max(0, -total)
        self.separate_import += sum(max(0, each) for each in phases)
        self.separate_export += sum(max(0, -each) for each in phases)
