"""The table `[log]` of hub.toml: the log as lines for people or as JSON for programs, and how much is said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

TEXT: Final = "text"
JSON: Final = "json"
FORMS: Final = (TEXT, JSON)

LOG_TEXT: Final = """
[log]
form = "text"              # text, or json: one JSON object a line, with ids (docs/metrics.md)
trail = false              # true: a line for each batch, receipt, request and job, to follow one through the hub
"""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`form` is one of FORMS; with `trail`, each step of a batch, a request or a job is a line."""

    form: str = TEXT
    trail: bool = False


class _Table(Protocol):
    """What this reads of a table of hub.toml; its methods raise SettingsError."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def flag(self, key: str, *, default: bool) -> bool: ...
    def require_nothing_else(self) -> None: ...


def read_log_table(table: _Table) -> LogSettings:
    """The table's values. Raises: SettingsError."""
    log = LogSettings(
        form=table.text("form", TEXT, fits=FORMS.__contains__, expected=f"one of {', '.join(FORMS)}"),
        trail=table.flag("trail", default=False),
    )
    table.require_nothing_else()
    return log
