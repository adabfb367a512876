"""Counts the refused requests of one address for agents: guesses are limited, and the log names them once a minute."""

import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

REFUSALS_LOGGED_EACH_S: Final = 60
GUESSES_PER_MINUTE: Final = 30
"""Beyond these, a wrong request learns only that; a right one is still answered."""


class Tries:
    """The refusals of one address. `what` names its requests in the log; `guesses` are statuses that are limited."""

    def __init__(self, what: str, *, now: Callable[[], float], guesses: tuple[int, ...]) -> None:
        self._what = what
        self._now = now
        self._guesses = guesses
        self._guessed_at: deque[float] = deque(maxlen=GUESSES_PER_MINUTE + 1)
        self._refused = 0
        self._logged_at_s = float("-inf")

    def note(self, status: int, body: bytes) -> tuple[int, bytes]:
        """The response to send: this one, or the one that says that there were too many."""
        if status == 200:
            return status, body
        self._log(status)
        if status in self._guesses and self._is_flood():
            return refusal(429, f"too many refused {self._what}: try again in a minute")
        return status, body

    def _is_flood(self) -> bool:
        now_s = self._now()
        self._guessed_at.append(now_s)
        return len(self._guessed_at) > GUESSES_PER_MINUTE and now_s - self._guessed_at[0] < 60

    def _log(self, status: int) -> None:
        """Count refusals and log them at most once a minute, so that nobody can fill the log."""
        self._refused += 1
        if self._now() - self._logged_at_s >= REFUSALS_LOGGED_EACH_S:
            log.warning("refused %d %s, the newest with status %d", self._refused, self._what, status)
            self._refused, self._logged_at_s = 0, self._now()


def refusal(status: int, sentence: str) -> tuple[int, bytes]:
    """A refusal as its status and its body."""
    return status, json.dumps({"error": sentence}).encode("utf-8")
