"""One device over a real connection: the fewest requests, SunSpec found by walking, refused registers worked around."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.line import (
    ILLEGAL_ADDRESS,
    DeviceBusyError,
    LineSettings,
    NoAnswerError,
    ReadRefusedError,
    WrongDeviceError,
)
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.reader import Device
from edge_agent.metering.home_meter import MeasuringPoint
from edge_agent.settings import DeviceSettings, Endpoint
from protocols.maps.model import DeviceMap, RoleName
from tests.edge_agent.modbus_stand import Stand, link_to, meter_words
from tests.protocols.maps.shipped import shipped_map

FAST = LineSettings(timeout_s=0.2)
IMPATIENT = LineSettings(timeout_s=0.06)


def device(
    family: str,
    *roles: RoleName,
    unit: int = 1,
    invert: bool = False,
    instance: int | None = None,
    monotonic: Callable[[], float] = lambda: 0.0,
    device_map: DeviceMap | None = None,
) -> Device:
    settings = DeviceSettings(
        name="it",
        map=family,
        roles=roles or ("grid",),
        endpoint=Endpoint("tcp", "127.0.0.1", 1),
        unit=unit,
        sign="as_documented",
        invert=invert,
        max_power_w=15_000,
        timeout_ms=None,
        instance=instance,
    )

    async def no_pause(_seconds: float) -> None:
        return

    return Device(settings, device_map or shipped_map(family), sleep=no_pause, monotonic=monotonic)


async def linked(stand: Stand, line: LineSettings = FAST) -> ModbusLink:
    await stand.start()
    return link_to(Endpoint("tcp", "127.0.0.1", stand.port), line)


def sunspec_words(export_power: int = 1500) -> dict[tuple[int, int], int]:
    """A device with models 1 and 103 from 40000, its energy and power filled in."""
    words = {40000: 0x5375, 40001: 0x6E53, 40002: 1, 40003: 66}
    words |= {40004 + at: 0 for at in range(66)}
    base = 40070
    words |= {base: 103, base + 1: 50} | {base + 2 + at: 0x8000 for at in range(50)}
    words |= {base + 14: export_power, base + 15: 0, base + 24: 2, base + 25: 5000, base + 26: 0}
    words |= {base + 52: 0xFFFF, base + 53: 0}
    return {(3, address): word for address, word in words.items()}


async def test_counters_and_power_of_a_meter() -> None:
    stand = Stand(meter_words(123_000, 4_000, power_w=-750))
    link = await linked(stand)
    meter = device("eastron-sdm630")
    samples = meter.samples(await meter.read_places(link), 900.0)
    sample = samples[MeasuringPoint("it", "grid", 15_000)]
    assert (sample.counters_wh, sample.power_w) == ({"import_wh": 123_000, "export_wh": 4_000}, -750)
    turned = device("eastron-sdm630", invert=True)
    sample = turned.samples(await turned.read_places(link), 900.0)[MeasuringPoint("it", "grid", 15_000)]
    assert (sample.counters_wh, sample.power_w) == ({"export_wh": 123_000, "import_wh": 4_000}, 750)
    await link.close()
    await stand.stop()


@pytest.mark.parametrize(("role", "field", "power_w"), [("load", "import_wh", -750), ("pv", "production_wh", 750)])
async def test_a_meter_of_one_counter_that_is_wired_the_wrong_way_round_still_counts(
    role: RoleName, field: str, power_w: int
) -> None:
    straight_wh, swapped_wh = (123_000, 4_000) if role == "load" else (4_000, 123_000)
    link = await linked(stand := Stand(meter_words(123_000, 4_000, power_w=750)))
    for invert, counted_wh, sign in ((False, straight_wh, -1), (True, swapped_wh, 1)):
        meter = device("eastron-sdm630", role, invert=invert)
        (sample,) = meter.samples(await meter.read_places(link), 900.0).values()
        assert (sample.counters_wh, sample.power_w) == ({field: counted_wh}, sign * power_w)
    await link.close()
    await stand.stop()


async def test_a_sunspec_device_is_walked_once_per_connection() -> None:
    stand = Stand(sunspec_words())
    link = await linked(stand)
    inverter = device("sunspec-inverter", "pv")
    sample = next(iter(inverter.samples(await inverter.read_places(link), 0.0).values()))
    assert (sample.counters_wh, sample.power_w) == ({"production_wh": 136_072}, 1500)
    walked = len(stand.requests)
    await inverter.read_places(link)
    assert len(stand.requests) == walked + 1
    await stand.stop()
    stand.words = {(3, address + 2): word for (_, address), word in sunspec_words().items() if address >= 40070}
    stand.words |= {(3, 40000): 0x5375, (3, 40001): 0x6E53, (3, 40002): 1, (3, 40003): 68}
    await stand.start()
    sample = next(iter(inverter.samples(await inverter.read_places(link), 0.0).values()))
    assert sample.counters_wh == {"production_wh": 136_072}, "the models moved by two and were found again"
    await link.close()
    await stand.stop()


async def test_what_is_no_sunspec_device_is_said_to_be_none() -> None:
    stand = Stand({(3, 40000): 1})
    link = await linked(stand)
    with pytest.raises(WrongDeviceError, match="no SunSpec marker"):
        await device("sunspec-inverter", "pv").read_places(link)
    await link.close()
    await stand.stop()


async def test_a_refused_register_costs_no_other_point_and_few_requests_once() -> None:
    stand = Stand(meter_words(5_000))
    stand.holes = {(4, 30), (4, 31)}
    link = await linked(stand)
    meter = device("eastron-sdm630")
    readout = await meter.read(link)
    first = len(stand.requests)
    assert "power_factor_l1" not in readout.values
    assert readout.values["frequency"] == 50
    assert len(readout.values) == len(meter.resolved.names()) - 1
    stand.requests.clear()
    await meter.read(link)
    assert len(stand.requests) <= 4
    assert first <= 4 + 2 * 6
    await link.close()
    await stand.stop()


async def test_a_hole_that_may_not_be_read_over_is_learned() -> None:
    stand = Stand(meter_words(5_000))
    stand.holes = {(4, 50)}
    link = await linked(stand)
    meter = device("eastron-sdm630")
    readout = await meter.read(link)
    assert set(readout.values) == set(meter.resolved.names())
    stand.requests.clear()
    await meter.read(link)
    assert all(not (address <= 50 < address + count) for _, _, address, count in stand.requests)
    await link.close()
    await stand.stop()


class Particular:
    """A link to a device that refuses some registers, some gaps to be read over, and blocks that are too long."""

    opened = 1

    def __init__(self, *, refused: set[int], walls: set[int], longest: int) -> None:
        self.refused, self.walls, self.longest = refused, walls, longest

    async def read_words(self, _unit: int, _function: int, *, address: int, count: int) -> list[int]:
        block = range(address, address + count)
        crosses = any(at in block and at + 1 in block for at in self.walls)
        if count > self.longest or crosses or self.refused.intersection(block):
            raise ReadRefusedError(ILLEGAL_ADDRESS)
        return [0] * count


SDM = range(390)


@given(
    refused=st.sets(st.sampled_from(SDM), max_size=6),
    walls=st.sets(st.sampled_from(range(1, 390, 2)), max_size=6),
    longest=st.sampled_from([2, 3, 4, 10, 40, 125]),
    wanted=st.lists(st.sets(st.integers(0, 200), min_size=1, max_size=12), min_size=1, max_size=4),
)
def test_whatever_a_device_refuses_it_is_learned_and_never_forbids_another_reading(
    refused: set[int], walls: set[int], longest: int, wanted: list[set[int]]
) -> None:
    async def read_again_and_again() -> None:
        meter, link = device("eastron-sdm630"), Particular(refused=refused, walls=walls, longest=longest)
        names: list[str] = []
        for picked in [*wanted, *[set(range(200))] * 12]:
            all_names = names or ["energy_import_total"]
            chosen = None if len(picked) == 200 else {all_names[each % len(all_names)] for each in picked}
            with suppress(ReadRefusedError):
                readout = await meter.read(link, chosen)  # type: ignore[arg-type]
            names = list(meter.resolved.names())
        bad = {
            name for name in names if any(refused & set(range(s.address, s.end)) for s in meter.resolved.spans([name]))
        }
        assert set(readout.values) == set(names) - bad, "in the end everything it gives is read"

    asyncio.run(read_again_and_again())


async def test_a_needed_counter_that_is_refused_is_known() -> None:
    stand = Stand(meter_words(5_000))
    stand.holes = {(4, 72)}
    link = await linked(stand)
    meter = device("eastron-sdm630")
    await meter.read_places(link)
    assert meter.is_refused(meter.places[0])
    await link.close()
    await stand.stop()


async def test_a_device_that_refuses_everything_teaches_nothing() -> None:
    stand = Stand(meter_words(5_000))
    stand.always = "refuse"
    link = await linked(stand)
    meter = device("eastron-sdm630")
    with pytest.raises(ReadRefusedError):
        await meter.read(link)
    stand.always = "ok"
    assert set((await meter.read(link)).values) == set(meter.resolved.names())
    await link.close()
    await stand.stop()


async def test_busy_is_asked_again_and_then_given_up() -> None:
    stand = Stand(meter_words(5_000))
    link = await linked(stand)
    meter = device("eastron-sdm630")
    stand.modes.extend(["busy", "busy"])
    readout = await meter.read_places(link)
    assert readout.values["energy_import_total"] == Decimal(5)
    stand.always = "busy"
    with pytest.raises(DeviceBusyError):
        await meter.read_places(link)
    await link.close()
    await stand.stop()


async def test_a_unit_nobody_has_is_silent() -> None:
    stand = Stand(meter_words(5_000))
    link = await linked(stand)
    with pytest.raises(NoAnswerError):
        await device("eastron-sdm630", unit=9).read_places(link)
    await link.close()
    await stand.stop()


async def test_two_meters_on_one_serial_bus() -> None:
    """The bus answers for unit 1 and 2; unit 3 is not there and costs the others nothing but its time-out."""
    stand = Stand(meter_words(8_000), units=(1, 2))
    with stand.on_a_bus() as path:
        link = link_to(Endpoint("rtu", path=path), LineSettings(timeout_s=0.2, request_gap_s=0.02, baud=57600))
        for unit in (1, 3, 2, 1):
            meter = device("eastron-sdm630", unit=unit)
            if unit == 3:
                with pytest.raises(NoAnswerError):
                    await meter.read_places(link)
                continue
            readout = await meter.read_places(link)
            assert readout.values["energy_import_total"] == Decimal(8)
        await link.close()
