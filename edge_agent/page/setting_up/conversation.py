"""Set-up's conversation behind a page: what was said, the question that is open, and an answer that comes by form.

It lives in the event loop of the set-up; nothing in it waits for a browser, and it survives that one is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from edge_agent.setup.conversation import SetupQuestion, ValueRows, shown_text, understand
from protocols.errors import CommonwattError

READ_AGAIN_S = 5.0
WATCHED_S = 20.0
"""Values are read again only while somebody looks."""

NEXT_TRIES, NEXT_PAUSE_S = 8, 0.05
MAX_ANSWER_CHARS = 4096
MOST_LINES = 400


@dataclass(frozen=True, slots=True)
class Answered:
    """A question of this step and its answer in words; None where the answer is a secret."""

    question: str
    answer: str | None


@dataclass(slots=True)
class SetupPicture:
    """All that the page shows. `number` grows with each question, `change` with all that deserves a new page.

    `is_again`: the same question stood here before, and the lines say what was wrong with its answer.
    """

    step: tuple[int, int, str] | None = None
    topic: str = ""
    lines: list[str] = field(default_factory=list)
    working: str = ""
    question: SetupQuestion | None = None
    values: ValueRows = ()
    typed: str = ""
    is_again: bool = False
    answered: list[Answered] = field(default_factory=list)
    number: int = 0
    change: int = 0
    stopped: str = ""
    is_done: bool = False


class PageConversation:
    """Asks on a page. `monotonic` counts seconds."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._looked_at_s = monotonic()
        self._answer: asyncio.Future[str] | None = None
        self._last: tuple[str, str] = ("", "")
        self.picture = SetupPicture()

    async def begin_step(self, number: int, title: str, *, of: int) -> None:
        """A step begins. What was said since the last answer stays, because nobody has read it yet."""
        shown = self.picture
        shown.step, shown.topic, shown.answered = (number, of, title), "", []
        shown.change += 1

    async def say(self, text: str) -> None:
        """Show a line. One that begins with an empty line is the topic of the indented ones that follow."""
        shown = self.picture
        self._leave_topic(text)
        if text.startswith("\n"):
            shown.topic = shown_text(text.strip())
        else:
            shown.lines = [*shown.lines, shown_text(text.strip())][-MOST_LINES:]
        shown.working = ""
        shown.change += 1

    def show_work(self, text: str) -> None:
        """Show what goes on meanwhile."""
        self.picture.working = shown_text(text.strip())
        self.picture.change += 1

    async def ask(self, question: SetupQuestion) -> str:
        """The answer that a form brings."""
        shown = self.picture
        self._leave_topic(question.text)
        is_again = self._last[0] == question.text and not question.choices
        shown.typed = (is_again and self._last[1]) or question.default or ""
        shown.is_again = is_again
        shown.question, shown.values, shown.working = question, question.values, ""
        shown.number += 1
        shown.change += 1
        self._answer = asyncio.get_running_loop().create_future()
        reading = asyncio.create_task(self._read_again(question))
        try:
            return await self._answer
        finally:
            shown.question, shown.values, shown.typed, shown.lines, self._answer = None, (), "", [], None
            shown.change += 1
            reading.cancel()
            # Two readings at once could take a device's only connection from each other.
            with suppress(asyncio.CancelledError):
                await reading

    def take(self, number: int, text: str) -> bool | None:
        """Take the answer to question `number`: True if it counts, False if it means nothing, None if it is late."""
        shown, question = self.picture, self.picture.question
        if question is None or self._answer is None or self._answer.done() or number != shown.number:
            return None
        found = understand(question, text[:MAX_ANSWER_CHARS])
        if found is None:
            return False
        said = None if question.is_secret else answer_words(question, found)
        shown.answered = [*shown.answered, Answered(question.text.strip(), said)][-MOST_LINES:]
        self._last = (question.text, "" if question.is_secret else found)
        self._answer.set_result(found)
        return True

    async def next_question(self) -> None:
        """Wait a moment for what follows an answer, so that most answers lead to a question at once."""
        for _ in range(NEXT_TRIES):
            shown = self.picture
            if shown.question is not None or shown.stopped or shown.is_done:
                return
            await asyncio.sleep(NEXT_PAUSE_S)

    def note_looked(self) -> None:
        """Somebody looks at the page."""
        self._looked_at_s = self._monotonic()

    def begin(self) -> None:
        """Set-up begins, or goes on after it stopped."""
        self.picture.stopped, self.picture.topic = "", ""
        self.picture.lines, self.picture.working = [], ""
        self.picture.change += 1

    def end(self, trouble: str) -> None:
        """Set-up stopped with this sentence, or is done where it is empty."""
        self.picture.stopped, self.picture.is_done = shown_text(trouble), not trouble
        self.picture.working = ""
        self.picture.change += 1

    def _leave_topic(self, text: str) -> None:
        if not text.startswith(" "):
            self.picture.topic = ""

    async def _read_again(self, question: SetupQuestion) -> None:
        """Read the values beside the question again and again, while somebody looks."""
        if question.read_values is None:
            return
        while True:
            await asyncio.sleep(READ_AGAIN_S)
            if self._monotonic() - self._looked_at_s < WATCHED_S:
                with suppress(CommonwattError):
                    self.picture.values = await question.read_values()


def answer_words(question: SetupQuestion, answer: str) -> str:
    """What an answer says in words; empty where nothing was given."""
    meant = dict(zip(question.choices, question.labels, strict=False))
    if not answer:
        return question.empty
    return ", ".join(meant.get(part, part) for part in answer.split(",")) if question.choices else answer
