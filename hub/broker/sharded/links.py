"""The hub's connections to several brokers as one: what a home is told goes to where it was heard and where it belongs.

A message has one sender but may come through any broker: a home that is being moved is heard at the one before.
"""

import threading
from collections.abc import Collection, Hashable, Sequence
from dataclasses import asdict
from typing import Final, Protocol

from hub.broker.connection import Delivery, LinkCounts
from hub.broker.link.outgoing import Seal, Taken
from hub.broker.sharded.directory import Directory
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import parse_topic

MOST_HEARD: Final = 500_000
"""How many agents are remembered: each broker lets in enrolled agents only, so that more are nobody's."""


class OneLink(Protocol):
    """The connection to one broker."""

    @property
    def is_connected(self) -> bool: ...
    @property
    def connections(self) -> int: ...
    @property
    def counts(self) -> LinkCounts: ...
    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...
    def give_back(self, deliveries: Sequence[Delivery]) -> None: ...
    def hear_shards(self, shards: Collection[int]) -> None: ...
    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None: ...
    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None: ...


class SeveralLinks:
    """Numbered as the directory numbers its brokers. Without a directory there is one link, and it is used as it is."""

    def __init__(self, links: Sequence[OneLink], directory: Directory | None) -> None:
        self._links = tuple(links)
        self._directory = directory if len(links) > 1 else None
        self._heard: dict[str, int] = {}

    @property
    def is_connected(self) -> bool:
        """Whether the hub is connected to all of them now."""
        return all(link.is_connected for link in self._links)

    @property
    def connections(self) -> int:
        """How often the hub has been connected to any of them since it started."""
        return sum(link.connections for link in self._links)

    @property
    def counts(self) -> LinkCounts:
        """What all of them have carried since the hub started."""
        counts = [asdict(link.counts) for link in self._links]
        return LinkCounts(**{name: sum(each[name] for each in counts) for name in counts[0]})

    @property
    def is_any_connected(self) -> bool:
        """Whether the hub is connected to one of them at least."""
        return any(link.is_connected for link in self._links)

    def is_up(self, number: int) -> bool:
        """Whether the hub is connected to this one now."""
        return self._links[number].is_connected

    def note_heard(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Remember through which broker each agent was heard; those that belong to another one."""
        directory = self._directory
        if directory is None:
            return []
        found: dict[str, None] = {}
        for delivery in deliveries:
            agent = _agent(delivery.topic)
            if agent is None or (len(self._heard) >= MOST_HEARD and agent not in self._heard):
                continue
            self._heard[agent] = delivery.broker
            if directory.number_of(agent) != delivery.broker:
                found[agent] = None
            else:
                found.pop(agent, None)
        return list(found)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that each came from not to deliver it again."""
        for link, own in self._by_link(deliveries):
            link.acknowledge(own)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """These are another worker's: the broker that each came from gives it to that one if it can."""
        for link, own in self._by_link(deliveries):
            link.give_back(own)

    def hear_shards(self, shards: Collection[int]) -> None:
        """Hear the messages of exactly these shards from now on, at all of them."""
        for link in self._links:
            link.hear_shards(shards)

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        """Send to where the agent is: a broker at which it is not throws the message away.

        What is kept for later, and what is for an agent not heard since the hub started, goes to all of them.
        """
        for link in self._links if is_kept else self._of(topic):
            link.publish(topic, sealed, is_kept=is_kept)

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        """The same for a message that takes the place of an earlier one of this topic and `of`, and is sealed later.

        `taken` is called when every broker that it went to has acknowledged it.
        """
        links = self._of(topic)
        if taken is not None and len(links) > 1:
            taken = _TakenByAll(len(links), taken)
        for link in links:
            link.publish_latest(topic, seal, of=of, taken=taken)

    def _by_link(self, deliveries: Sequence[Delivery]) -> list[tuple[OneLink, Sequence[Delivery]]]:
        if len(self._links) == 1:
            return [(self._links[0], deliveries)]
        parts = [[each for each in deliveries if each.broker == number] for number in range(len(self._links))]
        return [(link, own) for link, own in zip(self._links, parts, strict=True) if own]

    def _of(self, topic: str) -> Sequence[OneLink]:
        """The links to which what is said under this topic goes."""
        agent = _agent(topic) if self._directory is not None else None
        if self._directory is None or agent is None or agent not in self._heard:
            return self._links
        return [self._links[each] for each in {self._heard[agent], self._directory.number_of(agent)}]


class _TakenByAll:
    """Waits for the last of so many calls, each from another thread."""

    def __init__(self, count: int, taken: Taken) -> None:
        self._left, self._taken, self._lock = count, taken, threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last:
            self._taken()


def _agent(topic: str) -> str | None:
    try:
        return parse_topic(topic).agent
    except WireError:
        return None
