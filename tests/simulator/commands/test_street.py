"""The commands as a developer types them: a device, a street, its history, and what bad input gets."""

import io
import json
import os
import re
import subprocess
import sys
import time
import tomllib
import urllib.request
from contextlib import redirect_stderr
from pathlib import Path
from urllib.error import HTTPError

import pytest
from pymodbus.client import ModbusSerialClient, ModbusTcpClient

from protocols.consent.text import parse_consent
from protocols.timeline import Timeline
from simulator.__main__ import main
from simulator.world.families import STREET_FAMILIES
from tests.simulator.sim_process import running

START_S = 20640 * 86400 + 9 * 3600 + 20


def refused(*arguments: str) -> str:
    """What a command says that cannot do what it was told."""
    said = io.StringIO()
    with redirect_stderr(said):
        try:
            code = main(list(arguments))
        except SystemExit as left:
            code = int(str(left.code))
    assert code == 2
    return said.getvalue()


def get(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=20) as answer:
        content = json.load(answer)
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("family", ["huawei-sun2000", "shelly-pro3em", "eastron-sdm630"])
def test_one_device_for_anyones_client_and_its_values_as_people_write_them(family: str) -> None:
    with running("device", family, "--port", "0", "--unit", "5") as (_, said):
        port = int(re.search(r"port (\d+), unit 5", said)[1])  # type: ignore[index]
        row = re.search(r"^ +(\d) +(\d+) +(\d+) .*active_power = (-?[\d.]+)", said, re.MULTILINE)
        assert row is not None
        function, address, count = (int(each) for each in row.groups()[:3])
        client = ModbusTcpClient("127.0.0.1", port=port, timeout=5)
        assert client.connect()
        read = client.read_holding_registers if function == 3 else client.read_input_registers
        assert len(read(address, count=count, device_id=5).registers) == count
        client.close()
        values = re.findall(r" = (-?[\d.]+)$", said, re.MULTILINE)
        assert len(values) >= 3
        assert all(len(value.replace(".", "").lstrip("-0")) <= 9 for value in values), values


def test_a_device_on_a_pty_that_takes_the_place_of_one_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "bus"
    path.symlink_to("/dev/pts/99999")
    with running("device", "bornay-wind-plus", "--rtu", str(path)):
        assert path.resolve().exists()
        client = ModbusSerialClient(str(path), baudrate=57600, timeout=5)
        assert client.connect()
        assert len(client.read_holding_registers(5000, count=31, device_id=1).registers) == 31
        client.close()
    assert not path.exists()


def test_a_device_is_lively_and_its_port_is_taken() -> None:
    with running("device", "sunspec-meter", "--port", "0") as (_, said):
        port = int(re.search(r"port (\d+)", said)[1])  # type: ignore[index]
        client = ModbusTcpClient("127.0.0.1", port=port, timeout=5)
        assert client.connect()
        seen, deadline = set(), time.monotonic() + 15
        while len(seen) < 3:
            assert time.monotonic() < deadline
            seen.add(tuple(client.read_holding_registers(40070, count=107, device_id=1).registers))
            time.sleep(0.1)
        client.close()
        complaint = refused("device", "shelly-pro3em", "--port", str(port))
        assert f"cannot serve at {port}" in complaint
        assert complaint.count("\n") == 1


def test_a_street_without_a_hub(tmp_path: Path) -> None:
    clock = tmp_path / "clock.json"
    clock.write_text(Timeline(0, START_S, 0, None).text())
    data = tmp_path / "street"
    with running(
        "street", "--homes", "12", "--seed", "5", "--data", str(data), "--clock", str(clock), "--hub",
        "http://127.0.0.1:8555",
    ) as (_, said):  # fmt: skip
        street = json.loads((data / "street.json").read_text())
        assert [home["id"] for home in street["homes"]] == [f"h{each:02d}" for each in range(1, 13)]
        assert len({device["map"] for home in street["homes"] for device in home["devices"]}) == len(STREET_FAMILIES)
        for home in street["homes"]:
            folder = data / "homes" / home["id"]
            agent = tomllib.loads((folder / "agent.toml").read_text())
            assert agent["hub"]["url"] == "http://127.0.0.1:8555"
            assert {device["role"] for device in agent["device"]} >= {"grid"}
            assert parse_consent((folder / "consent.toml").read_text()).home == home["id"]
            for device in agent["device"]:
                assert device["connect"] in said
        status = get(street["control_url"] + "/status.json")
        assert status["now_s"] == START_S
        assert status["residents"] is None
        weather = get(street["weather_url"] + "?latitude=48&longitude=8&hourly=temperature_2m")
        assert weather["issued"] == "2026-07-06T09:00Z"
        from_s = START_S - START_S % 900 - 3600
        truth = get(f"{street['control_url']}/truth.json?from={from_s}&to={from_s + 3600}")
        homes = truth["homes"]
        assert isinstance(homes, dict)
        assert set(homes) == {home["id"] for home in street["homes"]}
        assert len(homes["h01"]["energy_wh"]["pv_production"]) == 4
        for query in (f"from={from_s}&to={from_s + 36000}", "from=1&to=2", "", "from=a&to=b"):
            with pytest.raises(HTTPError, match="400"):
                get(f"{street['control_url']}/truth.json?{query}")
        with pytest.raises(HTTPError, match="503"):
            get(street["control_url"] + "/look.json")
        read_each_home(street)
    assert not list((data / "bus").iterdir())
    history_follows(data)


