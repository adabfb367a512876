"""The way to the homes: each agent is told the hub key's certificate before the first message that is signed for it.

An agent asks the time whenever it connects, so it is told again with every answer to that.
"""

from collections.abc import Hashable, Sequence
from typing import Protocol

from hub.broker.connection import Delivery
from hub.broker.link.outgoing import Seal, Taken
from protocols.wire import topics
from protocols.wire.refusal_reasons import WireError


class Link(Protocol):
    """The part of the broker link that is needed here."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...
    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None: ...
    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None: ...


class HomesLink:
    """The link to homes, under a hub key with this certificate; None leaves everything as it is."""

    def __init__(self, link: Link, certificate: str | None) -> None:
        self._link = link
        self._certificate = None if certificate is None else certificate.encode("ascii")
        self._told: set[str] = set()

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker not to deliver these again."""
        self._link.acknowledge(deliveries)

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        """Send a sealed message to an agent, after the certificate if that is due."""
        self._tell(topic)
        self._link.publish(topic, sealed, is_kept=is_kept)

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        """The same for a message that takes the place of an earlier one of this topic and `of`, and is sealed later."""
        self._tell(topic)
        self._link.publish_latest(topic, seal, of=of, taken=taken)

    def _tell(self, topic: str) -> None:
        certificate = self._certificate
        if certificate is None:
            return
        try:
            place = topics.parse_topic(topic)
        except WireError:
            return
        if place.kind == "time" or place.agent not in self._told:
            self._told.add(place.agent)
            self._link.publish(topics.downlink_topic(place.coop, place.agent, kind="keys"), certificate)
