"""The home's own networks, and the addresses a person confirms for searching: private ones, and never many.

Asks only this computer; nothing is sent.
"""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from protocols.errors import RequestError

MOST_ADDRESSES = 1024
_GET_ADDRESS, _GET_NETMASK = 0x8915, 0x891B  # SIOCGIFADDR and SIOCGIFNETMASK of Linux
_NOT_A_HOME = ("lo", "docker", "veth", "br-", "virbr", "wg", "tun", "tap")


def own_networks() -> list[IPv4Network]:
    """The private networks this computer is in, each once; those of containers and tunnels are left out."""
    found: dict[IPv4Network, None] = {}
    for _, name in socket.if_nameindex():
        if not name.startswith(_NOT_A_HOME) and (own := _address_of(name)) is not None and own.is_private:
            found[_small(own)] = None
    return list(found)


def parse_network(text: str) -> IPv4Network:
    """The addresses a person means: '192.168.1.0/24', '192.168.1.0' (its 256 neighbours) or one '192.168.1.20/32'.

    Raises: RequestError for anything that is not a small private network.
    """
    try:
        network = ipaddress.IPv4Network(text if "/" in text else f"{text}/24", strict=False)
    except ValueError:
        raise RequestError(f"{text[:40]!r} is not a network: expected one like 192.168.1.0/24") from None
    if not network.is_private:
        raise RequestError(f"{text[:40]}: not a network of a home: only private addresses are searched")
    if network.num_addresses > MOST_ADDRESSES:
        raise RequestError(f"{text[:40]}: more than {MOST_ADDRESSES} addresses: name a smaller part of it")
    return network


def addresses_in(networks: Iterable[IPv4Network]) -> list[IPv4Address]:
    """Every address of these networks once, without their first and last."""
    return list(dict.fromkeys(address for network in networks for address in network.hosts()))


def _small(own: IPv4Interface) -> IPv4Network:
    """Its network; of a large one the 256 addresses around this computer."""
    network = own.network
    return network if network.num_addresses <= MOST_ADDRESSES else IPv4Network(f"{own.ip}/24", strict=False)


def _address_of(name: str) -> IPv4Interface | None:
    asked = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            address, mask = (
                socket.inet_ntoa(fcntl.ioctl(probe.fileno(), question, asked)[20:24])
                for question in (_GET_ADDRESS, _GET_NETMASK)
            )
        except OSError:
            return None  # it has no IPv4 address
    return IPv4Interface(f"{address}/{mask}")
