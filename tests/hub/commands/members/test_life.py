"""`commonwatt-hub members` and `agents` as a board meets them: one command each, one line for each mistake."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.commands.members.life import change_lines, line_of
from hub.storage.life_records import ChangeKind, LoggedChange
from hub.storage.records import Agent
from hub.storage.sqlite.store import SqliteStore


def run(folder: Path, *arguments: str) -> int:
    return main([arguments[0], "--data", str(folder), *arguments[1:]])


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "hub"
    assert run(folder, "init", "--name", "Sol", "--coop", "sol", "--tz", "Europe/Madrid") == 0
    for name in ("Ana", "Ben", "Cem"):
        assert run(folder, "invite", "--member", name, "--email", f"{name}@example.org") == 0
    assert run(folder, "members", "begin-role", "--member", "m01", "--role", "board") == 0, "the founding needs nobody"
    capsys.readouterr()
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_the_list_tells_homes_roles_and_days(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "members") == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("m01  Ana  Ana@example.org  h01  board  since ")
    assert second.startswith("m02  Ben  Ben@example.org  h02  since ")


def test_the_list_says_which_address_refuses_mail(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def bounce() -> None:
        store = await SqliteStore.open(hub / "hub.sqlite", now=lambda: 1_800_000_000)
        await store.note_bounce("ben@EXAMPLE.org", "550 no such box")
        await store.close()

    asyncio.run(bounce())
    assert run(hub, "members") == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert "refuses mail" not in first
    assert second.endswith("  the address refuses mail: 550 no such box")


def test_each_change_is_a_command_and_a_line_of_the_log(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by = ("--by", "m01")
    for words in (
        ("edit", "--member", "m02", "--name", "Benno", "--email", "benno@example.org"),
        ("begin-role", "--member", "m02", "--role", "treasurer"),
        ("end-role", "--member", "m02", "--role", "treasurer"),
        ("end-sessions", "--member", "m02"),
        ("move-out", "--member", "m03", "--last-day", "2099-06-30"),
    ):
        assert run(hub, "members", *words, *by) == 0, words
    assert "last day 2099-06-30" in capsys.readouterr().out
    assert run(hub, "members", "stay", "--member", "m03", *by, "--json") == 0
    assert [row["last_day"] for row in json.loads(capsys.readouterr().out)] == [None, None, None]
    assert run(hub, "members", "log", "--json") == 0
    log = json.loads(capsys.readouterr().out)
    assert [(row["change"], row["member"], row["by"]) for row in log if row["by"]] == [
        ("named", "m02", "m01"),
        ("addressed", "m02", "m01"),
        ("role begun", "m02", "m01"),
        ("role ended", "m02", "m01"),
        ("sessions ended", "m02", "m01"),
        ("move-out planned", "m03", "m01"),
        ("move-out cancelled", "m03", "m01"),
    ]
    assert run(hub, "members", "log") == 0
    assert "m03  move-out planned 2099-06-30  by m01" in capsys.readouterr().out
    assert run(hub, "verify") == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("edit", "--member", "m02", "--by", "m01"), "give --name, --email, or both"),
        (("edit", "--member", "m02", "--name", "X"), "members edit: give --by"),
        (("edit", "--member", "m02", "--name", "X", "--by", "m02"), "'m02' is not on the board"),
        (("edit", "--member", "m02", "--email", "nowhere", "--by", "m01"), "--email: expected an address"),
        (("begin-role", "--member", "m02", "--role", "board"), "'' is not on the board"),
        (("end-role", "--member", "m01", "--role", "board", "--by", "m01"), "m01 is the only board member"),
        (("move-out", "--member", "m02", "--by", "m01", "--last-day", "2020-01-01"), "at the earliest"),
        (("move-out", "--member", "m01", "--by", "m01", "--last-day", "2099-01-01"), "m01 holds a role (board)"),
        (("stay", "--member", "m02", "--by", "m01"), "m02 is not moving out"),
        (("log", "--by", "m01"), "members log: --by does not go with it"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    hub: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    run(hub, "members", "log", "--json")
    before = capsys.readouterr().out
    assert run(hub, "members", *words) == 1
    assert expected in said(capsys)
    run(hub, "members", "log", "--json")
    assert capsys.readouterr().out == before


def test_an_agent_that_is_not_there_cannot_be_shut_out(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "agents") == 0
    assert capsys.readouterr().out == "no agents yet\n"
    assert run(hub, "agents", "revoke", "--agent", "a-1", "--by", "m01") == 1
    assert "agents revoke: give --reason" in said(capsys)
    assert run(hub, "agents", "revoke", "--agent", "a-1", "--by", "m01", "--reason", "stolen") == 1
    assert "there is no agent 'a-1'" in said(capsys)


def test_the_command_after_an_agent_is_shut_out_is_whole(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def enrol() -> None:
        store = await SqliteStore.open(hub / "hub.sqlite", now=lambda: 1_800_000_000)
        await store.add_invite(b"3" * 32, home_id="h03", expires_at=100)
        assert await store.redeem_invite(b"3" * 32, agent=Agent("a-3", "", 3, b"k" * 32, 50, None), now=50) is None
        await store.close()

    asyncio.run(enrol())
    assert run(hub, "agents", "revoke", "--agent", "a-3", "--by", "m01", "--reason", "stolen") == 0
    assert f"commonwatt-hub invite --data {hub} --email ADDRESS --by ID" in capsys.readouterr().out


def test_an_objection_to_an_agent_names_who_objects() -> None:
    objected = LoggedChange(7, 1_800_000_000, "", ChangeKind.AGENT_OBJECTED, "m03", "a-3", "")
    enrolled = LoggedChange(8, 1_800_000_000, "", ChangeKind.AGENT_ENROLLED, "m03", "a-3", "")
    rows = [line_of(each, "Europe/Madrid") for each in (objected, enrolled)]
    assert [row["by"] for row in rows] == ["m03", ""]
    assert [line.split("  ")[-1] for line in change_lines(rows)] == ["by m03", "by nobody named"]


def test_status_says_that_one_board_member_cannot_publish(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "status") == 0
    assert "board: only m01 is on the board: a run needs 2 members of it" in capsys.readouterr().out
    assert run(hub, "board", "--appoint", "m02", "--by", "m01") == 0
    capsys.readouterr()
    assert run(hub, "status") == 0
    assert "board: 2 members" in capsys.readouterr().out


def test_a_successor_gets_a_home_of_their_own_from_the_day_after(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = ("invite", "--member", "Dora", "--email", "dora@example.org", "--json", "--by", "m01")
    assert run(hub, *new, "--follows", "h03") == 1
    assert "--follows h03: m03 is a member there" in said(capsys)
    move = ("members", "move-out", "--member", "m03", "--last-day", "2099-06-30", "--by", "m01")
    assert run(hub, *move) == 0
    capsys.readouterr()
    for words, expected in (
        (("--follows", "h03"), "--follows h03: m03 is still a member then: give --since with a later day"),
        (("--follows", "h03", "--since", "2099-06-30"), "m03 is still a member then"),
        (("--follows", "h09"), "--follows 'h09': there is no such home"),
        (("--by", "m02"), "--by 'm02': not on the board"),
    ):
        assert run(hub, *new, *words) == 1
        assert expected in said(capsys)
    assert run(hub, *new, "--follows", "h03", "--since", "2099-07-01") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["member"], made["home"]) == ("m04", "h04")
    other = ("invite", "--member", "Eva", "--email", "eva@example.org", "--follows", "h03", "--since", "2099-08-01")
    assert run(hub, *other, "--by", "m01") == 1
    assert "home h04 has taken its place already" in said(capsys)
    for again in (("stay", "--member", "m03", "--by", "m01"), (*move[1:-3], "2099-07-01", "--by", "m01")):
        assert run(hub, "members", *again) == 1
        assert "m04 follows in home h04 from 2099-07-01" in said(capsys)
    assert run(hub, "invite", "--email", "Cem@example.org", "--by", "m01") == 1
    assert "m03, who has moved out or will" in said(capsys)
    assert run(hub, "members", "log", "--json") == 0
    assert json.loads(capsys.readouterr().out)[-1]["by"] == "m01"
    assert run(hub, "members", "move-out", "--member", "m04", "--last-day", "2099-07-31", "--by", "m01") == 0
    back = ("--new-home-for", "m03", "--home", "Again", "--follows", "h04", "--since", "2099-08-01", "--by", "m01")
    assert run(hub, "invite", *back) == 0, "the way that the refusal names"
    assert run(hub, "verify") == 0
