"""`broker.shards`: each shard at exactly one broker, and every mistake said in one line that names the setting."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.folder.elsewhere.broker_sites import BrokerSite, read_sites
from hub.folder.settings import HubSettings, parse_settings
from protocols.errors import SettingsError

TWO = ("0-31 here:8883", "32-63 b2.example.org:8883:8884")
PUBLIC = '[public]\nhost = "hub.example.org"\nenrol_port = 8443\n'


def settings(*sites: str, kind: str = "mosquitto", public: str = PUBLIC) -> HubSettings:
    text = (
        f'[coop]\nid = "c"\nname = "C"\ntz = "UTC"\n[broker]\nkind = "{kind}"\nshards = {json.dumps(sites)}\n{public}'
    )
    return parse_settings(text.encode(), name="hub.toml", folder=Path())


def test_two_brokers() -> None:
    assert settings(*TWO).broker.sites == (
        BrokerSite(frozenset(range(32)), None, 8883),
        BrokerSite(frozenset(range(32, 64)), "b2.example.org", 8883, 8884),
    )


def test_lists_none_and_addresses() -> None:
    found = settings("none here:1", "0,2-62,1,63 [2001:db8::1]:2:3").broker.sites
    assert found == (BrokerSite(frozenset(), None, 1), BrokerSite(frozenset(range(64)), "2001:db8::1", 2, 3))


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        (("0-31 here:8883",), "shard 32 is at none"),
        (("0-32 here:1", "32-63 here:2"), "a shard is at two"),
        (("0-64 here:1",), "shards like"),
        (("31-0 here:1",), "shards like"),
        (("0-31,5 here:1", "32-63 here:2"), "shards like"),
        (("0-63 here:0",), "expected a list like"),
        (("0-63 here:65536",), "expected a list like"),
        (("0-63 b2.example.org:8883",), "expected a list like"),
        (("0-63 b2.example.org:1:99999",), "expected a list like"),
        (("0-63 b2 example:1:2",), "expected a list like"),
        (("0-63 999.1.1.1:1:2",), "expected a list like"),
        (("everything",), "expected a list like"),
        (("0-63  here:1",), "expected a list like"),
        (("0-31 here:1", "32-63 here:1"), "a port of its own"),
        (("0-63 b2.example.org:1:1",), "a port of its own"),
        (("0-63 here:8400",), "neither web.port"),
        (("0-63 here:8443",), "neither web.port"),
        (("0-63 here:1883",), "neither web.port"),
        ((*(f"none here:{port}" for port in range(1, 65)), "0-63 here:99"), "at most 64 brokers"),
    ],
)
def test_a_mistake_is_said_in_one_line(sites: tuple[str, ...], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(*sites)
    assert str(caught.value).startswith("hub.toml: broker.shards: expected ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "public"), [("auto", PUBLIC), ("external", PUBLIC), ("mosquitto", "")])
def test_only_mosquitto_for_homes_elsewhere(kind: str, public: str) -> None:
    with pytest.raises(SettingsError, match=r'kind = "mosquitto" and \[public\]'):
        settings(*TWO, kind=kind, public=public)


@given(cuts=st.sets(st.integers(1, 63), max_size=20))
def test_any_division_reads_back(cuts: set[int]) -> None:
    ends = [0, *sorted(cuts), 64]
    parts = [range(first, last) for first, last in pairwise(ends)]
    texts = [f"{part[0]}-{part[-1]} here:{1000 + number}" for number, part in enumerate(parts)]
    found = read_sites(texts, SettingsError)
    assert [site.shards for site in found] == [frozenset(part) for part in parts]


NODES = 'kind = "rabbitmq"\nnodes = ["r1.example.org", "r2.example.org:5672", "[2001:db8::1]:5673"]\n'


def rabbitmq(broker: str, *, public: str = PUBLIC) -> HubSettings:
    text = f'[coop]\nid = "c"\nname = "C"\ntz = "UTC"\n[broker]\n{broker}\n{public}'
    return parse_settings(text.encode(), name="hub.toml", folder=Path())


def test_nodes_of_a_cluster() -> None:
    expected = (("r1.example.org", 5671), ("r2.example.org", 5672), ("2001:db8::1", 5673))
    assert rabbitmq(NODES).broker.nodes == expected


@pytest.mark.parametrize(
    "broker",
    [
        'kind = "rabbitmq"',
        'kind = "mosquitto"\nnodes = ["r1.example.org"]',
        'kind = "rabbitmq"\nnodes = ["r1.example.org", "r1.example.org:5671"]',
        'kind = "rabbitmq"\nnodes = ["r1 example"]',
        'kind = "rabbitmq"\nnodes = ["r1.example.org:0"]',
        'kind = "rabbitmq"\nnodes = ["r1.example.org:99999"]',
    ],
)
def test_a_mistake_in_nodes_is_said_in_one_line(broker: str) -> None:
    with pytest.raises(SettingsError, match=r"^hub.toml: broker.nodes: expected [^\n]*$"):
        rabbitmq(broker)


def test_a_cluster_serves_homes_elsewhere() -> None:
    with pytest.raises(SettingsError, match=r"broker\.nodes: expected"):
        rabbitmq(NODES, public="")
