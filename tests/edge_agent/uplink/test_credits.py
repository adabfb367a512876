"""Notices of credits on their way down: the hub's own reach the home, forged and misdirected ones do not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.home_store.credit_days import CreditBook
from edge_agent.hub_link import unharmed
from protocols.wire.credits.notices import CreditDay, CreditsNotice, encode_credits
from protocols.wire.envelope import seal
from protocols.wire.topics import downlink_topic
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import Line, line
from tests.edge_agent.stub_hub import AGENT, COOP, BrokerProcess, running_broker

DAY = CreditDay(1_994_592, 96, False, 3210, 1040, 5000, 700)
SLOTS = range(DAY.first_slot, DAY.first_slot + 96)
TOPIC = downlink_topic(COOP, AGENT, kind="credits")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with running_broker(tmp_path) as running:
        yield running


def notice(day: CreditDay, at: int, agent: str = AGENT) -> bytes:
    return encode_credits(CreditsNotice(agent, DAY.end_s + at, (day,)))


def listen(made: Line) -> CreditBook:
    book = CreditBook(made.folder, agent=AGENT)
    made.uplink.takers[TOPIC] = lambda payload, _sealed: book.note(payload)
    return book


async def test_only_the_hubs_own_word_to_this_agent_counts(tmp_path: Path, broker: BrokerProcess) -> None:
    forged = replace(DAY, received_wh=9)
    async with line(tmp_path, broker) as made:
        book = listen(made)
        async with made.running():
            await until(lambda: made.uplink.is_connected)
            hub = made.hub
            hub.publish("credits", notice(forged, 9), key=Ed25519PrivateKey.generate())
            hub.publish("credits", b"\x00" * 300)
            # A neighbour's notice, genuine, under this agent's topic: the signature covers the topic.
            neighbours = downlink_topic(COOP, "a-other", kind="credits")
            hub._client.publish(TOPIC, seal(hub.key, neighbours, notice(forged, 9, "a-other")), qos=1)
            await until(lambda: made.uplink.ignored == 3)
            hub.publish("credits", notice(forged, 9, "a-other"))
            hub.publish("credits", notice(DAY, 5))
            await until(lambda: not book.is_empty)
            assert book.day(SLOTS) == DAY
            corrected = replace(DAY, received_wh=3300)
            hub.publish("credits", notice(corrected, 6))
            await until(lambda: book.day(SLOTS) == corrected)
            hub.publish("credits", notice(DAY, 5))
            await made.add(1)
            await made.all_receipted(1)
            assert book.day(SLOTS) == corrected, "an older word that comes again"
    assert CreditBook(made.folder, agent=AGENT).day(SLOTS) == corrected


async def test_an_agent_that_does_not_know_the_kind_goes_on(tmp_path: Path, broker: BrokerProcess) -> None:
    """As an agent of before this release: nothing takes the notice, and nothing is counted as forged."""
    async with line(tmp_path, broker) as made, made.running():
        await until(lambda: made.uplink.is_connected)
        made.hub.publish("credits", notice(DAY, 5))
        await made.add(3)
        await made.all_receipted(3)
        assert made.uplink.ignored == 0


async def test_a_fault_in_what_takes_a_notice_in_ends_no_sending(
    tmp_path: Path, broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(payload: bytes, _sealed: bytes) -> None:
        raise TypeError(f"{len(payload)} bytes")

    async with line(tmp_path, broker) as made, made.running():
        made.uplink.takers[TOPIC] = unharmed("credits", fail)
        await until(lambda: made.uplink.is_connected)
        made.hub.publish("credits", notice(DAY, 5))
        await until(lambda: "credits from the hub: taking them in failed with TypeError" in caplog.text)
        await made.add(1)
        await made.all_receipted(1)
