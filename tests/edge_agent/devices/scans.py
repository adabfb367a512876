"""Scans of shipped maps without a socket, and the best any scan could be, worked out without the planner.

`Recorder` answers every allowed read of one device and keeps what was asked. `fewest` and `quickest` try every way to
cut the wanted registers into blocks, with the limits as the map's file states them.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from edge_agent.devices.line import ReadRefusedError
from edge_agent.devices.reader import Device
from protocols.maps.model import DeviceMap, RoleName
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import Span, outermost_spans


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
    declared = Declared(resolved)
    best = [0.0]
    for end in range(1, len(spans) + 1):
        ways = [
            best[start] + per_request + per_register * (spans[end - 1].end - spans[start].address)
            for start in range(end)
            if declared.allows(spans[start:end])
        ]
        best.append(min(ways))
    return best[-1]


class Declared:
    """What the map's file lets one request read, register by register."""

    def __init__(self, resolved: ResolvedMap) -> None:
        self._longest = resolved.device_map.transport.max_registers
        blocks = resolved.device_map.blocks
        self._bridge = blocks.bridge
        self._forbidden = {(area.function, at) for area in blocks.no_read for at in registers(area)}
        self._areas = [(area.function, registers(area)) for area in blocks.readable]
        placed = resolved.points.values()
        self._points = {(each.point.function, at) for each in placed for at in each.addresses}
        if resolved.device_map.is_sunspec:
            # The chain of models is readable as a whole; what the map lists is beside it.
            self._areas = []

    def allows(self, run: Sequence[Span]) -> bool:
        """Whether one request may read all this."""
        function, block = run[0].function, range(run[0].address, run[-1].end)
        if len(block) > self._longest or any(each.function != function for each in run):
            return False
        if self._areas and not any(
            function == of and block[0] in area and block[-1] in area for of, area in self._areas
        ):
            return False
        if self._forbidden and not self._forbidden.isdisjoint((function, at) for at in block):
            return False
        return self._bridge is None or self._longest_blind_run(run, block) <= self._bridge

    def _longest_blind_run(self, run: Sequence[Span], block: range) -> int:
        wanted = {at for each in run for at in registers(each)}
        longest = blind = 0
        for at in block:
            blind = 0 if at in wanted or (run[0].function, at) in self._points else blind + 1
            longest = max(longest, blind)
        return longest


def registers(span: Span) -> range:
    return range(span.address, span.end)
