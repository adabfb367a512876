"""Everything that is wrong with a device map's text, not only the first thing: for whoever writes one.

`loading` stops at the first error. This also holds what a map must have to be read well: its roles are polled fast,
what identifies the device is read, and every role can be planned.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

from protocols.maps.checks import find_complaints
from protocols.maps.grammar import parse_tables, read_tables
from protocols.maps.loading import resolve_map
from protocols.maps.model import DeviceMap, MapError
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import PlanError
from protocols.maps.roles import role_names
from protocols.maps.sunspec import SunSpecModel

_MAX_FAULTS_OF_A_PART = 20
_FIRST_MODEL = 40002
_COMMON_LENGTH = 66
_ROW: Mapping[str, Any] = {
    "name": "placeholder", "function": 3, "address": 0, "type": "uint16", "unit": "1", "source": "-",
    "range": [0, 1], "sentinels": [],
}  # fmt: skip
_SKELETON: Mapping[str, Any] = {
    "id": "placeholder", "version": 1, "vendor": "-", "models": ["-"], "kinds": ["gateway"], "verification": "C",
    "quality": "bronze", "sources": ["-"], "transport": {"framing": ["tcp"], "tcp": {"port": 502}, "unit_ids": [1]},
}  # fmt: skip
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "transport": _SKELETON["transport"], "blocks": {}, "sign": {},
    "metering": {"phases": "unknown", "phases_source": "-", "metrology": "unknown", "metrology_source": "-"},
}  # fmt: skip
_DERIVED: Mapping[str, Any] = {"name": "placeholder", "unit": "W", "source": "-"}
_ROLE: Mapping[str, Any] = {"counts": "source_ac", "side": "dc"}
_VARIANT: Mapping[str, Any] = {"name": "placeholder", "title": "-"}
_KEY_OF_ERROR = re.compile(r": (?:unknown key '([^']+)'|([a-z_]+): )")
_EXPECTED_PLACE = ": expected one of address, words or offset"


def find_faults(text: str, *, name: str) -> list[str]:
    """All that is wrong with a map, one line each; `name` is its file's. Empty for a sound map."""
    try:
        tables = read_tables(text, name)
    except MapError as fault:
        return [str(fault)]
    return list(dict.fromkeys(_faults(tables, name)))


def _faults(tables: Mapping[str, Any], name: str) -> Iterator[str]:
    try:
        device_map = parse_tables(tables, name)
    except MapError as first:
        # Whether parts fit together cannot be seen before each is right by itself.
        yield from list(_grammar_faults(tables, name)) or [str(first)]
        return
    yield from (f"{name}: {each}" for each in chain(find_complaints(device_map), _reading_faults(device_map)))
    for variant in device_map.variants:
        where = f"{name} variant {variant.name!r}"
        yield from (f"{where}: {each}" for each in chain(find_complaints(variant.map), _reading_faults(variant.map)))


def _reading_faults(device_map: DeviceMap) -> Iterator[str]:
    """What would make a device of this map badly read, wherever its SunSpec models are."""
    if not device_map.identify and not device_map.transport.sends_by_itself:
        yield "identify: missing, expected a rule by which a device of this family is recognised"
    try:
        placements = list(_placements(device_map))
    except (MapError, PlanError) as complaint:
        yield str(complaint)
        return
    for resolved in placements:
        try:
            read = {(span.function, at) for span in resolved.plan() for at in range(span.address, span.end)}
            for role in device_map.roles:
                resolved.plan(role_names(resolved, role))
        except (MapError, PlanError) as complaint:
            yield f"cannot be read: {complaint}"
            continue
        for role in device_map.roles:
            for point in role_names(resolved, role):
                if point not in resolved.names("fast"):
                    yield f'point {point!r}: poll: expected "fast", roles.{role} counts with it'
        for number, rule in enumerate(device_map.identify):
            for check in rule.checks:
                if not {(check.function, check.address + at) for at in range(check.type.words)} <= read:
                    yield f"identify[{number}]: register {check.address} is read by no point, so `read` cannot use it"


def _placements(device_map: DeviceMap) -> Iterator[ResolvedMap]:
    """The map on a device with fixed addresses, or on one for each of its SunSpec models."""
    if not device_map.is_sunspec:
        yield resolve_map(device_map)
        return
    for model in sorted({model for point in device_map.points for model in point.models} - {1}):
        ends = [(p.offset or 0) + p.type.words for p in device_map.points if model in p.models]
        models = [
            SunSpecModel(1, _FIRST_MODEL, _COMMON_LENGTH),
            SunSpecModel(model, _FIRST_MODEL + 2 + _COMMON_LENGTH, max(ends) - 2),
        ]
        yield resolve_map(device_map, models)


