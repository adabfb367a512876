"""`commonwatt-hub findings`: lists what is kept, looks at a day without keeping, and takes the board's word."""

import argparse
import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.commands import findings as findings_command
from hub.commands.operation.init import init_hub
from hub.commands.settle import settle_days
from hub.storage.sqlite.store import SqliteStore
from protocols.errors import RequestError
from protocols.slots import slots_of_day
from protocols.timeline import Clock
from tests.hub.settled_street import COOP, arrivals_of, energy_wh, fill_street

DAYS = (date(2026, 5, 30), date(2026, 5, 31))
NOW = Clock(real=lambda: datetime(2026, 6, 3, tzinfo=UTC).timestamp())
SILENT = [each for each in arrivals_of(DAYS[1], 6) if each[0] == 4][20:29]
STUCK = slots_of_day(DAYS[0], COOP.tz)[30:50]


async def build(folder: Path) -> None:
    await init_hub(folder, coop=COOP, clock=NOW)
    store = await SqliteStore.open(folder / "hub.sqlite", now=NOW.now)
    street = await fill_street(store, homes=6)
    street.values |= {(2, slot): (345, energy_wh(2, slot)[1]) for slot in STUCK}
    await street.arrive_days(DAYS, without=SILENT)
    await store.close()
    assert len([row async for row in settle_days(folder, days=DAYS, clock=NOW)]) == len(DAYS)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    asyncio.run(build(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def say(hub: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What the command prints, read as JSON where it was asked for."""

    def called(*words: str) -> Any:
        parser = argparse.ArgumentParser()
        parser.set_defaults(data=hub, clock=None)
        findings_command.add_arguments(parser)
        named = words if {"--member", "--decide"} & {*words} else (*words, "--by", "m01")
        assert findings_command.run(parser.parse_args(named)) == 0
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in words else out

    return called


def test_settling_a_day_keeps_what_is_found_and_the_board_decides_on_it(
    say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings_command, "open_clock", lambda _: NOW)
    listed = {each["code"]: each for each in say("--json")}
    assert {code: (each["home"], each["severity"], each["waiting"]) for code, each in listed.items()} == {
        "frozen_value": ("h02", "hold", True),
        "gap": ("h04", "note", False),
    }
    number = str(listed["frozen_value"]["id"])
    assert "holds credits" in say()
    decided = say("--decide", number, "accept", "--member", "m01", "--reason", "A heater ran.", "--json")
    assert [(each["verdict"], each["board_member"], each["reason"]) for each in decided["decisions"]] == [
        ("accept", "m01", "A heater ran.")
    ]
    assert decided["decisions"][0]["decided_at"] == int(NOW.now())
    assert "accepted" in say()
    assert "rejected" in say("--decide", number, "reject", "--member", "m01", "--reason", "It stood in the garage.")
    assert [each["verdict"] for each in {e["code"]: e for e in say("--json")}["frozen_value"]["decisions"]] == [
        "accept",
        "reject",
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--decide", "1", "accept"), "needs --member ID and --reason"),
        (("--decide", "x", "accept", "--member", "m01", "--reason", "y"), "no finding has the number"),
        (("--decide", "99", "accept", "--member", "m01", "--reason", "y"), "no such finding"),
        (("--decide", "1", "maybe", "--member", "m01", "--reason", "y"), "is not one of accept, reject, estimate"),
        (("--decide", "1", "estimate", "--member", "m01", "--reason", "y"), "cannot be decided"),
        (("--decide", "1", "accept", "--member", "m02", "--reason", "y"), "your own home"),
        (("--decide", "1", "accept", "--member", "m03", "--reason", "y"), "only a member of the board"),
        (("--decide", "1", "accept", "--member", "m99", "--reason", "y"), "no member 'm99'"),
        (("--decide", "1", "accept", "--member", "m01", "--reason", " "), "give a reason"),
        (("--reason", "x"), "goes with --decide"),
        (("--plates", "x.json"), "goes with --day"),
    ],
)
def test_a_word_that_does_not_count_is_one_line(say: Callable[..., Any], words: tuple[str, ...], why: str) -> None:
    with pytest.raises(RequestError, match=why):
        say(*words)


def test_a_look_at_a_day_keeps_nothing_and_plates_are_checked(say: Callable[..., Any], tmp_path: Path) -> None:
    (gap,) = say("--day", "2026-05-31", "--json")
    assert (gap["home"], gap["code"], gap["severity"], gap["slots"]) == ("h04", "gap", "note", len(SILENT))
    assert gap["first_slot"] == SILENT[0][1]
    assert say("--day", "2026-05-31").startswith("h04  note")
    assert "h02  holds credits" in say("--day", "2026-05-30")
    plates = tmp_path / "plates.json"
    for wrong in (
        '{"h99": {"pv_production": 1000}}',
        '{"h02": {"grid_import": 1}}',
        '{"h02": {"pv_production": -1}}',
        '{"h02": 1}',
    ):
        plates.write_text(wrong)
        with pytest.raises(RequestError, match="plates"):
            say("--day", "2026-05-30", "--plates", str(plates))
