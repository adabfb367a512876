"""The link against a device that does everything wrong: no word of another request, and hardly a good answer lost.

`make test` runs a short seeded part; `make campaign` the million exchanges. A good answer is one that a correct client
could have taken: after a fault an answer may be an older one, and the client asks a second time; where the device
spoils that second answer too, nobody can tell the first from an older one.
"""

import asyncio
import logging
import random
from dataclasses import dataclass

import pytest

from edge_agent.devices.line import DeviceReadError, LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.settings import Endpoint
from tests.edge_agent.hostile_device import HostileDevice, kinds_of, word_of
from tests.edge_agent.warped_loop import run_warped, wired_to

TIMEOUT_S = 1.0
ENDPOINTS = {
    "tcp": Endpoint("tcp", "it", 502),
    "rtu": Endpoint("rtu", path="/dev/it"),
    "rtu over tcp": Endpoint("rtu+tcp", "it", 502),
    "ascii": Endpoint("ascii", path="/dev/it"),
}
PLANS = (
    (1, 3, 100, 12), (2, 3, 100, 12), (1, 3, 400, 12), (2, 4, 7, 2), (1, 3, 30, 60), (2, 3, 30, 60), (1, 4, 90, 1),
)  # fmt: skip
"""Units of one kind behind one gateway: blocks of equal lengths, so that one's answer fits the other's request."""

# The library logs every odd frame as an error; here they are sent on purpose.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


@dataclass
class Tally:
    """What happened. `faultless`: reads in which the device answered every request well, and how many of them failed.

    `lost_good`: reads that failed although the last answer was good. `good`: all good answers, `unproven` those to a
    question itself that were not taken because a later answer of the same read was bad.
    """

    exchanges: int = 0
    handed_on: int = 0
    good: int = 0
    lost_good: int = 0
    faultless: int = 0
    lost_faultless: int = 0
    unproven: int = 0
    kinds: int = 0

    def line(self) -> str:
        taken = 1 - self.lost_faultless / max(1, self.faultless)
        return (
            f"{self.exchanges} exchanges with faults of {self.kinds} kinds: {self.handed_on} reads handed on, 0 wrong; "
            f"{taken:.2%} of {self.faultless} reads that the device answered well were taken, "
            f"{self.lost_good} of {self.good} good answers lost, {self.unproven} more whose proof was spoilt"
        )

    def judge(self) -> None:
        """At least 99 % of the good answers are taken, at whatever share of faults."""
        assert self.lost_faultless <= 0.01 * self.faultless, self.line()
        assert self.lost_good <= 0.01 * self.good, self.line()


def campaign(kind: str, seed: int, exchanges: int, *, fault_share: float, lies_low: bool = False) -> Tally:
    """Read on until so many requests were sent; every word handed on is checked."""
    wire = "ascii" if kind == "ascii" else "tcp" if kind == "tcp" else "rtu"
    tally = Tally()

    async def read_on() -> None:
        far = HostileDevice(wire, seed, fault_share=fault_share, timeout_s=TIMEOUT_S, lies_low=lies_low)
        clock = asyncio.get_running_loop().time
        line = LineSettings(timeout_s=TIMEOUT_S, request_gap_s=0.02, baud=19_200)
        link = ModbusLink(ENDPOINTS[kind], line, monotonic=clock, make=wired_to(far))
        chance = random.Random(seed)
        while far.received < exchanges:
            unit, function, address, count = chance.choice(PLANS)
            before, is_taken = far.received, True
            try:
                words = await link.read_words(unit, function, address=address, count=count)
            except DeviceReadError:
                is_taken = False
            asked = range(before + 1, far.received + 1)
            well = [each for each in asked if each in far.answered_well]
            is_faultless = bool(well) and len(well) == len(asked)
            tally.faultless += is_faultless
            if not is_taken:
                tally.lost_faultless += is_faultless
                tally.lost_good += bool(asked) and asked[-1] in well
                question = (unit, function, address, count)
                tally.unproven += any(far.asked[each] == question for each in well if each != asked[-1])
            else:
                tally.handed_on += 1
                fits = (
                    words == [word_of(unit, function, at, received) for at in range(address, address + count)]
                    for received in asked
                )
                assert any(fits), f"wrong words for {unit, function, address, count} after {far.faults}"
            await asyncio.sleep(chance.choice((0, 0, 0.1, 5)))
        await link.close()
        tally.exchanges, tally.kinds, tally.good = far.received, len(far.faults), len(far.answered_well)

    run_warped(read_on)
    return tally


@pytest.mark.parametrize("kind", ENDPOINTS)
@pytest.mark.parametrize("lies_low", [False, True], ids=["queues", "loses"])
def test_no_wrong_word_from_a_device_that_does_everything_wrong(kind: str, lies_low: bool) -> None:
    tally = campaign(kind, 11, 600, fault_share=0.5, lies_low=lies_low)
    assert tally.kinds == len(kinds_of("tcp" if kind == "tcp" else "rtu"))
    assert tally.handed_on > 60
    tally.judge()


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_hardly_a_good_answer_is_lost(kind: str) -> None:
    """One request in fifty goes wrong; what the device answers well and in time is handed on."""
    tally = campaign(kind, 5, 600, fault_share=0.02)
    assert tally.faultless > 500
    tally.judge()


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ENDPOINTS)
@pytest.mark.parametrize("seed", range(8))
def test_a_million_hostile_exchanges(kind: str, seed: int) -> None:
    share = (0.02, 0.1, 0.3, 0.6)[seed % 4]
    tally = campaign(kind, seed, 32_000, fault_share=share, lies_low=seed >= 4)
    print(f"{kind}, {share:.0%} faults: {tally.line()}")
    assert tally.exchanges >= 32_000
    assert tally.faultless > 1000
    tally.judge()
