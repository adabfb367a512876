"""The table [page] of the agent's configuration: where the local page is served, and under which names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from protocols.loopback import is_loopback
from protocols.maps.fields import TomlFields

PORT = 8087
OFF = "off"
_EXPECTED = f"'127.0.0.1:{PORT}', an address of this computer with a port, or 'off'"
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Where the page is served; `names`: host names it answers to besides this computer's own."""

    host: str = "127.0.0.1"
    port: int = PORT
    names: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether only this computer reaches it, so that no PIN is needed."""
        return is_loopback(self.host)

    @property
    def shown(self) -> str:
        """Its address as people type it."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def parse_page(fields: TomlFields) -> PageSettings | None:
    """The page's settings; None where it is switched off. Raises: MapError."""
    fields.only("listen", "names")
    listen = fields.text("listen", f"127.0.0.1:{PORT}")
    names = tuple(name.lower().rstrip(".") for name in fields.texts("names"))
    for name in names:
        if not _NAME.fullmatch(name):
            raise fields.wrong("names", "host names like 'pi.example.org'", name)
    if listen == OFF:
        return None
    try:
        host, port = listen_address(listen)
    except ValueError:
        raise fields.wrong("listen", _EXPECTED, listen) from None
    return PageSettings(host, port, names)


def listen_address(listen: str) -> tuple[str, int]:
    """Address and port in a text such as '0.0.0.0:8087'. Raises: ValueError.

    >>> listen_address("[::1]:8087")
    ('::1', 8087)
    """
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"expected {_EXPECTED}")
    ip_address(host)
    return host, int(port)
