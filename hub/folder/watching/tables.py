"""The tables of hub.toml about watching the hub, `[health]`, `[log]` and `[traces]`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from hub.folder.watching.health_settings import HEALTH_TEXT, HealthSettings, read_health_table
from hub.folder.watching.log_settings import LOG_TEXT, LogSettings, read_log_table
from hub.folder.watching.trace_settings import TRACES_TEXT, TraceSettings, read_traces
from protocols.errors import SettingsError

WATCH_TEXT: Final = HEALTH_TEXT + LOG_TEXT + TRACES_TEXT


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How the hub is watched."""

    health: HealthSettings = field(default_factory=HealthSettings)
    log: LogSettings = field(default_factory=LogSettings)
    traces: TraceSettings | None = None


class WatchTable(Protocol):
    """What these tables need of a table of settings; its methods raise SettingsError."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def number(self, key: str, default: int, *, least: int, most: int) -> int: ...
    def flag(self, key: str, *, default: bool) -> bool: ...
    def file(self, key: str, folder: Path) -> Path | None: ...
    def wrong(self, key: str, expected: str) -> SettingsError: ...
    def require_nothing_else(self) -> None: ...


def read_watch(
    table: Callable[[str], WatchTable], folder: Path, *, taken_ports: tuple[int, ...], has_traces: bool
) -> WatchSettings:
    """The settings; `table` gives a table by its name, empty if it is not there. Raises: SettingsError."""
    return WatchSettings(
        health=read_health_table(table("health"), folder, taken_ports=taken_ports),
        log=read_log_table(table("log")),
        traces=read_traces(table("traces")) if has_traces else None,
    )
