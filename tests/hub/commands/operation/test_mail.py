"""`commonwatt-hub mail` and `invite --mail` as a board meets them, with a mail server on loopback."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.__main__ import main
from tests.hub.notices.catch_all import CatchAll, catching


def run(folder: Path, *arguments: str) -> int:
    return main([arguments[0], "--data", str(folder), *arguments[1:]])


@contextmanager
def mail_server(caught: CatchAll) -> Iterator[CatchAll]:
    """The catch-all server in a thread of its own, because a command has its own event loop."""
    loop, is_up, is_over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with catching(caught):
            is_up.set()
            await is_over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert is_up.wait(30)
    try:
        yield caught
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join(30)
        loop.close()


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "hub"
    assert run(folder, "init", "--name", "Sol", "--coop", "sol", "--tz", "Europe/Madrid") == 0
    assert run(folder, "invite", "--member", "Ana", "--email", "ana@example.org", "--board") == 0
    capsys.readouterr()
    return folder


def enter_server(hub: Path, port: int) -> None:
    with (hub / "hub.toml").open("a") as file:
        file.write(f'\n[mail]\nserver = "127.0.0.1"\nport = {port}\nsecurity = "none"\nfrom = "hub@sol.example"\n')


def said(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_test_mail_arrives_and_says_if_links_would_lead_nowhere(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mail_server(CatchAll()) as server:
        enter_server(hub, server.port)
        assert run(hub, "mail", "test", "--to", "board@example.org") == 0
    out = capsys.readouterr().out
    assert f"127.0.0.1:{server.port} took the mail to board@example.org" in out
    assert "opens on this computer only: enter the name under which members reach the pages in web.names" in out
    assert server.recipients == [["board@example.org"]]
    assert server.mails[0]["subject"] == "Sol: a test"
    assert run(hub, "mail", "test", "--to", "board@example.org") == 1
    assert "cannot be reached: Connection refused" in said(capsys)


def test_without_a_mail_server_one_line_says_what_to_do(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("mail", "test", "--to", "a@example.org"), ("invite", "--email", "ana@example.org", "--mail")):
        assert run(hub, *words) == 1
        assert "the hub sends no mail: enter a mail server" in said(capsys)


def test_an_invitation_waits_in_the_queue_without_its_token(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    enter_server(hub, 2525)
    assert run(hub, "invite", "--email", "ana@example.org", "--mail", "--json") == 0
    token = json.loads(capsys.readouterr().out)["token"]
    assert run(hub, "mail", "queue", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["member"], row["state"], row["tries"]) == ("invitation", "m01", "waiting", 0)
    assert not [path for path in hub.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]


def test_the_board_enters_a_choice_in_its_name(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = ("mail", "choices", "--member", "m01", "--on", "statement")
    assert run(hub, *change) == 1
    assert "a change needs --member, --by, and --on or --off" in said(capsys)
    assert run(hub, *change, "--by", "m09") == 1
    assert "is not on the board" in said(capsys)
    assert run(hub, *change, "--by", "m01") == 0
    assert capsys.readouterr().out.startswith("m01  statement  since ")
    assert run(hub, "mail", "choices", "--member", "m01", "--off", "statement", "--by", "m01") == 0
    assert capsys.readouterr().out == "nobody has switched mail on\n"
