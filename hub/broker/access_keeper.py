"""Keeps the broker's access rules equal to the co-op's list of agents while the broker runs.

Mosquitto reads new rules without disconnecting anybody; a connected agent that was revoked is disconnected by taking
its session over, and when it returns it may send nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hub.broker.access_rules import KnownAgents, rules_of_homes, rules_topic, with_rules_topic
from hub.broker.connection import BrokerAddress
from hub.broker.local_session import end_session, is_allowed_to_write
from hub.broker.mosquitto_files import write_private

log = logging.getLogger(__name__)


class WatchedBroker(Protocol):
    """A broker that runs here, in this process or another."""

    ready: asyncio.Event

    @property
    def address(self) -> BrokerAddress: ...
    @property
    def homes_rules(self) -> Path | None: ...
    def reload(self) -> None: ...


class AccessKeeper:
    """Writes the rules of Mosquitto's listener for homes; for any other broker it has nothing to do."""

    def __init__(self, broker: WatchedBroker, *, coop: str) -> None:
        self._broker = broker
        self._coop = coop
        self._ended: frozenset[str] = frozenset()
        self._in_force = ""
        self._one_at_a_time = asyncio.Lock()

    @property
    def is_needed(self) -> bool:
        """Whether this broker knows its agents by name."""
        return self._broker.homes_rules is not None

    async def update(self, agents: KnownAgents) -> frozenset[str]:
        """Bring the rules into force and end the sessions of those revoked; return the agents that are newly revoked.

        While the broker does not run the rules are only written; the first update afterwards sees that it has them.
        """
        path = self._broker.homes_rules
        if path is None:
            return frozenset()
        async with self._one_at_a_time:
            rules = rules_of_homes(self._coop, agents)
            text = with_rules_topic(self._coop, rules)
            await asyncio.to_thread(_write_if_new, path, text)
            if not self._broker.ready.is_set():
                self._in_force = ""
                return frozenset()
            if self._in_force != text and await self._reload(rules):
                self._in_force = text
            ended = await self._end(agents.revoked - agents.allowed - self._ended)
            self._ended = (self._ended | ended) & agents.revoked
            return ended

    async def _reload(self, rules: str) -> bool:
        self._broker.reload()
        topic = rules_topic(self._coop, rules)
        if await asyncio.to_thread(is_allowed_to_write, self._broker.address, topic):
            return True
        log.error("the broker has not taken the new access rules yet: agents enrolled now may have to wait")
        return False

    async def _end(self, agents: frozenset[str]) -> frozenset[str]:
        ended = set()
        for agent in sorted(agents):
            if await asyncio.to_thread(end_session, self._broker.address, agent):
                ended.add(agent)
            else:
                log.error("the session of the revoked agent %s could not be ended; trying again", agent)
        return frozenset(ended)


class AccessKeepers:
    """The same rules at several brokers: a home may be at the one it comes from while it is moved to another."""

    def __init__(self, keepers: Sequence[AccessKeeper]) -> None:
        self._keepers = tuple(keepers)

    @property
    def is_needed(self) -> bool:
        """Whether any of these brokers knows its agents by name."""
        return any(keeper.is_needed for keeper in self._keepers)

    async def update(self, agents: KnownAgents) -> frozenset[str]:
        """Bring the rules into force at all of them; the agents whose sessions were ended just now."""
        return frozenset().union(*await asyncio.gather(*(keeper.update(agents) for keeper in self._keepers)))


def _write_if_new(path: Path, text: str) -> None:
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, UnicodeDecodeError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, text)
