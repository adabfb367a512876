"""Independent named random streams; nothing here knows what is drawn from them.

A stream depends only on the seed and its own name, so drawing more in one place changes nothing elsewhere.
"""

import hashlib
from itertools import accumulate

import numpy as np

from simulator.world.arrays import FloatArray


def random_stream(seed: int, *names: str | int) -> np.random.Generator:
    """The generator with this name: the same seed and names give the same draws on every machine."""
    return np.random.Generator(np.random.PCG64(_number(seed, names)))


def draw_chance(seed: int, *names: str | int) -> float:
    """One number in [0, 1) with this name."""
    return (_number(seed, names) >> 75) / 2**53


def fading_sum(shocks: FloatArray, keep: float) -> FloatArray:
    """The sum of all shocks so far, of which each step keeps the share `keep` and forgets the rest."""
    return np.array(list(accumulate(shocks.tolist(), lambda total, shock: shock + keep * total)))


def _number(seed: int, names: tuple[str | int, ...]) -> int:
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
