"""what-if and fairness on a real hub: nothing is booked, nothing is told of fewer than five homes."""

import argparse
import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hub.books.days import settle_day
from hub.commands import statement as statement_command
from hub.commands.members.named_look import OWN_BY_COMMAND
from hub.commands.operation.init import init_hub
from hub.commands.trials import fairness as fairness_command
from hub.commands.trials import what_if as what_if_command
from hub.folder.keys.signer import load_signer
from hub.storage.access_records import (
    FAIRNESS_ALL_FIELDS,
    FAIRNESS_FIELDS,
    NEIGHBOUR_FIELDS,
    STATEMENT_LOOK,
    TRIAL_FIELDS,
    AccessFilter,
)
from hub.storage.sqlite.store import SqliteStore
from protocols.errors import RequestError
from protocols.timeline import Clock
from tests.hub.settled_street import COOP, arrivals_of, fill_street

DAYS = (date(2026, 5, 30), date(2026, 5, 31))
RANGE = ("--from", "2026-05-30", "--to", "2026-05-31")
NOW = Clock(real=lambda: datetime(2026, 6, 3, tzinfo=UTC).timestamp())
SILENT = [each for each in arrivals_of(DAYS[1], 6) if each[0] == 4][20:29]


ASKED = ("--by", "m01", "--reason", "asked for by the member")


async def build(folder: Path, *, homes: int) -> None:
    await init_hub(folder, coop=COOP, clock=NOW)
    key = load_signer(folder)
    store = await SqliteStore.open(folder / "hub.sqlite", now=NOW.now, signer=key)
    street = await fill_street(store, homes=homes)
    await street.arrive_days(DAYS, without=SILENT)
    for day in DAYS:
        await settle_day(store, day=day, made_at=1, key=key)
    await store.close()


