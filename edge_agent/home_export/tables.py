"""The tables of an export as rows of text, and the Frictionless Data Package that describes them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge_agent.home_store.contents import KeptQuarter, MinuteMeans
from edge_agent.outbox.sent_readings import SentReading
from protocols.quantities import Gap
from protocols.slots import Slot, start_of

Row = tuple[str, ...]

_START = {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%SZ"}
_ENERGY = {"type": "integer", "description": "Energy in Wh"}


@dataclass(frozen=True, slots=True)
class ExportTable:
    """One CSV file: its name, what it holds, and its columns with their types."""

    name: str
    description: str
    fields: tuple[tuple[str, Mapping[str, Any]], ...]

    @property
    def header(self) -> Row:
        """The names of the columns."""
        return tuple(name for name, _ in self.fields)

    @property
    def path(self) -> str:
        """The file's name."""
        return f"{self.name}.csv"


QUARTERS = ExportTable(
    "quarter_hours",
    "Energy of each quarter hour as this home measured it, whatever its consent let out",
    (
        ("start", {**_START, "description": "Beginning of the quarter hour, UTC"}),
        ("measure", {"type": "string", "description": "What was measured, such as grid_import"}),
        ("energy_wh", {**_ENERGY, "description": "Energy in Wh; empty if it is missing"}),
        ("mark", {"type": "string", "description": "measured, derived from power, partial or missing"}),
        ("gap", {"type": "string", "description": "Why it is missing or partial; empty if it is not"}),
    ),
)
TOTALS = ExportTable(
    "totals",
    "Energy known only as one total over several quarter hours, such as over an outage",
    (
        ("start", {**_START, "description": "Beginning of the first quarter hour, UTC"}),
        ("quarter_hours", {"type": "integer", "description": "How many quarter hours it covers"}),
        ("measure", {"type": "string"}),
        ("energy_wh", _ENERGY),
    ),
)
MINUTES = ExportTable(
    "minutes",
    "Mean power of each minute, by device and role; kept for 30 days",
    (
        ("start", {**_START, "description": "Beginning of the minute, UTC"}),
        ("device", {"type": "string", "description": "The device's name in agent.toml"}),
        ("role", {"type": "string"}),
        ("power_w", {"type": "integer", "description": "W; grid + is drawn, solar + is made, battery + is charged"}),
    ),
)
SENT = ExportTable(
    "sent",
    "What was sent to the co-op of the grid's quarter hours",
    (
        ("start", {**_START, "description": "Beginning of the quarter hour, UTC"}),
        ("grid_export_wh", _ENERGY),
        ("grid_import_wh", _ENERGY),
    ),
)


def quarter_rows(quarters: Iterable[KeptQuarter]) -> Iterator[Row]:
    """One row for each measure of each quarter hour."""
    for quarter in quarters:
        for measure, value in sorted(quarter.values.items()):
            energy = "" if value.energy_wh is None else str(value.energy_wh)
            gap = "" if value.gap is Gap.NONE else value.gap.name.lower()
            yield _time(quarter.slot), measure.code, energy, value.mark.name.lower(), gap


def total_rows(quarters: Iterable[KeptQuarter]) -> Iterator[Row]:
    """One row for each total that a quarter hour closed."""
    for quarter in quarters:
        for each in quarter.totals:
            yield _time(each.first_slot), str(each.slots), each.measure.code, str(each.energy_wh)


def minute_rows(minutes: Iterable[tuple[Slot, Mapping[str, MinuteMeans]]]) -> Iterator[Row]:
    """One row for each minute in which a device gave a power."""
    for slot, places in minutes:
        for place, means in sorted(places.items()):
            device, _, role = place.partition("/")
            for minute, power_w in enumerate(means):
                if power_w is not None:
                    yield _time(slot, minute), device, role, str(power_w)


def sent_rows(readings: Iterable[SentReading]) -> Iterator[Row]:
    """One row for each quarter hour that was sent."""
    for slot, export_wh, import_wh in readings:
        yield _time(slot), str(export_wh), str(import_wh)


def data_package(tables: Iterable[tuple[ExportTable, int, str]], *, home: str, created_s: float) -> str:
    """The description of these files, each with its bytes and its SHA-256.

    Source: Data Package standard, version 1 (specs.frictionlessdata.io).
    """
    resources = [
        {
            "name": table.name,
            "path": table.path,
            "description": table.description,
            "profile": "tabular-data-resource",
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "bytes": size,
            "hash": f"sha256:{digest}",
            "schema": {"fields": [{"name": name, **kind} for name, kind in table.fields], "missingValues": [""]},
        }
        for table, size, digest in tables
    ]
    package = {
        "profile": "tabular-data-package",
        "name": f"commonwatt-home-{home}",
        "title": f"What home {home} measured",
        "created": datetime.fromtimestamp(int(created_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": resources,
    }
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def _time(slot: Slot, minute: int = 0) -> str:
    return datetime.fromtimestamp(start_of(slot) + 60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
