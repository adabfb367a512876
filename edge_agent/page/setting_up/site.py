"""The addresses of set-up in the browser; once the agent runs, all others lead to the home's own page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from edge_agent.page.entrance.door import PageDoor, moved
from edge_agent.page.frame import PageAround, whole_page
from edge_agent.page.requests import PageAnswer, PageRefusal, PageRequest
from edge_agent.page.setting_up.conversation import PageConversation
from edge_agent.page.setting_up.view import live_texts, refresh_s, setup_view
from edge_agent.page.site import PageSite
from edge_agent.page.words import PageWords
from edge_agent.setup.conversation import SetupQuestion
from edge_agent.setup.progress import STEP_TITLES

HEAD = "Commonwatt"
PLACE = "/setup"


class SetupSite:
    """Answers requests while the home is set up. `go_on` begins again where set-up stopped.

    `only_checks`: it is only the comparison with the legal meter, which has no steps.
    """

    def __init__(
        self, talk: PageConversation, door: PageDoor, *, go_on: Callable[[], None], only_checks: bool = False
    ) -> None:
        self._only_checks = only_checks
        self._talk = talk
        self._door = door
        self._go_on = go_on
        self.home: PageSite | None = None
        self.end_seen = asyncio.Event()

    async def answer(self, request: PageRequest) -> PageAnswer:
        """The answer to a request. Raises: PageRefusal."""
        is_ours = request.path in (PLACE, f"{PLACE}.json")
        if self.home is not None and not is_ours:
            return await self.home.answer(request)
        if (answered := self._door.answer(request)) is not None:
            return answered
        if not is_ours:
            return moved(PLACE)
        self._talk.note_looked()
        if request.path != PLACE:
            return PageAnswer(200, json.dumps(live_texts(self._talk.picture)).encode(), "application/json")
        return await self._posted(request) if request.method == "POST" else self._page(request)

    def refuse(self, refusal: PageRefusal, request: PageRequest | None) -> PageAnswer:
        """One sentence that says what is wrong."""
        return self._door.refuse(refusal, request)

    async def _posted(self, request: PageRequest) -> PageAnswer:
        self._door.check_form(request)
        form, words, shown = request.form(), self._door.words(request), self._talk.picture
        number = int(text) if (text := form.get("number", "")).isdecimal() and len(text) < 10 else -1
        if form.get("do") == "go-on":
            if shown.stopped and number == shown.number:
                self._go_on()
            return moved(PLACE)
        taken = self._talk.take(number, _given(form, shown.question))
        if taken is None:
            return moved(f"{PLACE}?late=1")
        if not taken:
            is_text = shown.question is not None and not shown.question.choices
            shown.typed = "" if is_text else form.get("answer", "")
            note = words.text("Please choose one of the answers.")
            if is_text:
                note = words.text("Please type it again: it has characters that cannot be shown.")
            return self._drawn(request, words, status=422, note=note)
        await self._talk.next_question()
        return moved(PLACE)

    def _page(self, request: PageRequest) -> PageAnswer:
        words, note = self._door.words(request), ""
        if request.query.get("late") == "1":
            note = words.text("That question was answered already. This is where set-up is now.")
        return self._drawn(request, words, status=200, note=note)

    def _drawn(self, request: PageRequest, words: PageWords, *, status: int, note: str) -> PageAnswer:
        shown, token = self._talk.picture, self._door.gate.form_token(request)
        if shown.is_done:
            self.end_seen.set()
        steps = () if self._only_checks else tuple(STEP_TITLES.values())
        title, main = setup_view(words, shown, token=token, note=note, steps=steps)
        around = PageAround(HEAD, refresh_s=refresh_s(shown), sign_out=self._door.sign_out_token(request))
        return PageAnswer(status, whole_page(words, around, title=title, main=main))


def _given(form: dict[str, str], question: SetupQuestion | None) -> str:
    """What the form's fields answer; several marked choices are joined with commas."""
    if question is not None and question.is_several:
        # Nothing marked is no answer, and not the usual one.
        return ",".join(each for each in question.choices if form.get(f"choice-{each}")) or ","
    return form.get("answer", "").replace("\r", " ").replace("\n", " ")
