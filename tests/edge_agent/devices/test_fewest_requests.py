"""Every shipped map, for every set of roles a home may name: as few requests as its limits allow, none forbidden."""

from dataclasses import replace

import pytest

from edge_agent.devices.line import request_cost
from edge_agent.devices.reader import Device
from edge_agent.settings import Endpoint, parse_endpoint
from protocols.maps.planning import Span
from tests.edge_agent.devices.scans import (
    FAMILIES,
    Recorder,
    chains,
    fewest,
    is_allowed,
    quickest,
    registers,
    role_sets,
    shipped_map,
    wanted_spans,
)
from tests.edge_agent.devices.test_reader import device

SERIAL = parse_endpoint("rtu:///dev/ttyUSB0?baud=9600")


def on_line(under_test: Device, endpoint: Endpoint) -> Device:
    return Device(replace(under_test.settings, endpoint=endpoint), under_test.device_map, monotonic=lambda: 0.0)


async def scanned(under_test: Device, link: Recorder, names: tuple[str, ...] | None) -> list[Span]:
    """What a reading asks for once the device is known."""
    await under_test.read(link, names)  # type: ignore[arg-type]
    link.asked.clear()
    await under_test.read(link, names)  # type: ignore[arg-type]
    return link.asked


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_set_of_roles_is_read_in_the_fewest_requests(family: str) -> None:
    device_map = shipped_map(family)
    for words in chains(device_map):
        for roles in role_sets(device_map):
            under_test, link = device(family, *roles), Recorder(words)
            await under_test.read_places(link)  # type: ignore[arg-type]
            names = under_test.place_names(under_test.resolved)
            asked = await scanned(under_test, link, names)
            assert len(asked) == fewest(wanted_spans(under_test, names), under_test.resolved), roles
            assert all(is_allowed([each], under_test.resolved) for each in asked)


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_point_is_read_in_the_fewest_requests(family: str) -> None:
    for words in chains(shipped_map(family)):
        under_test = device(family, *shipped_map(family).roles)
        asked = await scanned(under_test, Recorder(words), None)
        assert len(asked) == fewest(wanted_spans(under_test, None), under_test.resolved)
        assert all(is_allowed([each], under_test.resolved) for each in asked)


@pytest.mark.parametrize("family", FAMILIES)
async def test_on_a_serial_line_a_reading_is_as_quick_as_it_can_be(family: str) -> None:
    """A hole is read over only where that takes less time than another request."""
    device_map = shipped_map(family)
    if "rtu" not in device_map.transport.framing:
        return
    cost = request_cost(SERIAL, device_map.transport)
    assert cost is not None
    for words in chains(device_map):
        under_test = on_line(device(family, *device_map.roles), SERIAL)
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