def read_each_home(street: dict[str, object]) -> None:
    """Every device answers at its connect string."""
    homes = street["homes"]
    assert isinstance(homes, list)
    for home in homes:
        for device in home["devices"]:
            connect = device["connect"]
            if connect.startswith("rtu"):
                client = ModbusSerialClient(connect[6:].split("?")[0], timeout=5)
            else:
                client = ModbusTcpClient("127.0.0.1", port=int(connect.rsplit(":", 1)[1]), timeout=5)
            assert client.connect()
            # A delicate device is not ready at once after a connect.
            time.sleep(0.15)
            where = {
                "sunspec-inverter": (40000, 3), "sunspec-meter": (40000, 3), "eastron-sdm630": (52, 4),
                "huawei-sun2000": (37113, 3), "shelly-pro3em": (1013, 4), "bornay-wind-plus": (5023, 3),
            }[device["map"]]  # fmt: skip
            read = client.read_holding_registers if where[1] == 3 else client.read_input_registers
            assert len(read(where[0], count=2, device_id=device["unit"]).registers) == 2
            client.close()


def history_follows(data: Path) -> None:
    """Recordings of the same street can be written afterwards, and asking for too much is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "history", "--street", str(data), "--days", "2", "--until",
         "2026-07-06T09:00Z"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.count("rows") == 12
    lines = (data / "homes" / "h03" / "recording.csv").read_text().splitlines()
    assert len(lines) == 1 + (2 * 96 + 1) * 5
    assert "street begins on 2026-05-31" in refused(
        "history", "--street", str(data), "--days", "60", "--until", "2026-07-06T09:00Z"
    )


def test_bad_input_gets_one_line(tmp_path: Path) -> None:
    assert "no device family 'toaster': choose one of" in refused("device", "toaster")
    assert "expected --port" in refused("device", "shelly-pro3em", "--port", "99999")
    history = ("history", "--street", str(tmp_path), "--until", "2026-07-06T09:00Z")
    assert "street.json: does not exist: `commonwatt-sim street --data" in refused(*history)
    (tmp_path / "street.json").write_text("[]")
    assert "not a street file" in refused(*history)
    (tmp_path / "street.json").unlink()
    assert "--port: invalid int value: 'x'" in refused("device", "shelly-pro3em", "--port", "x")
    assert "expected a time like" in refused("history", "--street", str(tmp_path), "--until", "soon")
    assert "1 to 200 homes" in refused("street", "--homes", "0", "--data", str(tmp_path))
    assert "cannot read the timeline" in refused("street", "--data", str(tmp_path), "--clock", str(tmp_path / "none"))
    for rate in ("-1", "0", "nan", "inf"):
        assert "--rate: expected" in refused("street", "--data", str(tmp_path), "--rate", rate)
    assert "--interval: expected a divisor of 900" in refused("street", "--data", str(tmp_path), "--interval", "7")
    assert "--hub: expected an address" in refused("street", "--data", str(tmp_path), "--hub", 'http://x"y')
    assert "at most 1100 days" in refused("street", "--data", str(tmp_path), "--first-day", "0001-01-01")
    assert not list(tmp_path.iterdir())
    faults = tmp_path / "faults.toml"
    faults.write_text("[[fault]]\nhome = 3")
    assert "fault[0]: home" in refused("street", "--data", str(tmp_path), "--faults", str(faults))
    assert "cannot be read" in refused("street", "--data", str(tmp_path), "--faults", str(tmp_path / "none"))


def test_a_bus_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    mine, link = tmp_path / "letter.txt", tmp_path / "shortcut"
    mine.write_text("dear all")
    link.symlink_to(mine)
    for path in (mine, link):
        complaint = refused("device", "bornay-wind-plus", "--rtu", str(path))
        assert f"cannot serve at {path}: File exists" in complaint
    assert link.read_text() == "dear all"


@pytest.mark.parametrize("command", ["device", "street", "history"])
def test_help_is_complete(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulator", command, "--help"],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    assert done.stdout.startswith(f"usage: commonwatt-sim {command} ")
    opening, _, options = done.stdout.partition("\noptions:\n")
    assert re.search(r"^[A-Z].*\.$", opening, re.MULTILINE), "it says what the command does"
    for option in re.findall(r"\[(--[a-z-]+)", opening):
        assert re.search(rf"^  (-h, )?{option}( [A-Z]+)?\s+\S", options, re.MULTILINE), f"{option} has no words"
