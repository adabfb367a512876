"""Answers that may still come although nobody waits for them, and what proves that none of them is taken for another.

A serial line and most gateways give answers no number: a late one fits every later request of the same length. After a
silence a request of another length is asked first. A device answers in order, so once that one is answered, nothing
older can follow it, however long it took and however busy this computer is. Pure bookkeeping: `modbus_link` sends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

KEPT_QUESTIONS = 4
_Shape = tuple[int, int, int]


class Question(NamedTuple):
    """One read of registers. What an answer to it looks like depends on unit, function and count alone."""

    unit: int
    function: int
    address: int
    count: int  # type: ignore[assignment]  # how many registers; nobody counts the fields of a question


class OwedAnswers:
    """What one connection still owes.

    `suspect_s`: how long a device that answers out of order is guarded against. `mixes_units`: one unit's late answer
    may come under another's name.
    """

    def __init__(self, suspect_s: float, *, mixes_units: bool) -> None:
        self._mixes_units = mixes_units
        self._suspect_s = suspect_s
        self._unproven: set[_Shape] = set()
        self._suspects: dict[_Shape, float] = {}
        self._answered: dict[int, deque[Question]] = {}

    def owe(self, question: Question, now_s: float) -> None:
        """The request went out and nothing valid came back."""
        self._unproven.add(self._shape(question))
        self.doubt(question, now_s)

    def doubt(self, question: Question, now_s: float) -> None:
        """What comes as the answer to this may be an older one, for a while."""
        self._suspects[self._shape(question)] = now_s + self._suspect_s

    def settle(self, question: Question) -> None:
        """A request of another length was answered after all that is owed."""
        unit = self._shape(question)[0]
        self._unproven = {each for each in self._unproven if each[0] != unit}

    def must_prove(self, question: Question) -> bool:
        """Whether an answer from before may still be on its way."""
        if not self._unproven:
            return False
        unit = self._shape(question)[0]
        return any(each[0] == unit for each in self._unproven)

    def is_suspect(self, question: Question, now_s: float) -> bool:
        """Whether an answer that came to this could still be an older one that a later one has overtaken."""
        return bool(self._suspects) and self._suspects.get(self._shape(question), 0.0) > now_s

    def remember(self, question: Question) -> None:
        """The device gives these registers; a proof may ask for them."""
        known = self._answered.get(question.unit)
        if known is None:
            known = self._answered[question.unit] = deque(maxlen=KEPT_QUESTIONS)
        elif known[0] == question:
            return
        elif question in known:
            known.remove(question)
        known.appendleft(question)

    def proof(self, question: Question, now_s: float) -> Question | None:
        """A read of registers the device has, whose answer can be neither an owed one nor one to `question`."""
        self._suspects = {shape: until_s for shape, until_s in self._suspects.items() if until_s > now_s}
        taken = {*self._unproven, *self._suspects, self._shape(question)}
        return next((each for each in self._readable(question) if self._shape(each) not in taken), None)

    def _readable(self, question: Question) -> Iterator[Question]:
        known = tuple(self._answered.get(question.unit, ()))
        yield from known
        for whole in (*known, question):
            for count in (*range(2, whole.count, 2), *range(1, whole.count, 2)):
                yield whole._replace(count=count)

    def _shape(self, question: Question) -> _Shape:
        return 0 if self._mixes_units else question.unit, question.function, question.count
