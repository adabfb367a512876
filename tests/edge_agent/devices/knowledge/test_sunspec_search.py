"""SunSpec devices over a real connection: found at any base, in several formats, several in one chain, or silent."""

import pytest

from edge_agent.devices.line import NoAnswerError, WrongDeviceError
from tests.edge_agent.devices.test_reader import IMPATIENT, device, linked, sunspec_words
from tests.edge_agent.modbus_stand import Stand

Chain = list[tuple[int, int, dict[int, int]]]
MAKER = {2 + at: word for at, word in enumerate((0x536F, 0x6C61, 0x7245, 0x6467, 0x6500))}
INVERTER = {14: 1500, 15: 0, 24: 2, 25: 5000, 26: 0}


def chain_words(models: Chain, base: int = 40000) -> dict[tuple[int, int], int]:
    """A chain of (model, length, its words by offset); words not given are 0."""
    words, at = {base: 0x5375, base + 1: 0x6E53}, base + 2
    for model, length, content in models:
        words |= {at: model, at + 1: length} | {at + 2 + place: 0 for place in range(length)}
        words |= {at + offset: word for offset, word in content.items()}
        at += 2 + length
    words |= {at: 0xFFFF, at + 1: 0}
    return {(3, address): word for address, word in words.items()}


def strict(words: dict[tuple[int, int], int]) -> Stand:
    """A device that refuses whatever it does not have."""
    stand = Stand(words)
    stand.holes = {(3, at) for at in range(39_990, 41_500)} - set(words)
    return stand


@pytest.mark.parametrize("integers", [101, 102, 103])
@pytest.mark.parametrize("floats", [111, 112, 113, None])
@pytest.mark.parametrize("is_strict", [True, False])
async def test_an_inverter_with_its_models_in_several_formats_is_read(
    integers: int, floats: int | None, is_strict: bool
) -> None:
    """SolarEdge hybrids and IEEE 1547: old models first, float models perhaps, 701 far behind them."""
    models: Chain = [(1, 66, MAKER), (integers, 50, INVERTER), *([(floats, 60, {})] if floats else [])]
    models += [(120, 26, {}), (160, 48, {}), (701, 153, {10: 9, 116: 0, 120: 0, 22: 7})]
    words = chain_words(models)
    stand = strict(words) if is_strict else Stand(words)
    link, inverter = await linked(stand), device("sunspec-inverter", "pv")
    sample = next(iter(inverter.samples(await inverter.read_places(link), 0.0).values()))
    assert (sample.counters_wh, sample.power_w) == ({"production_wh": 136_072}, 1500)
    readout = await inverter.read(link)
    assert set(readout.values) == set(inverter.resolved.names())
    assert readout.values["manufacturer"] == "SolarEdge"
    await link.close()
    await stand.stop()


TWO_INVERTERS: Chain = [
    (1, 66, MAKER), (103, 50, INVERTER), (1, 66, {2: 0x4142}), (101, 50, {14: 700, 25: 9, 15: 0, 26: 0}),
]  # fmt: skip


async def test_two_inverters_in_one_chain_are_told_apart_and_never_one_for_both() -> None:
    link = await linked(Stand(chain_words(TWO_INVERTERS)))
    with pytest.raises(WrongDeviceError, match=r"holds 2 devices of this kind.*instance = 1 to 2"):
        await device("sunspec-inverter", "pv").read_places(link)
    read = []
    for instance in (1, 2):
        inverter = device("sunspec-inverter", "pv", instance=instance)
        readout = await inverter.read(link)
        sample = inverter.samples(readout, 0.0)[inverter.places[0]]
        read.append((readout.values["manufacturer"], sample.counters_wh["production_wh"], sample.power_w))
    assert read == [("SolarEdge", 136_072, 1500), ("AB", 9, 700)]
    with pytest.raises(WrongDeviceError, match="instance: expected at most 2"):
        await device("sunspec-inverter", "pv", instance=3).read_places(link)
    await link.close()


@pytest.mark.parametrize("base", [0, 50_000])
@pytest.mark.parametrize("refuses", [False, True])
async def test_a_device_that_says_nothing_at_40000_is_found_at_another_base(base: int, refuses: bool) -> None:
    stand = Stand(chain_words([(1, 66, MAKER), (103, 50, INVERTER)], base))
    nothing = {(3, at) for at in range(40_000, 40_200)} | {(3, at) for at in range(50_000, 50_200) if base == 0}
    stand.holes, stand.mute = (nothing, set()) if refuses else (set(), nothing)
    link, inverter = await linked(stand, IMPATIENT), device("sunspec-inverter", "pv")
    assert (await inverter.read_places(link)).values["active_power"] == 1500
    await link.close()
    stand.requests.clear()
    await inverter.read_places(link)
    assert not [each for each in stand.requests if each[2] == 40_000], "the base is known now"
    await link.close()
    await stand.stop()


async def test_a_dead_device_costs_four_time_outs_once_and_one_later() -> None:
    stand = Stand(sunspec_words())
    stand.always = "silent"
    link, inverter = await linked(stand, IMPATIENT), device("sunspec-inverter", "pv")
    cost = []
    for _ in range(4):
        stand.requests.clear()
        with pytest.raises(NoAnswerError):
            await inverter.read_places(link)
        cost.append(len(stand.requests))
    assert cost == [4, 1, 1, 1]
    stand.always = "ok"
    assert (await inverter.read_places(link)).values["active_power"] == 1500
    await link.close()
    stand.always = "silent"
    stand.requests.clear()
    with pytest.raises(NoAnswerError):
        await inverter.read_places(link)
    assert len(stand.requests) == 1
    await link.close()
    await stand.stop()


async def test_the_maker_decides_the_sign_also_where_the_walk_reads_only_headers() -> None:
    stand = strict(chain_words([(1, 65, MAKER), (203, 105, {18: 500, 22: 0, 38: 1, 54: 0})]))
    link, meter = await linked(stand), device("sunspec-meter")
    sample = meter.samples(await meter.read_places(link), 0.0)[meter.places[0]]
    assert sample.power_w == -500
    await link.close()
    await stand.stop()


async def test_the_second_meter_of_an_inverter_is_named_once_and_can_be_chosen() -> None:
    meters: Chain = [(1, 65, MAKER), (103, 50, {}), *[(1, 65, MAKER), (203, 105, {18: 5, 46: 0, 47: 70})] * 2]
    meters[-1] = (203, 105, {18: 5, 46: 0, 47: 90})
    link = await linked(Stand(chain_words(meters)))
    told, read = [], []
    for instance in (None, 1, 2):
        meter = device("sunspec-meter", instance=instance)
        for _ in range(2):
            sample = meter.samples(await meter.read_places(link), 0.0)[meter.places[0]]
            told += meter.news()
        read.append(sample.counters_wh["import_wh"])
    assert read == [70, 70, 90]
    assert told == ["its chain holds 2 such devices, only the first is read: set instance to choose"]
    await link.close()
