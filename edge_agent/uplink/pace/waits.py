"""How long the agent waits before it connects again: a random time below a ceiling that doubles with each failure.

Random over the whole range ("full jitter"), so that homes which lost one broker together do not return together.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

FIRST_CEILING_S: Final = 2.0
LAST_CEILING_S: Final = 120.0
"""What the agent waits at most by itself; only the hub's signed word makes it longer."""


class ReconnectWaits:
    """The next wait, and a fresh start once connected. `uniform` is the randomness; `within_s` what the hub asks.

    `longest_s` bounds both while an address is only tried.
    """

    def __init__(
        self,
        uniform: Callable[[float, float], float],
        *,
        within_s: Callable[[], int],
        longest_s: Callable[[], float] = lambda: inf,
    ) -> None:
        self._uniform = uniform
        self._within_s = within_s
        self._longest_s = longest_s
        self._ceiling_s = FIRST_CEILING_S

    def next_s(self) -> float:
        """How long to wait before the next attempt; each call without a connection in between may be longer."""
        ceiling_s, self._ceiling_s = self._ceiling_s, min(LAST_CEILING_S, 2 * self._ceiling_s)
        return self._uniform(0.0, min(self._longest_s(), max(ceiling_s, self._within_s())))

    def note_connected(self) -> None:
        """There is a connection: the next loss begins with a short wait again."""
        self._ceiling_s = FIRST_CEILING_S
