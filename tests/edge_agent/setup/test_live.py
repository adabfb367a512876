"""What a device's nameplate says is read by whichever documented point it has, and a refusal is no trouble."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from edge_agent.setup.live import read_live
from edge_agent.setup.progress import DeviceChoice
from protocols.maps.loading import resolve_map
from protocols.maps.official.layout import official_points
from protocols.maps.registers import Value
from tests.edge_agent.modbus_stand import Stand
from tests.protocols.maps.shipped import shipped_map

BASE = 40000
Words = dict[tuple[int, int], int]


def chain(*models: tuple[int, Mapping[str, int]]) -> Words:
    """A SunSpec chain: the common model, these models with these raw points, and the end."""
    listed = [0x5375, 0x6E53]
    for model, values in ((1, {}), *models):
        points = official_points(model)
        end = max(each.offset + 1 for each in points.values())
        block = [model, max(end, 66 if model == 1 else end) - 2, *[0xFFFF] * (end - 2)]
        for name, value in values.items():
            block[points[name].offset] = value & 0xFFFF
        listed += block + [0] * (block[1] + 2 - len(block))
    return {(3, BASE + at): word for at, word in enumerate([*listed, 0xFFFF, 0])}


def plain(family: str, **values: int) -> Words:
    named: dict[str, Value] = {name: Decimal(value) for name, value in values.items()}
    return resolve_map(shipped_map(family)).encode(named)


INVERTER = (103, {"W": 500, "W_SF": 0, "WH_SF": 0})


@pytest.mark.parametrize(
    ("family", "words", "rated_w"),
    [
        ("fronius", chain(INVERTER, (120, {"WRtg": 820, "WRtg_SF": 1})), 8200),
        ("kaco", chain(INVERTER, (121, {"WMax": 50, "WMax_SF": 2})), 5000),
        ("sunspec-inverter", chain(INVERTER, (120, {}), (121, {"WMax": 6000, "WMax_SF": 0})), 6000),
        ("sunspec-inverter", chain(INVERTER, (702, {"WMaxRtg": 100, "W_SF": 2})), 10_000),
        ("sunspec-inverter", chain(INVERTER), None),
        ("huawei-sun2000", plain("huawei-sun2000", active_power=500, rated_power=8000), 8000),
        ("goodwe-et", plain("goodwe-et", rated_power=10_000), 10_000),
        ("sungrow-sg", plain("sungrow-sg", active_power=500, rated_power=12), 12_000),
        ("sungrow-sh", plain("sungrow-sh", dc_power=500, rated_power=8), 8000),
        ("sma", plain("sma", active_power=500, rated_power=10_000), 10_000),
        ("sma", plain("sma", active_power=500), None),
        ("solaredge", chain(INVERTER) | {(3, 62212): 0x4000, (3, 62213): 0x461C}, 10_000),
        ("solaredge", chain(INVERTER), None),
    ],
)
async def test_the_nameplate_is_read_where_the_device_tells_it(family: str, words: Words, rated_w: int | None) -> None:
    stand = await Stand(words).start()
    choice = DeviceChoice("solar", family, "pv", f"tcp://127.0.0.1:{stand.port}", 1, 10_000)
    live, troubles = await read_live([choice])
    await stand.stop()
    assert troubles == []
    assert [each.rated_w for each in live] == [rated_w]


@pytest.mark.parametrize(
    ("family", "role", "is_before_inverter"),
    [("sungrow-sg", "pv", False), ("sungrow-sh", "pv", True), ("sungrow-sh", "battery", True), ("sma", "pv", False)],
)
async def test_what_is_measured_before_the_inverter_says_so(family: str, role: str, is_before_inverter: bool) -> None:
    stand = await Stand(plain(family, rated_power=8)).start()
    choice = DeviceChoice("solar", family, role, f"tcp://127.0.0.1:{stand.port}", 1, 10_000)
    live, _ = await read_live([choice])
    await stand.stop()
    assert [each.is_before_inverter for each in live] == [is_before_inverter]
