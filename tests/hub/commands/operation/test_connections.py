"""`commonwatt-hub connections`: each home's limit, and the board's figure from its agreement."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.commands.operation.init import init_hub
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Clock
from tests.hub.settled_street import COOP, fill_street

TODAY = datetime.now(UTC).date()


async def build(folder: Path) -> None:
    clock = Clock(real=lambda: datetime(2026, 6, 3, tzinfo=UTC).timestamp())
    await init_hub(folder, coop=COOP, clock=clock)
    store = await SqliteStore.open(folder / "hub.sqlite", now=clock.now)
    await fill_street(store, homes=3)
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
        (("--home", "h02", "--power-w", "9000", "--by", "m01", "--since", "2026-01-01"), "days that are over keep"),
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
