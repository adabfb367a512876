"""`commonwatt-hub connections`: each home's limit, and the board's figure from its agreement."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.books.days import read_day_inputs, settle_day
from hub.commands.operation.init import init_hub
from hub.storage.records import Home, Member
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Clock
from tests.hub.settled_street import COOP, fill_street

TODAY = datetime.now(UTC).date()


async def build(folder: Path, *, days: Sequence[date] = ()) -> None:
    clock = Clock(real=lambda: datetime(2026, 6, 3, tzinfo=UTC).timestamp())
    await init_hub(folder, coop=COOP, clock=clock)
    store = await SqliteStore.open(folder / "hub.sqlite", now=clock.now)
    street = await fill_street(store, homes=3)
    await street.arrive_days(days)
    await store.close()


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    asyncio.run(build(tmp_path / "hub"))
    return tmp_path / "hub"


def listed(hub: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, tuple[int, str]]:
    capsys.readouterr()
    assert main(["connections", "--data", str(hub), "--json", *words]) == 0
    return {row["home"]: (row["limit_w"], row["from"]) for row in json.loads(capsys.readouterr().out)}


def test_the_board_enters_what_an_agreement_says(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = listed(hub, capsys)
    assert len(before) == 3
    assert all(limit_w >= 10_000 and source != "agreement" for limit_w, source in before.values())
    after = listed(hub, capsys, "--home", "h02", "--power-w", "9200", "--by", "m01")
    assert after == {**before, "h02": (9200, "agreement")}
    later = str(TODAY + timedelta(days=40))
    listed(hub, capsys, "--home", "h02", "--power-w", "17000", "--by", "m01", "--since", later)
    assert listed(hub, capsys)["h02"] == (9200, "agreement")
    assert main(["status", "--data", str(hub), "--json"]) == 0
    without = json.loads(capsys.readouterr().out)["connections_without_agreement"]
    assert [row["home"] for row in without] == ["h01", "h03"]


def test_a_new_hubs_settings_leave_the_connection_to_the_board(hub: Path) -> None:
    assert "connection_w" not in (hub / "hub.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--home", "h02"), "--home needs --power-w W and --by ID"),
        (("--power-w", "9"), "--power-w, --by and --since go with --home"),
        (("--home", "h09", "--power-w", "9000", "--by", "m01"), "there is no home 'h09'"),
        (("--home", "h02", "--power-w", "0", "--by", "m01"), "expected 1 to 1000000 W"),
        (("--home", "h02", "--power-w", "9000", "--by", "m03"), "'m03' is not a member of the board"),
        (("--home", "h01", "--power-w", "9000", "--by", "m01"), "another member of the board"),
    ],
)
def test_what_cannot_be_entered_is_said_in_one_line_and_changes_nothing(
    hub: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    before = listed(hub, capsys)
    assert main(["connections", "--data", str(hub), *words]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert listed(hub, capsys) == before


async def move_in(folder: Path) -> None:
    """The board's m01 is an adult in h02 and holds the further home h09."""
    store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: datetime.now(UTC).timestamp())
    chair = await store.member("m01")
    assert chair is not None
    assert await store.add_adult("h02", chair, by="m02") is None
    further = Member("m09", chair.name, "", "en", False, chair.joined_at, held_by="m01")
    await store.add_member(further, Home("h09", "Orchard", "m09"))
    await store.close()


def test_nobody_enters_the_figure_of_a_further_home_or_one_where_they_are_an_adult(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(move_in(hub))
    before = listed(hub, capsys)
    for home in ("h02", "h09"):
        words = ("connections", "--data", str(hub), "--home", home, "--power-w", "9000", "--by", "m01")
        assert main([*words]) == 1
        assert "another member of the board" in capsys.readouterr().err
    assert listed(hub, capsys) == before


async def held_on(folder: Path, day: date) -> set[str]:
    """Settle this day; the members who have something held."""
    store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: datetime.now(UTC).timestamp())
    inputs = await read_day_inputs(store, day=day)
    await settle_day(store, day=day, made_at=1)
    await store.close()
    return {member for member, each in inputs.readings.marks.items() if each.held}


def test_a_day_that_is_over_takes_a_figure_while_it_is_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub, booked = tmp_path / "hub", TODAY - timedelta(days=3)
    still_open = booked + timedelta(days=1)
    asyncio.run(build(hub, days=[booked, still_open]))
    assert asyncio.run(held_on(hub, booked)) == set()
    words = ("connections", "--data", str(hub), "--home", "h02", "--power-w", "2400", "--by", "m01", "--since")
    assert main([*words, str(booked)]) == 1
    error = capsys.readouterr().err
    assert f"{booked} is settled, and another limit would change what is booked for it" in error
    assert f"the first day still open is {still_open}" in error
    assert error.count("\n") == 1
    assert main([*words, str(booked - timedelta(days=30))]) == 1
    assert "agreement" not in {source for _, source in listed(hub, capsys).values()}
    assert listed(hub, capsys, *words[3:], str(still_open))["h02"] == (2400, "agreement")
    assert asyncio.run(held_on(hub, still_open)) == {"m02"}, "the figure counts on the day it was entered for"
