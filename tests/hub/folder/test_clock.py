"""A clock far from the hub's own last work is said, with what to do; an ordinary stop is not."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.clock import BEHIND_S, LONG_STOP_S, clock_warning, open_clock
from hub.folder.opening import opened_hub
from hub.storage.jobs.records import Job

LAST_S = int(time.time()) - 86_400


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    folder = tmp_path / "hub"
    assert main(["init", "--data", str(folder), "--name", "Sol", "--coop", "sol", "--tz", "Europe/Madrid"]) == 0
    return folder


async def worked(folder: Path, *, at_s: int) -> None:
    async with opened_hub(folder, clock=open_clock(None)) as hub:
        await hub.store.put_job(Job("certificates", at_s + 3600, at_s, ""))
        await hub.store.put_job(Job("backup", at_s + 86_400, None, ""))


async def test_a_clock_a_year_off_is_said_in_both_directions(hub: Path) -> None:
    year_s = 365 * 86_400
    async with opened_hub(hub, clock=open_clock(None)) as opened:
        assert await clock_warning(opened.store, now_s=LAST_S) is None, "it has not worked yet"
    await worked(hub, at_s=LAST_S)
    async with opened_hub(hub, clock=open_clock(None)) as opened:
        for fitting in (LAST_S - BEHIND_S, LAST_S, LAST_S + LONG_STOP_S):
            assert await clock_warning(opened.store, now_s=fitting) is None
        behind = await clock_warning(opened.store, now_s=LAST_S - year_s)
        ahead = await clock_warning(opened.store, now_s=LAST_S + year_s)
    assert behind is not None
    assert "already: set the clock, then restart the hub" in behind
    assert ahead is not None
    assert "last worked 365 days ago: if it ran since, set the clock" in ahead


async def test_status_says_it(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await worked(hub, at_s=int(time.time()) + 365 * 86_400)
    capsys.readouterr()
    code = await asyncio.to_thread(main, ["status", "--data", str(hub), "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out)["clock"].startswith("WARNING: this computer's clock says 20")
