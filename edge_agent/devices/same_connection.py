"""Which devices share a connection, whatever name the household wrote: one host, or one serial port, is opened once.

Many inverters take one client only, and two programs' worth of requests on a serial line spoil each other.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from threading import Thread

from edge_agent.settings import DeviceSettings, Endpoint
from protocols.errors import SettingsError

PATIENCE_S = 3.0
"""How long a host name may take to be looked up; one that is not found is a host of its own."""

LookUp = Callable[[str], str | None]
BusAddress = tuple[str, str, int, str]
_LOCAL = "127.0.0.1"


def look_up(host: str) -> str | None:
    """The address of a host name; None if nobody knows it in time."""
    found: list[str] = []

    def ask() -> None:
        try:
            found.append(str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]))
        except (OSError, UnicodeError):
            return

    # A thread that does not hold up the program's end: the system's own look-up has no time limit.
    asking = Thread(target=ask, name="look-up", daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    return found[0] if found else None


def addresses(devices: Sequence[DeviceSettings], source: str, *, find: LookUp = look_up) -> dict[str, BusAddress]:
    """For each device's name what it shares a connection by. A meter at the home's broker has one of its own.

    Names are looked up only where another device on the same port is written differently.
    Raises SettingsError where one connection would need two framings.
    """
    own = {each.name for each in devices if each.values is not None}
    plain = {each.name: _plain(each.endpoint) for each in devices if each.name not in own}
    written: dict[int, set[str]] = {}
    for each in plain.values():
        written.setdefault(each.port, set()).add(each.host)
    unclear = {host for hosts in written.values() if len(hosts) > 1 for host in hosts if not _is_address(host)}
    known = {host: found for host in sorted(unclear) if host and (found := find(host))}
    places = {name: replace(each, host=known.get(each.host, each.host)) for name, each in plain.items()}
    _check_framing(places, source)
    shared: dict[str, BusAddress] = {
        name: (each.wire, each.host, each.port, each.path) for name, each in places.items()
    }
    return shared | {each.name: (each.endpoint.wire, "", 0, each.name) for each in devices if each.name in own}


def _plain(endpoint: Endpoint) -> Endpoint:
    if endpoint.is_serial:
        return replace(endpoint, path=os.path.realpath(endpoint.path))
    host = endpoint.host.lower().removesuffix(".")
    if host == "localhost":
        host = _LOCAL
    return replace(endpoint, host=str(ip_address(host)) if _is_address(host) else host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _check_framing(places: dict[str, Endpoint], source: str) -> None:
    framings: dict[tuple[bool, str, int, str], tuple[str, Endpoint]] = {}
    for name, each in places.items():
        first, other = framings.setdefault((each.wire == "udp", each.host, each.port, each.path), (name, each))
        if other.wire != each.wire:
            raise SettingsError(
                f"{source}: devices {first!r} and {name!r}: connect: expected the same on one connection, found"
                f" {other.wire} and {each.wire} for {_where(each)}"
            )


def _where(endpoint: Endpoint) -> str:
    return endpoint.path or f"{endpoint.host} port {endpoint.port}"
