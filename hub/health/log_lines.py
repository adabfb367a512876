"""The form of the hub's log: lines for people, or one JSON object a line for programs, with the ids of the work."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from hub.health.trail import current_ids, trail

TEXT_FORM: Final = "%(asctime)s %(levelname)s %(message)s"

SAID_EVERYWHERE: Final = frozenset({"request", "job", "run"})
"""The ids that a line outside the trail has too. Such a line may name an agent, so it says neither batch nor group."""


class TextLines(logging.Formatter):
    """Time, level and message; a line of the trail also has its ids and facts."""

    def __init__(self) -> None:
        super().__init__(TEXT_FORM)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name of the library
        """The line, on which a traceback may follow."""
        line = super().formatMessage(record)
        if record.name != trail.name:
            return line
        facts = {**current_ids(), **_step_of(record)}
        return " ".join((line, *(f"{name}={_shown(value)}" for name, value in facts.items())))


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, part of the hub, message, then ids and facts; an error's traceback
    is one string. Only a line of the trail, which names nobody, has the ids of what homes sent (I10)."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": self._part,
            "message": record.getMessage(),
            **_ids_for(record),
            **_step_of(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def use_log(part: str, *, is_json: bool, has_trail: bool) -> None:
    """Write this process's log in this form from now on."""
    form = JsonLines(part) if is_json else TextLines()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(form)
    trail.setLevel(logging.INFO if has_trail else logging.WARNING)


def _ids_for(record: logging.LogRecord) -> dict[str, str]:
    is_of_trail = record.name == trail.name
    return {name: value for name, value in current_ids().items() if is_of_trail or name in SAID_EVERYWHERE}


def _step_of(record: logging.LogRecord) -> dict[str, Any]:
    return dict(getattr(record, "step", {}))


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
