"""The table `[health]` of hub.toml: where a monitoring system reads the hub's metrics and whether it is ready."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from protocols.errors import SettingsError

MAX_TOKEN_BYTES: Final = 1024
LEAST_TOKEN_CHARS: Final = 16

HEALTH_TEXT: Final = """
[health]                   # for a monitoring system: /metrics, /healthz and /readyz, see docs/metrics.md
host = "127.0.0.1"         # another address only with token_file
port = 0                   # 0: any free one; give a port, like 8401, that your monitoring system can be told
# token_file = "metrics-token"   # a file whose first line is what the monitoring system sends as its bearer token
"""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Where metrics are served. With `token_file`, only whoever sends the token in it sees more than /healthz."""

    host: str = "127.0.0.1"
    port: int = 0
    token_file: Path | None = None


class _Table(Protocol):
    """What this reads of a table of hub.toml; its methods raise SettingsError."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def number(self, key: str, default: int, *, least: int, most: int) -> int: ...
    def file(self, key: str, folder: Path) -> Path | None: ...
    def wrong(self, key: str, expected: str) -> SettingsError: ...
    def require_nothing_else(self) -> None: ...


def read_health_table(table: _Table, folder: Path, *, taken_ports: tuple[int, ...]) -> HealthSettings:
    """The table's values; file names are relative to `folder`. Raises: SettingsError."""
    health = HealthSettings(
        host=table.text("host", "127.0.0.1", fits=_is_address, expected="an address of this computer, like 127.0.0.1"),
        port=table.number("port", 0, least=0, most=65535),
        token_file=table.file("token_file", folder),
    )
    table.require_nothing_else()
    if health.port and health.port in taken_ports:
        raise table.wrong("port", "a port that neither the pages nor the broker use")
    if health.token_file is None and not ipaddress.ip_address(health.host).is_loopback:
        raise table.wrong("token_file", "a file with a token, because others than this computer reach health.host")
    return health


def read_token(health: HealthSettings) -> str:
    """The token in the file; empty if none is asked for. Raises: SettingsError."""
    path = health.token_file
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_TOKEN_BYTES).decode("ascii").split("\n")[0].strip()
    except (OSError, ValueError):
        raise SettingsError(f"{path}: cannot read the token for metrics as one line of plain ASCII") from None
    if len(text) < LEAST_TOKEN_CHARS or not text.isprintable() or " " in text:
        raise SettingsError(f"{path}: expected a token of {LEAST_TOKEN_CHARS} or more letters and digits")
    if path.stat().st_mode & 0o007:
        raise SettingsError(f"{path}: other users can read the token for metrics; fix it with: chmod 600 {path}")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
