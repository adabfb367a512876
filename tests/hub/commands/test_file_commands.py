"""The commands that hand files to people: whole and for their owner alone, from a real hub, or one line and nothing."""

import argparse
import asyncio
import csv
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beancount import loader

from hub.commands import grid_file as grid_command
from hub.commands import ledger as ledger_command
from hub.commands.operation.init import init_hub
from hub.console.output_files import new_file
from hub.core.grid.files import read_quarter_hours
from hub.core.grid.spain import read_coefficients
from hub.core.rules.rulebook import Prices, Rule
from hub.exchange.grid_sheets import read_sheets
from hub.settlement_job import settle_day
from hub.storage.records import AcceptedMessage, Agent, Coop, Home, Member, ReadingRow
from hub.storage.sqlite.store import SqliteStore
from protocols.errors import RequestError
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day
from protocols.timeline import Clock

DAY = date(2026, 6, 1)
VIENNA = "Europe/Vienna"
SLOTS = slots_of_day(DAY, VIENNA)
NOW = Clock(real=lambda: datetime(2026, 6, 3, tzinfo=UTC).timestamp())
POINTS = {
    "m01": {"consumption": "AT0010000000000000001000000000001", "generation": "AT0010000000000000001000000000002"},
    "m02": {"consumption": "AT0010000000000000001000000000003", "generation": None},
}


def energy(member: int, place: int, measure: Measure) -> int:
    if measure == Measure.GRID_EXPORT:
        return (place * 7) % 90 if member == 1 else 0
    return 40 + (place * 11 + member) % 60


def message(member: int) -> AcceptedMessage:
    home = f"h{member:02d}"
    readings = tuple(
        ReadingRow(home, measure, slot, 1, energy(member, place, measure), Mark.MEASURED, Gap.NONE)
        for measure in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
        for place, slot in enumerate(SLOTS)
    )
    return AcceptedMessage(
        agent=f"a-{member:02d}", home=home, epoch=1, seq=1, kind="batch", hash=sha256(home.encode()).digest(),
        sealed=b"-", received_at=int(NOW.now()), slot=SLOTS[-1], readings=readings, long_intervals=(), devices=(),
        consent=None, consent_version=None, answer=None,
    )  # fmt: skip


async def make_hub(folder: Path) -> None:
    await init_hub(folder, coop=Coop("sunny", "Sunny Street", VIENNA, "EUR"), clock=NOW)
    store = await SqliteStore.open(folder / "hub.sqlite", now=NOW.now)
    try:
        rule = Rule("proportional", prices=Prices(160_000, 140_000, 320_000, 80_000))
        await store.add_rule(rule.version(), canonical=rule.canonical(), valid_from_day="1970-01-01")
        for number in (1, 2):
            home = Home(f"h{number:02d}", "Lane", f"m{number:02d}")
            await store.add_member(
                Member(home.member_id, "Household 1", f"m{number}@example.org", "en", number == 1, 0), home
            )
            await store.add_invite(home.id.encode(), home_id=home.id, expires_at=int(NOW.now()))
            agent = Agent(f"a-{number:02d}", home.id, number, sha256(home.id.encode()).digest(), 1, None)
            assert await store.redeem_invite(home.id.encode(), agent=agent, now=1) is None
        await store.store_messages([message(1), message(2)])
        await settle_day(store, day=DAY, made_at=int(NOW.now()))
    finally:
        await store.close()


@pytest.fixture
def hub_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "hub"
    asyncio.run(make_hub(folder))
    return folder


def ran(command: ModuleType, *arguments: object, **given: Any) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parser.set_defaults(clock=None, **given)
    return int(command.run(parser.parse_args([str(argument) for argument in arguments])))


