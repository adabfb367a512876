"""The page's server against clients that are slow, greedy, wrong or many: it refuses them and serves the others."""

import asyncio
import errno
import logging
import os

import pytest

from edge_agent.page.requests import MAX_BODY_BYTES, MAX_HEAD_BYTES, PageAnswer, PageRequest
from edge_agent.page.server import PageServer, ServingLimits
from edge_agent.page_settings import PageSettings
from protocols.errors import RequestError
from tests.edge_agent.hand_clock import until
from tests.edge_agent.page.page_home import PageHome, ask, get, post, read_answer

QUICK = ServingLimits(request_s=0.4, answer_s=0.6, linger_s=0.1, connections=6, connections_of_one=4)


@pytest.fixture
def home(tmp_path):
    return PageHome(tmp_path / "data")


async def test_a_page_is_served_with_strict_headers(home: PageHome) -> None:
    async with home.served() as port:
        status, headers, body = await get(port, "/")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body.encode())
    assert "<script>" not in body
    assert "style=" not in body


async def ends(reader: asyncio.StreamReader) -> bool:
    """Whether the other side ends the connection without an answer."""
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionError:
        return True


async def test_a_client_that_sends_a_byte_at_a_time_is_cut_off(home: PageHome) -> None:
    async with home.served(QUICK) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        ended = asyncio.create_task(ends(reader))
        for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 5000:
            if ended.done() or writer.is_closing():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        assert await ended
        assert (await get(port, "/"))[0] == 200


async def test_a_body_that_never_comes_is_not_waited_for(home: PageHome) -> None:
    async with home.served(QUICK) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /consent HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        assert await ends(reader)
        writer.close()


async def test_idle_connections_hold_nobody_else_up(home: PageHome) -> None:
    async with home.served(QUICK) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
        async with asyncio.timeout(60):
            while (await _status_or_none(port)) != 200:
                await asyncio.sleep(0.05)
        for _, writer in idle:
            writer.close()


async def _status_or_none(port: int) -> int | None:
    try:
        return (await get(port, "/"))[0]
    except (OSError, IndexError):
        return None


async def test_one_address_has_only_so_many_connections(home: PageHome) -> None:
    slow = ServingLimits(connections_of_one=2)
    async with home.served(slow) as port:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await ends(reader)
        for _, each in (*kept, (reader, writer)):
            each.close()


async def test_a_client_that_does_not_read_its_answer_is_let_go(home: PageHome) -> None:
    async def large(request: PageRequest) -> PageAnswer:
        return PageAnswer(200, bytes(30_000_000))

    server = PageServer(PageSettings("127.0.0.1", 0), answer=large, refuse=home.site.refuse, limits=QUICK)
    task = asyncio.create_task(server.run())
    await until(lambda: server.port, what="the server's port")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await writer.drain()
    await until(lambda: not server.connections, what="the end of the connection")
    task.cancel()
    writer.transport.abort()
    assert reader is not None


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\nHost: localhost\nX-Big: " + "a" * MAX_HEAD_BYTES, 431),
        ("GET /" + "a" * 3000 + " HTTP/1.1\nHost: localhost", 400),
        ("HEAD / HTTP/1.1\nHost: localhost", 405),
        ("PUT / HTTP/1.1\nHost: localhost", 405),
        ("GET / HTTP/1.1", 400),
        ("GET / HTTP/1.1\nHost: localhost\nHost: localhost", 400),
        ("GET / HTTP/1.1\nHost: localhost\n folded: yes", 400),
        ("GET / HTTP/1.1\nHost : localhost", 400),
        ("GET http://localhost/ HTTP/1.1\nHost: localhost", 400),
        ("GET //evil.example/ HTTP/1.1\nHost: localhost", 400),
        ("GET /%ff HTTP/1.1\nHost: localhost", 400),
        ("GET /%00 HTTP/1.1\nHost: localhost", 400),
        ("GET / HTTP/2\nHost: localhost", 400),
        ("GET /../../etc/passwd HTTP/1.1\nHost: localhost", 404),
        ("GET /static/../guard.py HTTP/1.1\nHost: localhost", 404),
        ("GET /static/%2e%2e/guard.py HTTP/1.1\nHost: localhost", 404),
        ("POST / HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked", 501),
        ("POST / HTTP/1.1\nHost: localhost\nContent-Length: -1", 400),
        ("POST / HTTP/1.1\nHost: localhost\nContent-Length: 1\nContent-Length: 2", 400),
        (f"POST / HTTP/1.1\nHost: localhost\nContent-Length: {MAX_BODY_BYTES + 1}", 413),
        ("\x16\x03\x01 hello", 400),
    ],
)
async def test_what_is_not_a_plain_request_is_refused_in_one_sentence(home: PageHome, head: str, status: int) -> None:
    async with home.served() as port:
        found, headers, body = await ask(port, head)
    assert found == status
    assert "default-src 'none'" in headers["content-security-policy"]
    assert '<p class="lede">' in body
    assert "Traceback" not in body


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:8087", "localhost.evil.example", "pi.local.evil", "a b"]
)
async def test_a_name_that_leads_here_from_outside_is_refused(home: PageHome, name: str) -> None:
    """A site of an attacker's whose name is changed to point here (rebinding) still sends its own name."""
    async with home.served() as port:
        status, _, body = await ask(port, f"GET / HTTP/1.1\nHost: {name}")
        assert status == 421
        assert "Power now" not in body
        for own in ("localhost", "127.0.0.1:8087", "[::1]:8087", "192.168.1.7", "PI.LOCAL"):
            assert (await ask(port, f"GET / HTTP/1.1\nHost: {own}"))[0] == 200


