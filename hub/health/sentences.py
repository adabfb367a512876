"""Sentences about health whose reader, and so whose language, is not known yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in a sentence, in unix s: everyone reads it in their own way."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence with named parts; with `many`, `one` is for one thing and `many` for any other number `n`."""

    one: str
    many: str = ""
    n: int = 0
    parts: Mapping[str, str | Moment] = field(default_factory=dict)


def translatable(sentence: str) -> str:
    """Mark a sentence that is translated where it is shown."""
    return sentence


def counted(one: str, many: str, n: int, **parts: str | Moment) -> Said:
    """What is said of `n` things."""
    return Said(one, many, n, parts)


def said(sentence: str, **parts: str | Moment) -> Said:
    """A sentence with these parts."""
    return Said(sentence, parts=parts)


def in_english(sentence: Said) -> str:
    """The sentence for a log, a command or a program, with times in UTC.

    >>> in_english(Said("%(n)s file since %(when)s", "%(n)s files since %(when)s", n=2, parts={"when": Moment(0)}))
    '2 files since 1970-01-01T00:00:00Z'
    """
    text = sentence.many if sentence.many and sentence.n != 1 else sentence.one
    parts = {name: _utc(part.at_s) if isinstance(part, Moment) else part for name, part in sentence.parts.items()}
    return text % {"n": str(sentence.n), **parts} if parts or sentence.many else text


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
