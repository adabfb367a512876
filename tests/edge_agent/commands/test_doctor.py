"""`commonwatt-agent doctor`: each thing that is wrong is named with what to do, and the status says so."""

import fcntl
import json
import os
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.__main__ import main
from edge_agent.checkup.service import service_commands
from edge_agent.commands import doctor
from edge_agent.devices.silence import TroubleLog
from edge_agent.outbox.opening import LOCK_NAME
from edge_agent.outbox.schema import SCHEMA
from protocols.wire.readings import DeviceState, Liveness
from tests.edge_agent.enrolment_desk import CONFIG, enrol_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.setattr(doctor, "is_synchronised", lambda: True)
    enrol_home(tmp_path, monkeypatch)
    capsys.readouterr()
    return tmp_path


def looked(home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, Any]]]:
    status = main(["doctor", "--json", "--config", str(home / "agent.toml")])
    record = json.loads(capsys.readouterr().out)
    assert record["ok"] == (status == 0)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in record["checks"]:
        found.setdefault(each["subject"], []).append(each)
        assert each["state"] != "wrong" or each["advice"], each
    return found


def fill_outbox(home: Path, *, made_at: float, waiting: int) -> None:
    with sqlite3.connect(home / "data" / "outbox.sqlite") as db:
        db.executescript(SCHEMA)
        db.executemany(
            "INSERT INTO message (id, kind, topic, sealed, hash, made_at) VALUES (1 << 32 | ?,'batch','','','',?)",
            [(seq, int(made_at)) for seq in range(1, waiting + 1)],
        )


def test_a_silent_device_a_dead_agent_and_no_broker_are_told_with_what_to_do(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_where: object, **_how: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refused)
    found = looked(home, capsys)
    assert found["configuration"][0]["state"] == found["clock"][0]["state"] == found["enrolment"][0]["state"] == "ok"
    (meter,) = found["device meter"]
    assert "cannot connect" in meter["words"]
    assert "scan" in meter["advice"]
    assert "run --config" in found["agent"][0]["advice"], "where no service is installed"
    assert "127.0.0.1:1883 cannot be reached: Connection refused" in found["broker"][0]["words"]


def test_a_running_agent_is_believed_and_not_disturbed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = os.open(home / "data" / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        fill_outbox(home, made_at=time.time() - 60, waiting=1)
        found = looked(home, capsys)
        assert found["agent"][0]["state"] == "ok"
        assert found["device meter"][0]["words"] == "the running agent gets its values"
        trouble = DeviceState("meter", Liveness.SILENT, 7200)
        TroubleLog(home / "data", started_s=0).note([trouble], now_s=time.time())
        assert "silent, for 2 hours" in looked(home, capsys)["device meter"][0]["words"]
    finally:
        os.close(lock)


def test_an_agent_that_makes_nothing_any_more_and_messages_without_receipts(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_outbox(home, made_at=time.time() - 2 * 86400, waiting=20)
    found = looked(home, capsys)
    assert "last message is 2 days old" in found["agent"][0]["words"]
    assert "20 messages wait for their receipt, the oldest for 2 days" in found["receipts"][0]["words"]
    monkeypatch.setattr("edge_agent.checkup.computer.is_running", lambda _folder: True)
    assert service_commands(home / "agent.toml").restart in looked(home, capsys)["agent"][0]["advice"]


def test_a_clock_that_nobody_sets(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "is_synchronised", lambda: False)
    assert "timedatectl" in looked(home, capsys)["clock"][0]["advice"]


def test_a_wrong_configuration_is_the_first_thing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "agent.toml").write_text(CONFIG.replace("eastron-sdm630", "eastron-sdm6300"))
    (broken,) = looked(home, capsys)["configuration"]
    assert "no family 'eastron-sdm6300'" in broken["words"]


def test_a_serial_port_that_is_not_there_and_a_damaged_consent(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = home / "ttyUSB9"
    (home / "agent.toml").write_text(CONFIG.replace("tcp://127.0.0.1:1", f"rtu://{port}"))
    (home / "consent.toml").write_text("home = 3\n")
    found = looked(home, capsys)
    assert found[f"serial port {port}"][0]["words"] == "it is not there"
    assert found["consent"][0]["state"] == "wrong"


def test_a_home_that_is_not_enrolled(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "data" / "enrolment.json").unlink()
    found = looked(home, capsys)
    assert found["enrolment"][0]["advice"] == "`commonwatt-agent setup`"
    assert "broker" not in found


def test_lines_end_with_what_is_wrong_and_how_much(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(home / "agent.toml")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok     configuration: ")
    assert lines[-1].endswith("wrong")
    states = [line[:5] for line in lines[:-1] if not line.startswith(" ")]
    assert states == sorted(states, key=["ok   ", "note ", "WRONG"].index)
