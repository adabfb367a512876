"""A meter at the home's broker: topics are picked from what is heard, or typed, and its values are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.finding.broker_listening import HeardValue, numbers_in
from edge_agent.settings import Endpoint, parse_settings
from edge_agent.setup.device_steps import choose_devices
from edge_agent.setup.files import agent_toml
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import DeviceChoice, MeterChoice, SetupProgress
from protocols.errors import RequestError
from tests.edge_agent.setup.scripted import InventedHome, Script

HEARD = (
    HeardValue("tele/meter/SENSOR", "ENERGY.In", "10.5", is_kept=False),
    HeardValue("home/w", "", "250", is_kept=True),
)


def parts(home: InventedHome, *, refuses: bool = False) -> SetupParts:
    async def hear(_endpoint: Endpoint, access: Mapping[str, Any]) -> Sequence[HeardValue]:
        assert access == {"username": "me", "password_file": "pw"}
        if refuses:
            raise RequestError("the broker mqtt://pi:1883: cannot be reached")
        return HEARD

    return replace(home.parts(), hear_values=hear)


async def chosen(
    home: InventedHome, *replies: tuple[str, str], refuses: bool = False
) -> tuple[list[DeviceChoice], Script]:
    progress, script = SetupProgress(), Script(("Makes", ""), ("Another address", "mqtt://pi"), ("Username", "me"),
                                               ("password", "pw"), *replies, ("more", ""))  # fmt: skip
    await choose_devices(script, parts(home, refuses=refuses), progress)
    assert script.replies == []
    return progress.devices, script


async def test_topics_are_picked_by_number_or_typed(tmp_path: Path) -> None:
    home = InventedHome(tmp_path)
    home.shows("grid", 250, import_wh=10_500, export_wh=0)
    devices, script = await chosen(
        home, ("What does this meter measure", ""), ("what is drawn", "9"), ("what is drawn", "1"), ("unit", ""),
        ("fed into", "tele/#"), ("fed into", "tele/meter/SENSOR ENERGY.Out"), ("unit", "Wh"),
        ("power now", "2"), ("unit", "W"), ("other program say the same", "y"), ("Another meter", ""), ("kW", ""),
    )  # fmt: skip
    assert "2 = home/w: 250 (kept from before" in script.text
    assert "a number from 1 to 2" in script.text
    text = agent_toml(devices, MeterChoice(), {})
    (device,) = parse_settings(text.encode(), name="agent.toml", folder=tmp_path).devices
    assert device.values is not None
    assert [(each.topic, each.place, int(each.per_unit)) for each in device.values.topics] == [
        ("tele/meter/SENSOR", "ENERGY.In", 1000), ("tele/meter/SENSOR", "ENERGY.Out", 1), ("home/w", "", 1),
    ]  # fmt: skip
    assert device.values.sign_in.password_file == tmp_path / "pw"


async def test_without_values_the_topics_are_asked_again_or_left_out(tmp_path: Path) -> None:
    home = InventedHome(tmp_path)
    script = Script(
        ("Makes", ""), ("Another address", "mqtt://pi"), ("Username", "me"), ("password", "pw"),
        ("What does this meter measure", "load"), ("what is drawn", "a/b"), ("unit", ""), ("power", ""),
        ("No value came", "a"), ("what is drawn", ""), ("Another meter", "n"),
    )  # fmt: skip
    with pytest.raises(RequestError, match="script is over"):
        await choose_devices(script, parts(home, refuses=True), SetupProgress())
    assert "cannot be reached" in script.text
    assert home.read[0][0].kept["topics"] == {"import": {"topic": "a/b", "unit": "kWh"}}


@pytest.mark.parametrize(
    ("payload", "numbers"),
    [
        (b"12.5", [("", "12.5")]),
        (b'{"a": {"b": 3, "c": "x", "d": true}, "e.f": 4}', [("a.b", "3")]),
        (b"on", []),
        (b"\xff", []),
        (b'{"a":{"b":{"c":{"d":{"e":1}}}}}', []),
        (b"[" * 100_000, []),
    ],
)
def test_the_numbers_in_a_message(payload: bytes, numbers: list[tuple[str, str]]) -> None:
    assert list(numbers_in(payload)) == numbers
