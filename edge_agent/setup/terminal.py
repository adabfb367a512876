"""A conversation in a terminal, with the keyboard only: lines out, lines in."""

from __future__ import annotations

import asyncio
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from edge_agent.setup.conversation import NOT_PRINTABLE, ConversationEndedError, SetupQuestion, shown_text, understand

MAX_LINE_CHARS = 4096
LOOKS_EVERY_S = 0.25
MOST_INLINE_CHARS = 120
"""Longer lists of choices stand one below the other."""


class TerminalConversation:
    """Asks on one stream and reads the answers from another, one line each. `again`: the command that goes on."""

    def __init__(self, answers: TextIO, shown: TextIO, *, again: str = "commonwatt-agent setup") -> None:
        self._again = again
        self._answers = answers
        self._shown = shown

    async def begin_step(self, number: int, title: str, *, of: int) -> None:
        """Show the step's heading."""
        await self.say(f"\nStep {number} of {of}: {title}")

    async def say(self, text: str) -> None:
        """Show a line."""
        self._shown.write(shown_text(text) + "\n")
        self._shown.flush()

    def show_work(self, text: str) -> None:
        """Nothing: a terminal keeps every line."""

    async def ask(self, question: SetupQuestion) -> str:
        """Ask until the answer can be used. Raises: ConversationEndedError at the end of the input."""
        before, words = question_words(question)
        for line in before:
            await self.say(line)
        while True:
            try:
                with _ctrl_c_at_once():
                    # One that the event loop has noted before is heard here.
                    await asyncio.sleep(0)
                    self._shown.write(shown_text(f"{words} "))
                    self._shown.flush()
                    _await_key(self._answers)
                    line = self._answers.readline(MAX_LINE_CHARS)
            except KeyboardInterrupt:
                self._shown.write("\n")
                line = ""
            if not line:
                raise ConversationEndedError(f"stopped; `{self._again}` goes on where you stopped")
            found = understand(question, line.removeprefix("\ufeff"))
            if found is not None:
                return found
            again = f"please answer one of: {', '.join(question.choices)}" if question.choices else NOT_PRINTABLE
            await self.say(f"  {again}")


def _await_key(answers: TextIO) -> None:
    """Wait at a terminal until something was typed.

    A Ctrl-C that comes just before a read blocks is heard only after it; before the next look it is heard.
    Elsewhere lines may wait in the stream's buffer, where no look at the file finds them.
    """
    if answers.isatty():
        while not select.select([answers], [], [], LOOKS_EVERY_S)[0]:
            pass


@contextmanager
def _ctrl_c_at_once() -> Iterator[None]:
    """Let Ctrl-C end a read that blocks: the event loop's own handler would only note the first one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def question_words(question: SetupQuestion) -> tuple[list[str], str]:
    """The lines before a question, and the question itself with how to answer it."""
    before = [f"  {name}: {words}" for name, words in question.values]
    meant = [f"{choice} = {label}" for choice, label in zip(question.choices, question.labels, strict=False)]
    several = "; several with commas" if question.is_several else ""
    if len(inline := ", ".join(meant)) > MOST_INLINE_CHARS:
        before += [f"  {each}" for each in meant]
        inline = ""
    words = " ".join(filter(None, (question.text, inline))) + several
    choices = "" if question.is_several else "/".join(question.choices)
    enter = question.default or question.empty
    hint = ", ".join(filter(None, (choices, f"Enter: {enter}" if enter else "")))
    return before, f"{words} [{hint}]" if hint else words
