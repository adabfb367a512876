"""The agent reads registers served word by word from a file; beside them the device refuses, as real ones do.

The images here are made by hand from the vectors of their families. Whoever has recorded a device can serve
the recording the same way: `commonwatt-sim registers FILE`.
"""

from pathlib import Path

import pytest

from edge_agent.devices.line import LineSettings, ReadRefusedError
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.settings import Endpoint
from protocols.maps.model import RoleName
from simulator.devices.modbus_server import SimulatedLink
from simulator.devices.register_image import parse_register_image, read_register_image
from simulator.errors import SimulatorError
from tests.edge_agent.devices.test_reader import device
from tests.simulator.sim_process import running

IMAGES = Path(__file__).parent / "register_images"
EXPECTED: dict[str, dict[RoleName, tuple[dict[str, int], int]]] = {
    "eastron-sdm630": {"grid": ({"import_wh": 4_096_500, "export_wh": 2_033_845}, -1830)},
    "carlo-gavazzi-em24": {"grid": ({"import_wh": 12_345_600, "export_wh": 2_033_800}, -1830)},
    "huawei-sun2000": {
        "pv": ({"production_wh": 12_345_670}, 4321),
        "grid": ({"import_wh": 5_000_000, "export_wh": 1_234_560}, 2500),
        "battery": ({"charge_wh": 1_000_000, "discharge_wh": 900_000}, -1234),
    },
    "sofar-g3": {
        "pv": ({"production_wh": 26_647_200}, 5700),
        "grid": ({"import_wh": 13_539_300, "export_wh": 9_876_500}, 2500),
        "battery": ({"charge_wh": 39_755_100, "discharge_wh": 52_863_000}, -3120),
    },
}


@pytest.mark.parametrize("family", EXPECTED)
async def test_the_agent_reads_an_image_right(family: str) -> None:
    served = SimulatedLink([], lambda: 0.0, recorded=[read_register_image(IMAGES / f"{family}.txt", 1)])
    link = ModbusLink(Endpoint("tcp", "127.0.0.1", await served.serve_tcp()), LineSettings(timeout_s=10))
    try:
        under_test = device(family, *EXPECTED[family])
        samples = under_test.samples(await under_test.read_places(link), 900.0)
        found = {place.role: (each.counters_wh, each.power_w) for place, each in samples.items()}
        assert found == EXPECTED[family]
        with pytest.raises(ReadRefusedError, match="exception 2"):
            await link.read_words(1, 4, address=65_000, count=2)
    finally:
        await link.close()
        await served.close()


async def test_the_command_serves_a_file_and_ends_as_asked() -> None:
    file = IMAGES / "eastron-sdm630.txt"
    with running("registers", str(file), "--port", "0", "--unit", "7") as (_, said):
        assert "unit 7, function 4." in said
        port = int(said.split("port ")[1].split(",")[0])
        link = ModbusLink(Endpoint("tcp", "127.0.0.1", port), LineSettings(timeout_s=10))
        assert await link.read_words(7, 4, address=52, count=2) == [0xC4E4, 0xC800]
        await link.close()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no registers in it: expected lines like"),
        ("# nothing\n3 1: 12", "image:2: expected a line like '3 40000: 5375 6E53', found '3 1: 12'"),
        ("6 1: 0001", "image:1: expected a line like"),
        ("3 65535: 0001 0002", "image:1: address 65536: expected 0 to 65535"),
        ("3 1: 0001 0002\n3 0x2: 0003", "image:2: function 3 address 2 is given a second time"),
    ],
)
def test_a_wrong_file_gets_one_clear_line(text: str, complaint: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        parse_register_image(text, 1, name="image")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_both_functions_may_hold_another_word_at_one_address() -> None:
    image = parse_register_image("3 0x10: 0001\n4 16: 0002 # another", 1, name="image")
    assert image.words == {(3, 16): 1, (4, 16): 2}
