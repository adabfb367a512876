"""Long lists a page at a time: what a request asks for, and the links to the first and the next page.

A page begins after a place in the list's order, not at a number: rows that come and go meanwhile shift nothing.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from fastapi import Request

from hub.web.frame.guard import PageError
from hub.web.frame.translation import Localizer

PAGE_ROWS: Final = 25
MAX_SEARCH_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class AskedPage:
    """What is searched for, empty for everything, and the place in the order after which the page begins."""

    address: str
    text: str
    after: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The search as it was asked, and the addresses of the first and the next page; empty where this is the one."""

    address: str
    text: str
    first: str
    later: str
    most: int = PAGE_ROWS

    @property
    def is_first(self) -> bool:
        """Whether this page begins the list of everything, not of a search."""
        return not (self.first or self.text)


def asked_page(request: Request, words: Localizer) -> AskedPage:
    """The page that a request asks for with `q` and `after`. Raises: PageError(422)."""
    text, after = request.query_params.get("q", "").strip(), request.query_params.get("after", "")
    if len(text) > MAX_SEARCH_CHARS or not (text.isprintable() and after.isprintable()):
        raise PageError(422, words.text("Search for at most %(n)s letters.", n=words.number(MAX_SEARCH_CHARS)))
    return AskedPage(request.url.path, text, _place(after, words) if after else None)


def page_links(asked: AskedPage, later: tuple[int, str] | None) -> PageLinks:
    """The links of this page; `later` is the place of its last row if more rows follow."""
    searched = {"q": asked.text} if asked.text else {}
    first = later_address = ""
    if asked.after is not None:
        first = _address(asked.address, searched)
    if later is not None:
        later_address = _address(asked.address, {**searched, "after": f"{later[0]}.{later[1]}"})
    return PageLinks(asked.address, asked.text, first, later_address)


def _address(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _place(text: str, words: Localizer) -> tuple[int, str]:
    rank, dot, name = text.partition(".")
    if not (dot and len(rank) == 1 and rank.isascii() and rank.isdecimal() and 0 < len(name) <= MAX_SEARCH_CHARS):
        raise PageError(422, words.text("This is not a page of the list. Open the list again."))
    return int(rank), name
