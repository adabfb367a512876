"""Says on standard error how far a long command has come. What is done within two seconds says nothing."""

import time
from collections.abc import Callable
from typing import Final, TextIO

QUIET_S: Final = 2.0
TERMINAL_PERIOD_S: Final = 0.2
LINE_PERIOD_S: Final = 10.0

ReportProgress = Callable[[str, int, int | None], None]
"""(what is counted, how many are done, how many there are if that is known)."""


def ignore_progress(_what: str, _done: int, _total: int | None) -> None:
    """For callers that show no progress."""


class Progress:
    """One line that is written over on a terminal, and a line every ten seconds elsewhere."""

    def __init__(self, out: TextIO, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._out, self._monotonic = out, monotonic
        self._is_terminal = out.isatty()
        self._due_s = monotonic() + QUIET_S
        self._shown = 0

    def report(self, what: str, done: int, total: int | None) -> None:
        """Show it if it is time; the same line twice is shown once."""
        now_s = self._monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + (TERMINAL_PERIOD_S if self._is_terminal else LINE_PERIOD_S)
        line = f"{what}: {done}" if total is None else f"{what}: {done} of {max(done, total)}"
        self._out.write(f"\r{line:<{self._shown}}" if self._is_terminal else f"{line}\n")
        self._out.flush()
        self._shown = len(line)

    def end(self) -> None:
        """Wipe the line, so that what is printed next stands alone."""
        if self._is_terminal and self._shown:
            self._out.write(f"\r{'':<{self._shown}}\r")
            self._out.flush()
