"""The maps we ship: each loads, says where its facts come from, and is scanned in the fewest possible requests."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal

import pytest

from protocols.maps.loading import load_map
from protocols.maps.model import W_PER_UNIT, DeviceMap, MapError, MapPoint, Poll
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import BlockLimits, Span, outermost_spans
from protocols.maps.recognition import SunSpecIdentity, recognise
from protocols.maps.registers import RegisterError, Value, encode
from protocols.maps.roles import role_names
from protocols.maps.sunspec import SunSpecModel
from tests.one_rule import held_by_each
from tests.protocols.maps.shipped import FAMILIES, map_texts, placements, shipped_map, shipped_maps, whole_device

POLLS: tuple[Poll | None, ...] = (None, "fast", "slow", "once")


def test_every_family_is_shipped_under_its_own_name() -> None:
    assert [shipped_map(family).id for family in FAMILIES] == FAMILIES


@held_by_each(placements)
def test_a_scan_takes_the_fewest_possible_requests(resolved: ResolvedMap) -> None:
    for names in dict.fromkeys(filter(None, map(resolved.names, POLLS))):
        plan = resolved.plan(names)
        assert len(plan) == _optimum(resolved.spans(names), resolved.limits)
        assert all(request.count <= resolved.device_map.transport.max_registers for request in plan)


@pytest.mark.parametrize(
    ("family", "requests"),
    [("sunspec-inverter-101", 1), ("sunspec-inverter-113", 1), ("sunspec-inverter-701", 2), ("sunspec-meter-203", 1),
     ("sunspec-meter-213", 2), ("eastron-sdm630", 3), ("huawei-sun2000", 5), ("shelly-pro3em", 3),
     ("bornay-wind-plus", 1)],
)  # fmt: skip
def test_requests_of_a_whole_scan_are_as_documented(family: str, requests: int) -> None:
    assert len(placements()[family].plan()) == requests


@held_by_each(placements)
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


@held_by_each(shipped_maps)
def test_a_device_with_all_models_serves_every_role(device_map: DeviceMap) -> None:
    for family in (device_map, *(variant.map for variant in device_map.variants)):
        whole = whole_device(family)
        for role in family.roles:
            assert set(role_names(whole, role)) >= set(family.roles[role].counters.values())
            assert whole.plan(role_names(whole, role))


@held_by_each(placements)
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
    for resolved in placements().values():
        for role in resolved.device_map.roles:
            assert set(role_names(resolved, role)) <= set(resolved.names("fast"))


def test_reading_every_point_reads_all_that_recognises_a_family() -> None:
    for resolved in placements().values():
        read = {(span.function, at) for span in resolved.plan() for at in range(span.address, span.end)}
        for check in (check for rule in resolved.device_map.identify for check in rule.checks):
            assert {(check.function, check.address + at) for at in range(check.type.words)} <= read


def test_families_are_recognised_by_what_they_show() -> None:
    huawei = placements()["huawei-sun2000"]
    words = huawei.encode({"model": "SUN2000-8KTL-M1"})
    assert recognise(shipped_map("huawei-sun2000"), words) == "certain"
    assert recognise(shipped_map("huawei-sun2000"), huawei.encode({"model": "SUN9"})) is None
    eastron = placements()["eastron-sdm630"]
    normal = eastron.encode({"voltage_l1": Decimal(230), "frequency": Decimal(50)})
    assert recognise(shipped_map("eastron-sdm630"), normal) == "likely"
    assert recognise(shipped_map("eastron-sdm630"), {}) is None
    meter = SunSpecIdentity((SunSpecModel(1, 40002, 66), SunSpecModel(203, 40070, 105)), "SolarEdge", "WND")
    assert recognise(shipped_map("sunspec-meter"), {}, meter) == "certain"
    assert recognise(shipped_map("sunspec-inverter"), {}, meter) is None


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


@held_by_each(placements)
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


@held_by_each(map_texts)
def test_a_power_without_a_range_or_a_word_on_its_marks_is_refused(written: str) -> None:
    for key, words in (("range", "range: missing, a power needs"), ("sentinels", "sentinels: missing, a power needs")):
        text = "\n".join(
            re.sub(rf", {key} = \[[^]]*\]", "", line) if 'unit = "W"' in line else line for line in written.splitlines()
        )
        # Some tables state a key once for all their points.
        text = re.sub(rf"(?m)^{key} = \[[^]]*\]\n", "", text)
        powers = [line for line in text.splitlines() if 'unit = "W"' in line]
        if not powers:
            continue
        if key == "sentinels" and all('point = "' in line for line in powers):
            # The official definition of a SunSpec point says its mark, with or without a word in the map.
            assert marks_of_powers(text) == marks_of_powers(written)
            continue
        with pytest.raises(MapError, match=words):
            load_map(text, name="shipped.toml")


def marks_of_powers(written: str) -> list[tuple[str, tuple[str, ...]]]:
    """How each power of a map says "no value", at least in one way; a float's NaN says it without a word."""
    powers = [point for point in load_map(written, name="shipped.toml").points if point.unit == "W"]
    marks = [
        (point.name, tuple(mark.text for mark in point.sentinels) or (("NaN",) if point.type.kind == "float" else ()))
        for point in powers
    ]
    assert all(texts for _, texts in marks)
    return marks
