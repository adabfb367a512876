"""A neighbourhood of network namespaces: a router between the hub and homes, most of them behind its NAT. Needs root.

Only this computer is reached: the namespaces are connected with each other and with nothing else.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

HUB4, HUB6 = "203.0.113.10", "2001:db8:1::10"
PI4, PHONE4 = "192.168.77.2", "192.168.77.3"
NEEDED = ("ip", "nft", "unshare", "mosquitto")
_NAT = """table ip nat {
  chain post {
    type nat hook postrouting priority 100;
    oifname "hub" masquerade
  }
}
"""


def why_not(needed: Sequence[str] = NEEDED) -> str | None:
    """Why no namespaces can be made here; None if they can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    missing = [name for name in needed if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


@dataclass(frozen=True, slots=True)
class Place:
    """One namespace; `hosts` is the file that says there where the hub is."""

    name: str
    hosts: Path

    def command(self, *words: str) -> list[str]:
        """These words as a command that runs inside."""
        inside = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return ["ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-c", inside, str(self.hosts), *words]


@contextmanager
def neighbourhood(folder: Path, *, behind_nat: Sequence[str], six_only: Sequence[str]) -> Iterator[Mapping[str, Place]]:
    """The places `net`, `hub` and these homes; all are removed in the end."""
    with ExitStack() as stack:
        places: dict[str, Place] = {}
        for role in ("net", "hub", *behind_nat, *six_only):
            address = "127.0.0.1" if role == "hub" else HUB6 if role in six_only else HUB4
            hosts = folder / f"hosts-{role}"
            hosts.write_text(f"127.0.0.1 localhost\n::1 localhost\n{address} hub.example\n")
            places[role] = Place(f"cw{os.getpid()}-{role}", hosts)
            _run("ip", "netns", "add", places[role].name)
            stack.callback(_run, "ip", "netns", "del", places[role].name)
            _in(places[role], "ip", "link", "set", "lo", "up")
        net = places["net"]
        _in(net, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        subprocess.run(
            ["ip", "netns", "exec", net.name, "nft", "-f", "-"], input=_NAT, text=True, check=True, timeout=60
        )
        _connect(net, places["hub"], "hub", four=(f"{HUB4}/24", "203.0.113.1"), six=(f"{HUB6}/64", "2001:db8:1::1"))
        for number, role in enumerate(behind_nat, 1):
            _connect(net, places[role], role, four=(f"10.0.{number}.2/24", f"10.0.{number}.1"))
        for number, role in enumerate(six_only, 1):
            six = (f"2001:db8:2:{number}::2/64", f"2001:db8:2:{number}::1")
            _connect(net, places[role], role, six=six)
        yield places


@contextmanager
def home_network(folder: Path) -> Iterator[tuple[Place, Place]]:
    """Two computers of one home, at PI4 and PHONE4, connected with each other and with nothing else."""
    with ExitStack() as stack:
        (folder / "hosts-home").write_text("127.0.0.1 localhost\n")
        pi, phone = (Place(f"cw{os.getpid()}-{name}", folder / "hosts-home") for name in ("pi", "phone"))
        for place in (pi, phone):
            _run("ip", "netns", "add", place.name)
            stack.callback(_run, "ip", "netns", "del", place.name)
            _in(place, "ip", "link", "set", "lo", "up")
        _connect(pi, phone, "home", four=(f"{PHONE4}/24", PI4))
        yield pi, phone


def _connect(
    net: Place, place: Place, name: str, *, four: tuple[str, str] | None = None, six: tuple[str, str] | None = None
) -> None:
    """A line between the router and a place: its own address with the prefix, and the router's address on it."""
    _run("ip", "link", "add", name, "netns", net.name, "type", "veth", "peer", "name", "line", "netns", place.name)
    for each, options in ((four, ()), (six, ("nodad",))):
        if each is None:
            continue
        address, router = each
        _in(place, "ip", "address", "add", address, "dev", "line", *options)
        _in(net, "ip", "address", "add", f"{router}/{address.partition('/')[2]}", "dev", name, *options)
    _in(place, "ip", "link", "set", "line", "up")
    _in(net, "ip", "link", "set", name, "up")
    for each in (four, six):
        if each is not None:
            _in(place, "ip", "route", "add", "default", "via", each[1])


def _in(place: Place, *command: str) -> None:
    _run("ip", "netns", "exec", place.name, *command)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
