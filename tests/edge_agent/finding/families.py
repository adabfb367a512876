"""The maps that the package ships, read once for all tests of finding."""

from functools import cache

from edge_agent.finding.families import known_families
from protocols.maps.model import DeviceMap


@cache
def families() -> tuple[list[DeviceMap], list[str]]:
    """All maps, and a line for each that is broken."""
    return known_families()


def maps() -> list[DeviceMap]:
    return families()[0]


def map_of(family: str) -> DeviceMap:
    return next(each for each in maps() if each.id == family)
