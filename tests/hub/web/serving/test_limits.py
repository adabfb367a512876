"""Half-open connections, slow requests, unread answers and many clicks: none of them keeps others out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from fastapi import FastAPI, Response
from starlette.types import Receive, Scope, Send

from hub.web.server import serve_web
from hub.web.serving.connections import LimitedProtocol
from hub.web.serving.log_rate import LogRate
from hub.web.serving.turns import Turns


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, int]]:
    app = FastAPI()

    @app.get("/page")
    async def page() -> dict[str, str]:
        return {"page": "here"}

    @app.get("/large")
    async def large() -> Response:
        return Response(bytes(32 * 2**20))

    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve_web(app, host="127.0.0.1", port=0, trust_proxy=False, is_bound=bound.set_result))
    host, port = (await asyncio.wait_for(bound, 20)).removeprefix("http://").split(":")
    try:
        yield host, int(port)
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def page_of(place: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*place)
    writer.write(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def test_connections_without_a_request_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedProtocol, "most_connections", 20)
    async with serving() as place:
        held = []
        for number in range(100):
            reader, writer = await asyncio.open_connection(*place)
            if number % 2:
                writer.write(b"GET /page HTTP/1.1\r\nHo")
            held.append((reader, writer))
        assert b'"here"' in await page_of(place)
        first = await asyncio.wait_for(held[0][0].read(), 20)
        assert first == b"", "the one that waited longest made room"
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    "begun", [b"", b"GET /page HTTP/1.1\r\nHost:", b"POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"]
)
async def test_a_request_that_does_not_become_whole_is_ended(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(LimitedProtocol, "request_within_s", 0.3)
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        writer.write(begun)
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        writer.close()


async def test_a_request_that_arrives_byte_by_byte_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedProtocol, "request_within_s", 0.3)
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(20):
            writer.write(b"GET /page HTTP/1.1\r\nX: ")
            while not ended.done():
                writer.write(b"x")
                await asyncio.sleep(0.02)
        ended.exception()
        writer.close()


async def test_a_client_that_does_not_read_its_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedProtocol, "unread_for_s", 0.3)
    lost = asyncio.Event()
    whole = LimitedProtocol.connection_lost

    def noted(self: LimitedProtocol, exc: Exception | None) -> None:
        whole(self, exc)
        lost.set()

    monkeypatch.setattr(LimitedProtocol, "connection_lost", noted)
    async with serving() as place:
        _, writer = await asyncio.open_connection(*place, limit=1024)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(lost.wait(), 20)
        writer.close()


async def test_a_second_request_on_a_connection_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        for _ in range(3):
            writer.write(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await asyncio.wait_for(reader.readuntil(b"}"), 20)
            assert b"200 OK" in answer
        writer.close()


async def test_few_requests_work_at_once_and_too_many_are_refused() -> None:
    working, most, go_on = 0, 0, asyncio.Event()
    statuses: list[int] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await go_on.wait()
        working -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    turns = Turns(slow, at_once=2, most_waiting=5)
    asked = [asyncio.create_task(turns({"type": "http"}, receive, send)) for _ in range(10)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert statuses == [503, 503, 503]
    go_on.set()
    await asyncio.gather(*asked)
    assert (most, sorted(statuses)) == (2, [200] * 7 + [503] * 3)


def test_the_same_line_is_logged_a_few_times_a_minute_and_then_counted() -> None:
    now_s = 0.0
    rate = LogRate(lines=3, each_s=60, now=lambda: now_s)

    def passes() -> str | None:
        record = logging.LogRecord("x", logging.WARNING, "", 0, "Invalid request", (), None)
        return record.getMessage() if rate.filter(record) else None

    assert [passes() for _ in range(1000)] == ["Invalid request"] * 3 + [None] * 997
    now_s = 61.0
    assert passes() == "Invalid request (and 997 more like it)"
    assert passes() == "Invalid request"
