"""The text of the nftables table `inet commonwatt`: ports that are open, and what one address may do at those of homes.

Loading it replaces this table alone. An IPv6 address counts with its whole /64, because one line has all of that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

TABLE: Final = "inet commonwatt"
NEW_A_MINUTE: Final = 120
"""New connections of one address at the ports of homes; as many again at once, when a hub is back after a restart."""

PACKETS_A_SECOND: Final = 500
PACKETS_AT_ONCE: Final = 1000
COUNTERS: Final = ("too_many_connections", "too_many_packets", "not_open")

_REMEMBERED: Final = "flags dynamic; size 65535; timeout 2m;"
_SLASH_64: Final = "ip6 saddr & ffff:ffff:ffff:ffff::"


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """What is open: ports of homes with limits, other ports without, and SSH.

    `ssh_from` is empty where SSH is open to everyone. `relays` are addresses that speak for many homes: no limit counts
    them. `answers_names`: the computer is found by a name of the local network (mDNS).
    """

    homes: tuple[int, ...]
    others: tuple[int, ...] = ()
    ssh: int = 22
    ssh_from: tuple[IPv4Network | IPv6Network, ...] = ()
    relays: tuple[IPv4Address | IPv6Address, ...] = ()
    answers_names: bool = False


def ruleset_text(opened: OpenPorts) -> str:
    """The ruleset as a file for `nft -f`, for nftables 1.0 and newer."""
    limits = [*_not_limited(opened), *_limits()]
    return f"""#!/usr/sbin/nft -f
# Made by `commonwatt-hub broker`: docs/run-a-hub.md of Commonwatt explains it. It closes every port that is not named
# here, to IPv4 and IPv6; other services of this computer need a line of their own. Loaded again, it replaces itself.

table {TABLE}
delete table {TABLE}

table {TABLE} {{
{_indented(f"counter {name} {{ }}" for name in COUNTERS)}

    # who connected and sent lately: each address with its own allowance
    set connecting4 {{ type ipv4_addr; {_REMEMBERED} }}
    set connecting6 {{ type ipv6_addr; {_REMEMBERED} }}
    set sending4 {{ type ipv4_addr; {_REMEMBERED} }}
    set sending6 {{ type ipv6_addr; {_REMEMBERED} }}

    chain homes {{
{_indented(limits, by=8)}
    }}

    chain input {{
        type filter hook input priority filter; policy drop;
        iif "lo" accept
{_indented(_opened(opened), by=8)}
        counter name not_open
    }}
}}
"""


def _limits() -> Sequence[str]:
    new = f"limit rate over {NEW_A_MINUTE}/minute burst {NEW_A_MINUTE} packets"
    sent = f"limit rate over {PACKETS_A_SECOND}/second burst {PACKETS_AT_ONCE} packets"
    too_new, too_much = (f"counter name {name} drop" for name in COUNTERS[:2])
    return [
        f"ct state new update @connecting4 {{ ip saddr {new} }} {too_new}",
        f"ct state new update @connecting6 {{ {_SLASH_64} {new} }} {too_new}",
        f"update @sending4 {{ ip saddr {sent} }} {too_much}",
        f"update @sending6 {{ {_SLASH_64} {sent} }} {too_much}",
    ]


def _not_limited(opened: OpenPorts) -> Sequence[str]:
    return [f"{_family(each.version)} saddr {each} return" for each in opened.relays]


def _opened(opened: OpenPorts) -> Sequence[str]:
    homes = ", ".join(map(str, sorted(set(opened.homes))))
    lines = [f"tcp dport {{ {homes} }} jump homes"] if homes else []
    lines += [
        "ct state established,related accept",
        "ct state invalid drop",
        # Without these neither path MTU nor, in IPv6, any neighbour or router is found.
        "meta l4proto { icmp, ipv6-icmp } accept",
        "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
    ]
    if opened.answers_names:
        lines.append("udp dport 5353 accept")
    lines += [f"{_family(each.version)} saddr {each} tcp dport {opened.ssh} accept" for each in opened.ssh_from] or [
        f"tcp dport {opened.ssh} accept"
    ]
    ports = ", ".join(map(str, sorted({*opened.homes, *opened.others})))
    return [*lines, f"tcp dport {{ {ports} }} accept"] if ports else lines


def _family(version: int) -> str:
    return "ip" if version == 4 else "ip6"


def _indented(lines: Iterable[str], *, by: int = 4) -> str:
    return "\n".join(f"{' ' * by}{line}" for line in lines)
