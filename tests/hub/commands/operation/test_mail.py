"""`commonwatt-hub mail` and `invite --mail` as a board meets them, with a mail server on loopback."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.notice_records import NewNotice, NoticeKind, NoticeState
from tests.hub.notices.catch_all import CatchAll, catching_aside


def run(folder: Path, *arguments: str) -> int:
    return main([arguments[0], "--data", str(folder), *arguments[1:]])


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
    with catching_aside(CatchAll()) as server:
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
    for words in (
        ("mail", "test", "--to", "a@example.org"),
        ("invite", "--email", "ana@example.org", "--mail", "--by", "m01"),
    ):
        assert run(hub, *words) == 1
        assert "the hub sends no mail: enter a mail server" in said(capsys)


def test_an_invitation_waits_in_the_queue_without_its_token(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    enter_server(hub, 2525)
    assert run(hub, "invite", "--email", "ana@example.org", "--mail", "--json", "--by", "m01") == 0
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


def test_a_whole_list_is_mailed_and_each_token_once(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enter_server(hub, 2525)
    people = tmp_path / "people.csv"
    people.write_text("name,email,home,since,board\nBen,ben@example.org,,,\nCem,cem@example.org,,,\n")
    assert run(hub, "invite", "--list", str(people), "--mail", "--by", "m01", "--json") == 0
    made = {row["member"] for row in json.loads(capsys.readouterr().out)}
    assert run(hub, "mail", "queue", "--json") == 0
    queued = json.loads(capsys.readouterr().out)
    assert [(row["kind"], row["member"], row["state"]) for row in queued] == [
        ("invitation", member, "waiting") for member in sorted(made)
    ]


def test_a_list_is_not_begun_by_a_hub_that_sends_no_mail(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("name,email,home,since,board\nBen,ben@example.org,,,\n")
    assert run(hub, "invite", "--list", str(people), "--mail", "--by", "m01") == 1
    assert "the hub sends no mail" in said(capsys)
    assert run(hub, "members", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_the_choices_of_everybody_are_listed_for_programs(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "invite", "--member", "Ben", "--email", "ben@example.org", "--by", "m01") == 0
    for member, kind in (("m02", "silent"), ("m01", "hub"), ("m02", "debit")):
        assert run(hub, "mail", "choices", "--member", member, "--on", kind, "--by", "m01") == 0
    assert run(hub, "mail", "choices", "--member", "m02", "--off", "debit", "--by", "m01") == 0
    capsys.readouterr()
    assert run(hub, "mail", "choices", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["member"], row["kind"], row["by"]) for row in rows] == [
        ("m01", "hub", "m01"),
        ("m02", "silent", "m01"),
    ]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("queue", "--member", "m01"), "mail queue: --member does not go with it"),
        (("test",), "give --to with an address"),
        (("test", "--to", "nobody"), "expected an address like"),
        (("test", "--to", "a@b.c", "--all"), "--all does not go with it"),
        (("choices", "--member", "m09", "--on", "debit", "--by", "m01"), "there is no member 'm09'"),
        (("choices", "--on", "debit"), "a change needs --member, --by, and --on or --off"),
        (("choices", "--member", "m01", "--on", "debit", "--off", "debit", "--by", "m01"), "both say debit"),
    ],
)
def test_a_mistake_is_one_line(
    hub: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    assert run(hub, "mail", *words) == 1
    assert reason in said(capsys)


def test_a_refused_address_says_what_to_do(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def bounce() -> None:
        _, _, store = await open_hub(hub, clock=open_clock(None))
        try:
            await store.add_notices([NewNotice(NoticeKind.SIGN_IN, "m01", "1", 2**40)])
            (waiting,) = await store.notices(since=0, most=9)
            await store.settle_notice(waiting.id, NoticeState.BOUNCED, answer="550 no such box")
        finally:
            await store.close()

    asyncio.run(bounce())
    assert run(hub, "mail", "queue") == 0
    shown = capsys.readouterr().out
    assert (
        "bounced, tries: 0: 550 no such box; enter another address: commonwatt-hub members edit --member m01" in shown
    )
