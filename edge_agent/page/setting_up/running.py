"""Runs set-up behind its page: the walk through the steps, begun again where it stopped, and then the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

from edge_agent.page.entrance.door import PageDoor
from edge_agent.page.guard import Gate, own_hosts
from edge_agent.page.running_home import RunningHome
from edge_agent.page.server import PageServer
from edge_agent.page.setting_up.conversation import PageConversation
from edge_agent.page.setting_up.site import HEAD, SetupSite
from edge_agent.page.site import PageSite
from edge_agent.page_settings import PageSettings
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.walk import check_meter_again, set_up
from protocols.errors import CommonwattError

LAST_PAGE_S = 60.0
AFTER_LAST_PAGE_S = 2.0

ShowHome = Callable[[RunningHome], Coroutine[Any, Any, None]]
StartAgent = Callable[[ShowHome], Coroutine[Any, Any, None]]


class SetupInBrowser:
    """One set-up in the browser. `start_agent` runs the agent, whose page takes this one's place, if it is given.

    `only_checks`: nothing is set up, only the legal meter's display is compared.
    """

    def __init__(
        self, parts: SetupParts, settings: PageSettings, *, gate: Gate, monotonic: Callable[[], float],
        start_agent: StartAgent | None, only_checks: bool = False,
    ) -> None:  # fmt: skip
        self._names = own_hosts(settings.names)
        self._gate = gate
        self._talk = PageConversation(monotonic=monotonic)
        door = PageDoor(gate, names=self._names, home=HEAD, tz="UTC")
        self.site = SetupSite(self._talk, door, go_on=self._go_on, only_checks=only_checks)
        self._only_checks = only_checks
        self.server = PageServer(settings, answer=self.site.answer, refuse=self.site.refuse)
        self._start_agent = start_agent
        start = None if start_agent is None else self._start
        self._parts = replace(parts, may_name_files=False, start=start)
        self._is_wanted = asyncio.Event()
        self._agent: asyncio.Task[None] | None = None
        self._walk: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until set-up is done, and then the home's page for as long as the agent runs.

        Raises: RequestError where the page cannot be served; CommonwattError if the agent ends with a complaint.
        """
        serving = asyncio.create_task(self.server.run(stop_hint=self._parts.stop_hint))
        working = asyncio.create_task(self._work())
        try:
            await asyncio.wait((serving, working), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            working.result()
        finally:
            for task in (working, serving, self._agent):
                await _ended(task)

    async def _work(self) -> None:
        while True:
            self._talk.begin()
            self._walk = asyncio.create_task(self._walked())
            try:
                await self._walk
                break
            except CommonwattError as cause:
                self._talk.end(str(cause))
            except OSError as cause:
                self._talk.end(f"cannot continue: {cause.filename or 'this computer'}: {cause.strerror or cause}")
            except asyncio.CancelledError:
                own = asyncio.current_task()
                if (own is not None and own.cancelling()) or (trouble := _trouble(self._agent)) is None:
                    await _ended(self._walk)
                    raise
                self._talk.end(trouble)
            self._is_wanted.clear()
            await self._is_wanted.wait()
        self._talk.end("")
        if self._agent is not None:
            await self._agent
        else:
            await self._show_last_page()

    async def _walked(self) -> None:
        if self._only_checks:
            await check_meter_again(self._talk, self._parts)
        else:
            await set_up(self._talk, self._parts, waits=self._start_agent is not None)

    async def _show_last_page(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_PAGE_S):
                await self.site.end_seen.wait()
        await asyncio.sleep(AFTER_LAST_PAGE_S)

    def _go_on(self) -> None:
        self._is_wanted.set()

    async def _start(self) -> None:
        """Run the agent in this process, once."""
        if self._start_agent is None or (self._agent is not None and not self._agent.done()):
            return
        self._agent = asyncio.create_task(self._start_agent(self._show_home))
        self._agent.add_done_callback(self._agent_ended)

    def _agent_ended(self, agent: asyncio.Task[None]) -> None:
        if self._walk is not None and not self._walk.done() and _trouble(agent) is not None:
            self._walk.cancel()

    async def _show_home(self, home: RunningHome) -> None:
        """The running home's page, in this one's place, until cancelled."""
        site = self.site.home = PageSite(home, names=self._names, gate=self._gate)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.site.home = None
            site.close()


def _trouble(agent: asyncio.Task[None] | None) -> str | None:
    """Why the agent ended; None if it runs, was never started, or was stopped."""
    if agent is None or not agent.done() or agent.cancelled():
        return None
    found = agent.exception()
    return None if found is None else f"the agent ended: {found}"


async def _ended(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait for its end."""
    if task is not None and not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError, CommonwattError):
            await task
