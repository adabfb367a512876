"""Which of the co-op's brokers each home belongs to, and where homes reach it: read from the settings, kept nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.folder.elsewhere.broker_sites import BrokerSite
from hub.folder.settings import HubSettings
from protocols.wire.topics import SHARDS, shard_of

Address = tuple[str, int]
ALL_SHARDS: Final = frozenset(range(SHARDS))


@dataclass(frozen=True, slots=True)
class HomesAddress:
    """One broker as homes reach it."""

    shards: frozenset[int]
    host: str
    port: int


class Directory:
    """The brokers in the order of the settings; each shard has exactly one. `own_host` is where homes enrol.

    With `is_cluster` they are nodes of one broker: each home has one to begin with, and any other will do as well.
    """

    def __init__(self, own_host: str, addresses: Sequence[HomesAddress], *, is_cluster: bool = False) -> None:
        self._own_host = own_host
        self._is_cluster = is_cluster
        self._addresses = tuple(addresses)
        self._number_of = {shard: number for number, each in enumerate(addresses) for shard in each.shards}

    def number_of(self, agent: str) -> int:
        """The broker to which this agent belongs, by its place in the settings."""
        return self._number_of[shard_of(agent)]

    def address_of(self, agent: str) -> Address:
        """Where this agent reaches its broker."""
        found = self._addresses[self.number_of(agent)]
        return found.host, found.port

    def choices(self, agent: str, *, turn: int = 0) -> list[Address]:
        """Where this agent can go, the best first; of a cluster's nodes another one is first at each turn."""
        first = self.number_of(agent)
        if not self._is_cluster:
            return [self.address_of(agent)]
        count = len(self._addresses)
        found = [self._addresses[(first + turn + step) % count] for step in range(count)]
        return [(each.host, each.port) for each in found]

    def enrolled_address(self, agent: str) -> Address:
        """What a new agent is told of its broker: it is under the name of the hub, where the agent renews as well.

        An agent that belongs to a broker elsewhere begins at one on the hub's computer, if there is one, and is sent on
        from there; where there is none, it asks the hub, because it cannot connect.
        """
        host, port = self.address_of(agent)
        at_home = [each.port for each in self._addresses if each.host == self._own_host]
        return self._own_host, port if host == self._own_host or not at_home else at_home[0]


def directory_of(settings: HubSettings) -> Directory | None:
    """The directory for homes elsewhere; None without [public]."""
    public = settings.public
    if public is None:
        return None
    if settings.broker.nodes:
        addresses = _addresses_at_nodes(settings.broker.nodes, port=public.broker_port)
        return Directory(public.host, addresses, is_cluster=True)
    sites = settings.broker.sites or (BrokerSite(ALL_SHARDS, None, public.broker_port),)
    return Directory(
        public.host, [HomesAddress(site.shards, site.host or public.host, site.homes_port) for site in sites]
    )


def _addresses_at_nodes(nodes: Sequence[Address], *, port: int) -> list[HomesAddress]:
    """Homes spread over the nodes of one cluster, each of which takes any home."""
    count = len(nodes)
    return [HomesAddress(frozenset(range(number, SHARDS, count)), host, port) for number, (host, _) in enumerate(nodes)]
