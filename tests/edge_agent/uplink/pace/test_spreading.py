"""The hub's pace over a real broker: only the hub's own signed word counts, and measuring never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink.pace.told import HubPace
from protocols.wire.pace.notices import PaceNotice, encode_pace
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import NOW, Line, line
from tests.edge_agent.stub_hub import AGENT, BrokerProcess, running_broker

NOTICE = encode_pace(PaceNotice(AGENT, int(NOW), 600, 120, 86_400))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with running_broker(tmp_path) as running:
        yield running


class Dice:
    """Randomness in the test's hand: it gives `part` of the range and remembers each range it was asked for."""

    def __init__(self, part: float) -> None:
        self.part = part
        self.asked: list[float] = []

    def uniform(self, least: float, most: float) -> float:
        self.asked.append(most)
        return least + self.part * (most - least)


def paced(made: Line, dice: Dice, clock_s: list[float]) -> HubPace:
    """A pace of this line, by a clock in the test's hand."""
    made.pace = HubPace(AGENT, now=lambda: NOW, monotonic=lambda: clock_s[0], uniform=dice.uniform)
    made.uplink = made.make_uplink()
    return made.pace


async def looks(made: Line) -> None:
    """Let the uplink look twice, so that once it had the whole of a look for what waits."""
    for _ in range(2):
        before = made.uplink.ignored
        made.hub.publish("pace", b"\x00" * 300)
        await until(lambda before=before: made.uplink.ignored > before)


async def test_a_slot_waits_for_its_moment_and_an_answer_takes_it_along(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made:
        clock_s = [5000.0]
        pace = paced(made, Dice(1.0), clock_s)
        async with made.running():
            await made.add(1)
            await made.all_receipted(1)
            made.hub.publish("pace", NOTICE)
            await until(lambda: pace.spread_s == 120)
            await made.add(1, for_slot=True)
            assert pace.held_s() == 120
            await looks(made)
            assert (made.uplink._sent_through, await made.waiting()) == (1, 1), "the slot is stored, and not sent yet"
            await made.add(1)
            await made.all_receipted(3)
            await made.add(1, for_slot=True)
            clock_s[0] += 119
            await looks(made)
            assert made.uplink._sent_through == 3
            clock_s[0] += 1
            await made.all_receipted(4)


async def test_a_home_that_catches_up_is_not_held(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker, answers=False) as made:
        pace = paced(made, Dice(1.0), [5000.0])
        async with made.running():
            await made.add(1)
            await until(lambda: made.hub.position.seq == 1)
            made.hub.publish("pace", NOTICE)
            await until(lambda: pace.spread_s == 120)
            await made.add(1, for_slot=True)
            await until(lambda: made.hub.position.seq == 2)


async def test_only_the_own_hub_s_signed_word_counts(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made:
        pace = paced(made, Dice(1.0), [5000.0])
        async with made.running():
            await made.add(1)
            await made.all_receipted(1)
            made.hub.publish("pace", NOTICE, key=Ed25519PrivateKey.generate())
            made.hub.publish("pace", b"\x00" * 300)
            made.hub.publish("pace", encode_pace(PaceNotice("a-other", int(NOW), 600, 120, 86_400)))
            await until(lambda: made.uplink.ignored == 2)
            await made.add(1, for_slot=True)
            await made.all_receipted(2)
            assert (pace.reconnect_s, pace.spread_s) == (0, 0)


async def test_a_lost_connection_comes_back_after_a_random_part_of_what_the_hub_asks(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    async with line(tmp_path, broker) as made:
        dice = Dice(0.0)
        pace = paced(made, dice, [5000.0])
        async with made.running():
            await made.add(1)
            await made.all_receipted(1)
            asked_before = len(dice.asked)
            await asyncio.to_thread(broker.stop)
            await until(lambda: not made.uplink.is_connected)
            await until(lambda: len(dice.asked) > asked_before + 2)
            assert dice.asked[asked_before : asked_before + 3] == [2.0, 4.0, 8.0], "by itself: doubling"
            await asyncio.to_thread(broker.start)
            await until(lambda: made.uplink.is_connected)
            made.hub.publish("pace", NOTICE)
            await until(lambda: pace.reconnect_s == 600)
            asked_before = len(dice.asked)
            await asyncio.to_thread(broker.stop)
            await until(lambda: len(dice.asked) > asked_before)
            assert dice.asked[asked_before] == 600, "from the first attempt on"
            await made.add(2)
            assert await made.waiting() == 2, "slots are stored meanwhile"
            await asyncio.to_thread(broker.start)
            await made.all_receipted(3)
