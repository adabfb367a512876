"""The server of the pages: says where it is, waits for a port that is taken, ends when told, logs no address."""

import asyncio
import logging
import socket

import pytest
from fastapi import FastAPI

from hub.web.server import serve_web


def small_app() -> FastAPI:
    app = FastAPI()

    @app.get("/sign-in/{token}")
    async def page(token: str) -> dict[str, int]:
        return {"length": len(token)}

    return app


async def get(address: str, path: str) -> bytes:
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_a_port_in_use_is_said_once_and_taken_when_free(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        serving = asyncio.create_task(
            serve_web(small_app(), host="127.0.0.1", port=port, trust_proxy=False, is_bound=bound.set_result)
        )
        async with asyncio.timeout(60):
            while "trying again until it is free" not in caplog.text:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.7)
        assert caplog.text.count(f"cannot serve pages on 127.0.0.1 port {port}") == 1
    address = await asyncio.wait_for(bound, 20)
    assert b'{"length":6}' in await get(address, "/sign-in/secret")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 10)
    assert "secret" not in caplog.text
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_an_address_of_another_computer_is_said_as_such(caplog: pytest.LogCaptureFixture) -> None:
    serving = asyncio.create_task(
        serve_web(small_app(), host="300.1.2.3", port=0, trust_proxy=False, is_bound=lambda _address: None)
    )
    async with asyncio.timeout(60):
        while "web.host in hub.toml is no address of this computer" not in caplog.text:
            await asyncio.sleep(0.02)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
