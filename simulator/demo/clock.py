"""The director's hand on a demonstration's clock: lets time run, holds it, and never turns it back."""

import time
from pathlib import Path

from protocols.timeline import Timeline


class DirectedClock:
    """Writes the timeline file every program of the demonstration follows.

    Time stands at `start_s` until it is let run. A rewrite keeps the time of that moment, so nobody sees a jump.
    """

    def __init__(self, path: Path, *, start_s: float) -> None:
        self.path = path
        self._timeline = Timeline(time.time(), start_s, 0.0, start_s)
        self._write()

    def now(self) -> float:
        """The time the programs live in."""
        return self._timeline.at(time.time())

    def run_until(self, hold_at_s: float | None, *, rate: float) -> None:
        """Let time run at this rate up to `hold_at_s` (None: without end)."""
        real_s = time.time()
        self._timeline = Timeline(real_s, self._timeline.at(real_s), rate, hold_at_s)
        self._write()

    def _write(self) -> None:
        # Whole or not at all: a reader sees the old timeline or the new one.
        beside = self.path.with_suffix(".new")
        beside.write_text(self._timeline.text(), encoding="utf-8")
        beside.replace(self.path)
