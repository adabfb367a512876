"""Every family is recognised in few requests, whether the device refuses other registers or answers them all."""

import pytest

from edge_agent.devices.line import DeviceBusyError, LinkBrokenError, NoAnswerError
from edge_agent.finding.probe import MOST_ANSWERS, MOST_REQUESTS, Sighting, identify
from edge_agent.finding.proposals import own_words, proposals_for
from protocols.maps.model import DeviceMap, IdentifyRule
from tests.benchmarks.bench_finding import known_unnamed
from tests.edge_agent.finding.families import families, map_of, maps
from tests.edge_agent.finding.invented_devices import InventedDevice, chain_words, words_of


def rules() -> list[tuple[DeviceMap, IdentifyRule]]:
    return [(each, rule) for each in maps() for rule in each.identify]


async def no_pause(_seconds: float) -> None:
    return


async def sighted(device: InventedDevice, *makes: str, unit: int = 1) -> Sighting:
    found = await identify(device, unit, maps(), makes=makes, pause=no_pause)
    assert found is not None
    return found


def test_every_shipped_map_loads() -> None:
    assert families()[1] == []
    assert all(each.identify or each.transport.sends_by_itself for each in maps()), (
        "a family without a rule is never found"
    )


@pytest.mark.parametrize("part", [0, *(pytest.param(each, marks=pytest.mark.campaign) for each in range(1, 8))])
async def test_a_strict_device_is_recognised_without_being_named(part: int) -> None:
    """Every eighth family; in the campaign the others too."""
    lost = []
    for device_map, rule in rules()[part::8]:
        found = await sighted(InventedDevice(words_of(device_map, rule)))
        if device_map.id not in [each.map for each in proposals_for(maps(), found.known)]:
            lost.append(device_map.id)
    assert lost == []


async def test_a_lenient_device_takes_five_requests_at_most_and_is_nearly_always_known_when_it_is_named() -> None:
    lost = []
    for device_map, rule in rules():
        device = InventedDevice(words_of(device_map, rule), lenient=True)
        found = await sighted(device, device_map.id)
        assert len(device.requests) <= MOST_ANSWERS, device_map.id
        if device_map.id not in [each.map for each in proposals_for(maps(), found.known, makes=(device_map.id,))]:
            lost.append(device_map.id)
    assert len(lost) <= len(rules()) // 10, lost


LEAST_UNNAMED = 45
"""Families of 102 that five answers of an unnamed lenient device tell; 27 when a request joined 20 registers at most.

`python -m tests.benchmarks finding` prints the figure.
"""


async def test_nearly_half_of_the_families_are_known_within_five_answers_of_an_unnamed_lenient_device() -> None:
    listed, families = await known_unnamed(maps())
    assert listed >= LEAST_UNNAMED, f"{listed} of {families}"


@pytest.mark.parametrize("lenient", [True, False])
async def test_nothing_is_read_that_a_family_still_possible_forbids(lenient: bool) -> None:
    """Asked of a device of each family that has registers which must not be read."""
    for device_map in maps():
        for rule in device_map.identify if device_map.blocks.no_read else ():
            device = InventedDevice(words_of(device_map, rule), lenient=lenient)
            await sighted(device, device_map.id)
            for function, address, count in device.requests:
                for span in device_map.blocks.no_read:
                    touches = span.function == function and span.address < address + count and address < span.end
                    assert not touches, f"{device_map.id}: {function} {address} {count}"


async def test_a_sunspec_device_says_who_made_it() -> None:
    device = InventedDevice(chain_words((103, 160), "Fronius", "Symo 5.0"))
    found = await sighted(device)
    proposals = proposals_for(maps(), found.known)
    assert own_words(found.known, proposals) == "Fronius Symo 5.0"
    assert "sunspec-inverter" in [each.map for each in proposals]


async def test_a_long_chain_of_a_lenient_device_takes_five_requests() -> None:
    models = (103, 203, 120, 121, 122, 123, 124)
    device = InventedDevice(chain_words(models, "Acme", "X"), lenient=True)
    found = await sighted(device)
    assert found.requests <= MOST_ANSWERS
    assert found.known.sunspec is not None
    assert {each.id for each in found.known.sunspec.models} == {1, *models}


async def test_a_silent_unit_is_asked_twice() -> None:
    device = InventedDevice({}, unit=9)
    assert await identify(device, 1, maps(), pause=no_pause) is None
    assert len(device.requests) == 2


async def test_a_device_that_refuses_everything_is_there_but_unknown() -> None:
    device = InventedDevice({})
    found = await sighted(device)
    assert proposals_for(maps(), found.known) == ()
    assert found.answers == 0
    assert found.requests <= MOST_REQUESTS


async def test_a_busy_device_is_asked_again_and_a_lost_connection_is_the_end() -> None:
    class Moody(InventedDevice):
        fails = 2

        async def read_words(self, unit: int, function: int, *, address: int, count: int) -> list[int]:
            if self.fails:
                self.fails -= 1
                raise NoAnswerError("no answer in time") if self.fails % 2 else DeviceBusyError("busy")
            return await super().read_words(unit, function, address=address, count=count)

    class Gone(InventedDevice):
        async def read_words(self, unit: int, function: int, *, address: int, count: int) -> list[int]:
            raise LinkBrokenError("cannot connect")

    shelly = map_of("shelly-pro3em")
    assert (await sighted(Moody(words_of(shelly, shelly.identify[0])))).answers
    with pytest.raises(LinkBrokenError):
        await sighted(Gone({}))
