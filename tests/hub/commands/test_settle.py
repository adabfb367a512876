"""`settle --day` and `settle --month` of run D: days before the first member, and a refusal in the month's middle."""

import asyncio
import json
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.__main__ import main
from hub.core.ledger.run_calendar import days_of
from hub.core.rules.rulebook import Prices, Rule
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Timeline
from tests.hub.second_rule import put_rule
from tests.hub.settled_street import COOP, fill_street

MAY = days_of(date(2026, 5, 1))
JOINED, REFUSED = 26, 28


def midnight_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(COOP.tz)).timestamp())


@pytest.fixture
def hub(tmp_path: Path) -> list[str]:
    """A hub whose members joined on the 27th; the arguments that name it, on a day in June."""
    folder, clock = tmp_path / "hub", tmp_path / "clock.json"
    clock.write_text(Timeline(0, midnight_s(date(2026, 6, 20)), 0, None).text())
    place = ["--data", str(folder), "--clock", str(clock)]
    assert main(["init", *place, "--name", "Street", "--coop", COOP.id, "--tz", COOP.tz]) == 0

    async def fill() -> None:
        store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: 1_800_000_000.0)
        street = await fill_street(store, joined_at=midnight_s(MAY[JOINED]))
        await street.arrive_days(MAY[JOINED - 1 :])
        await store.close()

    asyncio.run(fill())
    return place


def add_rule_for_others(place: list[str]) -> None:
    """From the 29th on a rule that names a member who is not there."""
    rule = Rule("weighted", {"weights": {"m09": 1}}, prices=Prices(185_432, 158_765))

    async def add() -> None:
        store = await SqliteStore.open(Path(place[1]) / "hub.sqlite", now=lambda: 1_800_000_000.0)
        await put_rule(store, rule.version(), canonical=rule.canonical(), first_day=str(MAY[REFUSED]))
        await store.close()

    asyncio.run(add())


def test_days_before_the_first_member_are_skipped_with_a_word(
    hub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["settle", *hub, "--month", "2026-05"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2026-05-01  skipped: nobody was a member yet"
    assert [("skipped" in line) for line in lines] == [day < JOINED for day in range(31)]
    assert all("complete" in line for line in lines[JOINED:])
    assert main(["settle", *hub, "--month", "2026-05", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {"day": "2026-05-01", "state": "skipped", "why": "nobody was a member yet"}
    assert [row.get("entries_booked") for row in rows] == [None] * JOINED + [0] * (31 - JOINED)


def test_a_month_run_takes_only_the_days_that_had_members(hub: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["settle", *hub, "--month", "2026-05", "--kind", "M1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == 31 - JOINED
    assert main(["settle", *hub, "--month", "2026-04", "--kind", "M1"]) == 1
    assert "no_members" in capsys.readouterr().err


def test_only_days_without_members_are_refused(hub: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settle", *hub, "--day", "2026-05-02"]) == 1
    assert "settle: 2026-05-02: no member had readings on that day; nothing was booked" in capsys.readouterr().err
    assert main(["settle", *hub, "--month", "2026-04"]) == 1
    said = capsys.readouterr()
    assert said.out.count("skipped") == 29
    assert said.err.splitlines() == [
        "commonwatt-hub: settle: 2026-04-30: no member had readings on that day; nothing was booked"
    ]


def test_what_was_booked_before_a_refusal_is_printed(hub: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    add_rule_for_others(hub)
    capsys.readouterr()
    assert main(["settle", *hub, "--month", "2026-05"]) == 1
    said = capsys.readouterr()
    assert [line[:10] for line in said.out.splitlines()[JOINED:]] == [str(day) for day in MAY[JOINED:REFUSED]]
    assert said.err.startswith("commonwatt-hub: settle: 2026-05-29 is refused: weights_members")
    assert len(said.err.splitlines()) == 1
    assert main(["status", *hub, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["last_settled_day"] == "2026-05-28"


def test_several_days_are_settled_in_the_order_given(hub: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    days = [str(MAY[place]) for place in (JOINED + 2, JOINED + 1)]
    assert main(["settle", *hub, "--day", *days, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["day"] for row in rows] == days
    assert all(row["entries_booked"] for row in rows)