def _grammar_faults(tables: Mapping[str, Any], name: str) -> Iterator[str]:
    """What is wrong with each part by itself, the other parts replaced by sound ones."""
    inner = (*_PARTS, "tables", "derived", "identify", "roles", "variants")
    head = {key: value for key, value in tables.items() if key not in inner}
    yield from _part_faults(head, _head, name, filled=_SKELETON)
    for key, filled in _PARTS.items():
        if key in tables:
            yield from _part_faults(tables[key], partial(_whole, key), name, filled=filled)
    yield from _table_faults(tables.get("tables", []), name)
    for key, filled in (("derived", _DERIVED), ("identify", {})):
        yield from _list_faults(tables.get(key, []), key, name, filled=filled)
    roles = tables.get("roles", {})
    if not isinstance(roles, dict):
        yield from _part_faults(roles, partial(_whole, "roles"), name, filled={})
        return
    for role, part in roles.items():
        yield from _part_faults(part, partial(_role_alone, role), name, filled=_ROLE)
    yield from _variant_faults(tables, name)


def _whole(key: str, part: object) -> dict[str, Any]:
    return {**_SKELETON, key: part}


def _head(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"transport": _SKELETON["transport"], **part}


def _role_alone(role: str, part: object) -> dict[str, Any]:
    return {**_SKELETON, "roles": {role: part}}


def _row_alone(shared: Mapping[str, Any], row: object) -> dict[str, Any]:
    """The table with this one row, and without the shared keys the row has been found wrong in."""
    dropped = row.get(_DROPPED, ()) if isinstance(row, dict) else ()
    rows = [{key: value for key, value in row.items() if key != _DROPPED}] if isinstance(row, dict) else [row]
    return {
        **_SKELETON,
        "tables": [{**{key: each for key, each in shared.items() if key not in dropped}, "points": rows}],
    }


def _table_faults(tables: object, name: str) -> Iterator[str]:
    if not isinstance(tables, list):
        yield from _part_faults(tables, partial(_whole, "tables"), name, filled={})
        return
    for index, table in enumerate(tables):
        rows = table.get("points") if isinstance(table, dict) else None
        if not isinstance(rows, list) or not rows:
            faults = _part_faults(table, lambda part: {**_SKELETON, "tables": [part]}, name, filled={"title": "-"})
            yield from (each.replace("tables[0]", f"tables[{index}]", 1) for each in faults)
            continue
        shared = {key: value for key, value in table.items() if key != "points"}
        for at, row in enumerate(rows):
            for each in _part_faults(row, partial(_row_alone, shared), name, filled=_ROW, shared=shared):
                yield each.replace("tables[0] points[0]", f"tables[{index}] points[{at}]", 1).replace(
                    "tables[0]", f"tables[{index}]", 1
                )


_DROPPED = "\0dropped"


def _list_faults(parts: object, key: str, name: str, *, filled: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(parts, list):
        yield from _part_faults(parts, partial(_whole, key), name, filled={})
        return
    for index, each in enumerate(parts):
        faults = _part_faults(each, lambda part: {**_SKELETON, key: [part]}, name, filled=filled)
        yield from (fault.replace(f"{key}[0]", f"{key}[{index}]", 1) for fault in faults)


def _variant_faults(tables: Mapping[str, Any], name: str) -> Iterator[str]:
    """A variant can be judged only beside a sound family."""
    family = {key: value for key, value in tables.items() if key != "variants"}
    variants = tables.get("variants", [])
    try:
        parse_tables(family, name)
    except MapError:
        return
    for index, each in enumerate(variants if isinstance(variants, list) else [variants]):
        faults = _part_faults(each, lambda part: {**family, "variants": [part]}, name, filled=_VARIANT)
        yield from (fault.replace("variants[0]", f"variants[{index}]", 1) for fault in faults)


def _part_faults(
    part: object,
    whole: Callable[[Any], Mapping[str, Any]],
    name: str,
    *,
    filled: Mapping[str, Any],
    shared: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """The faults of one table: each key found wrong is replaced by a sound value, and the table is looked at again."""
    told: set[str] = set()
    for _ in range(_MAX_FAULTS_OF_A_PART):
        try:
            parse_tables(whole(part), name)
        except MapError as fault:
            key = _wrong_key(str(fault))
            if key not in told:
                yield str(fault)
            if key is None or not isinstance(part, dict) or key in told:
                return
            told.add(key)
            part = _repaired(part, key, filled=filled, shared=shared or {})
        else:
            return


def _wrong_key(fault: str) -> str | None:
    if _EXPECTED_PLACE in fault:
        return "address"
    found = _KEY_OF_ERROR.search(fault)
    return None if found is None else found[1] or found[2]


def _repaired(
    part: Mapping[str, Any], key: str, *, filled: Mapping[str, Any], shared: Mapping[str, Any]
) -> dict[str, Any]:
    kept = {each: value for each, value in part.items() if each != key}
    if key == "address":
        kept = {each: value for each, value in kept.items() if each not in ("words", "offset", "document_address")}
    if key == "point":
        kept = {"offset": 2, "type": "uint16", "sentinels": [], **kept}
    if key in filled:
        kept[key] = filled[key]
    elif key in shared:
        kept[_DROPPED] = (*part.get(_DROPPED, ()), key)
    return kept
