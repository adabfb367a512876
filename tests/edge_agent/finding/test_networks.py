"""Only small private networks are searched, and each address once."""

from ipaddress import IPv4Interface, IPv4Network

import pytest

from edge_agent.finding import networks
from edge_agent.finding.networks import MOST_ADDRESSES, addresses_in, own_networks, parse_network
from protocols.errors import RequestError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("192.168.1.0/24", "192.168.1.0/24"),
        ("192.168.1.77/24", "192.168.1.0/24"),
        ("10.0.0.5", "10.0.0.0/24"),
        ("10.0.0.5/32", "10.0.0.5/32"),
        ("127.0.0.1/32", "127.0.0.1/32"),
    ],
)
def test_a_network_as_people_write_it(text: str, meant: str) -> None:
    assert parse_network(text) == IPv4Network(meant)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("home", "not a network"),
        ("fe80::1/64", "not a network"),
        ("8.8.8.0/24", "private"),
        ("10.0.0.0/8", str(MOST_ADDRESSES)),
        ("", "not a network"),
    ],
)
def test_what_is_not_a_small_private_network_is_refused(text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        parse_network(text)


def test_addresses_are_listed_once_without_those_that_are_no_devices() -> None:
    listed = addresses_in([IPv4Network("10.0.0.0/30"), IPv4Network("10.0.0.2/32")])
    assert [str(each) for each in listed] == ["10.0.0.1", "10.0.0.2"]


def test_own_networks_are_those_of_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "eth0": "192.168.1.20/24", "wlan0": "192.168.1.21/24", "docker0": "172.17.0.1/16", "eth1": "10.1.2.3/8",
        "ppp0": "8.8.8.8/32", "eth2": None, "lo": "127.0.0.1/8",
    }  # fmt: skip
    monkeypatch.setattr(networks.socket, "if_nameindex", lambda: list(enumerate(found)))
    monkeypatch.setattr(networks, "_address_of", lambda name: found[name] and IPv4Interface(found[name]))
    assert [str(each) for each in own_networks()] == ["192.168.1.0/24", "10.1.2.0/24"]


def test_this_computers_loopback_has_an_address_and_no_such_interface_has_none() -> None:
    loopback = networks._address_of("lo")
    assert loopback is not None
    assert str(loopback.ip) == "127.0.0.1"
    assert networks._address_of("nothere9") is None
