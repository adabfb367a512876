"""What reading asks of a device: requests over the fewest possible, and requests to find a SunSpec device.

`measure()` gives plain numbers; `bench_reading` has the CPU.
"""

import asyncio
from dataclasses import replace

from edge_agent.devices.knowledge.memory import DeviceMemory
from edge_agent.devices.reader import Device
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
from tests.protocols.maps.shipped import FAMILIES, shipped_map

EIGHT_MODELS = [(1, 66), (103, 50), (120, 26), (121, 30), (122, 44), (123, 24), (160, 128), (802, 25)]
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
    return found | asyncio.run(_discovery_requests())


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


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name} {value:.3f}")
