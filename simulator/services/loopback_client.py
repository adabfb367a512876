"""Queries on this computer only: a free port, or a JSON object from a program that serves one."""

import json
import random
import socket
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from simulator.errors import DemoError

ANSWER_BYTES_MAX = 8_000_000
LATER_PORTS = range(20_000, 32_000)


def free_port(wanted: int) -> int:
    """`wanted` if it is not 0 and nothing listens there, else a free port of 127.0.0.1 as `free_ports` finds it."""
    return wanted if wanted and _is_free("127.0.0.1", wanted) else free_ports(1)[0]


def free_ports(count: int, *, hosts: Sequence[str] = ("127.0.0.1",)) -> list[int]:
    """So many ports on which nobody listens at any of these addresses, for programs that start later.

    They lie below those that the system gives to whoever wants any port, so that nobody gets one of them meanwhile.
    """
    found: list[int] = []
    for port in random.sample(LATER_PORTS, len(LATER_PORTS)):
        if all(_is_free(host, port) for host in hosts):
            found.append(port)
        if len(found) == count:
            return found
    raise DemoError("no ports of 127.0.0.1 are free")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def is_taken(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def get_json(url: str, *, timeout_s: float = 5.0, key: str = "") -> dict[str, Any] | None:
    """The JSON object at a loopback address, or None if nothing answers there. `key` goes along as a bearer token."""
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"} if key else {})  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - our own loopback addresses
            found = json.loads(answer.read(ANSWER_BYTES_MAX))
    except (OSError, ValueError, urllib.error.URLError):
        return None
    return found if isinstance(found, dict) else None
