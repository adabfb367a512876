"""A hub answers to what its computer is called in a home network, and to no name that an outsider can point at it."""

from pathlib import Path

import pytest

from hub.web.frame.door import is_own_host
from hub.web.frame.own_names import own_names

HOSTS = """127.0.0.1\tlocalhost
127.0.1.1\thub.coop.example hub  # written by the installer
192.168.1.7\tprinter.coop.example printer
"""
RESOLVER = """# made by the network
nameserver 192.168.1.1
search lindenweg.example fritz.box.
"""


@pytest.fixture
def names(tmp_path: Path) -> frozenset[str]:
    hosts, resolver = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text(HOSTS)
    resolver.write_text(RESOLVER)
    return own_names(["Board.Example.org"], machine="Hub", hosts=hosts, resolver=resolver)


@pytest.mark.parametrize(
    "host",
    [
        "hub", "HUB:8400", "hub.local", "hub.lan", "hub.home.arpa", "hub.fritz.box:8400", "hub.lindenweg.example",
        "hub.coop.example", "board.example.org", "localhost:8400", "192.168.1.9", "hub.local.",
    ],
)  # fmt: skip
def test_the_names_of_a_home_network_are_the_hubs(names: frozenset[str], host: str) -> None:
    assert is_own_host(host, names)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "hub.evil.example", "hub.local.evil.example", "evil.local", "x.hub.local", "fritz.box",
        "printer", "printer.coop.example", "lindenweg.example", "hub.example.org",
    ],
)  # fmt: skip
def test_a_name_that_somebody_else_may_own_is_not(names: frozenset[str], host: str) -> None:
    assert not is_own_host(host, names)


def test_a_computer_with_a_full_name_and_without_these_files_has_its_names(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    names = own_names([], machine="hub.coop.example", hosts=nothing, resolver=nothing)
    assert {"hub.coop.example", "hub", "hub.local", "hub.fritz.box", "localhost"} <= names
    assert {"localhost", "ip6-localhost"} <= own_names([])
