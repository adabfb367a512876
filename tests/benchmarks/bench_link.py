"""What reading costs: requests over the fewest possible, requests to find a SunSpec device, CPU beside the library.

`measure()` gives plain numbers; CPU is compared with pymodbus alone, reading the same registers in the same run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pymodbus.client import AsyncModbusTcpClient

from edge_agent.devices.knowledge.memory import DeviceMemory
from edge_agent.devices.line import LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.reader import Device
from edge_agent.settings import Endpoint
from protocols.maps.model import DeviceMap
from protocols.maps.sunspec import SunSpecDiscovery
from tests.edge_agent.devices.scans import (
    Recorder,
    chain_words,
    chains,
    fewest,
    role_sets,
    wanted_spans,
)
from tests.edge_agent.devices.test_reader import device
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.protocols.maps.shipped import FAMILIES, shipped_map

EIGHT_MODELS = [(1, 66), (103, 50), (120, 26), (121, 30), (122, 44), (123, 24), (160, 128), (802, 25)]
READINGS = 400
ROUNDS = 3
BARS = {
    "requests_over_optimum_worst_map": 1.0,
    "discovery_requests_lenient": 5,
    "discovery_requests_strict": len(EIGHT_MODELS) + 2,
    "discovery_requests_known": 1,
}


def measure() -> dict[str, float]:
    """All figures; about 20 seconds."""
    over = asyncio.run(_requests_over_optimum())
    found = {"requests_over_optimum_worst_map": max(over.values()), "maps": float(len(over))}
    found |= {f"requests_over_optimum.{family}": worst for family, worst in over.items() if worst > 1}
    found |= asyncio.run(_discovery_requests())
    return found | asyncio.run(_cpu_over_bare())


async def _requests_over_optimum() -> dict[str, float]:
    """For each shipped map the worst of its variants and sets of roles: requests of a reading over the fewest."""
    worst = dict.fromkeys(FAMILIES, 0.0)
    for family in FAMILIES:
        whole = shipped_map(family)
        for variant in (None, *(each.name for each in whole.variants)):
            device_map = whole.varied(variant)
            worst[family] = max(worst[family], await _of_map(device_map))
    return worst


async def _of_map(device_map: DeviceMap) -> float:
    worst = 0.0
    for words in chains(device_map):
        for roles in role_sets(device_map):
            under_test, link = _made(device_map, *roles), Recorder(words)
            for read, names in ((under_test.read, None), (under_test.read_places, under_test.place_names)):
                await read(link)
                link.asked.clear()
                await read(link)
                wanted = wanted_spans(under_test, names(under_test.resolved) if names else None)
                worst = max(worst, len(link.asked) / fewest(wanted, under_test.resolved))
    return worst


def _made(device_map: DeviceMap, *roles) -> Device:
    settings = replace(device("eastron-sdm630").settings, map=device_map.id, roles=roles)
    return Device(settings, device_map, monotonic=lambda: 0.0, memory=DeviceMemory(None))


async def _discovery_requests() -> dict[str, float]:
    """Until the models of a device with eight of them, 413 registers, are known."""
    found: dict[str, float] = {}
    for name, is_strict in (("lenient", False), ("strict", True)):
        link = Recorder(chain_words(EIGHT_MODELS), is_strict=is_strict)
        under_test = _made(shipped_map("sunspec-inverter"), "pv")
        search = under_test._placing.search

        async def ask(request, link: Recorder = link) -> list[int]:
            return await link.read_words(1, request.function, address=request.address, count=request.count)

        chain = await search.find(ask)
        assert isinstance(chain, SunSpecDiscovery)
        assert len(chain.models) == len(EIGHT_MODELS)
        found[f"discovery_requests_{name}"] = len(link.asked)
        link.asked.clear()
        await search.find(ask, under_test._placing._models_used(chain))
        found["discovery_requests_known"] = max(found.get("discovery_requests_known", 0), len(link.asked))
    return found


async def _cpu_over_bare() -> dict[str, float]:
    """Reading a meter's counters and power, decoding included, beside the library asking for the same registers.

    Both include the far end, which is the same; the best of several interleaved rounds.
    """
    stand = await Stand(meter_words(5_000)).start()
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(await _cpu_s(lambda: _read_bare(stand.port)))
        ours.append(await _cpu_s(lambda: _read_ours(stand.port)))
    await stand.stop()
    return {
        "reading_cpu_over_bare_pymodbus": min(ours) / min(bare),
        "reading_cpu_us": 1e6 * min(ours) / READINGS,
    }


async def _cpu_s(read: Callable[[], Awaitable[None]]) -> float:
    began_s = time.process_time()
    await read()
    return time.process_time() - began_s


async def _read_ours(port: int) -> None:
    link = ModbusLink(Endpoint("tcp", "127.0.0.1", port), LineSettings())
    meter = device("eastron-sdm630")
    for at in range(READINGS):
        meter.samples(await meter.read_places(link), float(at))
    await link.close()


async def _read_bare(port: int) -> None:
    """What a person would write with the library: the same block, its values converted."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    kind = client.DATATYPE.FLOAT32
    for _ in range(READINGS):
        answer = await client.read_input_registers(52, count=24, device_id=1)
        for first in (0, 20, 22):
            client.convert_from_registers(answer.registers[first : first + 2], kind)
    client.close()


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name} {value:.3f}")
