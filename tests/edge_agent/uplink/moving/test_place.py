"""Where the agent's broker is: a newer signed notice is tried, kept only once the hub answers there, and survives."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink.moving.place import (
    AGAIN_FIRST_S,
    AHEAD_S,
    FILE,
    TRIAL_S,
    TRIAL_WAIT_S,
    BrokerPlace,
    kept_notice,
)
from edge_agent.uplink.pace.waits import ReconnectWaits
from protocols.enrolment.broker_notices import BrokerNotice, encode_broker
from protocols.wire.topics import downlink_topic
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import line
from tests.edge_agent.stub_hub import AGENT as LINE_AGENT
from tests.edge_agent.stub_hub import COOP, running_broker

AGENT, NOW_S = "a-1", 1_790_000_000
ENROLLED, OTHER, THIRD = ("hub.example", 8883), ("b2.example", 8883), ("b3.example", 9000)


class At:
    """A place, with the clock and the state of the connection in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock_s, self.is_up, self.moves, self.is_waiting = folder, 0.0, False, 0, False
        self.place = self.again()

    def again(self, agent: str = AGENT) -> BrokerPlace:
        """As after a restart of the agent."""
        self.place = BrokerPlace(
            ENROLLED, agent=agent, folder=self.folder, now=lambda: float(NOW_S), monotonic=lambda: self.clock_s
        )
        self.place.is_up = lambda: self.is_up
        self.place.moved = self._moved
        return self.place

    def _moved(self) -> None:
        self.moves += 1
        if not self.is_waiting:
            self.place.note_begun()

    async def told(self, address: tuple[str, int], *, at: int = NOW_S, agent: str = AGENT) -> None:
        await self.place.note(encode_broker(BrokerNotice(agent, at, *address)))

    def looks_after(self, seconds: float) -> tuple[str, int]:
        self.clock_s += seconds
        self.place.look()
        return self.place.address


@pytest.fixture
def at(tmp_path: Path) -> At:
    return At(tmp_path)


async def test_a_move_counts_once_the_hub_has_answered_through_the_new_broker(at: At) -> None:
    await at.told(OTHER)
    assert (at.place.address, at.moves) == (OTHER, 1)
    at.place.note_answered()
    assert at.again().address == ENROLLED, "an answer through the old connection proves nothing"
    await at.told(OTHER, at=NOW_S + 1)
    at.is_up = True
    at.place.note_answered()
    assert at.looks_after(10 * TRIAL_S) == OTHER
    assert at.again().address == OTHER, "also after a restart"


async def test_without_an_answer_it_returns_and_tries_again_later_and_later(at: At) -> None:
    await at.told(OTHER)
    at.is_up = True
    assert at.looks_after(TRIAL_S - 1) == OTHER
    assert at.looks_after(1) == ENROLLED, "the broker alone does not do: the hub must be behind it"
    await at.told(OTHER, at=NOW_S + 1)
    assert at.place.address == ENROLLED, "not at once"
    at.clock_s += AGAIN_FIRST_S
    await at.told(OTHER, at=NOW_S + 2)
    assert at.place.address == OTHER
    assert at.looks_after(TRIAL_S) == ENROLLED
    at.clock_s += AGAIN_FIRST_S
    await at.told(OTHER, at=NOW_S + 3)
    assert at.place.address == ENROLLED, "the second pause is longer"
    await at.told(THIRD, at=NOW_S + 4)
    assert at.place.address == THIRD, "another address need not wait"


async def test_the_time_of_a_trial_begins_with_the_first_attempt(at: At) -> None:
    at.is_waiting = True
    await at.told(OTHER)
    assert at.looks_after(30 * TRIAL_S) == OTHER, "it has not been tried yet: the agent waits before it connects"
    at.place.note_begun()
    assert at.looks_after(TRIAL_S - 1) == OTHER
    at.place.note_begun()
    assert at.looks_after(1) == ENROLLED, "a second session, with a renewed certificate, gives it no more time"


async def test_between_attempts_at_a_tried_place_it_waits_a_part_of_the_trial_only(at: At) -> None:
    waits = ReconnectWaits(lambda _least, most: most, within_s=lambda: 3600, longest_s=lambda: at.place.longest_wait_s)
    assert waits.next_s() == 3600
    await at.told(OTHER)
    assert [waits.next_s() for _ in range(9)] == [TRIAL_WAIT_S] * 9
    assert at.looks_after(TRIAL_S) == ENROLLED
    assert waits.next_s() == 3600, "back at its own place the hub's word counts"


