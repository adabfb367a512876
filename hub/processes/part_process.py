"""One part of the hub as a process of its own, started again after growing pauses whenever it ends."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from hub.processes.channel import Channel, ChannelError, Facts
from protocols.errors import CommonwattError

log = logging.getLogger(__name__)

STOP_WITHIN_S: Final = 10.0
RETRY_FIRST_S: Final = 0.1
RETRY_MOST_S: Final = 30.0
STEADY_S: Final = 60.0
STARTS_MAX: Final = 3
"""How often a part that has never served may end before the hub gives up."""

ALIVE_EACH_S: Final = 5.0
HUNG_S: Final = 120.0
"""A part that does not answer for this long is killed, and started again."""

_OUR_ROOT: Final = str(Path(__file__).resolve().parents[2])
_NOT_FOR_PARTS: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

Asked = Callable[["PartProcess", str, Facts], Awaitable[Facts]]


class PartError(CommonwattError):
    """A part of the hub cannot start; the message is a single line."""


class PartProcess:
    """`asked` answers what the process asks; `lock` is the folder's lock, held until every part has ended."""

    def __init__(self, name: str, *, folder: Path, lock: int, asked: Asked) -> None:
        self.name = name
        self.serving = asyncio.Event()
        self.restarts = 0
        self._folder = folder
        self._lock = lock
        self._asked = asked
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._has_served = False
        self._problem = ""
        self._wish = ""
        self._answered_at_s = float("-inf")
        self.last_end = ""
        self._ended_at_s: float | None = None

    @property
    def pid(self) -> int | None:
        """The process, or None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def ended_ago_s(self) -> float | None:
        """How long ago it last ended without being asked to, for the reason `last_end`; None if it never did."""
        return None if self._ended_at_s is None else _steady_s() - self._ended_at_s

    def is_alive(self, *, within_s: float) -> bool:
        """Whether it serves and has answered within this time."""
        return self.serving.is_set() and _steady_s() - self._answered_at_s < within_s

    async def ask(self, what: str, *, within_s: float, **facts: object) -> Facts:
        """Its answer. Raises: ChannelError if it is gone, or takes longer."""
        if self._channel is None:
            raise ChannelError(f"{self.name} is not running")
        try:
            async with asyncio.timeout(within_s):
                return await self._channel.ask(what, **facts)
        except TimeoutError:
            raise ChannelError(f"{self.name} did not answer within {within_s:g} s") from None

    def tell(self, what: str, **facts: object) -> None:
        """Say something to the process; nothing happens while there is none."""
        if self._channel is not None:
            self._channel.tell(what, **facts)

    def start_again(self, reason: str) -> None:
        """End the process in order, so that it is started again; one that is just starting ends as well."""
        if self._process is not None:
            self._wish = reason
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    async def run(self) -> None:
        """Keep the process running until cancelled, then stop it. Raises: PartError if it cannot start."""
        pause_s, starts = RETRY_FIRST_S, 0
        while True:
            started_s = _steady_s()
            reason = await self._run_once()
            starts += 1
            if not self._wish:
                self.last_end, self._ended_at_s = self._problem or reason, _steady_s()
            if not self._has_served and (self._problem or starts == STARTS_MAX):
                raise PartError(self._problem or f"{self.name} cannot start: {reason}; the log above shows the error")
            if _steady_s() - started_s > STEADY_S:
                pause_s = RETRY_FIRST_S
            if self._wish:
                log.info("%s starts again: %s", self.name, self._wish)
                self._wish = ""
                continue
            log.error("%s ended: %s; starting it again in %.1f s", self.name, self._problem or reason, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)
            self.restarts += 1

    async def _run_once(self) -> str:
        self._problem = ""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await self._start(theirs)
        self._channel = await Channel.over(ours, answer=self._answer)
        ending = asyncio.create_task(self._process.wait())
        listening = asyncio.create_task(self._channel.run())
        asking = asyncio.create_task(self._keep_asking(self._process, self._channel))
        try:
            code = await asyncio.shield(ending)
            # What it said last may still be on its way.
            await asyncio.wait({listening}, timeout=STOP_WITHIN_S)
        except asyncio.CancelledError:
            await self._stop(self._process)
            raise
        finally:
            self.serving.clear()
            for task in (ending, listening, asking):
                task.cancel()
            self._channel.close()
            self._channel = self._process = None
        return f"it was killed by signal {-code}" if code < 0 else f"exit code {code}"

    async def _start(self, end: socket.socket) -> asyncio.subprocess.Process:
        path = os.pathsep.join(part for part in (_OUR_ROOT, os.environ.get("PYTHONPATH", "")) if part)
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_PARTS}
        # In its own session, so that Ctrl-C in the terminal leaves it to the hub in which order its parts end.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "hub.processes.part", self.name, str(self._folder)),
            stdin=end.fileno(),
            env={**environment, "PYTHONPATH": path},
            pass_fds=(self._lock,),
            start_new_session=True,
        )

    async def _answer(self, what: str, facts: Facts) -> Facts:
        if what == "cannot":
            self._problem = str(facts["words"])
        elif what == "serving":
            self._has_served = True
            self._answered_at_s = _steady_s()
            self.serving.set()
        return await self._asked(self, what, facts)

    async def _keep_asking(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        while True:
            await asyncio.sleep(ALIVE_EACH_S)
            try:
                async with asyncio.timeout(HUNG_S):
                    await channel.ask("alive")
            except TimeoutError:
                log.error("%s has not answered for %.0f s: killing it", self.name, HUNG_S)
                process.kill()
                return
            except ChannelError:
                return
            self._answered_at_s = _steady_s()

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            log.warning("%s did not stop within %.0f s; killing it", self.name, STOP_WITHIN_S)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _steady_s() -> float:
    return asyncio.get_running_loop().time()
