"""Serves the local page: asyncio streams, one request a connection, strict limits on size, time and number.

It runs beside the reading of the devices, in the same thread: nothing a client does holds that up.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from edge_agent.page.requests import (
    MAX_HEAD_BYTES,
    PageAnswer,
    PageRefusal,
    PageRequest,
    body_length,
    parse_head,
)
from edge_agent.page.words import translatable
from edge_agent.page_settings import PageSettings
from protocols.errors import RequestError
from protocols.loopback import is_loopback

log = logging.getLogger("commonwatt.agent")

BIND_AGAIN_S = 30.0
PART_BYTES = 16 * 1024
LINGER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ServingLimits:
    """Units: seconds. `request_s`: until head and body are here; `answer_s`: until the answer is taken."""

    request_s: float = 5.0
    answer_s: float = 30.0
    linger_s: float = 1.0
    connections: int = 32
    connections_of_one: int = 12


class PageServer:
    """One listening socket. `answer` makes the answer to a request; `refuse` the one for a refusal."""

    def __init__(
        self,
        settings: PageSettings,
        *,
        answer: Callable[[PageRequest], Awaitable[PageAnswer]],
        refuse: Callable[[PageRefusal, PageRequest | None], PageAnswer],
        limits: ServingLimits | None = None,
    ) -> None:
        self._settings = settings
        self._answer = answer
        self._refuse = refuse
        self._limits = limits or ServingLimits()
        self._open: Counter[str] = Counter()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def connections(self) -> int:
        """How many clients are being served now."""
        return len(self._writers)

    async def run(self, *, stop_hint: str | None = None) -> None:
        """Serve until cancelled. An address that cannot be had is logged once and tried again.

        Raises: RequestError for such an address, if `stop_hint` says how a running agent is stopped here.
        """
        settings, is_said = self._settings, False
        while True:
            try:
                server = await asyncio.start_server(
                    self._connected, settings.host, settings.port, limit=MAX_HEAD_BYTES, backlog=16
                )
            except OSError as cause:
                if stop_hint is not None:
                    raise _cannot_serve(settings, cause, stop_hint) from None
                if not is_said:
                    log.info("the local page is not served: %s: %s", settings.shown, cause.strerror or cause)
                is_said = True
                await asyncio.sleep(BIND_AGAIN_S)
                continue
            self.port = server.sockets[0].getsockname()[1]
            log.info("the page is at %s", replace(settings, port=self.port).shown)
            try:
                # Not serve_forever: from Python 3.12 on, its end waits for every client, however slow.
                await asyncio.get_running_loop().create_future()
            finally:
                self.port = 0
                server.close()
                for writer in self._writers:
                    writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = writer.get_extra_info("peername")
        peer = str(name[0]) if name else ""
        if self._open.total() >= self._limits.connections or self._open[peer] >= self._limits.connections_of_one:
            writer.transport.abort()
            return
        self._open[peer] += 1
        self._writers.add(writer)
        try:
            await self._serve(reader, writer, peer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            self._open[peer] -= 1
            self._open += Counter()  # drops those at 0
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        request: PageRequest | None = None
        try:
            async with asyncio.timeout(self._limits.request_s):
                request = await self._request(reader, peer)
            answer = await self._answer(request)
        except PageRefusal as refusal:
            answer = self._refuse(refusal, request)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            raise
        except Exception as error:
            _log_failure(error)
            answer = self._refuse(PageRefusal(500, translatable("This page failed; the agent's log says where.")), None)
        async with asyncio.timeout(self._limits.answer_s):
            writer.write(answer.head())
            for at in range(0, len(answer.body), PART_BYTES):
                writer.write(answer.body[at : at + PART_BYTES])
                await writer.drain()
            await writer.drain()
        await self._let_go(reader, writer)

    async def _request(self, reader: asyncio.StreamReader, peer: str) -> PageRequest:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise PageRefusal(431, translatable("The request's head is too large.")) from None
        request = parse_head(head, peer=peer, is_local=is_loopback(peer))
        length = body_length(request)
        return replace(request, body=await reader.readexactly(length)) if length else request

    async def _let_go(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wait a moment for the other side to close: what it still sends would cut off the answer otherwise."""
        with suppress(OSError, TimeoutError):
            if writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(self._limits.linger_s):
                taken = 0
                while taken < LINGER_BYTES and (part := await reader.read(PART_BYTES)):
                    taken += len(part)


def _log_failure(error: Exception) -> None:
    """Where it failed, without the error's message: it may contain a value of the home."""
    places = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{place.name} line {place.lineno}" for place in reversed(places))
    log.error("the local page failed with %s in %s", type(error).__name__, where)


def _cannot_serve(settings: PageSettings, cause: OSError, stop_hint: str) -> RequestError:
    """What is wrong with the address, and what to do about it."""
    advice = {
        errno.EADDRINUSE: f"if the agent runs, stop it first ({stop_hint}), or name another port",
        errno.EADDRNOTAVAIL: "name an address of this computer, or 0.0.0.0 for all of them",
        errno.EACCES: "name a port from 1024 on",
    }.get(cause.errno or 0, "name another address")
    said = os.strerror(cause.errno) if cause.errno is not None and cause.errno > 0 else str(cause)
    return RequestError(f"the page cannot be served at {settings.shown}: {said}: {advice}")
