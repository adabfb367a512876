"""The host names under which a hub answers: those in its settings, and those its computer has in a home network.

No pattern is accepted, and no name that an outsider can point here: only this computer's name alone, under the domains
that exist in home networks only, and under the domain that this network gives its computers.
"""

import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

LOCAL_NAMES: Final = ("localhost", "ip6-localhost")
HOME_DOMAINS: Final = ("local", "lan", "home", "home.arpa", "internal", "localdomain", "fritz.box", "speedport.ip")
"""What home routers append to a computer's name. None is for sale: fritz.box belongs to the maker of these routers."""

_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def own_names(
    listed: Iterable[str],
    *,
    machine: str | None = None,
    hosts: Path = Path("/etc/hosts"),
    resolver: Path = Path("/etc/resolv.conf"),
) -> frozenset[str]:
    """The names this hub answers to besides addresses: those listed, localhost and what this computer is called.

    `hosts` and `resolver` are this computer's files with its full name and the domain of its network.
    """
    full = (machine or socket.gethostname()).lower().rstrip(".")
    short = full.partition(".")[0]
    domains = {*HOME_DOMAINS, *_search_domains(_lines(resolver))}
    named = {full, short, *_full_names(_lines(hosts), {full, short}), *(f"{short}.{domain}" for domain in domains)}
    found = (*LOCAL_NAMES, *named, *(name.lower().rstrip(".") for name in listed))
    return frozenset(name for name in found if _NAME.fullmatch(name))


def _lines(path: Path) -> list[list[str]]:
    """The words of each line without comments; nothing if the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [re.split(r"[#;]", line, maxsplit=1)[0].lower().split() for line in text.splitlines()]


def _search_domains(lines: Iterable[list[str]]) -> Iterator[str]:
    """What this network appends to names without a domain."""
    for keyword, *domains in filter(None, lines):
        if keyword in ("search", "domain"):
            yield from (domain.strip(".") for domain in domains)


def _full_names(lines: Iterable[list[str]], known: set[str]) -> Iterator[str]:
    """The longer names of this computer beside the known ones: Debian writes \"127.0.1.1 hub.example.org hub\"."""
    for _address, *names in filter(None, lines):
        if known.intersection(names):
            yield from (name for name in names if name.partition(".")[0] in known)
