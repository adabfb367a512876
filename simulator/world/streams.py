"""Independent streams of chance, each named; nothing here knows what is drawn from them.

A stream depends on the seed and its own name alone, so drawing more in one place changes nothing in another.
"""

import hashlib

import numpy as np


def random_stream(seed: int, *names: str | int) -> np.random.Generator:
    """The generator of this name: the same seed and names give the same draws on every machine."""
    return np.random.Generator(np.random.PCG64(_number(seed, names)))


def draw_chance(seed: int, *names: str | int) -> float:
    """One number in [0, 1) of this name."""
    return (_number(seed, names) >> 75) / 2**53


def _number(seed: int, names: tuple[str | int, ...]) -> int:
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
