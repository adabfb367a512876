"""A set-up page without a network or a browser: a walk of the test's choosing, and its requests."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from edge_agent.page.entrance.door import PageDoor
from edge_agent.page.guard import Gate
from edge_agent.page.requests import PageAnswer, PageRequest
from edge_agent.page.setting_up.conversation import PageConversation
from edge_agent.page.setting_up.site import SetupSite

LOCAL = PageRequest("GET", "/setup", {}, {"host": "localhost"}, peer="127.0.0.1", is_local=True)
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
MOST_TURNS = 200

Walk = Callable[[PageConversation], Awaitable[object]]


class SetupPage:
    """The page in front of one walk."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 1_000_000.0
        self.went_on = 0
        self.gate = Gate(folder, now=lambda: self.now_s)
        self.talk = PageConversation(monotonic=lambda: self.now_s)
        door = PageDoor(self.gate, names=frozenset({"localhost", "pi.local"}), home="Commonwatt", tz="UTC")
        self.site = SetupSite(self.talk, door, go_on=self._go_on)

    def _go_on(self) -> None:
        self.went_on += 1

    @asynccontextmanager
    async def of(self, walk: Walk) -> AsyncIterator["asyncio.Task[object]"]:
        """The page while the walk goes on; it is at its first question."""
        task = asyncio.ensure_future(walk(self.talk))
        await self.settled()
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settled(self) -> None:
        """Let everything run that can."""
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)

    async def read(self, path: str = "/setup", who: PageRequest = LOCAL) -> str:
        place, _, query = path.partition("?")
        pairs = dict(pair.split("=") for pair in query.split("&") if pair)
        answer = await self.site.answer(replace(who, path=place, query=pairs))
        assert answer.status == 200
        return answer.body.decode()

    async def send(self, body: str, who: PageRequest = LOCAL, *, number: int | None = None) -> PageAnswer:
        at = self.talk.picture.number if number is None else number
        form = f"{body}&number={at}&token={self.gate.form_token(who)}".encode()
        answer = await self.site.answer(
            replace(who, method="POST", path="/setup", headers={**who.headers, **FORM}, body=form)
        )
        await self.settled()
        return answer


def words_of(page: str) -> str:
    """What a person reads in the main part of the page."""
    main = page[page.index("<main") :]
    return " ".join(re.sub("<[^>]+>", " ", main).split())
