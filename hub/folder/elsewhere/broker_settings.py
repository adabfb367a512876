"""The table `[broker]` of hub.toml: which broker the hub uses, and how it reaches one that it does not start."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hub.folder.elsewhere.broker_sites import BrokerSite, read_nodes, read_sites
from protocols.errors import SettingsError

KINDS: Final = ("auto", "iotcore", "mosquitto", "external", "rabbitmq")
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The broker to use, or several `sites`, or a cluster's `nodes`; if it is external, how the hub reaches it."""

    kind: str
    host: str
    port: int
    username: str | None
    password_file: Path | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    allow_other_users: bool = False
    sites: tuple[BrokerSite, ...] = ()
    nodes: tuple[tuple[str, int], ...] = ()


class _Table(Protocol):
    """How the settings read a table."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def number(self, key: str, default: int, *, least: int, most: int, unit: str = "") -> int: ...
    def flag(self, key: str, *, default: bool) -> bool: ...
    def texts(self, key: str) -> list[str]: ...
    def file(self, key: str, folder: Path) -> Path | None: ...
    def wrong(self, key: str, expected: str) -> SettingsError: ...
    def require_nothing_else(self) -> None: ...


def read_broker(table: _Table, folder: Path) -> BrokerSettings:
    """The table's values; file names are relative to `folder`. Raises: SettingsError."""
    broker = BrokerSettings(
        kind=table.text("kind", "auto", fits=KINDS.__contains__, expected=f"one of {', '.join(KINDS)}"),
        host=table.text("host", LOOPBACK, fits=bool, expected="the broker's host name or address"),
        port=table.number("port", 1883, least=0, most=65535),
        username=table.text("username", "", fits=lambda _: True, expected="a name") or None,
        password_file=table.file("password_file", folder),
        ca_file=table.file("ca_file", folder),
        cert_file=table.file("cert_file", folder),
        key_file=table.file("key_file", folder),
        allow_other_users=table.flag("allow_other_users", default=False),
        sites=read_sites(table.texts("shards"), lambda expected: table.wrong("shards", expected)),
        nodes=read_nodes(table.texts("nodes"), lambda expected: table.wrong("nodes", expected)),
    )
    table.require_nothing_else()
    if broker.kind != "external":
        if broker.host != LOOPBACK:
            expected_host = f'{LOOPBACK}, where a broker of the hub listens; for any other use kind = "external"'
            raise table.wrong("host", expected_host)
        if broker.username or broker.password_file or broker.ca_file or broker.cert_file or broker.key_file:
            raise table.wrong("kind", '"external" with username, password_file, ca_file, cert_file or key_file')
    if (broker.cert_file is None) != (broker.key_file is None):
        raise table.wrong("cert_file", "cert_file and key_file together")
    if broker.cert_file is not None and broker.ca_file is None:
        raise table.wrong("ca_file", "the certificate authority to trust, with cert_file and key_file")
    return broker
