"""Golden vectors of a device map: raw words and what they mean, and its settled registers written down a second time.

Takes the text of `firmware_configs/vectors/ID.json`; says what does not agree with the map, and whether the map's
claimed quality is borne out. A wrong address in a map would agree with itself everywhere else.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from protocols.maps.checks import find_meanings
from protocols.maps.fields import TomlFields
from protocols.maps.loading import resolve_map
from protocols.maps.model import DerivedValue, DeviceMap, MapError, MapPoint, MapRole
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import PlanError
from protocols.maps.registers import RegisterError, Value
from protocols.maps.sunspec import SunSpecModel

MAX_VECTORS_BYTES = 256 * 1024
_FLOAT_TOLERANCE = Decimal("1e-6")
"""A float32 register holds seven digits; the expected value may be written shorter than it decodes."""

_WORD = re.compile(r"0x[0-9A-Fa-f]{1,4}")
_FIRST_MODEL = 40002
_LONG = 2000
_PLACE_KEYS = ("address", "words", "model", "offset")
_POINT_KEYS = ("function", "type", "word_order", "scale", "unit", "positive")
_OPTIONAL_KEYS = ("scale_factor", "scale_by", "absolute", "wraps_at", "sentinels")
_DERIVED_KEYS = ("plus", "minus", "magnitude", "direction", "negative_values", "negative_bits", "inputs")
_ROLE_WORDS = ("counts", "side")
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vector:
    """One answer of a device: the words of a point (and of those it needs), and the value; None is "not available"."""

    point: str
    registers: tuple[int, ...]
    expected: str | None
    variant: str | None = None
    model: int | None = None
    helpers: Mapping[str, tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class MapVectors:
    """What a vectors file says: vectors, and for each role (of the family, and of variants) its registers."""

    family: str
    settled: Mapping[str, Entry]
    variants: Mapping[str, Mapping[str, Entry]]
    vectors: tuple[Vector, ...]


def load_vectors(text: str, *, name: str) -> MapVectors:
    """The vectors in this JSON text. Raises MapError with one line that names the file, the place and the key."""
    if len(text) > MAX_VECTORS_BYTES:
        raise MapError(f"{name}: {len(text)} characters, expected at most {MAX_VECTORS_BYTES}")
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as cause:
        raise MapError(f"{name}: not valid JSON: {cause}".splitlines()[0]) from None
    top = TomlFields(name, found).only("family", "settled", "variants", "vectors")
    variants = top.raw_table("variants")
    return MapVectors(
        family=top.text("family"),
        settled=_tables(f"{name} settled", top.raw_table("settled")),
        variants={key: _tables(f"{name} variants {key}", each) for key, each in variants.items()},
        vectors=tuple(_vector(fields) for fields in top.tables("vectors")),
    )


def _tables(where: str, found: object) -> dict[str, Entry]:
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise MapError(f"{where}: expected a table for each role")
    return dict(found)


def _vector(fields: TomlFields) -> Vector:
    fields.only("point", "variant", "model", "registers", "helpers", "expected", "note")
    helpers = fields.raw_table("helpers")
    if not fields.has("expected"):
        raise MapError(f"{fields.where}: expected: missing, expected the value as text, or null for not available")
    expected, variant = fields.raw("expected"), fields.raw("variant") if fields.has("variant") else None
    for key, value in (("expected", expected), ("variant", variant)):
        if value is not None and not isinstance(value, str):
            raise fields.wrong(key, "text or null", value)
    return Vector(
        point=fields.name("point"),
        registers=_words(fields.raw("registers"), f"{fields.where}: registers") if fields.has("registers") else (),
        expected=expected if isinstance(expected, str) else None,
        variant=variant if isinstance(variant, str) else None,
        model=fields.whole_or_none("model", 1, 65534),
        helpers={key: _words(each, f"{fields.where}: helpers: {key}") for key, each in helpers.items()},
    )


def _words(found: object, where: str) -> tuple[int, ...]:
    """Register words as `0x01F4`, in the order in which they arrive."""
    if isinstance(found, list) and found and all(isinstance(each, str) and _WORD.fullmatch(each) for each in found):
        return tuple(int(each, 16) for each in found)
    raise MapError(f'{where}: expected a list of words like ["0x0001", "0x86A0"], found {str(found)[:60]}')


def find_disagreements(device_map: DeviceMap, found: MapVectors) -> Iterator[str]:
    """Everything in which map and vectors differ, or that a claimed quality lacks, one line each."""
    if found.family != device_map.id:
        yield f"family: expected {device_map.id!r}, found {found.family!r}"
        return
    yield from _settled_findings(device_map, found.settled, where="settled")
    known = {each.name: each.map for each in device_map.variants}
    for name in found.variants.keys() - known.keys():
        yield f"variants: {name!r}: the map has no such variant"
    for name, varied in known.items():
        written = {**found.settled, **found.variants.get(name, {})}
        roles = {
            key: each for key, each in written.items() if key in varied.roles or key in found.variants.get(name, {})
        }
        yield from _settled_findings(varied, roles, where=f"variants {name}")
    for index, vector in enumerate(found.vectors):
        if finding := _vector_finding(device_map, vector):
            yield f"vectors[{index}] {vector.point!r}: {finding}"
    yield from (f"quality: {lack}" for lack in _lacks(device_map, found, variant=None, family=device_map))
    for each in device_map.variants:
        lacks = _lacks(each.map, found, variant=each.name, family=device_map)
        yield from (f"variant {each.name!r}: quality: {lack}" for lack in lacks)


def settled_names(device_map: DeviceMap) -> tuple[str, ...]:
    """The points that money rests on: counters and powers of every role, or what they are derived from."""
    names: dict[str, None] = {}
    for role in device_map.roles.values():
        for name in _role_keys(role).values():
            for meaning in find_meanings(device_map, name):
                names.update(dict.fromkeys(meaning.inputs if isinstance(meaning, DerivedValue) else (name,)))
    return tuple(names)


def _role_keys(role: MapRole) -> dict[str, str]:
    swapped = {f"{key}_swapped": name for key, name in role.swapped.items()}
    return {**role.counters, **({"power": role.power} if role.power else {}), **swapped}


def _settled_findings(device_map: DeviceMap, written: Mapping[str, Entry], *, where: str) -> Iterator[str]:
    for name in written.keys() - device_map.roles.keys():
        yield f"{where}: {name}: the map has no such role"
    elsewhere = {_named(entry) for role in written.values() for entry in role.values()}
    for role in device_map.roles.values():
        if role.name not in written:
            yield f"{where}: {role.name}: missing, expected its counters and power as the document gives them"
            continue
        entries, wanted = dict(written[role.name]), _role_keys(role)
        for word in _ROLE_WORDS:
            if word in entries and entries.pop(word) != getattr(role, word):
                yield f"{where}: {role.name}: {word}: differs, the map has {getattr(role, word)!r}"
        for key in entries.keys() - wanted.keys():
            yield f"{where}: {role.name}: {key}: the role has no such key, expected {', '.join(wanted)}"
        for key, point in wanted.items():
            place = f"{where}: {role.name}: {key}"
            if key in entries:
                yield from (f"{place}: {finding}" for finding in _entry_findings(device_map, point, entries[key]))
            elif not key.endswith("_swapped") or point not in elsewhere:
                yield f"{place}: missing, expected {point!r} as the document gives it"


def _named(entry: object) -> str | None:
    first = entry[0] if isinstance(entry, list) and entry else entry
    name = first.get("point") if isinstance(first, dict) else None
    return name if isinstance(name, str) else None


def _entry_findings(device_map: DeviceMap, name: str, entry: object) -> Iterator[str]:
    """What an entry of `settled` says otherwise than the map; a SunSpec point may have one entry for each table."""
    entries: list[Any] = entry if isinstance(entry, list) else [entry]
    if not entries or not all(isinstance(each, dict) for each in entries):
        yield "expected a table, or a list of them"
        return
    left = list(find_meanings(device_map, name))
    for each in entries:
        if each.get("point") != name:
            yield f"point: the map has {name!r}, found {each.get('point')!r}"
            continue
        meaning = next((one for one in left if _is_meant(one, each)), None)
        if meaning is None:
            yield f"{name!r}: the map has no such point in model {each.get('model')}"
            continue
        left.remove(meaning)
        if isinstance(meaning, DerivedValue):
            yield from _derived_findings(device_map, meaning, each)
        else:
            yield from _point_findings(meaning, each)
    for lacking in left:
        if isinstance(lacking, MapPoint) and lacking.models:
            yield f"{name!r}: missing for models {', '.join(map(str, lacking.models))}"


def _is_meant(meaning: MapPoint | DerivedValue, entry: Entry) -> bool:
    return not isinstance(meaning, MapPoint) or not meaning.models or entry.get("model") in meaning.models


def _point_findings(point: MapPoint, entry: Entry) -> Iterator[str]:
    known = ("point", *_PLACE_KEYS, *_POINT_KEYS, *_OPTIONAL_KEYS, "note")
    yield from (f"unknown key {key!r}" for key in entry if key not in known)
    said = {
        "function": point.function, "type": point.type.name, "word_order": point.word_order,
        "scale": point.scale, "unit": point.unit, "positive": point.positive, "address": point.address,
        "words": list(point.words), "offset": point.offset, "scale_factor": point.scale_factor,
        "scale_by": list(point.scale_by), "absolute": point.absolute, "wraps_at": point.wraps_at,
        "sentinels": [mark.text for mark in point.sentinels],
    }  # fmt: skip
    placed = ("offset",) if point.offset is not None else ("words",) if point.words else ("address",)
    scaled = (*(["scale_factor"] if point.scale_factor else []), *(["scale_by"] if point.scale_by else []))
    optional = {"word_order"} if point.type.words == 1 else set()
    for key in (*placed, *_POINT_KEYS, *scaled):
        if key not in entry and key not in optional:
            yield f"{key}: missing, expected what the document says"
    for key, value in said.items():
        if key in entry and not _is_same(entry[key], value):
            yield f"{key}: the map has {_shown(value)}, the vectors have {_shown(entry[key])}"


def _derived_findings(device_map: DeviceMap, derived: DerivedValue, entry: Entry) -> Iterator[str]:
    known = ("point", "unit", "positive", *_DERIVED_KEYS, "note")
    yield from (f"unknown key {key!r}" for key in entry if key not in known)
    for key in (*_DERIVED_KEYS[:-1], "unit", "positive"):
        value = getattr(derived, key)
        value = list(value) if isinstance(value, tuple) else value
        if (value or key in entry) and not _is_same(entry.get(key), value):
            yield f"{key}: the map has {_shown(value)}, the vectors have {_shown(entry.get(key))}"
    inputs = entry.get("inputs")
    listed = {_named(each): each for each in inputs} if isinstance(inputs, list) else {}
    given = inputs if isinstance(inputs, dict) else listed
    for name in derived.inputs:
        if name not in given:
            yield f"inputs: {name}: missing, expected it as the document gives it"
        else:
            yield from (
                f"inputs: {name}: {each}" for each in _entry_findings(device_map, name, _with_name(given[name], name))
            )


def _with_name(entry: object, name: str) -> object:
    return {"point": name, **entry} if isinstance(entry, dict) else entry


def _is_same(written: object, meant: object) -> bool:
    if isinstance(meant, Decimal):
        return _number(str(written)) == meant
    return written == meant


def _shown(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _vector_finding(device_map: DeviceMap, vector: Vector) -> str | None:
    try:
        value = decode_vector(device_map, vector)
    except (MapError, RegisterError, PlanError) as complaint:
        return str(complaint)
    if _is_expected(device_map, vector, value):
        return None
    shown = "not available" if value is None else f"{value:f}" if isinstance(value, Decimal) else repr(value)
    return f"decodes to {shown}, expected {'not available' if vector.expected is None else vector.expected}"


def decode_vector(device_map: DeviceMap, vector: Vector) -> Value:
    """What the map makes of a vector's words. Raises MapError."""
    resolved = _placed(device_map.varied(vector.variant), vector)
    words: dict[tuple[int, int], int] = {}
    given = dict(vector.helpers or {})
    if vector.point not in resolved.derived or vector.registers:
        given[vector.point] = vector.registers
    for name, raw in given.items():
        if name not in resolved.points:
            raise MapError(f"{name!r}: the map has no such point on this device")
        placed = resolved.points[name]
        if len(raw) != len(placed.addresses):
            raise MapError(f"registers: expected {len(placed.addresses)} words for {name!r}, found {len(raw)}")
        words |= {(placed.point.function, at): word for at, word in zip(placed.addresses, raw, strict=True)}
    decoded = resolved.decode(words)
    if vector.point not in decoded:
        is_derived = vector.point in resolved.derived
        needed = resolved.derived[vector.point].inputs if is_derived else resolved.points[vector.point].point.helpers
        lacking = [name for name in needed if name not in given]
        raise MapError(f"helpers: expected the words of {', '.join(lacking)} too")
    return decoded[vector.point]


