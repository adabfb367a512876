"""The page's addresses: who may ask, which view answers, and what each form does. Opens no socket."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from edge_agent.consent.given import consent_given, consent_now
from edge_agent.home_store.contents import KeptRowError
from edge_agent.home_store.store import HomeStoreError
from edge_agent.household import RELEASE_SLOT
from edge_agent.outbox.messages import OutboxError
from edge_agent.page.entrance.door import PageDoor, moved
from edge_agent.page.frame import PageAround, whole_page
from edge_agent.page.guard import Gate
from edge_agent.page.markup import Html
from edge_agent.page.requests import PageAnswer, PageRefusal, PageRequest
from edge_agent.page.running_home import RunningHome
from edge_agent.page.views.consent import consent_view
from edge_agent.page.views.devices import devices_view
from edge_agent.page.views.history import day_view, minutes_csv, month_days, month_view, quarters_csv
from edge_agent.page.views.left import left_view, message_view
from edge_agent.page.views.live import live_view
from edge_agent.page.words import PageWords, translatable
from edge_agent.uplink.consent_file import write_next_version
from protocols.consent.changes import allow_purpose, withdraw_purpose
from protocols.errors import CommonwattError
from protocols.slots import slot_of

log = logging.getLogger("commonwatt.agent")

FIRST_YEAR, LAST_YEAR = 2000, 2199
DAY_CHARACTERS = 10

Show = Callable[[PageRequest, PageWords], PageAnswer]
THREADS = 2


class PageSite:
    """Answers requests. `names`: the host names it answers to."""

    def __init__(self, home: RunningHome, *, names: frozenset[str], gate: Gate) -> None:
        self._home = home
        self._gate = gate
        self.door = PageDoor(gate, names=names, home=home.home, tz=home.tz)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="local page")
        self._turn = threading.Lock()
        self._shown: dict[str, Show] = {
            "/": self._live,
            "/live.json": self._live_texts,
            "/left": self._left,
            "/consent": self._consent,
            "/devices": self._devices,
            "/history": self._history,
            "/history.csv": self._history_file,
        }
        self._done: dict[str, Show] = {"/left/sending": self._set_sending, "/consent": self._set_consent}

    async def answer(self, request: PageRequest) -> PageAnswer:
        """The answer to a request. Raises: PageRefusal."""
        answered = self.door.answer(request)
        if answered is not None:
            return answered
        words = self.door.words(request)
        # Threads of its own: a page that takes long does not delay what the agent does in others.
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._view, request, words)
        if request.method == "POST":
            self._home.wake()
        return answer

    def refuse(self, refusal: PageRefusal, request: PageRequest | None) -> PageAnswer:
        """One sentence that says what is wrong."""
        return self.door.refuse(refusal, request)

    def close(self) -> None:
        """Answer nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _view(self, request: PageRequest, words: PageWords) -> PageAnswer:
        try:
            if request.method == "POST":
                return self._posted(request, words)
            show = self._shown.get(request.path)
            if request.path.startswith("/left/"):
                show = self._message
            if show is None:
                raise PageRefusal(404, translatable("There is no such page."))
            return show(request, words)
        except (HomeStoreError, KeptRowError) as error:
            raise PageRefusal(500, str(error)) from None
        except OutboxError as error:
            raise PageRefusal(404, str(error)) from None
        except CommonwattError as error:
            raise PageRefusal(409, str(error)) from None

    def _posted(self, request: PageRequest, words: PageWords) -> PageAnswer:
        self.door.check_form(request)
        do = self._done.get(request.path)
        if do is None:
            raise PageRefusal(404, translatable("There is no such page."))
        return do(request, words)

    def _live(self, request: PageRequest, words: PageWords) -> PageAnswer:
        view = live_view(self._home, words)
        return self._page(request, words, "live", title=view.title, main=view.main, fresh=view.texts["fresh"])

    def _live_texts(self, request: PageRequest, words: PageWords) -> PageAnswer:
        return PageAnswer(200, json.dumps(live_view(self._home, words).texts).encode(), "application/json")

    def _left(self, request: PageRequest, words: PageWords) -> PageAnswer:
        token, is_long = self._gate.form_token(request), request.query.get("all") == "1"
        title, main = left_view(self._home, words, token=token, is_long=is_long)
        return self._page(request, words, "left", title=title, main=main)

    def _message(self, request: PageRequest, words: PageWords) -> PageAnswer:
        title, main = message_view(self._home, words, request.path.removeprefix("/left/"))
        return self._page(request, words, "left", title=title, main=main)

    def _set_sending(self, request: PageRequest, words: PageWords) -> PageAnswer:
        switch, do = self._home.switch, request.form().get("do", "")
        try:
            if do == "stop":
                switch.stop(self._home.now())
            elif do == "resume":
                switch.resume()
            else:
                raise PageRefusal(422, translatable("Nothing was changed: the form was not filled in."))
        except OSError as cause:
            raise PageRefusal(500, f"{cause.filename}: {cause.strerror}") from None
        log.warning("sending was %s on the local page", "stopped" if do == "stop" else "switched on again")
        return moved("/left")

    def _consent(self, request: PageRequest, words: PageWords) -> PageAnswer:
        held = consent_now(self._home.folder)
        given = consent_given(self._home.consent_path, held)
        token, may_change = self._gate.form_token(request), self._home.consent_path is not None
        now = slot_of(self._home.now())
        title, main = consent_view(words, given, in_force=held.version, now=now, token=token, may_change=may_change)
        return self._page(request, words, "consent", title=title, main=main)

    def _set_consent(self, request: PageRequest, words: PageWords) -> PageAnswer:
        """As `commonwatt-agent consent` does: the next version of the household's file, which the agent takes up."""
        path, form = self._home.consent_path, request.form()
        if path is None:
            raise PageRefusal(409, translatable("agent.toml names no file for the consent."))
        purpose = form.get("purpose", "")
        with self._turn:
            given = consent_given(path, consent_now(self._home.folder))
            try:
                if form.get("do") == "withdraw":
                    given = withdraw_purpose(given, purpose)
                else:
                    begins = max(slot_of(self._home.now()), RELEASE_SLOT) + 1
                    given = allow_purpose(given, purpose, from_slot=begins)
            except ValueError as complaint:
                raise PageRefusal(409, str(complaint)) from None
            write_next_version(path, given)
        log.info("%s: version %d was given on the local page", path.name, given.version)
        return moved("/consent")

    def _devices(self, request: PageRequest, words: PageWords) -> PageAnswer:
        title, main = devices_view(self._home, words)
        return self._page(request, words, "devices", title=title, main=main)

    def _history(self, request: PageRequest, words: PageWords) -> PageAnswer:
        if "day" in request.query:
            title, main = day_view(self._home, words, _day(request.query["day"]))
        else:
            month = request.query.get("month", f"{words.today(self._home.now()):%Y-%m}")
            title, main = month_view(self._home, words, _day(f"{month}-01"))
        return self._page(request, words, "history", title=title, main=main)

    def _history_file(self, request: PageRequest, words: PageWords) -> PageAnswer:
        query = request.query
        if query.get("minutes") == "1":
            name, text = f"minutes-{query.get('day', '')}", minutes_csv(self._home, _day(query.get("day", "")))
        elif "day" in query:
            name, text = query["day"], quarters_csv(self._home, [_day(query["day"])])
        else:
            name, text = query.get("month", ""), quarters_csv(self._home, month_days(_day(f"{query.get('month')}-01")))
        kept_as = {"Content-Disposition": f'attachment; filename="{self._home.home}-{name}.csv"'}
        return PageAnswer(200, text.encode(), "text/csv; charset=utf-8", kept_as)

    def _page(
        self, request: PageRequest, words: PageWords, place: str, *, title: str, main: Html, fresh: str = ""
    ) -> PageAnswer:
        stopped_at = self._home.switch.stopped_at
        stopped = ""
        if stopped_at is not None:
            stopped = words.text("Nothing is sent since %(moment)s.", moment=words.moment(stopped_at))
        around = PageAround(self._home.home, place, fresh, stopped, sign_out=self.door.sign_out_token(request))
        return PageAnswer(200, whole_page(words, around, title=title, main=main))


def _day(text: str) -> date:
    """A day like 2026-06-11. Raises: PageRefusal."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR or len(text) != DAY_CHARACTERS:
        raise PageRefusal(404, translatable("There is no such day."))
    return found
