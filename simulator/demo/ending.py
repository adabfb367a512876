"""When a demonstration ends: when it is done if nobody can press Ctrl-C, and on a signal.

A signal raises no exception. It is recorded, every program is asked to end, and the director stops at its next step.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MAKES = ("make", "gmake")
ASK_EVERY_S = 0.5


def is_attended(environment: Mapping[str, str]) -> bool:
    """Whether somebody can look at the pages and press Ctrl-C: at a terminal, and not where CI is set."""
    return environment.get("CI", "").lower() in ("", "0", "false") and has_terminal()


def has_terminal() -> bool:
    """Whether input and output are a terminal that is still open."""
    return os.isatty(0) and os.isatty(1)


class StopSignals:
    """Receives the signals that end a program while the context is open; `received` is the first of them.

    A signal that was already ignored (as `nohup` does) stays ignored.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._end: Callable[[], None] | None = None
        self._undo = ExitStack()
        self._left = threading.Event()
        self._watch = threading.Thread(target=_watch_make, args=(self._left,), name="make-watch", daemon=True)

    def __enter__(self) -> "StopSignals":
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._undo.callback(signal.signal, number, signal.signal(number, self._receive))
        self._watch.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._left.set()
        self._watch.join()
        self._undo.close()

    def call(self, end: Callable[[], None]) -> None:
        """Call this on the first signal, or now if it has already come."""
        self._end = end
        if self.received is not None:
            end()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number)
            if self._end is not None:
                self._end()


def _watch_make(left: threading.Event) -> None:
    """End when the `make` above gets a hangup, which it does not pass on, or is killed."""
    parent = os.getppid()
    if _status(parent).get("Name") not in MAKES:
        return
    catches_hangup = _catches_hangup(parent)
    while not left.wait(ASK_EVERY_S):
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        # GNU make stops catching a signal once it has received it, and then waits for its recipe.
        if catches_hangup and not _catches_hangup(parent):
            os.kill(os.getpid(), signal.SIGHUP)
            return


def _catches_hangup(pid: int) -> bool:
    return bool(int(_status(pid).get("SigCgt", "0"), 16) >> (signal.SIGHUP - 1) & 1)


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}  # it has ended
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
