"""Which models of a SunSpec chain belong to one device, when the chain holds several of a kind.

Two inverters behind one address, or an inverter's two meters, appear as two models of one table of the map.
"""

from collections.abc import Sequence

from protocols.maps.model import DeviceMap, MapError
from protocols.maps.sunspec import SunSpecModel

COMMON = 1
"""The model with a device's maker and type; one precedes each device in a chain of several."""


def count_instances(device_map: DeviceMap, models: Sequence[SunSpecModel]) -> int:
    """How many devices of the map's kind the chain holds. The same device in two formats counts once."""
    return max((len(_of_family(models, family)) for family in _families(device_map)), default=0)


def choose_instance(
    device_map: DeviceMap, models: Sequence[SunSpecModel], instance: int | None
) -> tuple[SunSpecModel, ...]:
    """The chain without the models of the other devices in it; `instance` counts from 1.

    Without a choice a meter is the first one. Raises MapError where a choice is needed: energy would not be counted.
    """
    found = count_instances(device_map, models)
    if instance is not None and instance > max(found, 1):
        raise MapError(f"instance: expected at most {found}, its chain of SunSpec models holds no more of this kind")
    if found <= 1:
        return tuple(models)
    if instance is None and "grid-meter" not in device_map.kinds:
        raise MapError(
            f"its chain of SunSpec models holds {found} devices of this kind, and only one of them would be counted: "
            f"give each its own [[device]] with instance = 1 to {found}"
        )
    chosen = instance or 1
    dropped: set[SunSpecModel] = set()
    starts: list[int] = []
    for family in _families(device_map):
        members = _of_family(models, family)
        dropped.update(each for place, each in enumerate(members, 1) if place != chosen)
        starts.extend(each.address for place, each in enumerate(members, 1) if place == chosen)
    commons = [each for each in models if each.id == COMMON]
    own = max((each.address for each in commons if each.address < min(starts)), default=None)
    dropped.update(each for each in commons if own is not None and each.address != own)
    return tuple(each for each in models if each not in dropped)


def _families(device_map: DeviceMap) -> set[tuple[int, ...]]:
    """The model ids of each table that holds a counter or a power of a role."""
    wanted = {name for role in device_map.roles.values() for name in (*role.counters.values(), role.power) if name}
    wanted |= {name for derived in device_map.derived if derived.name in wanted for name in derived.inputs}
    return {point.models for point in device_map.points if point.models and point.name in wanted}


def _of_family(models: Sequence[SunSpecModel], family: tuple[int, ...]) -> list[SunSpecModel]:
    return [each for each in models if each.id in family]
