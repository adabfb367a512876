"""A conversation in a terminal, with the keyboard only: lines out, lines in."""

from __future__ import annotations

from typing import TextIO

from edge_agent.setup.conversation import ConversationEndedError, SetupQuestion, understand

MAX_LINE_CHARS = 4096


class TerminalConversation:
    """Asks on one stream and reads the answers from another, one line each."""

    def __init__(self, answers: TextIO, shown: TextIO) -> None:
        self._answers = answers
        self._shown = shown

    async def say(self, text: str) -> None:
        """Show a line."""
        self._shown.write(text + "\n")
        self._shown.flush()

    async def ask(self, question: SetupQuestion) -> str:
        """Ask until the answer can be used. Raises: ConversationEndedError at the end of the input."""
        while True:
            self._shown.write(f"{question.text}{_hint(question)} ")
            self._shown.flush()
            # Nothing else runs meanwhile: waiting here keeps Ctrl-C at once.
            line = self._answers.readline(MAX_LINE_CHARS)
            if not line:
                raise ConversationEndedError("stopped; `commonwatt-agent setup` goes on where you stopped")
            found = understand(question, line.removeprefix("\ufeff"))
            if found is not None:
                return found
            await self.say(f"  please answer one of: {', '.join(question.choices)}")


def _hint(question: SetupQuestion) -> str:
    if not question.choices:
        return f" [Enter: {question.default}]" if question.default else ""
    tail = f", Enter: {question.default}" if question.default else ""
    return f" [{'/'.join(question.choices)}{tail}]"
