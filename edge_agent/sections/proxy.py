"""Which devices other programs at home may read through the agent, and where: the [[proxy]] tables of agent.toml."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address

from protocols.maps.fields import TomlFields
from protocols.maps.model import MapError

LISTEN_EXPECTED = "an address and port like '127.0.0.1:1502'"


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """One device that is served read-only at one address."""

    device: str
    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only programs on this computer can reach it."""
        return ip_address(self.host).is_loopback

    @property
    def shown(self) -> str:
        """The address as people write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_proxies(top: TomlFields, devices: Collection[str]) -> tuple[ProxyChoice, ...]:
    """The proxies in a configuration whose devices have these names. Raises MapError."""
    choices = tuple(_choice(fields.only("device", "listen"), devices) for fields in top.tables("proxy"))
    seen: set[tuple[str, int]] = set()
    for each in choices:
        if (each.host, each.port) in seen:
            raise MapError(f"{top.where}: proxy: listen: {each.shown} is given twice, each needs a port of its own")
        seen.add((each.host, each.port))
    return choices


def _choice(fields: TomlFields, devices: Collection[str]) -> ProxyChoice:
    device = fields.text("device")
    if device not in devices:
        raise fields.wrong("device", f"one of {', '.join(devices)}", device)
    text = fields.text("listen")
    host, _, port = text.rpartition(":")
    try:
        address = str(ip_address(host.removeprefix("[").removesuffix("]")))
        number = int(port)
    except ValueError:
        raise fields.wrong("listen", LISTEN_EXPECTED, text) from None
    if not 1 <= number <= 65535 or not port.isdecimal():
        raise fields.wrong("listen", LISTEN_EXPECTED, text)
    return ProxyChoice(device, address, number)
