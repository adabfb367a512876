"""The page's addresses: who may ask, which view answers, and what each form does. Opens no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from edge_agent.home_store.contents import KeptRowError
from edge_agent.home_store.store import HomeStoreError
from edge_agent.outbox.messages import OutboxError
from edge_agent.page.catalogs import chosen_language
from edge_agent.page.frame import STATIC_KINDS, PageAround, static_content, whole_page
from edge_agent.page.guard import COOKIE, SESSION_LASTS_S, Gate, is_own_form, is_own_host
from edge_agent.page.markup import Html
from edge_agent.page.requests import PageAnswer, PageRefusal, PageRequest
from edge_agent.page.running_home import RunningHome
from edge_agent.page.views.live import live_view
from edge_agent.page.views.sign_in import sentence_page, sign_in_page
from edge_agent.page.words import PageWords, translatable

Show = Callable[[PageRequest, PageWords], PageAnswer]
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class PageSite:
    """Answers requests. `names`: the host names it answers to."""

    def __init__(self, home: RunningHome, *, names: frozenset[str], gate: Gate) -> None:
        self._home = home
        self._names = names
        self._gate = gate
        self._shown: dict[str, Show] = {"/": self._live, "/live.json": self._live_texts}
        self._done: dict[str, Show] = {}

    async def answer(self, request: PageRequest) -> PageAnswer:
        """The answer to a request. Raises: PageRefusal."""
        if not is_own_host(request.headers["host"], self._names):
            raise PageRefusal(
                421, translatable("This page does not go by that name: use its address, or list it under [page] names.")
            )
        if request.path.startswith("/static/"):
            return _static(request)
        words = self._words(request)
        if request.path == "/sign-in":
            return self._sign_in(request, words)
        if not self._gate.lets_in(request):
            if request.method == "POST":
                raise PageRefusal(403, translatable("Sign in first; nothing was changed."))
            return _moved("/sign-in")
        return await asyncio.to_thread(self._view, request, words)

    def refuse(self, refusal: PageRefusal, request: PageRequest | None) -> PageAnswer:
        """One sentence that says what is wrong."""
        words = self._words(request)
        title = words.text("Not found") if refusal.status == 404 else words.text("That did not work")
        main = sentence_page(words, words.looked_up(refusal.sentence), title=title)
        body = whole_page(words, PageAround(self._home.home), title=title, main=main)
        return PageAnswer(refusal.status, body)

    def _view(self, request: PageRequest, words: PageWords) -> PageAnswer:
        try:
            if request.method == "POST":
                return self._posted(request, words)
            show = self._shown.get(request.path)
            if show is None:
                raise PageRefusal(404, translatable("There is no such page."))
            return show(request, words)
        except (HomeStoreError, KeptRowError, OutboxError) as error:
            raise PageRefusal(500, str(error)) from None

    def _posted(self, request: PageRequest, words: PageWords) -> PageAnswer:
        self._check_form(request)
        do = self._done.get(request.path)
        if do is None:
            raise PageRefusal(404, translatable("There is no such page."))
        return do(request, words)

    def _check_form(self, request: PageRequest) -> None:
        """Refuse a form that another site sent in the household's name. Raises: PageRefusal."""
        if not is_own_form(request) or not self._gate.is_form_token(request, request.form().get("token", "")):
            raise PageRefusal(
                403, translatable("This form is not from this page, or too old; nothing was changed. Try again.")
            )

    def _sign_in(self, request: PageRequest, words: PageWords) -> PageAnswer:
        is_wrong = False
        if request.method == "POST":
            self._check_form(request)
            cookie = self._gate.try_pin(request, request.form().get("pin", ""))
            if cookie is not None:
                kept = f"{COOKIE}={cookie}; Path=/; Max-Age={SESSION_LASTS_S}; HttpOnly; SameSite=Strict"
                return _moved("/", {"Set-Cookie": kept})
            is_wrong = True
        main = sign_in_page(words, token=self._gate.form_token(request), is_wrong=is_wrong)
        body = whole_page(words, PageAround(self._home.home), title=words.text("Sign in"), main=main)
        return PageAnswer(403 if is_wrong else 200, body)

    def _live(self, request: PageRequest, words: PageWords) -> PageAnswer:
        view = live_view(self._home, words)
        return self._page(words, "live", title=view.title, main=view.main, fresh=view.texts["fresh"])

    def _live_texts(self, request: PageRequest, words: PageWords) -> PageAnswer:
        return PageAnswer(200, json.dumps(live_view(self._home, words).texts).encode(), "application/json")

    def _page(self, words: PageWords, place: str, *, title: str, main: Html, fresh: str = "") -> PageAnswer:
        stopped_at = self._home.switch.stopped_at
        stopped = ""
        if stopped_at is not None:
            stopped = words.text("Nothing is sent since %(moment)s.", moment=words.moment(stopped_at))
        around = PageAround(self._home.home, place, fresh, stopped)
        return PageAnswer(200, whole_page(words, around, title=title, main=main))

    def _words(self, request: PageRequest | None) -> PageWords:
        accepted = "" if request is None else request.headers.get("accept-language", "")
        return PageWords(chosen_language(accepted), self._home.tz)


def _static(request: PageRequest) -> PageAnswer:
    name = request.path.removeprefix("/static/")
    kind = STATIC_KINDS.get(name)
    if kind is None or request.method != "GET":
        raise PageRefusal(404, translatable("There is no such page."))
    return PageAnswer(200, static_content(name), kind, _FOREVER)


def _moved(address: str, headers: dict[str, str] | None = None) -> PageAnswer:
    return PageAnswer(303, b"", headers={"Location": address, **(headers or {})})
