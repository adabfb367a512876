"""`commonwatt-hub status` shows the checks of the Health page, while the hub runs and while it does not."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.__main__ import main
from tests.benchmarks.attacks.running_hub import prepare, running
from tests.hub.sending_home import SendingHome


def asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["status", "--data", str(folder), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def levels(status: dict[str, object]) -> dict[str, str]:
    health = status["health"]
    assert isinstance(health, list)
    assert all(check["do"] for check in health)
    return {check["check"]: check["level"] for check in health}


def test_it_says_whether_the_hub_is_ready_and_what_needs_a_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "hub"
    asyncio.run(prepare(folder, [SendingHome("h01")]))
    before = asked(folder, capsys)
    assert (before["is_running"], before["is_ready"]) == (False, False)
    assert levels(before) == {"hub": "bad", "board": "warning", "backup": "warning"}
    with running(folder):
        during = asked(folder, capsys)
        assert (during["is_running"], during["is_ready"]) == (True, True)
        assert {"board", "backup"} <= levels(during).keys()
        assert main(["status", "--data", str(folder)]) == 0
        assert "\n  warning: Backup: nothing is backed up" in capsys.readouterr().out
        # A hub that runs and does not answer is told apart from one that does not run.
        place = json.loads((folder / "running.json").read_text())
        (folder / "running.json").write_text(json.dumps(place | {"health": "http://127.0.0.1:1"}))
        silent = asked(folder, capsys)
        assert (silent["is_running"], silent["is_ready"], levels(silent)["part-hub"]) == (True, False, "bad")