async def test_what_it_took_and_did_not_follow_may_be_taken_once_more_after_a_restart(at: At) -> None:
    at.is_up = True
    await at.told(OTHER)
    at.place.note_answered()
    await at.told(THIRD, at=NOW_S + 5)
    assert at.looks_after(TRIAL_S) == OTHER
    await at.told(ENROLLED, at=NOW_S + 4)
    assert at.place.address == OTHER, "it is before one that was taken"
    at.again()
    await at.told(ENROLLED, at=NOW_S + 4)
    assert at.place.address == ENROLLED, "it is after the one that was followed"


async def test_only_a_newer_notice_for_this_agent_is_taken(at: At) -> None:
    await at.told(OTHER, agent="a-2")
    await at.told(OTHER, at=NOW_S + AHEAD_S + 1)
    assert at.place.address == ENROLLED
    at.is_up = True
    await at.told(OTHER)
    at.place.note_answered()
    for old in (NOW_S, NOW_S - 1):
        await at.told(ENROLLED, at=old)
        assert at.place.address == OTHER, "somebody shows an old notice again"
    at.again()
    await at.told(ENROLLED, at=NOW_S)
    assert at.place.address == OTHER, "also after a restart"
    await at.told(ENROLLED, at=NOW_S + 1)
    assert at.place.address == ENROLLED


async def test_being_told_its_own_place_ends_a_trial(at: At) -> None:
    await at.told(OTHER)
    await at.told(ENROLLED, at=NOW_S + 1)
    assert at.place.address == ENROLLED
    await at.told(ENROLLED, at=NOW_S + 2)
    assert at.looks_after(TRIAL_S) == ENROLLED


async def test_an_agent_on_the_hubs_own_computer_stays_there() -> None:
    place = BrokerPlace(("127.0.0.1", 1883), agent=AGENT, now=lambda: float(NOW_S))
    await place.note(encode_broker(BrokerNotice(AGENT, NOW_S, *OTHER)))
    assert place.address == ("127.0.0.1", 1883)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nonsense",
        "[" * 100_000,
        json.dumps({"agent": AGENT, "at": NOW_S, "host": "b2.example"}),
        json.dumps({"agent": AGENT, "at": NOW_S, "host": "b2.example", "port": 0}),
        json.dumps({"agent": AGENT, "at": NOW_S, "host": "b2 example", "port": 1}),
        json.dumps({"agent": AGENT, "at": NOW_S, "host": "b2.example", "port": True}),
    ],
)
def test_a_damaged_file_counts_as_none(at: At, text: str) -> None:
    (at.folder / FILE).write_text(text)
    assert kept_notice(at.folder, AGENT) is None
    assert at.again().address == ENROLLED


async def test_a_place_of_an_agent_enrolled_here_before_is_not_used(at: At) -> None:
    at.is_up = True
    await at.told(OTHER)
    at.place.note_answered()
    assert at.again("a-2").address == ENROLLED


async def test_a_disk_that_takes_nothing_stops_no_move(at: At, caplog: pytest.LogCaptureFixture) -> None:
    at.is_up = True
    await at.told(OTHER)
    (at.folder / FILE).mkdir()
    at.place.note_answered()
    assert at.looks_after(10 * TRIAL_S) == OTHER
    assert "cannot be written" in caplog.text
    assert at.again().address == ENROLLED


async def test_a_notice_that_the_hub_did_not_sign_moves_nobody(tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        async with line(tmp_path, broker) as made:
            place = BrokerPlace(("127.0.0.1", broker.port), agent=LINE_AGENT, folder=tmp_path, now=lambda: float(NOW_S))
            made.uplink.takers[downlink_topic(COOP, LINE_AGENT, kind="broker")] = place.note
            async with made.running():
                await until(lambda: made.uplink.is_connected)
                notice = encode_broker(BrokerNotice(LINE_AGENT, NOW_S, *OTHER))
                made.hub.publish("broker", notice, key=Ed25519PrivateKey.generate())
                await until(lambda: made.uplink.ignored == 1)
                assert place.address == ("127.0.0.1", broker.port)
                made.hub.publish("broker", notice)
                await until(lambda: place.address == OTHER)
