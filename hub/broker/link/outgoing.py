"""What waits to be sent to homes, in order and bounded; of what only the newest counts, only the newest waits.

It sends nothing. Safe to use from several threads.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import count
from typing import Final

MAX_SINGLE: Final = 2000
"""Messages of which each counts: prompts, the time, notices."""

MAX_LATEST: Final = 20_000
"""One for each agent and kind; more homes than one hub serves."""

Seal = Callable[[], bytes | None]
"""Makes the sealed message when its turn has come: a signature costs more than all the waiting. None: say nothing."""

Taken = Callable[[], None]
"""Called in the link's thread when the broker has acknowledged the message."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message whose turn has come."""

    topic: str
    seal: Seal
    is_kept: bool
    taken: Taken | None = None


class Outgoing:
    """`dropped` counts what found no room, `replaced` what a newer one made superfluous before it was sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, Waiting] = {}
        self._numbers = count()
        self._singles = 0
        self.dropped = 0
        self.replaced = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        """Queue a message; the newest is dropped if too many wait."""
        with self._lock:
            if self._singles >= MAX_SINGLE:
                self.dropped += 1
                return
            self._singles += 1
            self._waiting[next(self._numbers)] = Waiting(topic, lambda: sealed, is_kept)

    def put_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        """Queue a message in place of an earlier one of the same topic and `of`, whose turn in the queue it takes."""
        key = (topic, of)
        with self._lock:
            if key in self._waiting:
                self.replaced += 1
            elif len(self._waiting) - self._singles >= MAX_LATEST:
                self.dropped += 1
                return
            self._waiting[key] = Waiting(topic, seal, is_kept=False, taken=taken)

    def take(self) -> Waiting | None:
        """The message whose turn it is; None if none waits."""
        with self._lock:
            key = next(iter(self._waiting), None)
            if key is None:
                return None
            self._singles -= isinstance(key, int)
            return self._waiting.pop(key)