async def test_a_form_of_another_site_changes_nothing(home: PageHome) -> None:
    async with home.served() as port:
        own = f"http://localhost:{port}"
        for headers in (("Origin: http://evil.example",), ("Sec-Fetch-Site: cross-site",), (f"Origin: {own}",), ()):
            assert (await post(port, "/left/sending", "do=stop&token=guess", *headers))[0] == 403
            assert (await post(port, "/left/sending", "do=stop", *headers))[0] == 403
        kind = "Content-Type: text/plain"
        lines = f"POST /left/sending HTTP/1.1\nHost: localhost\n{kind}\nContent-Length: 7"
        assert (await ask(port, lines, b"do=stop"))[0] == 415
    assert not home.switch.is_stopped


async def test_a_page_that_fails_says_where_and_no_value(home: PageHome, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: PageRequest) -> PageAnswer:
        raise RuntimeError("1234 W")

    server = PageServer(PageSettings("127.0.0.1", 0), answer=broken, refuse=home.site.refuse)
    task = asyncio.create_task(server.run())
    await until(lambda: server.port, what="the server's port")
    with caplog.at_level(logging.ERROR):
        status, _, body = await get(server.port, "/")
    task.cancel()
    assert status == 500
    assert "RuntimeError in broken line" in caplog.text
    assert "1234" not in caplog.text + body


async def test_a_port_that_is_taken_is_one_line_and_the_agent_goes_on(
    home: PageHome, caplog: pytest.LogCaptureFixture
) -> None:
    async with home.served() as port:
        second = PageServer(PageSettings("127.0.0.1", port), answer=home.site.answer, refuse=home.site.refuse)
        with caplog.at_level(logging.INFO):
            task = asyncio.create_task(second.run())
            await until(lambda: "is not served" in caplog.text, what="the word that the port is taken")
        assert not task.done()
        task.cancel()
    assert f"http://127.0.0.1:{port}" in caplog.text


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        (errno.EADDRINUSE, "if the agent runs, stop it first (Ctrl-C where it runs), or name another port"),
        (errno.EADDRNOTAVAIL, "name an address of this computer, or 0.0.0.0 for all of them"),
        (errno.EACCES, "name a port from 1024 on"),
    ],
)
async def test_setup_says_what_to_do_about_an_address_that_cannot_be_had(
    home: PageHome, monkeypatch: pytest.MonkeyPatch, trouble: int, advice: str
) -> None:
    async def refused(*_: object, **__: object) -> asyncio.Server:
        raise OSError(trouble, "error while attempting to bind on address ('127.0.0.1', 80)")

    monkeypatch.setattr(asyncio, "start_server", refused)
    server = PageServer(PageSettings("127.0.0.1", 80), answer=home.site.answer, refuse=home.site.refuse)
    with pytest.raises(RequestError) as caught:
        await server.run(stop_hint="Ctrl-C where it runs")
    assert str(caught.value).endswith(f"http://127.0.0.1:80: {os.strerror(trouble)}: {advice}")


async def test_stopping_the_agent_waits_for_no_client(home: PageHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.12 and later wait in `wait_closed` until every connection of a server is gone."""
    waited = []

    async def wait_closed(server: asyncio.Server) -> None:
        waited.append(server)

    monkeypatch.setattr(asyncio.Server, "wait_closed", wait_closed)
    async with home.served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTT")
        await writer.drain()
        await until(home.connections, what="the connection")
    assert await ends(reader)
    assert waited == []


def test_an_answer_is_read_back() -> None:
    assert read_answer(PageAnswer(303, b"", headers={"Location": "/"}).head())[1]["location"] == "/"
