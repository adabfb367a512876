"""What a stranger sends to the pages' port is told in the hub's own words, and not once for each time."""

import asyncio
import logging

import pytest
from fastapi import FastAPI

from hub.web.server import serve_web
from hub.web.server_log import EVERY_S, SENTENCE, ServerWords


def record(level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord("uvicorn.error", level, "x.py", 1, text, (), None)


def test_warnings_get_the_hubs_words_at_most_once_an_hour() -> None:
    now_s = 5.0
    words = ServerWords(lambda: now_s)
    said = []
    for at_s in (5.0, 6.0, 7.0, 5.0 + EVERY_S, 6.0 + EVERY_S):
        now_s = at_s
        each = record(logging.WARNING, "Invalid HTTP request received.")
        if words.filter(each):
            said.append(each.getMessage())
    assert said == [SENTENCE, f"{SENTENCE} (2 more since this was last logged)"]


def test_a_fault_of_the_program_is_still_logged_and_chatter_is_not() -> None:
    words = ServerWords(lambda: 0.0)
    fault = record(logging.ERROR, "Exception in ASGI application")
    assert words.filter(fault)
    assert fault.getMessage() == "Exception in ASGI application"
    assert not words.filter(record(logging.INFO, "Started server process"))


async def test_garbage_on_the_pages_port_is_one_line_of_our_own(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("uvicorn.error").filters.clear()
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_web(FastAPI(), host="127.0.0.1", port=0, trust_proxy=False, is_bound=bound.set_result)
    )
    port = int((await asyncio.wait_for(bound, 20)).rpartition(":")[2])
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        await asyncio.wait_for(reader.read(), 20)
        writer.close()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 20)
    assert "Invalid HTTP" not in caplog.text
    assert caplog.text.count(SENTENCE) == 1