def _placed(device_map: DeviceMap, vector: Vector) -> ResolvedMap:
    """The map on a device that holds the vector's SunSpec model and no other of its kind."""
    if not device_map.is_sunspec:
        return resolve_map(device_map)
    tables = {point.models for point in device_map.named(vector.point)}
    if vector.model is None:
        if len(tables) > 1 or not tables:
            raise MapError("model: missing, expected the SunSpec model these words come from")
        models = tables.pop()[:1]
    else:
        models = (vector.model,)
    if not models:
        return resolve_map(device_map, [])
    return resolve_map(device_map, [SunSpecModel(models[0], _FIRST_MODEL, _LONG)])


def _is_expected(device_map: DeviceMap, vector: Vector, value: Value) -> bool:
    if vector.expected is None or not isinstance(value, Decimal):
        return value == vector.expected
    expected = _number(vector.expected)
    if expected is None:
        return False
    points = device_map.varied(vector.variant).named(vector.point)
    is_float = any(point.type.kind == "float" for point in points)
    return abs(value - expected) <= (_FLOAT_TOLERANCE * abs(expected) if is_float else 0)


def _lacks(device_map: DeviceMap, found: MapVectors, *, variant: str | None, family: DeviceMap) -> Iterator[str]:
    """What a map that claims to be silver or gold lacks. A variant's unchanged points may rest on the family's."""
    if device_map.quality == "bronze":
        return
    names = settled_names(device_map)
    same = {name for name in names if device_map.named(name) == family.named(name)}
    mine = [each for each in found.vectors if each.variant == variant or (each.variant is None and each.point in same)]
    for name in names:
        if not any(each.point == name and each.expected is not None for each in mine):
            yield f"{device_map.quality}: {name!r} has no vector with a value, and a role rests on it"
    marked = [name for name in names if any(point.sentinels for point in device_map.named(name))]
    if marked and not any(each.point in marked and each.expected is None for each in mine):
        yield f"{device_map.quality}: no vector shows not available, expected one of {', '.join(marked)}"
    if device_map.quality == "gold":
        yield "gold: expected recordings of a night, a reset and a fault, and none are kept: silver"
