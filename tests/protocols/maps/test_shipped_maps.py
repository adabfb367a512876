"""The maps we ship: each loads, says where its facts come from, and is scanned in the fewest possible requests."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import W_PER_UNIT, DeviceMap, MapError, MapPoint, Poll
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import BlockLimits, Span, outermost_spans
from protocols.maps.recognition import SunSpecIdentity, recognise
from protocols.maps.registers import RegisterError, Value, encode
from protocols.maps.roles import role_names
from protocols.maps.sunspec import SunSpecModel

MAPS = sorted((Path(__file__).parents[3] / "firmware_configs" / "devices").glob("*.toml"))
# The lengths SunSpec gives its models; of others, what the map itself needs.
LENGTHS = {1: 66, 101: 50, 102: 50, 103: 50, 111: 60, 112: 60, 113: 60, 701: 153} | dict.fromkeys(range(201, 205), 105)
LENGTHS |= dict.fromkeys(range(211, 215), 124)


def _load(path: Path) -> DeviceMap:
    return load_map(path.read_text(encoding="utf-8"), name=path.name)


def _placements() -> dict[str, ResolvedMap]:
    """Every shipped map on every kind of device it fits: for SunSpec once with each of its models."""
    placements = {}
    for device_map in map(_load, MAPS):
        if not device_map.is_sunspec:
            placements[device_map.id] = resolve_map(device_map)
        counted = _models_with_role_points(device_map)
        for model in counted:
            placements[f"{device_map.id}-{model}"] = resolve_map(device_map, _chain(device_map, (1, model)))
        others = sorted({model for point in device_map.points for model in point.models} - {1, *counted})
        if counted and others:
            chain = _chain(device_map, (1, counted[0], *others))
            placements[f"{device_map.id}-{counted[0]}-and-others"] = resolve_map(device_map, chain)
        for variant in device_map.variants:
            if not variant.map.is_sunspec:
                placements[f"{device_map.id}-{variant.name}"] = resolve_map(device_map, variant=variant.name)
    return placements


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


PLACEMENTS = _placements()


def _whole_device(device_map: DeviceMap) -> ResolvedMap:
    """The map on a device that has a model of each of its tables."""
    chain = [SunSpecModel(1, 40002, 66)]
    for model in dict.fromkeys(point.models[0] for point in device_map.points if point.models and point.models != (1,)):
        chain.append(SunSpecModel(model, chain[-1].end, LENGTHS.get(model, 160)))
    return resolve_map(device_map, chain if device_map.is_sunspec else None)


def test_every_family_is_shipped_under_its_own_name() -> None:
    assert [_load(path).id for path in MAPS] == [path.stem for path in MAPS]


POLLS: tuple[Poll | None, ...] = (None, "fast", "slow", "once")
SCANS = [
    pytest.param(resolved, poll, id=f"{poll}-{name}")
    for name, resolved in PLACEMENTS.items()
    for poll in POLLS
    if resolved.names(poll)
]


@pytest.mark.parametrize(("resolved", "poll"), SCANS)
def test_a_scan_takes_the_fewest_possible_requests(resolved: ResolvedMap, poll: Poll | None) -> None:
    names = resolved.names(poll)
    plan = resolved.plan(names)
    assert len(plan) == _optimum(resolved.spans(names), resolved.limits)
    assert all(request.count <= resolved.device_map.transport.max_registers for request in plan)


@pytest.mark.parametrize(
    ("family", "requests"),
    [("sunspec-inverter-101", 1), ("sunspec-inverter-113", 1), ("sunspec-inverter-701", 2), ("sunspec-meter-203", 1),
     ("sunspec-meter-213", 2), ("eastron-sdm630", 3), ("huawei-sun2000", 4), ("shelly-pro3em", 3),
     ("bornay-wind-plus", 1)],
)  # fmt: skip
def test_requests_of_a_whole_scan_are_as_documented(family: str, requests: int) -> None:
    assert len(PLACEMENTS[family].plan()) == requests


@pytest.mark.parametrize("resolved", PLACEMENTS.values(), ids=PLACEMENTS)
def test_values_survive_the_registers_of_the_device(resolved: ResolvedMap) -> None:
    values: dict[str, Value] = {}
    scales = {name for placed in resolved.points.values() for name in placed.point.scale_by}
    for name, placed in resolved.points.items():
        text = placed.point.type.kind == "text"
        values[name] = "AB" if text else Decimal(1) if name in scales else _usual(placed.point)
    words = resolved.encode(values)
    assert resolved.decode(words) == {**values, **_derived(resolved, resolved.decode(words))}
    missing: dict[str, Value] = {name: None for name, placed in resolved.points.items() if placed.point.sentinels}
    words |= resolved.encode({**values, **missing})
    assert {name: resolved.decode(words)[name] for name in missing} == missing


def _usual(point: MapPoint) -> Decimal:
    """A value the point's registers hold exactly and its range allows."""
    if point.type.name == "sunssf":
        return Decimal(-1)
    step = abs(point.scale) / (10 if point.scale_factor else 1)
    lowest = max(Decimal(0), point.minimum or Decimal(0))
    wanted = min(max(Decimal(10), lowest), point.maximum if point.maximum is not None else Decimal(10))
    most = Decimal(2 ** (point.type.bits - 1) - 1)  # 16 bits of a fine fraction hold no 10 V
    whole = min((wanted / step).to_integral_value(), most)
    return next(each for each in (whole * step, (whole + 1) * step, (whole - 1) * step) if is_within(point, each))


def is_within(point: MapPoint, value: Decimal) -> bool:
    low, high = point.minimum, point.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _derived(resolved: ResolvedMap, decoded: Mapping[str, Value]) -> dict[str, Value]:
    return {name: decoded[name] for name in resolved.derived}


