"""Every shipped map, for every set of roles a home may name: as few requests as its limits allow, none forbidden."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from edge_agent.devices.line import request_cost
from edge_agent.devices.reader import Device
from edge_agent.settings import Endpoint, parse_endpoint
from protocols.maps.model import DeviceMap, RoleName
from protocols.maps.planning import Span
from tests.edge_agent.devices.scans import (
    Declared,
    Recorder,
    chains,
    fewest,
    quickest,
    registers,
    role_sets,
    wanted_spans,
)
from tests.edge_agent.devices.test_reader import device
from tests.one_rule import held_by_each
from tests.protocols.maps.shipped import FAMILIES, shipped_map

ANY = device("eastron-sdm630").settings
SERIAL = parse_endpoint("rtu:///dev/ttyUSB0?baud=9600")


def on_line(under_test: Device, endpoint: Endpoint) -> Device:
    return Device(replace(under_test.settings, endpoint=endpoint), under_test.device_map, monotonic=lambda: 0.0)


def made(device_map: DeviceMap, *roles: RoleName) -> Device:
    """A device of this very map, which may be a variant of its family's."""
    return Device(replace(ANY, map=device_map.id, roles=roles), device_map, monotonic=lambda: 0.0)


def kinds_of_device(family: str) -> Iterator[tuple[DeviceMap, dict[tuple[int, int], int] | None]]:
    """The family's map and its variants, each with the words of every SunSpec chain it fits."""
    whole = shipped_map(family)
    for variant in (None, *(each.name for each in whole.variants)):
        device_map = whole.varied(variant)
        for words in chains(device_map):
            yield device_map, words


async def scanned(under_test: Device, link: Recorder, names: tuple[str, ...] | None) -> list[Span]:
    """What a reading asks for once the device is known."""
    await under_test.read(link, names)  # type: ignore[arg-type]
    link.asked.clear()
    await under_test.read(link, names)  # type: ignore[arg-type]
    return link.asked


@held_by_each(dict(zip(FAMILIES, FAMILIES, strict=True)))
async def test_every_set_of_roles_is_read_in_the_fewest_requests(family: str) -> None:
    for device_map, words in kinds_of_device(family):
        tried: set[frozenset[str]] = set()
        for roles in role_sets(device_map):
            under_test, link = made(device_map, *roles), Recorder(words)
            await under_test.read_places(link)  # type: ignore[arg-type]
            names = under_test.place_names(under_test.resolved)
            if frozenset(names) in tried:
                continue
            tried.add(frozenset(names))
            asked = await scanned(under_test, link, names)
            assert len(asked) == fewest(wanted_spans(under_test, names), under_test.resolved), roles
            assert all(map(Declared(under_test.resolved).allows, ([each] for each in asked)))


@held_by_each(dict(zip(FAMILIES, FAMILIES, strict=True)))
async def test_every_point_is_read_in_the_fewest_requests(family: str) -> None:
    for device_map, words in kinds_of_device(family):
        under_test = made(device_map, *device_map.roles)
        asked = await scanned(under_test, Recorder(words), None)
        assert len(asked) == fewest(wanted_spans(under_test, None), under_test.resolved)
        assert all(map(Declared(under_test.resolved).allows, ([each] for each in asked)))


@held_by_each(dict(zip(FAMILIES, FAMILIES, strict=True)))
async def test_on_a_serial_line_a_reading_is_as_quick_as_it_can_be(family: str) -> None:
    """A hole is read over only where that takes less time than another request."""
    for device_map, words in kinds_of_device(family):
        if "rtu" not in device_map.transport.framing:
            continue
        cost = request_cost(SERIAL, device_map.transport)
        assert cost is not None
        under_test = on_line(made(device_map, *device_map.roles), SERIAL)
        for names in (None, "places"):
            await under_test.read_places(link := Recorder(words))  # type: ignore[arg-type]
            chosen = under_test.place_names(under_test.resolved) if names else None
            asked = await scanned(under_test, link, chosen)
            spent = sum(cost + each.count for each in asked)
            assert spent == pytest.approx(quickest(wanted_spans(under_test, chosen), under_test.resolved, cost))


@pytest.mark.parametrize(
    ("connect", "registers_worth"),
    [
        # 13 characters of frames and 7 of silence, and 60 ms of pause with 20 ms until the meter answers.
        ("rtu:///dev/ttyUSB0?baud=9600", 10 + 38),
        ("rtu:///dev/ttyUSB0?baud=9600&parity=E", 10 + 34),
        ("rtu:///dev/ttyUSB0?baud=115200", 27 + 460),
        ("tcp://meter.example:502", None),
        ("rtu+tcp://meter.example:502", None),
    ],
)
def test_what_a_request_costs_on_a_line(connect: str, registers_worth: int | None) -> None:
    cost = request_cost(parse_endpoint(connect), shipped_map("eastron-sdm630").transport)
    assert (None if cost is None else int(cost)) == registers_worth


async def test_a_hole_of_the_maps_own_points_is_read_over_and_a_blind_one_is_not() -> None:
    """Huawei's solar power and energy are 24 registers apart: all but 16 in a row of them are points it has."""
    under_test, link = device("huawei-sun2000", "pv"), Recorder()
    await under_test.read_places(link)  # type: ignore[arg-type]
    assert link.asked == [Span(3, 32080, 28)]
    limits = replace(under_test.resolved.limits, bridge=15)
    names = under_test.place_names(under_test.resolved)
    apart = replace(under_test.resolved, limits=limits).plan(names)
    assert [registers(each) for each in apart] == [range(32080, 32082), range(32106, 32108)]
