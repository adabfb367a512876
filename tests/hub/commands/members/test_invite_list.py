"""Lists of members from spreadsheets: taken whole or refused whole, with the line that is wrong."""

import io
import json
from pathlib import Path

import pytest

from hub.__main__ import main
from tests.hub.commands.members.test_invitations import enrol_with

HEADING = "name,email,home,since,board\n"


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "hub"
    assert main(["init", "--data", str(folder), "--name", "Sol", "--coop", "sol", "--tz", "Europe/Madrid"]) == 0
    capsys.readouterr()
    return folder


def members(hub: Path, capsys: pytest.CaptureFixture[str]) -> int:
    assert main(["status", "--data", str(hub), "--json"]) == 0
    return int(json.loads(capsys.readouterr().out)["members"])


def test_a_list_is_invited_in_its_order_and_again_adds_nobody(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "members.csv"
    text = "\ufeff" + HEADING + 'One,one@example.org,"Lane 1, left",2026-02-01,yes\n\nTwo,bo@example.org,,,\n'
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert main(["invite", "--data", str(hub), "--list", str(path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["member"], row["home"]) for row in rows] == [("m01", "h01"), ("m02", "h02")]
    assert main(["invite", "--data", str(hub), "--list", str(path)]) == 1
    assert "members.csv: say who invites: --by with a board member's id" in capsys.readouterr().err
    whole = "commonwatt:?hub=http://127.0.0.1:8400&coop=sol&token="
    assert [row["invitation"] for row in rows] == [whole + row["token"] for row in rows]
    assert main(["invite", "--data", str(hub), "--list", str(path), "--by", "m01"]) == 0
    again = capsys.readouterr()
    assert [line.rpartition("  ")[0] for line in again.out.splitlines()] == ["m01  h01", "m02  h02"]
    assert all(line.partition(whole)[2] for line in again.out.splitlines()), "a home needs the hub's address as well"
    assert again.err == "earlier tokens of the homes invited again that were not used are void\n"
    assert members(hub, capsys) == 2


WRONG = [
    (b"", "line 1: expected the heading"),
    (HEADING.encode(), "the list is empty"),
    (b"name|email|home|since|board\n", "line 1: expected the heading name,email,home,since,board, separated by"),
    (b"name;email;home;since;board\nOne;a@x.org;no\n", "line 2: 3 fields, expected 5"),
    (b"One,a@x.org,h\n", "line 2: 3 fields, expected 5"),
    (b"One,a@x.org,h,31/12/2025,no\n", "line 2: since is '31/12/2025', expected a day"),
    (b"One,a@x.org,h,31.13.2025,no\n", "line 2: since is '31.13.2025', expected a day"),
    (b"One,a@x.org,h,1492-10-12,no\n", "line 2: since is '1492-10-12', expected a day"),
    (b"One,a@x.org,h,20251231,no\n", "line 2: since is '20251231', expected a day"),
    (b"One,a@x.org,h,,maybe\n", "line 2: board is 'maybe', expected yes or no"),
    (b"One,a@x.org,h,,no\nTwo,A@X.org,h,,no\n", "A@X.org is listed twice"),
    (b"One,a@x.org,h,,no\n,b@x.org,h,,no\n", "line 3: name is '', expected a name"),
    (b"One,a@x.org,h,,no\nTwo,nowhere,h,,no\n", "line 3: email is 'nowhere', expected an address"),
    (b'"One\nB",a@x.org,h,,no\n', "line 2: name is 'One\\nB', expected a name"),
    (b'One,a@x.org,"h\tx",,no\n', "line 2: home is 'h\\tx', expected a name"),
    (b'"One,a@x.org,h,,no\nTwo,b@x.org,h,,no\n', "not a CSV file"),
    (b"One," + b"x" * 200_000 + b"@x.org,h,,no\n", "not a CSV file: field larger"),
    (b"One,a@x.org,\xff\xfe,,no\n", "not a CSV file in UTF-8: save it from the spreadsheet as CSV UTF-8"),
    (b"One,a@x.org,h,,no\n" * 60_000, "larger than 1000000 bytes"),
]


@pytest.mark.parametrize(("content", "said"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_list_is_one_line_and_invites_nobody(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    path = tmp_path / "members.csv"
    path.write_bytes(content if not content or content.startswith(b"name") else HEADING.encode() + content)
    assert main(["invite", "--data", str(hub), "--list", str(path)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"commonwatt-hub: {path}")
    assert said in lines[0]
    assert members(hub, capsys) == 0


def test_a_missing_list_is_one_line_in_the_systems_words(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nowhere.csv"
    assert main(["invite", "--data", str(hub), "--list", str(path)]) == 1
    assert capsys.readouterr().err == f"commonwatt-hub: {path}: cannot be read: No such file or directory\n"


@pytest.mark.parametrize(("mark", "end"), [("", "\n"), ("\ufeff", "\r\n")])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_spreadsheets_list_is_read(  # noqa: PLR0917 - three fixtures and three ways to write a list
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], delimiter: str, mark: str, end: str
) -> None:
    lines = ["name;email;home;since;board", "Household Müller;m@example.org;Flat 1;01.05.2026;nein", "B;b@x.org;;;ja"]
    path = tmp_path / "members.csv"
    path.write_text(mark + "".join(line.replace(";", delimiter) + end for line in lines), encoding="utf-8", newline="")
    assert main(["invite", "--data", str(hub), "--list", str(path), "--json"]) == 0
    assert [row["member"] for row in json.loads(capsys.readouterr().out)] == ["m01", "m02"]
    assert main(["board", "--data", str(hub), "--json"]) == 0
    assert [row["member"] for row in json.loads(capsys.readouterr().out)] == ["m02"]


def test_names_and_addresses_need_not_be_arguments(
    hub: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments can be seen by every user of the computer while the command runs."""
    content = (HEADING + "One,one@example.org,,,\n").encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(["invite", "--data", str(hub), "--list", "-", "--json"]) == 0
    assert [row["member"] for row in json.loads(capsys.readouterr().out)] == ["m01"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"nonsense")))
    assert main(["invite", "--data", str(hub), "--list", "-"]) == 1
    assert "commonwatt-hub: standard input: line 1: expected the heading" in capsys.readouterr().err


def test_a_list_leaves_homes_with_an_agent_alone_and_contradicts_nobody(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "members.csv"
    path.write_text(HEADING + "One,one@example.org,Lane 1,,no\n")
    assert main(["invite", "--data", str(hub), "--list", str(path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    agent = enrol_with(hub, row["token"])
    path.write_text(path.read_text() + "Two,two@example.org,,,\n")
    assert main(["invite", "--data", str(hub), "--list", str(path)]) == 0
    shown = capsys.readouterr()
    assert [line.split("  ")[:2] for line in shown.out.splitlines()] == [["m02", "h02"]]
    assert f"m01  h01  has the agent {agent}: left as it is" in shown.err
    path.write_text(HEADING + "Three,three@example.org,,,\nOne,one@example.org,Lane 1,,yes\n")
    assert main(["invite", "--data", str(hub), "--list", str(path)]) == 1
    assert f"{path}: --board: one@example.org is the known member m01" in capsys.readouterr().err
    assert members(hub, capsys) == 2, "nobody was invited"


@pytest.mark.parametrize(
    "more", [["--replace"], ["--board"], ["--member", "One"], ["--since", "2026-01-01"], ["--home", "Lane 1"]]
)
def test_a_list_and_one_person_are_not_mixed(hub: Path, capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    assert main(["invite", "--data", str(hub), "--list", "members.csv", *more]) == 1
    assert "--list FILE names everybody" in capsys.readouterr().err


def test_no_link_is_made_when_one_member_is_unknown(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["invite", "--data", str(hub), "--member", "Household One", "--email", "a@x.org"]) == 0
    capsys.readouterr()
    assert main(["sign-in", "--data", str(hub), "--by", "m01", "--member", "m01", "m77"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "there is no member 'm77'; members: m01" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["settle", "--case", "case.json", "--day", "2026-05-01"], "--case FILE alone or with"),
        (["settle", "--case", "case.json", "--data", "hub"], "--case FILE alone or with"),
        (["settle", "--previous", "case.json"], "--previous FILE goes with --case FILE"),
    ],
)
def test_arguments_that_would_be_left_out_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(arguments) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("month", ["2026-13", "9999-12", "0001-01", "x"])
def test_a_month_is_written_like_a_month(hub: Path, capsys: pytest.CaptureFixture[str], month: str) -> None:
    assert main(["settle", "--data", str(hub), "--month", month]) == 1
    assert f"--month {month!r}: expected a month like 2026-05" in capsys.readouterr().err


def test_a_month_that_is_not_over_books_none_of_its_days(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settle", "--data", str(hub), "--month", "2100-01"]) == 1
    assert "2100-01-31 has not closed yet" in capsys.readouterr().err


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "20260501", "2026-W01-1"])
def test_a_day_is_written_like_a_day(hub: Path, capsys: pytest.CaptureFixture[str], day: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "--data", str(hub), "--by", "m01", "--from", day])
    assert ended.value.code == 2
    assert f"{day!r} is not a day like 2026-11-21" in capsys.readouterr().err
