"""The table `[public]` of hub.toml: under which name and on which ports homes elsewhere reach the hub, with TLS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from hub.folder.setting_values import is_host
from protocols.errors import SettingsError

MAX_NAMES: Final = 10
PUBLIC_TEXT: Final = """
# [public]                 # for homes elsewhere: needs mosquitto and a certificate authority (docs/broker.md)
# host = "hub.example.org" # the name or address under which homes reach this computer
# broker_port = 8883       # where their agents send readings
# enrol_port = 8443        # where their agents enrol and renew certificates
# names = []               # other names and addresses of this computer that its certificate should hold
"""


@dataclass(frozen=True, slots=True)
class PublicSettings:
    """Where homes reach the hub and its broker: both under `host`."""

    host: str
    broker_port: int
    enrol_port: int
    names: tuple[str, ...]

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every name and address that the hub's own certificate is valid for."""
        return tuple(dict.fromkeys((self.host, *self.names)))


class _Table(Protocol):
    """How the settings read a table."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def number(self, key: str, default: int, *, least: int, most: int, unit: str = "") -> int: ...
    def texts(self, key: str) -> list[str]: ...
    def wrong(self, key: str, expected: str) -> SettingsError: ...
    def require_nothing_else(self) -> None: ...


def read_public(table: _Table, *, broker_kind: str, taken_ports: tuple[int, ...]) -> PublicSettings:
    """The table's values; the hub's other listeners have the ports `taken_ports`. Raises: SettingsError."""
    host = table.text("host", fits=is_host, expected='a host name or an address, like "hub.example.org"')
    public = PublicSettings(
        host=host,
        broker_port=table.number("broker_port", 8883, least=1, most=65535),
        enrol_port=table.number("enrol_port", 8443, least=1, most=65535),
        names=tuple(table.texts("names")),
    )
    if len(public.names) > MAX_NAMES or not all(is_host(name) for name in public.names):
        raise table.wrong("names", f'up to {MAX_NAMES} host names or addresses, like "192.0.2.7"')
    if broker_kind == "iotcore":
        raise table.wrong("host", 'broker.kind = "auto" in hub.toml: the built-in broker serves this computer only')
    if public.enrol_port in (public.broker_port, *taken_ports):
        raise table.wrong("enrol_port", "a port that neither the broker nor the pages use")
    if public.broker_port in taken_ports and broker_kind not in ("external", "rabbitmq"):
        raise table.wrong("broker_port", "a port that neither web.port nor broker.port uses")
    table.require_nothing_else()
    return public
