"""Several adults in a home and several homes of a member, as a board enters them: one command each."""

import json
from pathlib import Path

import pytest

from hub.__main__ import main

BY = ("--by", "m01")


def run(folder: Path, *arguments: str) -> int:
    return main([arguments[0], "--data", str(folder), *arguments[1:]])


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "hub"
    assert run(folder, "init", "--name", "Sol", "--coop", "sol", "--tz", "Europe/Madrid") == 0
    assert run(folder, "invite", "--member", "Ana", "--email", "ana@x.org", "--board", "--since", "2026-01-01") == 0
    assert run(folder, "invite", "--member", "Ben", "--email", "ben@x.org", "--since", "2026-01-01", *BY) == 0
    capsys.readouterr()
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_an_adult_new_here_and_one_known(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = ("--name", "Cem", "--email", "cem@x.org", "--language", "es")
    assert run(hub, "members", "add-adult", "--home", "h02", *new, *BY) == 0
    assert "m03  Cem  cem@x.org  lives in h02" in capsys.readouterr().out
    assert run(hub, "members", "begin-role", "--member", "m03", "--role", "board", *BY) == 0
    for_ana = ("--home", "h02", "--member", "m01", "--by", "m03")
    assert run(hub, "members", "add-adult", *for_ana) == 0
    assert "m01  Ana  ana@x.org  h01, lives in h02" in capsys.readouterr().out
    assert run(hub, "members", "end-adult", *for_ana) == 0
    assert run(hub, "members", "--json") == 0
    shown = capsys.readouterr().out.splitlines()[-1]
    assert [row["lives_in"] for row in json.loads(shown)] == [[], [], ["h02"]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--name", "Cem"), "give --member, or --name and --email of somebody new here"),
        (("--member", "m01", "--name", "Cem", "--email", "c@x.org"), "give --member, or --name and --email"),
        (("--name", "Cem", "--email", "BEN@x.org"), "member m02 has this address: give --member m02"),
        (("--member", "m09"), "there is no member 'm09'"),
        (("--member", "m02"), "m02 holds the contract of h02"),
        (("--member", "m01"), "m01 cannot let themselves into a home: another board member does"),
        (("--name", "Cem", "--email", "c@x.org", "--language", "?"), "--language '?'"),
    ],
)
def test_a_mistake_about_an_adult_is_one_line(
    hub: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    assert run(hub, "members", "add-adult", "--home", "h02", *words, *BY) == 1
    assert reason in said(capsys)


def test_a_further_home_has_its_own_token_dates_and_no_vote(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = ("invite", "--new-home-for", "m02", "--home", "Cabin", "--since", "2026-03-01", *BY)
    assert run(hub, *new, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["member"], made["home"]) == ("m03", "h03")
    assert run(hub, "members", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["homes"], row["held_by"], row["since"]) for row in rows[1:]] == [
        (["h02"], None, "2026-01-01"),
        (["h03"], "m02", "2026-03-01"),
    ]
    assert run(hub, "members", "log", "--json") == 0
    last = json.loads(capsys.readouterr().out)[-1]
    assert (last["change"], last["member"], last["subject"], last["by"]) == ("home added", "m02", "h03", "m01")
    assert run(hub, "sign-in", "--member", "m03", *BY, "--reason", "asked") == 1
    assert "m03 is a further home of m02, who signs in for both" in said(capsys)
    assert run(hub, "board", "--appoint", "m03", *BY) == 1
    assert "name m02, the person" in said(capsys)
    assert run(hub, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["members"] == 2
    assert run(hub, "members", "move-out", "--member", "m03", "--last-day", "2099-06-30", *BY) == 0
    assert "further home of m02  since 2026-03-01  last day 2099-06-30" in capsys.readouterr().out


def test_a_token_for_one_of_several_homes_names_it(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "invite", "--new-home-for", "m02", "--home", "Cabin", *BY) == 0
    assert "further home of m02, kept as m03 Ben, home h03 Cabin" in capsys.readouterr().out
    assert run(hub, "invite", "--email", "ben@x.org", *BY) == 1
    assert "several homes (h02 'Ben', h03 'Cabin'): say which, with --home and its id" in said(capsys)
    for which in ("h03", "Cabin"):
        assert run(hub, "invite", "--email", "ben@x.org", "--home", which, *BY) == 0
        assert "known member" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--new-home-for", "m09", "--home", "Cabin"), "--new-home-for 'm09': there is no such member"),
        (("--new-home-for", "m02"), "give --home NAME, so that the homes can be told apart"),
        (("--new-home-for", "m02", "--home", "Ben"), "m02 has a home of this name, h02"),
        (("--new-home-for", "m02", "--home", "X", "--email", "b@x.org"), "leave out what is about a person"),
        (("--new-home-for", "m02", "--home", "X", "--follows", "h01"), "m01 is a member there"),
    ],
)
def test_a_mistake_about_a_further_home_is_one_line(
    hub: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    assert run(hub, "invite", *words, *BY) == 1
    assert reason in said(capsys)
