"""Shows on standard error how far a long command has come, once it has run for two seconds."""

import time
from collections.abc import Callable
from typing import Final, TextIO

QUIET_S: Final = 2.0
TERMINAL_PERIOD_S: Final = 0.2
LINE_PERIOD_S: Final = 10.0

ReportProgress = Callable[[str, int, int | None], None]
"""Called with what is counted, how many are done, and how many there are, or None if that is unknown."""


def ignore_progress(_what: str, _done: int, _total: int | None) -> None:
    """Ignores progress, for callers that show none."""


class Progress:
    """On a terminal, one line that is overwritten; elsewhere, a new line every ten seconds."""

    def __init__(self, out: TextIO, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._out, self._monotonic = out, monotonic
        self._is_terminal = out.isatty()
        self._due_s = monotonic() + QUIET_S
        self._shown = 0

    def report(self, what: str, done: int, total: int | None) -> None:
        """Show the progress, if it is time for the next update."""
        now_s = self._monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + (TERMINAL_PERIOD_S if self._is_terminal else LINE_PERIOD_S)
        line = f"{what}: {done}" if total is None else f"{what}: {done} of {max(done, total)}"
        self._out.write(f"\r{line:<{self._shown}}" if self._is_terminal else f"{line}\n")
        self._out.flush()
        self._shown = len(line)

    def end(self) -> None:
        """Clear the line, so that the next output starts on an empty line."""
        if self._is_terminal and self._shown:
            self._out.write(f"\r{'':<{self._shown}}\r")
            self._out.flush()
