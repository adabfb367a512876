"""`demo-scale` refuses in one line what it cannot do, before anything is started."""

import json
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.demo.hubs import database, mosquitto, rabbitmq

SMALL = ("demo-scale", "--homes", "3", "--days", "2")


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("no JSON", "not a report that `make demo-once` of this version wrote"),
        (json.dumps({"seed": 1}), "not a report that `make demo-once` of this version wrote"),
        (
            json.dumps({"seed": 2, "settlement_hash": "a", "settlement": {"runs": {}}}),
            "seed is 2 there and 1 here: give another file",
        ),
    ],
)
def test_a_report_that_is_none_of_this_street(report: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.json").write_text(report)
    assert main([*SMALL, "--against", "other.json"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"commonwatt-sim: demo-scale: --against other.json: {words}"


@pytest.mark.parametrize("option", ["--report", "--against"])
def test_a_file_that_cannot_be_written(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, option, "nowhere/report.json"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "commonwatt-sim: demo-scale: nowhere/report.json cannot be written: choose another place"


@pytest.mark.parametrize("brokers", ["rabbitmq", "mosquitto"])
def test_brokers_that_are_not_here(
    brokers: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database.DatabaseServer, "require", lambda _: None)
    monkeypatch.setattr(rabbitmq, "server_folder", lambda: None)
    monkeypatch.setattr(mosquitto, "find_mosquitto", lambda: None)
    assert main([*SMALL, "--brokers", brokers]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("commonwatt-sim: demo-scale: ")
    assert " here" in line or "not installed" in line


def test_a_database_server_that_is_not_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database, "server_folders", lambda: iter(()))
    assert main([*SMALL, "--brokers", "mosquitto"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"commonwatt-sim: demo-scale: {database.NONE_HERE}"
