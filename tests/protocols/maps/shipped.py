"""The maps we ship, each read and checked once a session, and placed on every kind of device it fits."""

from functools import cache
from pathlib import Path

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import DeviceMap
from protocols.maps.placement import ResolvedMap
from protocols.maps.sunspec import SunSpecModel

MAPS = Path(__file__).parents[3] / "firmware_configs" / "devices"
FAMILIES = sorted(path.stem for path in MAPS.glob("*.toml"))
# The lengths SunSpec gives its models; of others, what the map itself needs.
LENGTHS = {1: 66, 101: 50, 102: 50, 103: 50, 111: 60, 112: 60, 113: 60, 701: 153} | dict.fromkeys(range(201, 205), 105)
LENGTHS |= dict.fromkeys(range(211, 215), 124)


@cache
def map_text(family: str) -> str:
    return (MAPS / f"{family}.toml").read_text(encoding="utf-8")


@cache
def shipped_map(family: str) -> DeviceMap:
    return load_map(map_text(family), name=f"{family}.toml")


@cache
def map_texts() -> dict[str, str]:
    return {family: map_text(family) for family in FAMILIES}


@cache
def shipped_maps() -> dict[str, DeviceMap]:
    return {family: shipped_map(family) for family in FAMILIES}


@cache
def placements() -> dict[str, ResolvedMap]:
    """Every shipped map on every kind of device it fits: for SunSpec once with each of its models."""
    placed = {}
    for device_map in map(shipped_map, FAMILIES):
        if not device_map.is_sunspec:
            placed[device_map.id] = resolve_map(device_map)
        counted = _models_with_role_points(device_map)
        for model in counted:
            placed[f"{device_map.id}-{model}"] = resolve_map(device_map, _chain(device_map, (1, model)))
        others = sorted({model for point in device_map.points for model in point.models} - {1, *counted})
        if counted and others:
            chain = _chain(device_map, (1, counted[0], *others))
            placed[f"{device_map.id}-{counted[0]}-and-others"] = resolve_map(device_map, chain)
        for variant in device_map.variants:
            if not variant.map.is_sunspec:
                placed[f"{device_map.id}-{variant.name}"] = resolve_map(device_map, variant=variant.name)
    return placed


def whole_device(device_map: DeviceMap) -> ResolvedMap:
    """The map on a device that has a model of each of its tables."""
    chain = [SunSpecModel(1, 40002, 66)]
    for model in dict.fromkeys(point.models[0] for point in device_map.points if point.models and point.models != (1,)):
        chain.append(SunSpecModel(model, chain[-1].end, LENGTHS.get(model, 160)))
    return resolve_map(device_map, chain if device_map.is_sunspec else None)


def _models_with_role_points(device_map: DeviceMap) -> list[int]:
    """The SunSpec models that a role counts or takes its power from; the others only tell more about the device."""
    roles = device_map.roles.values()
    names = {name for role in roles for name in (*role.counters.values(), role.power)}
    return sorted({model for point in device_map.points if point.name in names for model in point.models})


def _chain(device_map: DeviceMap, models: tuple[int, ...]) -> list[SunSpecModel]:
    chain: list[SunSpecModel] = []
    for model in models:
        ends = (p.offset + p.type.words for p in device_map.points if p.offset and model in p.models)
        length = LENGTHS.get(model, max(ends, default=2) - 2)
        chain.append(SunSpecModel(model, chain[-1].end if chain else 40002, length))
    return chain
