"""Several links as one: acknowledgements go back where a message came from, words for a home go where it is."""

from collections.abc import Hashable, Sequence
from dataclasses import replace

import pytest

from hub.broker.connection import Delivery, LinkCounts
from hub.broker.link.outgoing import Seal, Taken
from hub.broker.sharded import links as several
from hub.broker.sharded.directory import Directory, HomesAddress
from hub.broker.sharded.links import SeveralLinks
from protocols.wire.topics import downlink_topic, shard_of, uplink_topic

COOP = "c"
AGENTS = tuple(f"a-{number}" for number in range(40))
LOW = [agent for agent in AGENTS if shard_of(agent) < 32]
HIGH = [agent for agent in AGENTS if shard_of(agent) >= 32]


class Link:
    """One broker's connection: what it was given."""

    def __init__(self) -> None:
        self.is_connected = True
        self.connections, self.counts = 1, LinkCounts(connections=1, most_unacknowledged=5, dropped=3)
        self.acknowledged: list[Delivery] = []
        self.published: list[tuple[str, bool]] = []
        self.untaken: list[Taken] = []

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += deliveries

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        self.published.append((topic, is_kept))

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        self.published.append((topic, False))
        if taken is not None:
            self.untaken.append(taken)


def directory() -> Directory:
    low, high = (frozenset(range(first, first + 32)) for first in (0, 32))
    return Directory("hub.example", [HomesAddress(low, "hub.example", 1), HomesAddress(high, "b2.example", 2)])


def several_links(count: int = 2) -> tuple[SeveralLinks, list[Link]]:
    made = [Link() for _ in range(count)]
    return SeveralLinks(made, directory()), made


def from_agent(agent: str, broker: int, *, packet_id: int = 1) -> Delivery:
    return Delivery(uplink_topic(COOP, agent, kind="batch"), b"", 1, packet_id, 1, broker)


def told(made: Sequence[Link], agent: str, *, is_kept: bool = False) -> list[int]:
    """The brokers that got a word for this agent."""
    topic = downlink_topic(COOP, agent, kind="receipt")
    return [number for number, link in enumerate(made) if (topic, is_kept) in link.published]


def test_each_broker_gets_its_own_acknowledgements() -> None:
    links, made = several_links()
    first = [from_agent(LOW[0], 0, packet_id=each) for each in range(3)]
    second = [from_agent(HIGH[0], 1, packet_id=each) for each in range(3)]
    links.acknowledge([first[0], second[0], first[1], second[1], second[2], first[2]])
    assert [link.acknowledged for link in made] == [first, second]


def test_a_home_is_told_where_it_belongs_and_where_it_was_heard() -> None:
    links, made = several_links()
    assert links.note_heard([from_agent(LOW[0], 0), from_agent(HIGH[0], 0), from_agent(HIGH[1], 1)]) == [HIGH[0]]
    for agent in (LOW[0], HIGH[0], HIGH[1]):
        links.publish(downlink_topic(COOP, agent, kind="receipt"), b"")
    links.publish_latest(downlink_topic(COOP, LOW[1], kind="receipt"), bytes, of="receipt")
    links.note_heard([from_agent(LOW[2], 0)])
    links.publish_latest(downlink_topic(COOP, LOW[2], kind="receipt"), bytes, of="receipt")
    assert told(made, LOW[0]) == told(made, LOW[2]) == [0]
    assert told(made, LOW[1]) == [0, 1], "not heard yet"
    assert told(made, HIGH[0]) == [0, 1], "it is on its way"
    assert told(made, HIGH[1]) == [1]


def test_a_message_is_taken_when_every_broker_that_it_went_to_has_it() -> None:
    links, made = several_links()
    taken: list[str] = []
    topic = downlink_topic(COOP, LOW[0], kind="prompt")
    links.publish_latest(topic, bytes, of=1, taken=lambda: taken.append("everywhere"))
    made[0].untaken.pop()()
    assert taken == []
    made[1].untaken.pop()()
    assert taken == ["everywhere"]
    links.note_heard([from_agent(LOW[0], 0)])
    links.publish_latest(topic, bytes, of=1, taken=lambda: taken.append("at its own"))
    made[0].untaken.pop()()
    assert taken == ["everywhere", "at its own"]


def test_the_newest_place_counts_within_one_delivery_too() -> None:
    links, _ = several_links()
    assert links.note_heard([from_agent(HIGH[0], 0), from_agent(HIGH[0], 1)]) == []
    assert links.note_heard([from_agent(HIGH[0], 1), from_agent(HIGH[0], 0)]) == [HIGH[0]]


def test_a_home_not_heard_yet_and_what_is_kept_are_told_everywhere() -> None:
    links, made = several_links()
    links.publish(downlink_topic(COOP, LOW[0], kind="receipt"), b"")
    assert told(made, LOW[0]) == [0, 1]
    links.note_heard([from_agent(LOW[1], 0)])
    links.publish(downlink_topic(COOP, LOW[1], kind="receipt"), b"", is_kept=True)
    assert told(made, LOW[1], is_kept=True) == [0, 1]


def test_topics_of_nobody_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    links, made = several_links()
    monkeypatch.setattr(several, "MOST_HEARD", 1)
    strange = replace(from_agent(LOW[0], 1), topic="cw1/c/1/nobody/up/batch/more")
    assert links.note_heard([strange, from_agent(LOW[0], 0), from_agent(LOW[1], 1)]) == []
    links.publish(downlink_topic(COOP, LOW[1], kind="receipt"), b"")
    assert told(made, LOW[1]) == [0, 1], "beyond the limit nobody is cut off"


def test_one_broker_is_used_as_it_is() -> None:
    links, (only,) = several_links(1)
    delivery = from_agent(HIGH[0], 0)
    assert links.note_heard([delivery]) == []
    links.acknowledge([delivery])
    links.publish("any/topic", b"")
    assert (only.acknowledged, only.published) == ([delivery], [("any/topic", False)])
    only.is_connected = False
    assert not links.is_connected


def test_it_is_connected_only_with_all() -> None:
    links, made = several_links()
    assert links.is_connected
    made[1].is_connected = False
    assert not links.is_connected
    assert (links.is_up(0), links.is_up(1)) == (True, False)
    assert (links.connections, links.counts) == (2, LinkCounts(connections=2, most_unacknowledged=10, dropped=6))
