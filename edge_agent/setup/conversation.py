"""How set-up talks to a person: it says something, or asks one question. A terminal or a page stands behind it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from protocols.errors import RequestError

_SPACE = re.compile(r"\s")
NOT_PRINTABLE = "please type it again: it has characters that cannot be shown, as arrow keys send them"


class ConversationEndedError(RequestError):
    """The person has gone; what was answered so far is kept."""


ValueRows = Sequence[tuple[str, str]]
"""What something shows now: (name, words)."""


@dataclass(frozen=True, slots=True)
class SetupQuestion:
    """One question. With `choices` only one of them is taken; an empty answer means `default`, if there is one.

    `labels` say in words what each choice means, `empty` what an empty answer means. `is_several`: several choices may
    be named, with commas. `values` are shown beside the question, and `read_values` reads them again while it is open.
    A secret answer is never shown again.
    """

    text: str
    choices: tuple[str, ...] = ()
    default: str | None = None
    labels: tuple[str, ...] = ()
    empty: str = ""
    is_several: bool = False
    is_secret: bool = False
    values: ValueRows = ()
    read_values: Callable[[], Awaitable[ValueRows]] | None = None


class Conversation(Protocol):
    """The person at the other end."""

    async def begin_step(self, number: int, title: str, *, of: int) -> None:
        """A step begins."""
        ...

    async def say(self, text: str) -> None:
        """Show a line."""
        ...

    def show_work(self, text: str) -> None:
        """Show what goes on meanwhile, where that can be taken back."""
        ...

    async def ask(self, question: SetupQuestion) -> str:
        """The answer, stripped; one of the choices if there are any. Raises: ConversationEndedError."""
        ...


def understand(question: SetupQuestion, answer: str) -> str | None:
    """What an answer means; None if it is none of the choices, or has characters that no key prints."""
    text = _SPACE.sub(" ", answer).strip()
    if not text.isprintable():
        return None
    if not text and question.default is not None:
        return question.default
    if not question.choices:
        return text
    if not question.is_several:
        return _choice(question, text)
    found = [_choice(question, part.strip()) for part in text.split(",") if part.strip()]
    return ",".join(dict.fromkeys(each for each in found if each)) if found and None not in found else None


def shown_text(text: str) -> str:
    """A text that a device, a broker or a person gave, without what would move a terminal's cursor."""
    return "\n".join("".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in line)
                     for line in text.split("\n"))  # fmt: skip


def _choice(question: SetupQuestion, text: str) -> str | None:
    wanted = text.casefold()
    if "y" in question.choices:
        wanted = {"yes": "y", "no": "n"}.get(wanted, wanted)
    exact = [each for each in question.choices if each.casefold() == wanted]
    begun = [each for each in question.choices if wanted and each.casefold().startswith(wanted)]
    found = exact or (begun if len(begun) == 1 else [])
    return found[0] if found else None


def yes_or_no(text: str, *, default: str | None = None) -> SetupQuestion:
    """A question that y or n answers."""
    return SetupQuestion(text, ("y", "n"), default)


async def is_yes(conversation: Conversation, text: str, *, default: str | None = None) -> bool:
    """Ask for yes or no."""
    return await conversation.ask(yes_or_no(text, default=default)) == "y"


async def say_all(conversation: Conversation, lines: Sequence[str]) -> None:
    """Show several lines."""
    for line in lines:
        await conversation.say(line)
