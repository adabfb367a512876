"""Lets few requests work at once, so that many clicks at the same time leave the hub time for everything else."""

import asyncio
import json
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

AT_ONCE: Final = 4
MOST_WAITING: Final = 400
SENTENCE: Final = "The hub has too many requests to answer at the moment. Please try again in a minute."


class Turns:
    """Answers at most `at_once` requests at a time; others wait, and beyond `most_waiting` they are refused (503).

    `refused` is called for each of those.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._refused = refused
        self._turns = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._waiting >= self._most_waiting:
            self._refused()
            await _refuse(send)
            return
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._turns.release()


async def _refuse(send: Send) -> None:
    body = json.dumps({"error": SENTENCE}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"60"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
