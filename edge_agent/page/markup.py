"""HTML out of text: everything that is filled in is escaped, except what is HTML already. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """Text that is HTML: made here only, from templates in the code and escaped parts."""

    __slots__ = ()


def filled(template: str, **parts: object) -> Html:
    """The template with its named parts filled in, each escaped unless it is `Html`.

    >>> filled("<p>{what}</p>", what="a < b")
    '<p>a &lt; b</p>'
    """
    return Html(template.format_map({name: _safe(part) for name, part in parts.items()}))


def joined(parts: Iterable[object]) -> Html:
    """Several parts, one after another."""
    return Html("".join(_safe(part) for part in parts))


NOTHING = Html("")


def _safe(part: object) -> str:
    return part if isinstance(part, Html) else escape(str(part))
