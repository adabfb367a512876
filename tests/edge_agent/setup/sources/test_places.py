"""Places a person names: addresses, unit ids behind them, lines to listen on, and the home's broker."""

from pathlib import Path

import pytest

from edge_agent.settings import Endpoint
from edge_agent.setup.sources.places import Places, ask_places
from tests.edge_agent.setup.scripted import InventedHome, Script

USB = Endpoint("rtu", path="/dev/ttyUSB0")


async def placed(home: InventedHome, *replies: tuple[str, str]) -> tuple[Places, Script]:
    script = Script(*replies)
    return await ask_places(script, home.parts()), script


async def test_unit_ids_stand_behind_their_address(tmp_path: Path) -> None:
    places, _ = await placed(
        InventedHome(tmp_path), ("Another address", "/dev/ttyUSB0 units 1-3,7 192.168.1.9, 192.168.1.8 unit 126")
    )
    assert places.endpoints == [USB, Endpoint("tcp", "192.168.1.9", 502), Endpoint("tcp", "192.168.1.8", 502)]
    assert places.units_at == {USB: (1, 2, 3, 7), Endpoint("tcp", "192.168.1.8", 502): (126,)}


async def test_each_kind_of_meter_goes_its_way(tmp_path: Path) -> None:
    typed = "p1:///dev/ttyUSB1 sml+tcp://192.168.1.9 mqtt://pi.local 192.168.1.7"
    home = InventedHome(tmp_path, ports=(Path("/dev/ttyUSB0"),))
    places, _ = await placed(home, ("Ask devices on /dev/ttyUSB0", "l"), ("Another address", typed))
    assert places.listening == [
        USB, Endpoint("p1", path="/dev/ttyUSB1"), Endpoint("sml+tcp", "192.168.1.9", 23),
    ]  # fmt: skip
    assert places.brokers == [Endpoint("mqtt", "pi.local", 1883)]
    assert places.endpoints == [Endpoint("tcp", "192.168.1.7", 502)]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("unit 7", "unit 7: name the address before it"),
        ("192.168.1.9 unit 999", "'999': unit ids are 0 to 247"),
        ("192.168.1.9 unit 5-1", "'5-1': unit ids are 0 to 247"),
        ("http://x 192.168.1.9", "http://x: not an address, left out"),
        ("", "nothing to search"),
    ],
)
async def test_what_is_no_place_is_told(tmp_path: Path, typed: str, words: str) -> None:
    script = Script(("Another address", typed), ("Another address", "192.168.1.9"))
    places = await ask_places(script, InventedHome(tmp_path).parts())
    assert words in script.text
    assert [each.host for each in places.endpoints] == ["192.168.1.9"]
    assert places.units_at == {}