@pytest.mark.parametrize("device_map", [_load(path) for path in MAPS], ids=lambda each: each.id)
def test_a_device_with_all_models_serves_every_role(device_map: DeviceMap) -> None:
    for family in (device_map, *(variant.map for variant in device_map.variants)):
        whole = _whole_device(family)
        for role in family.roles:
            assert set(role_names(whole, role)) >= set(family.roles[role].counters.values())
            assert whole.plan(role_names(whole, role))


@pytest.mark.parametrize("resolved", PLACEMENTS.values(), ids=PLACEMENTS)
def test_every_role_can_be_read_and_every_fact_has_a_source(resolved: ResolvedMap) -> None:
    device_map = resolved.device_map
    assert device_map.roles
    found = [names for role in device_map.roles if (names := role_names(resolved, role))]
    assert found or device_map.is_sunspec
    assert all(resolved.plan(names) for names in found)
    assert all(point.source for point in device_map.points)
    assert device_map.sources
    assert device_map.identify or device_map.transport.sends_by_itself


def test_power_and_energy_of_each_role_are_read_often() -> None:
    for resolved in PLACEMENTS.values():
        for role in resolved.device_map.roles:
            assert set(role_names(resolved, role)) <= set(resolved.names("fast"))


def test_reading_every_point_reads_all_that_recognises_a_family() -> None:
    for resolved in PLACEMENTS.values():
        read = {(span.function, at) for span in resolved.plan() for at in range(span.address, span.end)}
        for check in (check for rule in resolved.device_map.identify for check in rule.checks):
            assert {(check.function, check.address + at) for at in range(check.type.words)} <= read


def test_families_are_recognised_by_what_they_show() -> None:
    maps = {path.stem: _load(path) for path in MAPS}
    huawei = resolve_map(maps["huawei-sun2000"])
    words = huawei.encode({"model": "SUN2000-8KTL-M1"})
    assert recognise(maps["huawei-sun2000"], words) == "certain"
    assert recognise(maps["huawei-sun2000"], huawei.encode({"model": "SUN9"})) is None
    eastron = resolve_map(maps["eastron-sdm630"])
    normal = eastron.encode({"voltage_l1": Decimal(230), "frequency": Decimal(50)})
    assert recognise(maps["eastron-sdm630"], normal) == "likely"
    assert recognise(maps["eastron-sdm630"], {}) is None
    meter = SunSpecIdentity((SunSpecModel(1, 40002, 66), SunSpecModel(203, 40070, 105)), "SolarEdge", "WND")
    assert recognise(maps["sunspec-meter"], {}, meter) == "certain"
    assert recognise(maps["sunspec-inverter"], {}, meter) is None


def _optimum(spans: tuple[Span, ...], limits: BlockLimits) -> int:
    """The fewest requests by dynamic programme, independent of the planner's own order of work."""
    atoms = outermost_spans(spans)
    best = [0.0] + [math.inf] * len(atoms)
    for end in range(1, len(atoms) + 1):
        for start in range(end):
            run = atoms[start:end]
            hull = Span(run[0].function, run[0].address, run[-1].end - run[0].address)
            bridged = limits.bridge is None or _longest_blind_run(run, hull, limits) <= limits.bridge
            if len({atom.function for atom in run}) == 1 and bridged and limits.allows(hull) is None:
                best[end] = min(best[end], best[start] + 1)
    return int(best[-1])


def _longest_blind_run(run: list[Span], hull: Span, limits: BlockLimits) -> int:
    """The longest run of registers inside `hull` that are neither wanted nor a point of the map."""
    seen = {(each.function, at) for each in (*run, *limits.known) for at in range(each.address, each.end)}
    marks = "".join("x" if (hull.function, at) in seen else "." for at in range(hull.address, hull.end))
    return max(map(len, marks.split("x")))


@pytest.mark.parametrize("resolved", PLACEMENTS.values(), ids=PLACEMENTS)
def test_every_power_and_every_settled_counter_has_a_range_that_counts(resolved: ResolvedMap) -> None:
    settled = {name for role in resolved.device_map.roles for name in role_names(resolved, role)}
    for name, placed in resolved.points.items():
        point = placed.point
        if point.unit not in W_PER_UNIT and name not in settled:
            continue
        assert point.minimum is not None, name
        assert point.maximum is not None, name
        if point.type.kind == "float" and point.unit in W_PER_UNIT:
            assert point.sentinels, name
        for beyond in (point.maximum * 2, *(() if point.absolute else (point.minimum - 10_000,))):
            if fits(point, beyond):
                shown = resolved.encode({name: beyond, **dict.fromkeys(point.helpers, Decimal(4))})
                assert resolved.decode(shown)[name] is None, f"{name}: {beyond} is no value"


def fits(point: MapPoint, value: Decimal) -> bool:
    """Whether the point's registers can hold this value, with a scale factor of 4 if it has one."""
    try:
        encode(value, point.type, scale=point.scale * (Decimal(10**4) if point.scale_factor else 1))
    except RegisterError:
        return False
    return True


def test_a_power_without_a_range_or_a_word_on_its_marks_is_refused() -> None:
    for key, words in (("range", "range: missing, a power needs"), ("sentinels", "sentinels: missing, a power needs")):
        for path in MAPS:
            text = "\n".join(
                re.sub(rf", {key} = \[[^]]*\]", "", line) if 'unit = "W"' in line else line
                for line in path.read_text(encoding="utf-8").splitlines()
            )
            # Some tables state a key once for all their points.
            text = re.sub(rf"(?m)^{key} = \[[^]]*\]\n", "", text)
            if 'unit = "W"' not in text:
                continue
            with pytest.raises(MapError, match=words):
                load_map(text, name=path.name)
