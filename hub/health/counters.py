"""How long things took, and what the last hour brought: counted in memory, for the hub's health. No clock."""

from collections import Counter, deque
from typing import Final

from hub.health.facts import Buckets

BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MINUTES_KEPT: Final = 60


class Durations:
    """How long something took, in buckets. Units: s."""

    def __init__(self, bounds_s: tuple[float, ...] = BOUNDS_S) -> None:
        self._bounds_s, self._counts, self._sum_s = bounds_s, [0] * (len(bounds_s) + 1), 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        place = next((n for n, bound in enumerate(self._bounds_s) if seconds <= bound), len(self._bounds_s))
        self._counts[place] += 1
        self._sum_s += seconds

    @property
    def buckets(self) -> Buckets:
        """What was counted so far."""
        return Buckets(self._bounds_s, tuple(self._counts), self._sum_s)


class LastHour:
    """Counts by name over the last hour, forgotten by the minute. `steady_s` is a clock that never jumps."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, Counter[str]]] = deque()

    def note(self, name: str, count: int, *, steady_s: float) -> None:
        """Count something now."""
        minute = int(steady_s // 60)
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, Counter()))
            self._forget(minute)
        self._minutes[-1][1][name] += count

    def counts(self, *, steady_s: float) -> dict[str, int]:
        """What the last hour brought."""
        self._forget(int(steady_s // 60))
        return dict(sum((counts for _, counts in self._minutes), Counter[str]()))

    def _forget(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] <= minute - MINUTES_KEPT:
            self._minutes.popleft()
