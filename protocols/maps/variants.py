"""The variants of a device map: the family's TOML table with the keys that a firmware, path, model or setting changes.

Works on the tables as read, before they are parsed, so that a variant is checked like a map of its own.
"""

from collections.abc import Mapping
from typing import Any

from protocols.maps.fields import TomlFields
from protocols.maps.model import MapError

_OVERLAID = ("transport", "blocks", "metering", "roles")
_REPLACED = ("quality", "kinds", "identify")
_PLACES = ("address", "words", "offset", "document_address")


def vary(family: Mapping[str, Any], variant: TomlFields) -> dict[str, Any]:
    """The family's table as this variant has it. `family` has been parsed once. Raises MapError.

    Keys of `transport`, `blocks` and `metering` and whole roles replace the family's; `points` and `derived` change
    the one of their name, or add it; `without` leaves out points, derived values and roles.
    """
    table: dict[str, Any] = dict(family)
    for key in _OVERLAID:
        if variant.has(key):
            table[key] = {**family.get(key, {}), **variant.raw_table(key)}
    table |= {key: variant.raw(key) for key in _REPLACED if variant.has(key)}
    if variant.has("caveats"):
        table["caveats"] = [*family.get("caveats", []), *variant.texts("caveats")]
    tables = [dict(each) for each in family.get("tables", [])]
    for each in tables:
        each["points"] = [dict(point) for point in each.get("points", [])]
    derived = [dict(each) for each in family.get("derived", [])]
    for name in variant.texts("without"):
        _leave_out(name, tables, derived=derived, roles=table, where=variant.where)
    added = [point for point in _named(variant, "points") if not _change(point, tables)]
    if added:
        tables.append({"title": "Only in this variant", "points": added})
    for each in _named(variant, "derived"):
        derived = [*(other for other in derived if other["name"] != each["name"]), each]
    return {**table, "tables": tables, "derived": derived}


def _named(variant: TomlFields, key: str) -> list[dict[str, Any]]:
    """The tables under a key as they are; each must have a name."""
    found = variant.raw(key) if variant.has(key) else []
    if not isinstance(found, list):
        raise variant.wrong(key, "a list of tables", found)
    for index, each in enumerate(found):
        TomlFields(f"{variant.where} {key}[{index}]", each).name("name")
    return [dict(each) for each in found]


def _change(point: dict[str, Any], tables: list[dict[str, Any]]) -> bool:
    """Change the points of this name; where SunSpec models are given, only the one of the same models."""
    is_found = False
    moves = any(key in point for key in ("address", "words", "offset"))
    for table in tables:
        for row in table["points"]:
            models = row.get("models", table.get("models"))
            if row["name"] != point["name"] or point.get("models", models) != models:
                continue
            is_found = True
            if moves:
                for key in _PLACES:
                    row.pop(key, None)
            row.update(point)
    return is_found


def _leave_out(
    name: str, tables: list[dict[str, Any]], *, derived: list[dict[str, Any]], roles: dict[str, Any], where: str
) -> None:
    """Remove a point, a derived value, or with `roles.` before it a role."""
    role = name.removeprefix("roles.")
    if role != name and role in roles.get("roles", {}):
        roles["roles"] = {each: kept for each, kept in roles["roles"].items() if each != role}
        return
    is_found = False
    for rows in (derived, *(table["points"] for table in tables)):
        kept = [row for row in rows if row["name"] != name]
        is_found = is_found or len(kept) < len(rows)
        rows[:] = kept
    if not is_found:
        raise MapError(
            f"{where}: without: {name!r}: expected a point or a derived value of the family, or 'roles.battery'"
        )
