"""What intake has done since it was started, counted for the board and for a monitoring system; no sender is named.

A message counts once, by what became of it.
"""

from collections.abc import Iterable
from typing import Final

from hub.health.counters import Durations, LastHour
from hub.health.facts import IntakeHealth

STORED: Final = "stored"
STORED_REFUSED: Final = "stored_refused"
"""Its number was stored, its content refused."""

DUPLICATE: Final = "duplicate"
EARLY: Final = "early"
"""Earlier messages of its agent are missing: the receipt asks for them again."""

QUESTION: Final = "question"
REFUSED: Final = "refused"
LEFT: Final = "left"
OUTCOMES: Final = (STORED, STORED_REFUSED, DUPLICATE, EARLY, QUESTION, REFUSED, LEFT)


class IntakeTally:
    """Counts since the start of this process; `refusals` and `left` are the reasons there are.

    What the broker link dropped it counts itself; `note_dropped` has to be told regularly how much that is.
    """

    def __init__(self, *, refusals: Iterable[str], left: Iterable[str]) -> None:
        self.received = 0
        self.receipts = 0
        self.asked_again = 0
        self.groups = Durations()
        self._store_errors = 0
        self._store_problem = ""
        self._outcomes = dict.fromkeys(OUTCOMES, 0)
        self._refused = {str(reason): 0 for reason in refusals}
        self._left = {str(reason): 0 for reason in left}
        self._last_hour = LastHour()
        self._dropped = 0

    def note(self, outcome: str, reason: str = "", *, steady_s: float, count: int = 1) -> None:
        """Count what became of messages; `reason` for those that were refused or left for later."""
        self._outcomes[outcome] += count
        if outcome == LEFT:
            self._left[reason] += count
            self._last_hour.note("left", count, steady_s=steady_s)
        elif outcome in (REFUSED, STORED_REFUSED):
            self._refused[reason] += count
            self._last_hour.note("refused", count, steady_s=steady_s)

    def note_receipt(self, gaps: Iterable[tuple[int, int]]) -> None:
        """Count a receipt, and the numbers that it names as missing."""
        self.receipts += 1
        self.asked_again += sum(last - first + 1 for first, last in gaps)

    def note_stored(self) -> None:
        """A group was stored: whatever was wrong is over."""
        self._store_problem = ""

    def note_store_error(self, problem: str) -> None:
        """A group could not be stored, for this reason in one line."""
        self._store_errors += 1
        self._store_problem = problem

    def note_dropped(self, dropped: int, *, steady_s: float) -> None:
        """What the link has dropped since it began: whatever is new was dropped since this was last called."""
        self._last_hour.note("dropped", dropped - self._dropped, steady_s=steady_s)
        self._dropped = dropped

    def health(
        self,
        *,
        broker_connected: bool,
        broker_connections: int,
        dropped_in: int,
        dropped_out: int,
        waiting: int,
        waiting_most: int,
        has_cut_off: bool,
        steady_s: float,
    ) -> IntakeHealth:
        """The counts so far, with what the link and the queues say."""
        self.note_dropped(dropped_in + dropped_out, steady_s=steady_s)
        return IntakeHealth(
            broker_connected=broker_connected,
            broker_connections=broker_connections,
            received=self.received,
            outcomes=dict(self._outcomes),
            refused=dict(self._refused),
            left=dict(self._left),
            receipts=self.receipts,
            asked_again=self.asked_again,
            dropped_in=dropped_in,
            dropped_out=dropped_out,
            waiting=waiting,
            waiting_most=waiting_most,
            store_errors=self._store_errors,
            store_problem=self._store_problem,
            groups=self.groups.buckets,
            last_hour=self._last_hour.counts(steady_s=steady_s),
            has_cut_off=has_cut_off,
        )
