"""The settings `broker.shards` and `broker.nodes`: several Mosquittos with their shards, or the nodes of a RabbitMQ."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hub.folder.setting_values import is_host
from protocols.errors import SettingsError
from protocols.wire.topics import SHARDS

SITES_TEXT: Final = """# shards = ["0-31 here:8883", "32-63 b2.example.org:8883:8884"]  # several Mosquittos: broker.md
# nodes = ["r1.example.org", "r2.example.org", "r3.example.org"]  # with kind = "rabbitmq": broker.md
"""
MOST_SITES: Final = 64
NONE: Final = "none"
EXPECTED: Final = (
    'a list like ["0-31 here:8883", "32-63 b2.example.org:8883:8884"]: the shards of each broker ("none" for one that'
    " homes are to leave), then here and the port for homes, or its host, its port for homes and its port for the hub"
)
RABBITMQ: Final = "rabbitmq"
AMQPS_PORT: Final = 5671
_NODE: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(?::(\d{1,5}))?", re.ASCII)
_SITE: Final = re.compile(r"(\S+) (?:here:(\d{1,5})|(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5}):(\d{1,5}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class BrokerSite:
    """One of several brokers. `host` is None for one that the hub starts on its own computer (it needs no port)."""

    shards: frozenset[int]
    host: str | None
    homes_port: int
    hub_port: int = 0


def read_sites(texts: Sequence[str], wrong: Callable[[str], SettingsError]) -> tuple[BrokerSite, ...]:
    """The brokers that these texts name; `wrong` makes the error. Raises: SettingsError."""
    if len(texts) > MOST_SITES:
        raise wrong(f"at most {MOST_SITES} brokers")
    sites = tuple(_site(text, wrong) for text in texts)
    given = [shard for site in sites for shard in site.shards]
    if sites and sorted(given) != list(range(SHARDS)):
        missing = sorted(set(range(SHARDS)) - set(given))
        problem = f"shard {missing[0]} is at none" if missing else "a shard is at two"
        raise wrong(f"each shard from 0 to {SHARDS - 1} at exactly one broker: {problem}")
    places = [(site.host, port) for site in sites for port in (site.homes_port, site.hub_port) if port]
    if len(set(places)) != len(places):
        raise wrong("a port of its own for every listener")
    return sites


class NamedBrokers(Protocol):
    """The part of the broker's settings that is looked at here."""

    @property
    def kind(self) -> str: ...
    @property
    def sites(self) -> Sequence[BrokerSite]: ...
    @property
    def nodes(self) -> Sequence[tuple[str, int]]: ...


def read_nodes(texts: Sequence[str], wrong: Callable[[str], SettingsError]) -> tuple[tuple[str, int], ...]:
    """Host and port of each node that these texts name. Raises: SettingsError."""
    found = []
    for text in texts:
        named = _NODE.fullmatch(text)
        host, port = (named[1].strip("[]"), int(named[2] or AMQPS_PORT)) if named else ("", 0)
        if not is_host(host) or not 1 <= port <= 65535:
            raise wrong(f'a list like ["r1.example.org", "r2.example.org:5671"], not {text[:60]!r}')
        found.append((host, port))
    if len(set(found)) != len(found) or len(found) > MOST_SITES:
        raise wrong(f"each node once, and at most {MOST_SITES}")
    return tuple(found)


def require_sound_sites(
    brokers: NamedBrokers, *, taken_ports: Sequence[int], wrong: Callable[[str, str], SettingsError]
) -> None:
    """Refuse brokers that do not fit the rest of the settings: no ports are taken where there is no [public].

    Raises: SettingsError.
    """
    if brokers.sites and (brokers.kind != "mosquitto" or not taken_ports):
        expected = 'kind = "mosquitto" and [public] with it: each of several brokers serves homes elsewhere'
        raise wrong("shards", expected)
    if any(site.host is None and site.homes_port in taken_ports for site in brokers.sites):
        raise wrong("shards", "ports that neither web.port, broker.port nor public.enrol_port uses")
    if (brokers.kind == RABBITMQ) != bool(brokers.nodes) or (brokers.nodes and not taken_ports):
        raise wrong("nodes", 'the hosts of RabbitMQ\'s nodes, together with kind = "rabbitmq" and [public]')


def _site(text: str, wrong: Callable[[str], SettingsError]) -> BrokerSite:
    found = _SITE.fullmatch(text)
    if found is None:
        raise wrong(f"{EXPECTED}, not {text[:60]!r}")
    shards, here, host, homes_port, hub_port = found.groups()
    site = (
        BrokerSite(_shards(shards, wrong), None, int(here))
        if here
        else BrokerSite(_shards(shards, wrong), host.strip("[]"), int(homes_port), int(hub_port))
    )
    if site.host is not None and (not is_host(site.host) or not 1 <= site.hub_port <= 65535):
        raise wrong(f"{EXPECTED}, not {text[:60]!r}")
    if not 1 <= site.homes_port <= 65535:
        raise wrong(f"{EXPECTED}, not {text[:60]!r}")
    return site


def _shards(text: str, wrong: Callable[[str], SettingsError]) -> frozenset[int]:
    if text == NONE:
        return frozenset()
    found: set[int] = set()
    for part in text.split(","):
        ends = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part, re.ASCII)
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, -1)
        if not first <= last < SHARDS or found & set(range(first, last + 1)):
            raise wrong(f'shards like "0-15,32", each from 0 to {SHARDS - 1} and once, or "none", not {text[:40]!r}')
        found |= set(range(first, last + 1))
    return frozenset(found)
