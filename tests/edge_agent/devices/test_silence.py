"""`status` names each device that gives no readings, since when in local time, and what to do about it."""

from pathlib import Path

import pytest

from edge_agent.devices.silence import FILE_NAME, Trouble, TroubleLog, read_troubles
from edge_agent.settings import parse_settings
from edge_agent.status_text import trouble_lines
from protocols.wire.readings import DeviceState, Liveness

START_S = 1_780_000_000
CONFIG = b"""
[hub]
url = "http://127.0.0.1:1"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://192.0.2.7:502"
max_power_w = 15000
[[device]]
name = "roof"
map = "eastron-sdm630"
role = "pv"
connect = "tcp://192.0.2.8:502"
unit = 3
max_power_w = 9000
"""


def state(name: str, liveness: Liveness, age_s: int) -> DeviceState:
    return DeviceState(name, liveness, age_s)


def test_a_device_is_silent_since_its_last_answer(tmp_path: Path) -> None:
    log = TroubleLog(tmp_path, started_s=START_S)
    log.note([state("meter", Liveness.OK, 0), state("roof", Liveness.SILENT, 700)], now_s=START_S + 900)
    assert read_troubles(tmp_path) == (Trouble("roof", Liveness.SILENT, START_S + 200),)
    written = (tmp_path / FILE_NAME).stat().st_mtime_ns
    log.note([state("meter", Liveness.OK, 0), state("roof", Liveness.SILENT, 1601)], now_s=START_S + 1800)
    assert (tmp_path / FILE_NAME).stat().st_mtime_ns == written, "nothing is written while nothing changes"
    log.note([state("meter", Liveness.OK, 0), state("roof", Liveness.SILENT, 60)], now_s=START_S + 2700)
    assert read_troubles(tmp_path)[0].since == START_S + 2640, "it answered in between"
    log.note([state("meter", Liveness.OK, 0), state("roof", Liveness.ASLEEP, 0)], now_s=START_S + 3600)
    assert read_troubles(tmp_path) == ()


@pytest.mark.parametrize("later", [Liveness.SILENT, Liveness.SLOW])
def test_a_restart_does_not_shorten_a_silence(tmp_path: Path, later: Liveness) -> None:
    TroubleLog(tmp_path, started_s=START_S).note([state("roof", Liveness.SILENT, 900)], now_s=START_S + 900)
    again = TroubleLog(tmp_path, started_s=START_S + 5000)
    again.note([state("roof", later, 899)], now_s=START_S + 5900)
    assert read_troubles(tmp_path) == (Trouble("roof", later, START_S),)


def test_a_refusing_device_refuses_since_the_first_time(tmp_path: Path) -> None:
    log = TroubleLog(tmp_path, started_s=START_S)
    for at_s in (900, 1800, 2700):
        log.note([state("meter", Liveness.REFUSING, 0)], now_s=START_S + at_s)
    assert read_troubles(tmp_path) == (Trouble("meter", Liveness.REFUSING, START_S + 900),)


@pytest.mark.parametrize("content", [b"", b"[1]", b'[{"device": "a"}]', b'[{"device": "a", "state": "x", "since": 1}]'])
def test_a_damaged_file_is_no_trouble(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert read_troubles(tmp_path) == ()


def test_a_file_that_cannot_be_written_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = TroubleLog(tmp_path / "gone", started_s=START_S)
    for age_s in (100, 1000):
        log.note([state("roof", Liveness.SILENT, age_s)], now_s=START_S + age_s)
    assert len(caplog.records) == 1


def test_each_line_says_since_when_in_local_time_and_what_to_do(tmp_path: Path) -> None:
    devices = parse_settings(CONFIG, name="agent.toml", folder=tmp_path).devices
    troubles = [Trouble("roof", Liveness.SILENT, START_S), Trouble("sold", Liveness.SILENT, START_S)]
    assert trouble_lines(troubles, devices, "Europe/Madrid") == [
        "roof: SILENT, has given no reading since 2026-05-28 22:26; check its power, its cable or network, and its"
        " address tcp://192.0.2.8:502 unit 3; `commonwatt-agent read --device roof` tries it now"
    ]
    for liveness, said in ((Liveness.REFUSING, "its map (eastron-sdm630)"), (Liveness.SLOW, "another program")):
        (line,) = trouble_lines([Trouble("meter", liveness, START_S)], devices, "Europe/Madrid")
        assert said in line
