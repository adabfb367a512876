"""The enrolment server: TLS 1.3 with the co-op's certificate, a sentence for each refusal, nobody kept out."""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.web import public_server
from hub.web.public_server import PublicServer, public_app
from tests.coop_authority import TestAuthority


async def echo(body: bytes) -> tuple[int, bytes]:
    return 200, json.dumps({"bytes": len(body)}).encode()


class Served:
    """A running server and how to ask it."""

    def __init__(self, folder: Path) -> None:
        self.authority = TestAuthority()
        self.certificate = folder / "server.pem"
        self.write()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        app = public_app({"/api/echo": echo}, {"/api/document": lambda: b'{"coop": "sunny"}'})
        self.server = PublicServer(app, port=self.port, certificate=self.certificate)

    def write(self) -> None:
        certificate, key = self.authority.server_files(self.certificate.parent / "made", "127.0.0.1")
        self.certificate.write_bytes(certificate.read_bytes() + key.read_bytes())

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.root_pem.decode())

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
        answer = await self.answer(head, body)
        return int(answer.split()[1]), json.loads(answer.split(b"\r\n\r\n", 1)[1])

    async def answer(self, head: str, body: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context())
        writer.write(f"{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        return answer

    async def serial(self) -> object:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context())
        found = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        return found


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    served, bound = Served(folder), asyncio.Event()
    task = asyncio.create_task(served.server.run(is_bound=bound.set))
    try:
        async with asyncio.timeout(20):
            await bound.wait()
        yield served
    finally:
        task.cancel()
        await asyncio.wait({task})


POST = "POST /api/echo HTTP/1.1\r\nContent-Type: application/json"


async def test_it_answers_and_refuses_in_sentences(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.ask(POST, b"{}") == (200, {"bytes": 2})
        assert await served.ask("GET /api/document HTTP/1.1") == (200, {"coop": "sunny"})
        refused = {
            "GET /my-home HTTP/1.1": (404, "not here"),
            "GET /api/echo HTTP/1.1": (405, "does not accept"),
            "POST /api/echo HTTP/1.1": (415, "content type"),
        }
        for head, (status, words) in refused.items():
            code, answer = await served.ask(head)
            assert (code, words in str(answer["error"])) == (status, True)
        code, answer = await served.ask(POST, bytes(70_000))
        assert (code, "too large" in str(answer["error"])) == (413, True)


@pytest.mark.parametrize("head", [POST, "GET /api/document HTTP/1.1", "GET /nothing HTTP/1.1"])
async def test_a_browser_that_is_led_here_shows_and_runs_nothing(tmp_path: Path, head: str) -> None:
    async with serving(tmp_path) as served:
        lines = (await served.answer(head, b"{}")).split(b"\r\n\r\n")[0].decode().lower().split("\r\n")
        assert "x-content-type-options: nosniff" in lines
        assert "content-security-policy: default-src 'none'; frame-ancestors 'none'" in lines


async def test_only_tls_1_3_and_only_its_own_root(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        old = served.context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        for context in (old, ssl.create_default_context(cadata=TestAuthority().root_pem.decode())):
            with pytest.raises((ssl.SSLError, OSError)):
                await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
        with socket.create_connection(("127.0.0.1", served.port)) as plain:
            plain.settimeout(20)
            plain.sendall(b"GET /api/document HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await asyncio.to_thread(_read_all, plain)
        assert b"sunny" not in answer


def _read_all(plain: socket.socket) -> bytes:
    try:
        return b"".join(iter(lambda: plain.recv(4096), b""))
    except ConnectionError:
        return b""


async def test_who_never_finishes_a_handshake_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_server, "MOST_HANDSHAKES", 8)
    async with serving(tmp_path) as served:
        held = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(40)]
        assert (await served.ask(POST, b"{}"))[0] == 200
        async with asyncio.timeout(20):
            assert await held[0][0].read() == b"", "the oldest made room"
        for _, writer in held:
            writer.close()


async def test_a_handshake_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_server, "HANDSHAKE_WITHIN_S", 0.2)
    async with serving(tmp_path) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_a_new_certificate_serves_new_connections_and_a_broken_one_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as served:
        first = await served.serial()
        served.write()
        served.server.reload_certificate()
        second = await served.serial()
        assert first != second
        served.certificate.write_bytes(b"half a file")
        served.server.reload_certificate()
        assert await served.serial() == second
        assert "cannot be used for new connections" in caplog.text


async def test_a_port_in_use_is_told_once_and_used_when_free(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    served, bound = Served(tmp_path), asyncio.Event()
    caplog.set_level(logging.ERROR)
    with socket.create_server(("0.0.0.0", served.port)):
        task = asyncio.create_task(served.server.run(is_bound=bound.set))
        async with asyncio.timeout(20):
            while not caplog.records:
                await asyncio.sleep(0.01)
        assert not bound.is_set()
    async with asyncio.timeout(20):
        await bound.wait()
    assert [each.getMessage().count("public.enrol_port") for each in caplog.records] == [1]
    task.cancel()
    await asyncio.wait({task})
