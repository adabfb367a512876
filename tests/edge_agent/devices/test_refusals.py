"""What a device refuses or leaves unanswered costs nothing else, is asked for again, and is named once."""

from contextlib import suppress

import pytest

from edge_agent.devices.line import NoAnswerError, ReadRefusedError
from tests.edge_agent.devices.knowledge.test_sunspec_search import INVERTER, MAKER, Chain, chain_words
from tests.edge_agent.devices.test_reader import IMPATIENT, device, linked
from tests.edge_agent.modbus_stand import Stand, meter_words


class Seconds:
    """A clock for the pauses between questions, moved by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_refused_register_is_asked_for_again_at_growing_intervals() -> None:
    stand, clock = Stand(meter_words(5_000)), Seconds()
    stand.holes = {(4, 72)}
    link, meter = await linked(stand), device("eastron-sdm630", monotonic=clock)
    asked = []
    for second in range(700):
        clock.now_s = second
        stand.requests.clear()
        await meter.read_places(link)
        asked.extend([second] * sum(address == 72 and count == 2 for _, _, address, count in stand.requests))
    assert asked == [0, 0, 5, 15, 35, 75, 155, 315, 635]
    assert meter.gives_up_on(meter.places[0])
    stand.holes, clock.now_s = set(), 2000.0
    assert (await meter.read_places(link)).values["energy_import_total"] == 5
    assert not meter.is_refused(meter.places[0])
    await link.close()
    await stand.stop()


async def test_each_refused_register_is_named_once_with_its_code() -> None:
    stand, clock = Stand(meter_words(5_000)), Seconds()
    stand.holes = {(4, 72)}
    link, meter = await linked(stand), device("eastron-sdm630", monotonic=clock)
    told = []
    for second in range(40):
        clock.now_s = second
        stand.holes = set() if second > 20 else stand.holes
        await meter.read_places(link)
        told += meter.news()
        if second == 10:
            await link.close()
    assert told == [
        "registers 72..73 (energy_import_total): refused with exception 2; will be retried at growing intervals",
        "registers 72..73 (energy_import_total): answered again",
    ]
    await link.close()
    await stand.stop()


@pytest.mark.parametrize("manner", ["silent", "fail"])
@pytest.mark.parametrize(
    ("family", "longest"), [("eastron-sdm630", 10), ("huawei-sun2000", 40), ("sunspec-inverter", 40)]
)
async def test_a_block_that_is_too_long_for_the_device_is_split(family: str, longest: int, manner: str) -> None:
    models: Chain = [(1, 66, MAKER), (103, 50, INVERTER), (160, 48, {})]
    stand = Stand(chain_words(models) if family.startswith("sunspec") else meter_words(5_000))
    stand.longest, stand.on_too_long = longest, manner
    link, under_test = await linked(stand, IMPATIENT), device(family, "pv" if family.startswith("sunspec") else "grid")
    wanted = {}
    for _ in range(4):
        with suppress(NoAnswerError, ReadRefusedError):
            wanted = (await under_test.read(link, thoroughly=True)).values
    spans = under_test.resolved.spans
    possible = {n for n in under_test.resolved.names() if all(s.count <= longest for s in spans([n]))}
    assert possible <= set(wanted)
    stand.requests.clear()
    await under_test.read(link)
    assert all(count <= longest for _, _, _, count in stand.requests), "what went unanswered is not asked for again"
    await link.close()
    await stand.stop()


async def test_one_register_that_is_never_answered_costs_no_other_point() -> None:
    stand, clock = Stand(meter_words(5_000)), Seconds()
    stand.mute = {(4, 30), (4, 31)}
    link, meter = await linked(stand, IMPATIENT), device("eastron-sdm630", monotonic=clock)
    readout = await meter.read(link, thoroughly=True)
    assert set(meter.resolved.names()) - set(readout.values) == {"power_factor_l1"}
    assert meter.news() == [
        "registers 30..31 (power_factor_l1): not answered, though the device answers other requests; "
        "will be retried at growing intervals"
    ]
    opened = link.opened
    await meter.read(link)
    assert link.opened <= opened + 1, "the silence is remembered over the connection it broke"
    assert (await meter.read(link)).values["energy_import_total"] == 5
    await link.close()
    await stand.stop()


async def test_a_known_device_that_falls_silent_costs_one_time_out_and_teaches_nothing() -> None:
    stand = Stand(meter_words(5_000))
    link, meter = await linked(stand), device("eastron-sdm630")
    await meter.read_places(link)
    plan = meter.resolved.plan()
    stand.always = "silent"
    stand.requests.clear()
    with pytest.raises(NoAnswerError):
        await meter.read_places(link)
    assert len(stand.requests) == 1
    stand.always = "ok"
    await meter.read_places(link)
    assert (meter.refused, meter.resolved.plan()) == ((), plan)
    await link.close()
    await stand.stop()
