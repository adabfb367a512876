"""Renders pages as HTML in the visitor's language, or as JSON. It reads data only for the frame around each page."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi import Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.storage.records import Member, PromptRow
from hub.web.frame.services import HubParts
from hub.web.frame.sign_in import Visit
from hub.web.frame.translation import SOURCE_LANGUAGE, Localizer, catalogue
from hub.web.views.home.neighbourhood import OutlookCache
from protocols.slots import SLOTS_PER_UTC_DAY, Slot, slot_of

_ROOM: Final = Path(__file__).parent
STATIC_DIR: Final = _ROOM / "static"
PROMPT_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class PageFrame:
    """What every page shows around its own content."""

    coop: str
    language: str
    place: str
    fresh: str
    through: int
    open_prompts: int
    is_board: bool
    is_signed_in: bool
    home: str = ""
    home_id: str = ""
    """The home shown and its id, where the visitor sees several."""


@lru_cache(maxsize=16)
def templates(language: str) -> Environment:
    """The template environment for one language; every value is escaped, and an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(_ROOM / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        catalogue(language).gettext, catalogue(language).ngettext, newstyle=True
    )
    environment.globals["static"] = static_address
    return environment


@lru_cache(maxsize=16)
def static_address(name: str) -> str:
    """The address of a static file with a hash of its content, so that browsers may cache it forever."""
    mark = hashlib.sha256((STATIC_DIR / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={mark}"


class PageContext:
    """What all pages share: the hub's parts, the cached outlook, and how a page is rendered."""

    def __init__(self, parts: HubParts) -> None:
        self.parts = parts
        self.neighbourhood = OutlookCache(parts.store, parts.street, parts.coop.tz)

    async def page(self, visit: Visit, template: str, *, place: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page for a signed-in member."""
        through = await self.received_through()
        frame = PageFrame(
            coop=self.parts.coop.name,
            language=visit.words.language,
            place=place,
            fresh=_fresh(through, visit.words),
            through=through or 0,
            open_prompts=len(await self.open_prompts(visit)),
            is_board=visit.member.is_board,
            is_signed_in=True,
            home=visit.home.name if visit.home is not None and len(visit.homes) > 1 else "",
            home_id=visit.home.id if visit.home is not None and len(visit.homes) > 1 else "",
        )
        return self._draw(template, visit.words, frame=frame, status=status, values=values)

    def page_without_store(
        self, template: str, words: Localizer, *, place: str, status: int, **values: Any
    ) -> HTMLResponse:
        """A page for a member of the board while the store is away: its frame says nothing of readings and prompts."""
        frame = PageFrame(self.parts.coop.name, words.language, place, "", 0, 0, True, True)
        return self._draw(template, words, frame=frame, status=status, values=values)

    def plain_page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page for a visitor who is not signed in, in the source language."""
        frame = PageFrame(self.parts.coop.name, SOURCE_LANGUAGE, "", "", 0, 0, False, False)
        return self._draw(template, self._plain_words, frame=frame, status=status, values=values)

    def error(self, sentence: str, *, status: int, is_json: bool) -> Response:
        """One sentence that says what is wrong: a page, or JSON for programs."""
        shown = self._plain_words.looked_up(sentence)
        if is_json:
            return as_json({"error": shown}, status=status)
        return self.plain_page("error.html", status=status, sentence=shown)

    @property
    def _plain_words(self) -> Localizer:
        return Localizer(SOURCE_LANGUAGE, self.parts.coop.tz, self.parts.coop.currency)

    async def named(self, ids: Iterable[str]) -> list[Member]:
        """The members with these ids, for their names; an id of nobody is left out."""
        found = [await self.parts.store.member(each) for each in sorted(set(ids))]
        return [each for each in found if each is not None]

    async def open_prompts(self, visit: Visit) -> tuple[PromptRow, ...]:
        """The member's prompts that are not answered yet, the most urgent first."""
        rows = await self.recent_prompts(visit)
        now = slot_of(visit.now_s)
        waiting = [row for row in rows if row.answer is None and row.answer_by_slot >= now]
        return tuple(sorted(waiting, key=lambda row: (row.answer_by_slot, row.id)))

    async def recent_prompts(self, visit: Visit) -> tuple[PromptRow, ...]:
        """The member's own prompts of the last PROMPT_DAYS days; none for a member without a home."""
        if visit.home is None:
            return ()
        now = slot_of(visit.now_s)
        issued = range(now - PROMPT_DAYS * SLOTS_PER_UTC_DAY, now + 1)
        return await self.parts.store.prompts(home=visit.home.id, issued=issued)

    async def received_through(self) -> Slot | None:
        """The newest slot for which any home's batch has arrived."""
        return await self.parts.store.newest_slot()

    def _draw(
        self, template: str, words: Localizer, *, frame: PageFrame, status: int, values: Mapping[str, Any]
    ) -> HTMLResponse:
        text = templates(words.language).get_template(template).render(frame=frame, words=words, **values)
        return HTMLResponse(text, status_code=status)


def _fresh(through: Slot | None, words: Localizer) -> str:
    if through is None:
        return words.text("nothing has arrived yet")
    return words.text("measured until %(time)s", time=words.clock(through + 1))


def as_json(content: Any, *, status: int = 200) -> Response:
    """The page's data for programs, served at the page's address plus .json."""
    return JSONResponse(content, status_code=status)
