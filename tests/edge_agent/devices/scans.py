"""Scans of shipped maps without a socket, and the best any scan could be, worked out without the planner.

`Recorder` answers every allowed read of one device and keeps what was asked. `fewest` and `quickest` try every way to
cut the wanted registers into blocks, with the limits as the map's file states them.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from edge_agent.devices.line import ReadRefusedError
from edge_agent.devices.reader import Device
from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, RoleName
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import Span, outermost_spans
from tests.edge_agent.modbus_stand import MAPS

FAMILIES = sorted(path.stem for path in MAPS.glob("*.toml"))


class Recorder:
    """A link to a device that gives every register it has; a strict one refuses a read that leaves its registers."""

    def __init__(self, words: dict[tuple[int, int], int] | None = None, *, is_strict: bool = False) -> None:
        self.words = words or {}
        self.is_strict = is_strict
        self.opened = 1
        self.asked: list[Span] = []

    async def read_words(self, _unit: int, function: int, *, address: int, count: int) -> list[int]:
        self.asked.append(Span(function, address, count))
        wanted = [(function, at) for at in range(address, address + count)]
        if self.is_strict and not all(each in self.words for each in wanted):
            raise ReadRefusedError(2)
        return [self.words.get(each, 0) for each in wanted]


def shipped_map(family: str) -> DeviceMap:
    return load_map((MAPS / f"{family}.toml").read_text(encoding="utf-8"), name=family)


def role_sets(device_map: DeviceMap) -> list[tuple[RoleName, ...]]:
    """Every set of roles a household could name for one device of the family."""
    roles = sorted(device_map.roles)
    return [chosen for count in range(1, len(roles) + 1) for chosen in combinations(roles, count)]


def chains(device_map: DeviceMap) -> Iterator[dict[tuple[int, int], int] | None]:
    """The words of each kind of device the map fits: None for fixed addresses, one chain for each SunSpec model.

    Beside its model a chain holds one of each table that has other values, as a battery's beside an inverter's.
    """
    if not device_map.is_sunspec:
        yield None
        return
    families: dict[int, int] = {}
    for point in device_map.points:
        for model in point.models:
            families[model] = max(families.get(model, 0), (point.offset or 0) + point.type.words - 2)
    tables: dict[tuple[int, ...], set[str]] = {}
    for name in sorted(counted(device_map)):
        for point in device_map.named(name):
            tables.setdefault(point.models, set()).add(name)
    tables.pop((), None)
    for models, names in sorted(tables.items()):
        held, companions = set(names), []
        for others, more in sorted(tables.items()):
            if not more & held:
                held |= more
                companions.append(others[0])
        for model in models:
            yield chain_words([(1, 66), *((each, families[each]) for each in (model, *companions))])


def counted(device_map: DeviceMap) -> set[str]:
    """The points that the map's roles count or whose power they take."""
    names = {name for role in device_map.roles.values() for name in (*role.counters.values(), role.power) if name}
    return names | {name for each in device_map.derived if each.name in names for name in each.inputs}


def chain_words(models: Sequence[tuple[int, int]], base: int = 40000) -> dict[tuple[int, int], int]:
    """A SunSpec device with these models and lengths; all their registers are 0."""
    words, at = {base: 0x5375, base + 1: 0x6E53}, base + 2
    for model, length in models:
        words |= {at: model, at + 1: length} | {at + 2 + place: 0 for place in range(length)}
        at += 2 + length
    words |= {at: 0xFFFF, at + 1: 0}
    return {(3, address): word for address, word in words.items()}


def wanted_spans(device: Device, names: Iterable[str] | None) -> list[Span]:
    """What must arrive whole, in order."""
    return outermost_spans(device.resolved.spans(names))


def fewest(spans: Sequence[Span], resolved: ResolvedMap) -> int:
    """The fewest requests that read these spans within the limits the map states."""
    return round(_least(spans, resolved, per_request=1, per_register=0))


def quickest(spans: Sequence[Span], resolved: ResolvedMap, request_cost: float) -> float:
    """The least time to read them, in registers."""
    return _least(spans, resolved, per_request=request_cost, per_register=1)


def _least(spans: Sequence[Span], resolved: ResolvedMap, *, per_request: float, per_register: float) -> float:
    best = [0.0]
    for end in range(1, len(spans) + 1):
        ways = [
            best[start] + per_request + per_register * (spans[end - 1].end - spans[start].address)
            for start in range(end)
            if is_allowed(spans[start:end], resolved)
        ]
        best.append(min(ways))
    return best[-1]


def is_allowed(run: Sequence[Span], resolved: ResolvedMap) -> bool:
    """Whether the map's file lets one request read all this."""
    device_map, function = resolved.device_map, run[0].function
    block = range(run[0].address, run[-1].end)
    if any(each.function != function for each in run) or len(block) > device_map.transport.max_registers:
        return False
    blocks = device_map.blocks
    if any(area.function == function and at in registers(area) for area in blocks.no_read for at in block):
        return False
    areas = [registers(area) for area in blocks.readable if area.function == function]
    chain = [at for each in resolved.points.values() if each.point.offset is not None for at in each.addresses]
    areas += [range(min(chain), max(chain) + 1)] if chain else []
    if blocks.readable and not any(block[0] in area and block[-1] in area for area in areas):
        return False
    if blocks.bridge is None:
        return True
    points = {at for each in resolved.points.values() if each.point.function == function for at in each.addresses}
    seen = points | {at for each in run for at in registers(each)}
    longest = blind = 0
    for at in block:
        blind = 0 if at in seen else blind + 1
        longest = max(longest, blind)
    return longest <= blocks.bridge


def registers(span: Span) -> range:
    return range(span.address, span.end)