def test_the_ledger_leaves_in_three_forms(hub_folder: Path, tmp_path: Path) -> None:
    for form in ("beancount", "csv", "json"):
        out = tmp_path / f"ledger.{form}"
        assert ran(ledger_command, "--format", form, "--out", out, "--by", "m01", data=hub_folder) == 0
        assert out.stat().st_mode & 0o077 == 0
    entries, errors, _ = loader.load_file(str(tmp_path / "ledger.beancount"))
    assert errors == []
    document = json.loads((tmp_path / "ledger.json").read_text())
    assert document["title"] == "Sunny Street"
    assert len(document["entries"]) == 4
    assert document["trial_balance"] == {"Wh": 0, "nano": 0}
    with (tmp_path / "ledger.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["account"] for row in rows} >= {"pool", "coop:margin", "member:m01:energy", "grid-import"}
    assert len(entries) > len(document["entries"])
    with sqlite3.connect(hub_folder / "hub.sqlite") as db:
        looks = db.execute(
            "SELECT home, sum(count) FROM access_log WHERE actor = 'm01' AND role = 'board' GROUP BY home"
        )
        assert set(looks) == {(home, 3) for (home,) in db.execute("SELECT id FROM home")}


def test_a_broken_chain_leaves_no_file(hub_folder: Path, tmp_path: Path) -> None:
    with sqlite3.connect(hub_folder / "hub.sqlite") as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in names:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE entry SET canonical = CAST(replace(canonical, 'm02', 'm03') AS BLOB) WHERE position = 3")
    with pytest.raises(RequestError, match="broken at position 3"):
        ran(ledger_command, "--format", "csv", "--out", tmp_path / "ledger.csv", "--by", "m01", data=hub_folder)
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def write_json(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def case_file(tmp_path: Path) -> Path:
    intervals = [
        {
            "t": slot,
            "s": {f"m{m:02d}": energy(m, place, Measure.GRID_EXPORT) for m in (1, 2)},
            "d": {f"m{m:02d}": energy(m, place, Measure.GRID_IMPORT) for m in (1, 2)},
        }
        for place, slot in enumerate(SLOTS)
    ]
    case = {"method": "proportional", "params": {}, "members": ["m01", "m02"], "intervals": intervals}
    return write_json(tmp_path / "case.json", case)


def test_our_readings_beside_the_grid_operators(
    hub_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = write_json(tmp_path / "points.json", POINTS)
    figures = tmp_path / "figures.csv"
    assert ran(grid_command, "austria", "--case", case_file(tmp_path), "--points", points, "--out", figures) == 0
    total = [line for line in figures.read_text().splitlines() if ";total;" in line or "Zaehlpunkt" in line]
    grid = tmp_path / "grid.csv"
    grid.write_text("\n".join(total))
    arguments = ("compare", "--grid", grid, "--data", hub_folder, "--points", points, "--by", "m01")
    assert ran(grid_command, *arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 findings in 3 series"
    grid.write_text("\n".join(total).replace("T12:00:00+02:00;0,0", "T12:00:00+02:00;0,9"))
    assert ran(grid_command, *arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {(one["kind"], one["slots"]) for one in found} == {("differs", 1)}
    assert asyncio.run(looks(hub_folder, "h01")) == asyncio.run(looks(hub_folder, "h02")) == [("board", 1)] * 4
    write_json(points, {**POINTS, "m99": POINTS["m01"]})
    with pytest.raises(RequestError, match="the points name 'm99', who is no member"):
        ran(grid_command, *arguments)


async def looks(folder: Path, home: str) -> list[tuple[str, int]]:
    """Role and number of the looks that the household reads of."""
    store = await SqliteStore.open(folder / "hub.sqlite", now=NOW.now)
    try:
        rows = await store.access_rows(home, limit=99)
        return [(row.role, row.count) for row in rows if row.actor == "m01"]
    finally:
        await store.close()


def test_austria_in_both_forms_and_pairs(tmp_path: Path) -> None:
    case, points = case_file(tmp_path), write_json(tmp_path / "points.json", POINTS)
    for name in ("figures.csv", "figures.xlsx"):
        assert ran(grid_command, "austria", "--case", case, "--points", points, "--out", tmp_path / name) == 0
    from_text = read_quarter_hours((tmp_path / "figures.csv").read_bytes(), VIENNA).series
    from_sheet = read_sheets((tmp_path / "figures.xlsx").read_bytes(), VIENNA)
    assert [one.key for one in from_text] == [one.key for one in from_sheet]
    assert all((a.energy_micro_kwh == b.energy_micro_kwh).all() for a, b in zip(from_text, from_sheet, strict=True))
    assert ran(grid_command, "pairs", "--case", case, "--out", tmp_path / "pairs.csv") == 0
    assert (tmp_path / "pairs.csv").read_text().startswith("from;producer;consumer;coefficient\n2026-05-31T22:15Z;m01;")


CUPS = "ES0031300325733001FH0F"
CAU = CUPS + "A000"


def test_spain_written_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = write_json(tmp_path / "weights.json", {CUPS: 1})
    assert ran(grid_command, "spain", "--cau", CAU, "--year", 2026, "--weights", weights, "--out", tmp_path) == 0
    made = tmp_path / f"{CAU}_2026.txt"
    assert read_coefficients(made.name, made.read_bytes()).coefficients_ppm == {CUPS: 1_000_000}
    assert ran(grid_command, "check-spain", made) == 0
    made.write_text(f"{CUPS};1,00\nX;0.5\n")
    capsys.readouterr()
    assert ran(grid_command, "check-spain", made) == 2
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "six_decimals",
        "cups_length",
        "decimal_comma",
        "sum",
    ]


def compare(tmp_path: Path, *more: object) -> tuple[object, ...]:
    return ("compare", "--grid", tmp_path / "none.csv", *more)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (compare, "give --own FILE, or --data DIR with --points"),
        (lambda at: compare(at, "--own", at / "x"), "needs --tz"),
        (lambda at: compare(at, "--own", at / "x", "--tz", "Mars/Base"), "expected a time zone"),
        (lambda at: compare(at, "--own", at / "x", "--tz", VIENNA), "cannot read"),
        (lambda at: compare(at, "--own", at / "x", "--tz", VIENNA, "--tolerance-wh", -1), "below 0"),
        (lambda at: ("pairs", "--case", case_file(at), "--out", case_file(at)), "already exists"),
        (lambda at: ("pairs", "--case", case_file(at), "--out", at / "no" / "x"), "cannot write"),
        (lambda at: ("pairs", "--case", write_json(at / "c", []), "--out", at / "x"), "not a table"),
        (lambda at: ("pairs", "--case", write_json(at / "c", {}), "--out", at / "x"), "not settled"),
        (
            lambda at: (
                "austria",
                "--case",
                case_file(at),
                "--points",
                write_json(at / "p", POINTS),
                "--out",
                at / "x",
            ),
            "ends in .csv or .xlsx",
        ),
        (
            lambda at: (
                "austria",
                "--case",
                case_file(at),
                "--points",
                write_json(at / "p", {"m": 1}),
                "--out",
                at / "x.csv",
            ),
            "is not JSON",
        ),
        (
            lambda at: (
                "spain",
                "--cau",
                "x",
                "--year",
                2026,
                "--weights",
                write_json(at / "w", {CUPS: 1}),
                "--out",
                at,
            ),
            "is not a CAU",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, arguments: Callable[[Path], tuple[object, ...]], reason: str
) -> None:
    given = arguments(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(RequestError, match=reason) as refused:
        ran(grid_command, *given)
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_file_whose_writing_breaks_off_is_not_there(tmp_path: Path) -> None:
    def write_half() -> None:
        with new_file(tmp_path / "x") as file:
            file.write(b"half")
            raise RequestError("no more")

    with pytest.raises(RequestError, match="no more"):
        write_half()
    assert list(tmp_path.iterdir()) == []
