"""A line between two processes of one hub: questions with answers and one-way words, as JSON over a socket pair.

It knows no part of the hub. When the process at the other end is gone, however it ended, `run` returns.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from protocols.errors import CommonwattError

log = logging.getLogger(__name__)

MAX_LINE_BYTES: Final = 1 << 20

Facts = Mapping[str, Any]
Answer = Callable[[str, Facts], Awaitable[Facts]]


class ChannelError(CommonwattError):
    """The process at the other end is gone, or could not do what it was asked."""


class Channel:
    """One end. `answer` is called for each question and each word from the other end, side by side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: Answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._asked: dict[int, asyncio.Future[Facts]] = {}
        self._next = 0
        self._answering: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @classmethod
    async def over(cls, end: socket.socket, *, answer: Answer) -> "Channel":
        """A channel over this end of a socket pair, which it closes with itself."""
        reader, writer = await asyncio.open_connection(sock=end, limit=MAX_LINE_BYTES)
        return cls(reader, writer, answer=answer)

    async def ask(self, what: str, **facts: object) -> Facts:
        """The other end's answer. Raises: ChannelError."""
        if self._is_closed:
            raise ChannelError(f"{what}: the other process is gone")
        self._next += 1
        number = self._next
        asked: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self._asked[number] = asked
        try:
            self._send({"ask": what, "id": number, "facts": facts})
            return await asked
        finally:
            self._asked.pop(number, None)

    def tell(self, what: str, **facts: object) -> None:
        """Say something that needs no answer; nothing happens if the other end is gone."""
        if not self._is_closed:
            self._send({"ask": what, "facts": facts})

    async def run(self) -> None:
        """Take in what the other end says; returns when it is gone."""
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (ConnectionError, ValueError) as error:
            log.debug("a channel between processes broke: %s", error)
        finally:
            self.close()

    def close(self) -> None:
        """Close this end. Safe to call twice."""
        self._is_closed = True
        self._writer.close()
        for task in self._answering:
            task.cancel()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ChannelError("the other process is gone"))

    def _take(self, message: Mapping[str, Any]) -> None:
        if "ask" in message:
            task = asyncio.create_task(self._reply(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        asked = self._asked.get(message["id"])
        if asked is None or asked.done():
            return
        if "failed" in message:
            asked.set_exception(ChannelError(message["failed"]))
        else:
            asked.set_result(message["answer"])

    async def _reply(self, message: Mapping[str, Any]) -> None:
        try:
            reply: dict[str, object] = {"answer": await self._answer(message["ask"], message["facts"])}
        except CommonwattError as error:
            reply = {"failed": str(error)}
        except Exception as error:  # the one who asked gets one line about it, and this process lives on
            log.exception("%s failed", message["ask"])
            reply = {"failed": f"{type(error).__name__}: see the hub's log"}
        if "id" in message and not self._is_closed:
            self._send({**reply, "id": message["id"]})

    def _send(self, message: Mapping[str, object]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")
