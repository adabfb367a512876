"""What a part was told before it listened is told again when it serves."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.folder.settings import parse_settings
from hub.processes.part_process import PartProcess
from hub.processes.running import Hub

SETTINGS = b'[coop]\nid = "c"\nname = "C"\ntz = "Europe/Madrid"\n'


async def test_intake_hears_of_the_broker_when_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str, dict[str, object]]] = []
    monkeypatch.setattr(PartProcess, "tell", lambda part, what, **facts: told.append((part.name, what, facts)))
    hub: Any = Hub(tmp_path, parse_settings(SETTINGS, name="hub.toml", folder=tmp_path), lock=0, clock_file=None)
    hub._brokers = SimpleNamespace(are_ready=[True, False])
    intake = cast(PartProcess, hub._parts["intake"])
    await hub._answer(intake, "publish", {"topic": "t", "sealed": "x"})
    await hub._answer(intake, "serving", {})
    assert told == [
        ("intake", "broker", {"are_ready": [True, False]}),
        ("intake", "publish", {"topic": "t", "sealed": "x"}),
    ]
