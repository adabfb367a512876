"""Tells agents where their broker is, sealed: those that are heard at another one than theirs."""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from hub.broker.sharded.directory import Address, Directory
from protocols.enrolment.broker_notices import BrokerNotice, encode_broker
from protocols.hub_keys import HubSigner
from protocols.timeline import Clock
from protocols.wire.envelope import seal
from protocols.wire.topics import downlink_topic

log = logging.getLogger(__name__)

AGAIN_FIRST_S: Final = 15.0
AGAIN_MAX_S: Final = 600.0
"""A notice may come to nothing, as when a broker has just started: it is repeated, less and less often."""

PACE_S: Final = 0.05
"""So many homes a second are sent on at most: each of them opens a new TLS connection."""


class HomesTeller(Protocol):
    """The part of the links that is needed here."""

    def publish(self, topic: str, sealed: bytes) -> None: ...


class BrokerNotices:
    """Seals where an agent's broker is, at this time."""

    def __init__(self, directory: Directory, *, coop: str, signer: HubSigner, clock: Clock) -> None:
        self._directory, self._coop, self._signer, self._clock = directory, coop, signer, clock

    def sealed(self, agent: str, address: Address | None = None) -> tuple[str, bytes]:
        """The topic and the sealed notice: its own broker, or this address."""
        topic = downlink_topic(self._coop, agent, kind="broker")
        place = self._directory.address_of(agent) if address is None else address
        notice = BrokerNotice(agent, int(self._clock.now()), *place)
        return topic, seal(self._signer.key, topic, encode_broker(notice))

    @property
    def certificate(self) -> str:
        """What vouches for the hub key; empty if the identity key signs itself."""
        return self._signer.certificate or ""


class Moves:
    """Sends homes on. `is_up` is whether the hub is connected to their broker: to no other one are they sent."""

    def __init__(
        self,
        notices: BrokerNotices,
        *,
        link: HomesTeller,
        is_up: Callable[[str], bool],
        steady_s: Callable[[], float],
    ) -> None:
        self._notices, self._link, self._is_up, self._steady_s = notices, link, is_up, steady_s
        self._told: dict[str, tuple[float, float]] = {}
        self._next_at = float("-inf")

    def send_on(self, agents: Sequence[str]) -> None:
        """Tell these agents, which were heard at another broker than theirs; who is left out is told with a later one.

        Who was heard has only a name yet, no signature. To be told costs nobody anything: the notice is the hub's own.
        """
        now_s = self._steady_s()
        for agent in agents:
            if now_s < self._next_at:
                return
            told_at, pause_s = self._told.get(agent, (float("-inf"), 0.0))
            since_s = now_s - told_at
            if since_s < pause_s or not self._is_up(agent):
                continue
            self._next_at = max(now_s - 1.0, self._next_at) + PACE_S
            is_old = since_s > 2 * AGAIN_MAX_S
            self._told[agent] = (now_s, AGAIN_FIRST_S if is_old else min(AGAIN_MAX_S, 2 * pause_s))
            self._link.publish(*self._notices.sealed(agent))
            log.info("agent %s is sent on to its broker", agent)
