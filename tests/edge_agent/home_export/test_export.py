"""`commonwatt-agent export`: everything the home keeps, described so that any program can read it."""

import csv
import hashlib
import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.__main__ import main
from edge_agent.home_export.writing import write_export
from edge_agent.home_store.contents import KeptQuarter
from edge_agent.home_store.keeping import open_home_store
from edge_agent.home_store.store import FILE_NAME
from edge_agent.outbox import opening
from edge_agent.outbox.schema import SCHEMA
from edge_agent.uplink import identity
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import parse_slot
from protocols.wire.readings import LongInterval

SLOT = parse_slot("2026-05-31T10:00Z")
CONFIG = """data = "data"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:1"
max_power_w = 15000
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(CONFIG)
    (tmp_path / "data").mkdir()
    store = open_home_store(tmp_path / "data", now_s=float(SLOT * 900 + 2000))
    assert store is not None
    measured = {Measure.GRID_IMPORT: SlotValue(250, Mark.MEASURED, Gap.NONE)}
    missing = {Measure.GRID_IMPORT: SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)}
    total = LongInterval(Measure.GRID_IMPORT, SLOT, 2, 700)
    minutes = {"meter/grid": (1000, None, *[998] * 13)}
    store.keep([KeptQuarter(SLOT, measured, minutes=minutes), KeptQuarter(SLOT + 96, missing, (total,))])
    store.close()
    with sqlite3.connect(tmp_path / "data" / "outbox.sqlite") as db:
        db.executescript(SCHEMA)
        db.execute("INSERT INTO sent_reading VALUES (?, 0, 250)", (SLOT,))
    return tmp_path


def exported(home: Path, *arguments: str) -> int:
    return main(["export", "--out", str(home / "out"), "--config", str(home / "agent.toml"), *arguments])


def rows_of(home: Path, name: str) -> list[dict[str, str]]:
    with (home / "out" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_everything_that_is_kept_is_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(home, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows == {"quarter_hours.csv": 2, "totals.csv": 1, "minutes.csv": 14, "sent.csv": 1}
    first, second = rows_of(home, "quarter_hours.csv")
    assert list(first.values()) == ["2026-05-31T10:00:00Z", "grid_import", "250", "measured", ""]
    assert list(second.values()) == ["2026-06-01T10:00:00Z", "grid_import", "", "missing", "device_silent"]
    assert rows_of(home, "totals.csv") == [
        {"start": "2026-05-31T10:00:00Z", "quarter_hours": "2", "measure": "grid_import", "energy_wh": "700"}
    ]
    assert [each["start"] for each in rows_of(home, "minutes.csv")][:2] == [
        "2026-05-31T10:00:00Z", "2026-05-31T10:02:00Z",
    ]  # fmt: skip
    assert rows_of(home, "minutes.csv")[0]["power_w"] == "1000"
    assert rows_of(home, "sent.csv")[0]["grid_import_wh"] == "250"


def test_the_package_describes_every_file_as_it_is(home: Path) -> None:
    assert exported(home) == 0
    package: dict[str, Any] = json.loads((home / "out" / "datapackage.json").read_text())
    assert package["profile"] == "tabular-data-package"
    for resource in package["resources"]:
        content = (home / "out" / resource["path"]).read_bytes()
        assert (resource["bytes"], resource["hash"]) == (
            len(content), f"sha256:{hashlib.sha256(content).hexdigest()}",
        )  # fmt: skip
        header = content.decode().splitlines()[0].split(",")
        assert [each["name"] for each in resource["schema"]["fields"]] == header
        kinds = {each["name"]: each["type"] for each in resource["schema"]["fields"]}
        for row in rows_of(home, resource["path"]):
            for name, value in row.items():
                assert kinds[name] != "integer" or not value or int(value) is not None
    assert {path.stat().st_mode & 0o077 for path in (home / "out").iterdir()} == {0}


def test_only_the_wanted_days(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(home, "--from", "2026-06-01", "--until", "2026-06-01", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert (rows["quarter_hours.csv"], rows["minutes.csv"], rows["sent.csv"]) == (1, 0, 0)


def test_what_cannot_be_written_leaves_nothing_behind(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "out").mkdir()
    assert exported(home) == 1
    assert "is there already" in capsys.readouterr().err
    assert list((home / "out").iterdir()) == []
    (home / "out").rmdir()
    assert exported(home, "--from", "2026-06-02", "--until", "2026-06-01") == 1
    assert "after --until" in capsys.readouterr().err
    with sqlite3.connect(home / "data" / FILE_NAME) as db:
        db.execute("INSERT OR REPLACE INTO quarter (slot, content) VALUES (?, x'00')", (SLOT + 5,))
    assert exported(home) == 1
    assert "damaged" in capsys.readouterr().err
    assert [each.name for each in home.iterdir() if each.name.startswith("out")] == []


def test_a_home_that_keeps_nothing_yet_gets_empty_tables(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for each in (home / "data").iterdir():
        each.unlink()
    assert exported(home, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["rows"].values()) == {0}


def test_the_first_value_is_promised_by_the_homes_clock(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (home / "data").iterdir():
        each.unlink()
    (home / "data" / identity.ENROLMENT_FILE).write_text("")
    monkeypatch.setattr(identity, "load_enrolment", lambda _: SimpleNamespace(tz="Asia/Kolkata", home="h07"))
    monkeypatch.setattr(opening, "is_running", lambda _: True)
    monkeypatch.setattr("time.time", lambda: float(SLOT * 900))
    assert exported(home) == 0
    assert "at 2026-05-31 15:45 at the latest" in capsys.readouterr().out


def test_a_folder_beside_it_is_not_touched(tmp_path: Path) -> None:
    beside = tmp_path / "mine.part"
    beside.mkdir()
    (beside / "letter.txt").write_text("dear")
    write_export(tmp_path / "mine", tmp_path / "data", range(9), home="h07", now_s=0, tell=print)
    assert (beside / "letter.txt").read_text() == "dear"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine", "mine.part"]
    assert (tmp_path / "mine").stat().st_mode & 0o077 == 0


def test_an_export_without_a_row_says_why(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(home, "--from", "2020-01-01", "--until", "2020-01-02") == 0
    assert "nothing was kept of these days: there is something from 2026-05-31T10:00Z" in capsys.readouterr().out
    for each in (home / "data").iterdir():
        each.unlink()
    assert main(["export", "--out", str(home / "two"), "--config", str(home / "agent.toml")]) == 0
    assert "nothing is kept yet: the agent does not run" in capsys.readouterr().out
