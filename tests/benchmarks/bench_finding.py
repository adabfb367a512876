"""How many families a search tells within five answers, from a device that answers every register and has no name."""

import asyncio
from collections.abc import Sequence

from edge_agent.finding.families import known_families
from edge_agent.finding.probe import MOST_ANSWERS, identify
from edge_agent.finding.proposals import proposals_for
from protocols.maps.model import DeviceMap
from tests.edge_agent.finding.invented_devices import InventedDevice, words_of


def measure() -> dict[str, float]:
    maps, _ = known_families()
    listed, families = asyncio.run(known_unnamed(maps))
    return {"families_known_unnamed": listed, "families": families, "most_answers": MOST_ANSWERS}


FLOORS = {"families_known_unnamed": 45}


async def known_unnamed(maps: Sequence[DeviceMap]) -> tuple[int, int]:
    """Families of which a lenient device is recognised by at least one rule without being named, and all families."""
    known: dict[str, bool] = {}
    for device_map in maps:
        for rule in device_map.identify:
            device = InventedDevice(words_of(device_map, rule), lenient=True)
            found = await identify(device, 1, maps, pause=_no_pause)
            assert found is not None
            assert len(device.requests) <= MOST_ANSWERS
            is_listed = device_map.id in [each.map for each in proposals_for(maps, found.known)]
            known[device_map.id] = known.get(device_map.id, False) or is_listed
    return sum(known.values()), len(known)


async def _no_pause(_seconds: float) -> None:
    return
