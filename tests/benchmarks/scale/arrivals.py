"""When homes come: at a slot's end, and back after an outage. Pure: the randomness is handed in."""

from __future__ import annotations

from typing import Final

import numpy as np

from edge_agent.uplink.pace.waits import LAST_CEILING_S
from protocols.slots import SLOT_S
from protocols.wire.topics import SHARDS
from tests.benchmarks.scale.queueing import Times

SEALED_WITHIN_S: Final = 1.0
"""How far apart homes are in closing a slot, where nothing spreads them: their clocks and their last reading."""

BOOT_S: Final = (25.0, 60.0)
"""How long a Raspberry Pi takes from power to the agent's first attempt."""


def slot_end_s(dice: np.random.Generator, homes: int, *, spread_s: float) -> Times:
    """When each home's batch arrives after the slot's end, in order."""
    return np.sort(dice.uniform(0, SEALED_WITHIN_S, homes) + dice.uniform(0, spread_s, homes))


def back_after_s(dice: np.random.Generator, homes: int, *, within_s: float) -> Times:
    """When each home connects after the network is back, in order. `within_s` is what the hub asks for.

    During a long outage each home tries again and again, after waits that are uniform below one ceiling. What is left
    of such a wait at any one moment has the density 2 (1 - x / ceiling) / ceiling (a renewal process in equilibrium).
    """
    ceiling_s = max(LAST_CEILING_S, within_s)
    return np.sort(ceiling_s * (1 - np.sqrt(dice.uniform(0, 1, homes))))


def back_after_power_s(dice: np.random.Generator, homes: int, *, within_s: float) -> Times:
    """When each home connects after its power is back: the computer starts, then a wait over all that is asked."""
    return np.sort(dice.uniform(*BOOT_S, homes) + dice.uniform(0, within_s, homes))


def back_in_step_s(homes: int) -> Times:
    """When homes came back before waits were random: all lost the broker in one second, and so tried in one again."""
    return np.linspace(0, 1, homes)


def busiest(dice: np.random.Generator, homes: int, *, workers: int) -> int:
    """How many homes the busiest worker has: homes fall into shards by a hash, workers share the shards out evenly."""
    shards = dice.multinomial(homes, [1 / SHARDS] * SHARDS)
    return int(max(shards[worker::workers].sum() for worker in range(min(workers, SHARDS))))


def slots_since(seconds: Times) -> Times:
    """How many slots ended in so long."""
    return np.floor(seconds / SLOT_S)
