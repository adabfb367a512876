"""`commonwatt-hub let-in` ends a cut-off, which `status` shows, and says it when there is none."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.commands.operation.init import init_hub
from hub.folder.opening import open_hub
from hub.storage.fleet_records import CutOff
from protocols.timeline import Clock
from tests.hub.sending_home import COOP, SendingHome, enrol

REAL = Clock(real=time.time)
HOME = SendingHome("h01")


async def build(folder: Path) -> None:
    await init_hub(folder, coop=COOP, clock=REAL)
    _, _, store = await open_hub(folder, clock=REAL)
    await enrol(store, HOME, member="m01")
    await store.change_role("m01", "board", begins=True, by="")
    await store.cut_off_agents([CutOff(HOME.agent, 1_790_000_000, 6000)])
    await store.close()


def test_a_cut_off_agent_is_shown_and_let_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "hub"
    asyncio.run(build(folder))
    assert main(["status", "--data", str(folder), "--json"]) == 0
    (cut,) = json.loads(capsys.readouterr().out)["cut_off"]
    assert (cut["agent"], cut["messages_in_vain_in_a_minute"]) == (HOME.agent, 6000)
    let_in = ["let-in", "--data", str(folder), "--by", "m01", "--agent"]
    assert main([*let_in, "a-nobody"]) == 1
    assert f"agent 'a-nobody' is not cut off; agents cut off: {HOME.agent}" in capsys.readouterr().err
    assert main(["let-in", "--data", str(folder), "--by", "m02", "--agent", HOME.agent]) == 1
    assert "'m02' is not on the board" in capsys.readouterr().err
    assert main([*let_in, HOME.agent]) == 0
    assert main([*let_in, HOME.agent]) == 1
    assert "agents cut off: none" in capsys.readouterr().err
    assert main(["members", "log", "--data", str(folder), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)[-1]
    assert (line["change"], line["subject"], line["by"]) == ("agent let in", HOME.agent, "m01")