def made(folder: Path, *, homes: int) -> Path:
    asyncio.run(build(folder, homes=homes))
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("trial") / "hub", homes=6)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What a command prints, read as JSON where it was asked for."""

    def called(module: ModuleType, folder: Path, *words: str) -> Any:
        parser = argparse.ArgumentParser()
        parser.set_defaults(data=folder, clock=None)
        module.add_arguments(parser)
        given = words if "--by" in words else (*words, "--by", "m01")
        assert module.run(parser.parse_args(given)) == 0
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in words else out

    return called


async def entries_of(folder: Path) -> int:
    store = await SqliteStore.open(folder / "hub.sqlite", now=NOW.now)
    position, _ = await store.ledger_head()
    looks = {(row.actor, row.purpose) for row in await store.access_rows("h03", limit=50)}
    await store.close()
    assert ("job:what-if", "settle.share") in looks
    return position


def test_the_rule_in_force_tried_again_changes_nothing_for_anyone(hub: Path, say: Callable[..., Any]) -> None:
    found = say(what_if_command, hub, *RANGE, "--method", "proportional", "--member", "m03", *ASKED, "--json")
    assert found["tried"] == found["stood"]
    assert (found["days"], found["tried"]["homes"], found["member"]["gain_nano"]) == (2, 6, 0)


def test_another_rule_shows_sums_to_all_and_one_member_only_by_name(hub: Path, say: Callable[..., Any]) -> None:
    before = None
    for method in ("equal", "priority", "solidarity", "pairwise", "static_rounds"):
        found = say(what_if_command, hub, *RANGE, "--method", method, "--json")
        assert "member" not in found
        assert not any(f"m{n:02d}" in json.dumps(found) for n in range(1, 7))
        assert 0 < found["tried"]["shared_wh"] <= found["stood"]["shared_wh"]
        before = before or asyncio.run(entries_of(hub))
    assert asyncio.run(entries_of(hub)) == before
    text = say(
        what_if_command, hub, *RANGE, "--method", "equal", "--member", "m02", "--by", "m01", "--reason", "a test"
    )
    assert "m02: " in text
    assert "m03" not in text


def test_parameters_from_a_file_are_tried_and_wrong_ones_are_one_line(
    hub: Path, say: Callable[..., Any], tmp_path: Path
) -> None:
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"weights": {f"m{n:02d}": n for n in range(1, 7)}}))
    with_file = say(what_if_command, hub, *RANGE, "--method", "weighted", "--params", str(params), "--json")
    usual = say(what_if_command, hub, *RANGE, "--method", "weighted", "--json")
    assert with_file["tried"]["version"] != usual["tried"]["version"]
    params.write_text('{"weights": {"m01": 0.5}}')
    for words in (
        (*RANGE, "--method", "weighted", "--params", str(params)),
        (*RANGE, "--method", "equal", "--member", "m99"),
        ("--from", "2026-05-31", "--to", "2026-05-30", "--method", "equal"),
        ("--from", "2025-05-30", "--to", "2025-05-31", "--method", "equal"),
    ):
        with pytest.raises(RequestError) as refused:
            say(what_if_command, hub, *words)
        assert len(str(refused.value).splitlines()) == 1


def test_fairness_adds_up_and_is_the_same_again(hub: Path, say: Callable[..., Any]) -> None:
    found = say(fairness_command, hub, *RANGE, "--member", "m01", "--by", "m01", "--json")
    assert found["value_nano"] == found["got_nano"] + found["margin_nano"] + found["unshared_nano"]
    assert found["value_nano"] > 0
    assert "You added" in found["member"]["words"]
    assert say(fairness_command, hub, *RANGE, "--member", "m01", "--by", "m01", "--json") == found
    assert "m0" not in say(fairness_command, hub, *RANGE)


async def lines_of(folder: Path, home: str) -> list[tuple[str, str, str, str]]:
    store = await SqliteStore.open(folder / "hub.sqlite", now=NOW.now)
    rows = await store.access_rows(home, limit=200, wanted=AccessFilter(role="board"))
    await store.close()
    return [(row.actor, row.purpose, row.fields, row.reason) for row in rows]


def test_every_home_that_a_command_reads_has_the_name_of_who_looked(say: Callable[..., Any], tmp_path: Path) -> None:
    hub, asked = made(tmp_path / "named", homes=6), ("--member", "m03", "--by", "m02", "--reason", "m03 asked")
    say(what_if_command, hub, *RANGE, "--method", "equal", *asked)
    say(fairness_command, hub, *RANGE, *asked)
    say(statement_command, hub, "--month", "2026-05", *asked, "--out", str(tmp_path / "out"))
    share = ("m02", "settle.share")
    fields = {(fields, reason) for _, _, fields, reason in asyncio.run(lines_of(hub, "h03"))}
    assert fields >= {(each, "m03 asked") for each in (STATEMENT_LOOK, FAIRNESS_FIELDS, TRIAL_FIELDS)}
    for home in ("h01", "h02", "h04"):
        assert {*asyncio.run(lines_of(hub, home))} == {
            (*share, NEIGHBOUR_FIELDS, "a neighbour's statement was made"),
            (*share, FAIRNESS_ALL_FIELDS, "the fairness report was made"),
            (*share, TRIAL_FIELDS, "a rule was tried"),
        }


def test_a_look_at_oneself_by_a_command_is_said_to_be_one(say: Callable[..., Any], tmp_path: Path) -> None:
    hub = made(tmp_path / "own", homes=6)
    say(what_if_command, hub, *RANGE, "--method", "equal", "--member", "m01", "--by", "m01")
    assert asyncio.run(lines_of(hub, "h01")) == [("m01", "settle.share", TRIAL_FIELDS, OWN_BY_COMMAND)]


def test_four_homes_are_told_nothing_of_each_other(say: Callable[..., Any], tmp_path: Path) -> None:
    small = made(tmp_path / "small", homes=4)
    found = say(what_if_command, small, *RANGE, "--method", "equal", "--json")
    numbers = {name: value for name, value in found["tried"].items() if name not in ("method", "version", "homes")}
    assert set(numbers.values()) == {None}
    with pytest.raises(RequestError, match="fewer than 5"):
        say(fairness_command, small, *RANGE)
