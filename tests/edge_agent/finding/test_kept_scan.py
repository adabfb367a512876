"""What a scan kept is what set-up gets, and a damaged file is none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.finding.kept_scan import FILE_NAME, keep_scan, kept_scan
from edge_agent.finding.text import paste_lines
from edge_agent.setup.device_steps import choose_devices
from edge_agent.setup.progress import SetupProgress
from protocols.toml_text import read_toml
from tests.edge_agent.setup.scripted import INVERTER, METER, NOW_S, InventedHome, Script, found


def test_what_was_kept_comes_back_and_what_is_damaged_does_not(tmp_path: Path) -> None:
    assert kept_scan(tmp_path) is None
    path = keep_scan(tmp_path, [found(METER), found(port=503)], now_s=5.0)
    kept = kept_scan(tmp_path)
    assert kept is not None
    assert [(each.endpoint.port, each.unit, each.proposals) for each in kept.found] == [
        (502, 1, (METER,)),
        (503, 1, ()),
    ]
    for damaged in ("", "[]", "{}", '{"at_s": 1, "found": [{"connect": "x"}]}'):
        path.write_text(damaged)
        assert kept_scan(tmp_path) is None
    assert path.name == FILE_NAME


@pytest.mark.parametrize(("answer", "searched"), [("", 0), ("n", 1)])
async def test_setup_offers_what_a_scan_found(tmp_path: Path, answer: str, searched: int) -> None:
    home = InventedHome(tmp_path, [found(METER)])
    home.shows("grid", 500, import_wh=1)
    keep_scan(tmp_path, [found(METER)], now_s=NOW_S - 7200)
    again = [] if answer == "" else [("Another address", "192.168.1.20")]
    script = Script(("Makes", ""), ("tcp://192.168.1.20:502 unit 1, 2 hours ago", answer), *again, ("Which", ""),
                    ("What", ""), ("same", "y"), ("Sign", "s"), ("kW", ""), ("more", ""))  # fmt: skip
    progress = SetupProgress()
    await choose_devices(script, home.parts(), progress)
    assert len(home.plans) == searched
    assert [each.map for each in progress.devices] == ["eastron-sdm630"]


def test_the_lines_to_paste_are_toml_with_one_grid_meter() -> None:
    text = "\n".join(paste_lines([found(METER), found(METER, port=503), found(INVERTER, port=504), found(port=505)]))
    devices = read_toml(text)["device"]
    assert [(each["map"], each["role"]) for each in devices] == [
        ("eastron-sdm630", "grid"), ("eastron-sdm630", "pv"), ("huawei-sun2000", "pv"),
    ]  # fmt: skip
    assert "not certain" in text
    assert paste_lines([found()]) == []


def test_a_scan_that_an_earlier_agent_kept_is_read(tmp_path: Path) -> None:
    path = keep_scan(tmp_path, [found(METER)], now_s=5.0)
    record = json.loads(path.read_text())
    for each in record["found"][0]["proposals"]:
        del each["alike"]
    path.write_text(json.dumps(record))
    kept = kept_scan(tmp_path)
    assert kept is not None
    assert kept.found[0].proposals == (METER,)
    path = keep_scan(tmp_path, [found(replace(METER, alike=(("grid", "pv"),)))], now_s=5.0)
    kept = kept_scan(tmp_path)
    assert kept is not None
    assert kept.found[0].proposals[0].alike == (("grid", "pv"),)
