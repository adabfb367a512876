"""The table `[traces]` of hub.toml: the collector that gets traces of requests, groups and jobs (OpenTelemetry)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

TRACES_TEXT: Final = """
# [traces]                 # OpenTelemetry, over OTLP and HTTP; needs commonwatt with its extra 'otel'
# endpoint = "http://127.0.0.1:4318"
"""


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where traces go: the collector's address, to which `/v1/traces` is added."""

    endpoint: str


class _Table(Protocol):
    """What this reads of a table of hub.toml; its methods raise SettingsError."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def require_nothing_else(self) -> None: ...


def read_traces(table: _Table) -> TraceSettings:
    """The table's values. Raises: SettingsError."""
    expected = 'the address of a collector, like "http://127.0.0.1:4318", without a path'
    traces = TraceSettings(table.text("endpoint", fits=_is_endpoint, expected=expected).rstrip("/"))
    table.require_nothing_else()
    return traces


def _is_endpoint(text: str) -> bool:
    try:
        found = urlsplit(text)
        is_whole = bool(found.hostname) and found.port != 0
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and " " not in text and "@" not in text
    return plain and is_whole and found.scheme in ("http", "https") and found.path in ("", "/") and not found.query
