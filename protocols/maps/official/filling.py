"""Fills in what the official definitions know of a map's rows that name a SunSpec point instead of its place.

`{ name = "active_power", point = "W", ... }` gets offset, type, scale factor and missing mark, and the table the row of
the scale factor. A row may still say more, or say it otherwise, except for the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protocols.maps.model import MapError
from protocols.maps.official.layout import OfficialPoint, official_points

_PLACE: Final = ("offset", "address", "words", "type")


def fill_points(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The map's tables with every `point` replaced by what it stands for. Raises: MapError that names the row."""
    given = tables.get("tables")
    if not isinstance(given, list):
        return tables
    return {**tables, "tables": [_filled(table, f"{name} tables[{at}]") for at, table in enumerate(given)]}


def _filled(table: object, where: str) -> object:
    rows = table.get("points") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(rows, list):
        return table
    filled: list[object] = []
    for at, row in enumerate(rows):
        if not isinstance(row, dict) or "point" not in row:
            filled.append(row)
            continue
        models = row.get("models", table.get("models"))
        filled.append(_row(row, models, f"{where} points[{at}]"))
    return {**table, "points": [*filled, *_factors(filled, table)]}


def _row(row: Mapping[str, Any], models: object, where: str) -> dict[str, Any]:
    for key in _PLACE:
        if key in row:
            raise MapError(f"{where}: {key}: leave it out, point = {row['point']!r} says it")
    found = _official(row["point"], models, where)
    known: dict[str, Any] = {"offset": found.offset, "type": found.type, "sentinels": list(found.sentinels)}
    if found.factor is not None and not found.factor.lstrip("-").isdecimal():
        known["scale_factor"] = found.factor.lower()
    return {**known, **{key: value for key, value in row.items() if key != "point"}}


def _official(point: object, models: object, where: str) -> OfficialPoint:
    if not isinstance(models, list) or not models:
        raise MapError(f"{where}: point: expected in a table with models")
    found = []
    for model in models:
        points = official_points(model) if isinstance(model, int) else {}
        if not points:
            raise MapError(f"{where}: point: the definition of model {model!r} is not compiled, give offset and type")
        if not isinstance(point, str) or point not in points:
            raise MapError(f"{where}: point: model {model} has no point {point!r}")
        found.append(points[point])
    if len(set(found)) > 1:
        raise MapError(f"{where}: point: {point!r} lies elsewhere or is another type in some of the models {models}")
    return found[0]


def _factors(rows: list[object], table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each official scale factor that a filled row rests on and no row of the table gives."""
    given = {name for row in rows if isinstance(row, dict) and isinstance(name := row.get("name"), str)}
    wanted = {row["scale_factor"] for row in rows if isinstance(row, dict) and isinstance(row.get("scale_factor"), str)}
    models = table.get("models")
    names = official_points(models[0]) if isinstance(models, list) and models and isinstance(models[0], int) else {}
    return [
        {"name": point.lower(), "offset": found.offset, "type": "sunssf", "unit": "power of ten", "sentinels": []}
        for point, found in names.items()
        if found.type == "sunssf" and point.lower() in wanted - given
    ]
