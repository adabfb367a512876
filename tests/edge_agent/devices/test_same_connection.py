"""One host or one serial port is opened once, however the household wrote it."""

from pathlib import Path

import pytest

from edge_agent.devices.assembly import make_fleet
from edge_agent.devices.same_connection import addresses, look_up
from edge_agent.settings import Settings, parse_settings
from protocols.errors import SettingsError
from tests.edge_agent.modbus_stand import Stand, meter_words

DEVICE = """
[[device]]
name = "d{at}"
map = "eastron-sdm630"
role = "{role}"
connect = "{connect}"
unit = {unit}
max_power_w = 5000
"""


def settings_of(folder: Path, *connects: str) -> Settings:
    text = '[hub]\nurl = "http://127.0.0.1:1"\ncoop = "c"\n' + "".join(
        DEVICE.format(at=at, role="load", connect=connect, unit=at + 1) for at, connect in enumerate(connects)
    )
    return parse_settings(text.encode(), name="agent.toml", folder=folder)


def connections(folder: Path, *connects: str, known: dict[str, str] | None = None) -> int:
    settings = settings_of(folder, *connects)
    return len(set(addresses(settings.devices, "agent.toml", find=(known or {}).get).values()))


@pytest.mark.parametrize(
    "connects",
    [
        ("tcp://localhost:502", "tcp://127.0.0.1:502"),
        ("tcp://LOCALHOST:502", "tcp://localhost.:502", "tcp://127.0.0.1"),
        ("tcp://[fd00::1]:502", "tcp://[FD00:0:0::0001]:502"),
        ("tcp://Inverter.lan:502", "tcp://inverter.lan.:502", "tcp://192.0.2.7:502"),
    ],
)
def test_two_names_for_one_host_are_one_connection(tmp_path: Path, connects: tuple[str, ...]) -> None:
    assert connections(tmp_path, *connects, known={"inverter.lan": "192.0.2.7"}) == 1


@pytest.mark.parametrize(
    "connects",
    [
        ("tcp://192.0.2.7:502", "tcp://192.0.2.8:502"),
        ("tcp://192.0.2.7:502", "tcp://192.0.2.7:503"),
        ("tcp://192.0.2.7:502", "udp://192.0.2.7:502"),
        ("tcp://nobody.lan:502", "tcp://192.0.2.7:502"),
    ],
)
def test_what_is_not_the_same_is_not_made_one(tmp_path: Path, connects: tuple[str, ...]) -> None:
    assert connections(tmp_path, *connects) == 2


def test_a_name_is_looked_up_only_where_it_could_be_another_devices(tmp_path: Path) -> None:
    asked: list[str] = []
    settings = settings_of(tmp_path, "tcp://one.lan:502", "tcp://192.0.2.7:503", "tcp://one.lan:502")
    found = addresses(settings.devices, "agent.toml", find=asked.append)  # type: ignore[arg-type]
    assert (len(set(found.values())), asked) == (2, [])


def test_two_links_to_one_serial_port_are_one_connection(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "usb-FTDI-port0").symlink_to("ttyUSB0")
    ports = [f"rtu://{tmp_path}/ttyUSB0", f"rtu://{tmp_path}/usb-FTDI-port0"]
    ((link, devices),) = make_fleet(settings_of(tmp_path, *ports))
    assert (link.endpoint.path, len(devices)) == (f"{tmp_path}/ttyUSB0", 2)


@pytest.mark.parametrize(("one", "other"), [("tcp", "rtu+tcp"), ("rtu+tcp", "ascii+tcp")])
def test_two_framings_on_one_connection_are_refused_in_one_line(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_fleet(settings_of(tmp_path, f"{one}://localhost:502", f"{other}://127.0.0.1:502"))
    assert str(caught.value) == (
        f"agent.toml: devices 'd0' and 'd1': connect: expected the same on one connection, found {one} and {other}"
        " for 127.0.0.1 port 502"
    )


async def test_a_device_that_takes_one_client_is_opened_once_under_two_names(tmp_path: Path) -> None:
    stand = await Stand(meter_words(1000), units=(1, 2)).start()
    fleet = make_fleet(settings_of(tmp_path, f"tcp://localhost:{stand.port}", f"tcp://127.0.0.1:{stand.port}"))
    for link, devices in fleet:
        for device in devices:
            await device.read_places(link)
    assert (len(fleet), stand.connections) == (1, 1)
    for link, _ in fleet:
        await link.close()
    await stand.stop()


def test_a_name_that_nobody_knows_is_not_found() -> None:
    assert look_up("localhost") in ("127.0.0.1", "::1")
    assert look_up("no such name") is None


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ('"grid"', '"pv"', "devices 'd0' and 'd1': role: eastron-sdm630 has one set of counters for grid and pv"),
        ('["grid", "load"]', '"load"', "device 'd0': role: eastron-sdm630 has one set of counters for grid and load"),
    ],
)
def test_one_meter_in_two_roles_is_refused(tmp_path: Path, one: str, other: str, words: str) -> None:
    """The energy of the same counters would be drawn from the grid and produced as well."""
    text = '[hub]\nurl = "http://127.0.0.1:1"\ncoop = "c"\n' + "".join(
        DEVICE.format(at=at, role="ROLE", connect=f"tcp://{host}:502", unit=1).replace('"ROLE"', role)
        for at, (host, role) in enumerate((("localhost", one), ("127.0.0.1", other)))
    )
    with pytest.raises(SettingsError, match=words):
        make_fleet(parse_settings(text.encode(), name="agent.toml", folder=tmp_path))
