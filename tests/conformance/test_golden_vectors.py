"""Golden vectors in the form of a foreign list: raw words and the values they must decode to; ours are the traps of
real register tables. The vectors of our own families are in firmware_configs/vectors (test_settled_registers).

`pytest tests/conformance/test_golden_vectors.py --golden FILE` checks any file of the same form: a JSON
list of objects with device, quantity, address ("+14" is an offset in a SunSpec model), function_code, type,
word_order, registers, scale or scale_factor_register, sentinel, expected_value, unit, note; and for our own also
variant, ratios (what the device's own scale registers hold) and expected_by_map where the map refuses the value.
Every vector is decoded from its own fields; where a shipped map has the point, through that map as well: ours all have.
"""

import json
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import DeviceMap, MapPoint
from protocols.maps.registers import (
    RegisterType,
    Sentinel,
    Value,
    decode,
    parse_sentinel,
    register_type,
    scale_from_power,
)
from protocols.maps.sunspec import SunSpecModel

OWN_VECTORS = Path(__file__).with_name("trap_vectors.json")
MAPS = Path(__file__).parents[2] / "firmware_configs" / "devices"
TOLERANCE = Decimal("1e-9")
MODEL_ADDRESS = 40070
Vector = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" not in metafunc.fixturenames:
        return
    path = Path(metafunc.config.getoption("--golden") or OWN_VECTORS)
    try:
        vectors = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as cause:
        raise pytest.UsageError(f"--golden {path}: expected a JSON list of vectors: {cause}") from cause
    if not isinstance(vectors, list) or not vectors or not all(isinstance(each, dict) for each in vectors):
        raise pytest.UsageError(f"--golden {path}: expected a JSON list with at least one vector")
    names = [f"{index}-{each.get('device')}-{each.get('quantity')}" for index, each in enumerate(vectors)]
    metafunc.parametrize("vector", vectors, ids=names)


def test_vector_decodes_from_its_own_fields(vector: Vector) -> None:
    rtype = _type(vector)
    factor = vector.get("scale_factor_register")
    scale = Decimal(str(vector.get("scale", 1))) if factor is None else scale_from_power(factor & 0xFFFF)
    words = vector["registers"]
    value = None
    if scale is not None:
        order = vector.get("word_order", "HL")
        value = decode(words, rtype, word_order=order, scale=scale, sentinels=_sentinels(vector, rtype))
    _assert_expected(vector, value)


def test_vector_decodes_through_the_shipped_map(vector: Vector, pytestconfig: pytest.Config) -> None:
    device_map = _shipped_map(str(vector["device"]), vector.get("variant"))
    points = _points_of(device_map, vector) if device_map else []
    if device_map is None or not points:
        assert pytestconfig.getoption("--golden"), "our own vectors are of points that shipped maps have"
        pytest.skip("no shipped map has this point of a foreign list")
    for point in points:
        value = _through_map(device_map, point, vector)
        expected = vector.get("expected_by_map", vector["expected_value"])
        if point.absolute and isinstance(expected, (int, Decimal)):
            expected = abs(expected)
        _assert_expected({**vector, "expected_value": expected}, value)


@cache
def _shipped_map(device: str, variant: str | None) -> DeviceMap | None:
    path = MAPS / f"{device}.toml"
    return load_map(path.read_text(encoding="utf-8"), name=path.name).varied(variant) if path.is_file() else None


def _points_of(device_map: DeviceMap, vector: Vector) -> list[MapPoint]:
    text, rtype = str(vector["address"]), _type(vector)
    place = int(text)
    key = "offset" if text.startswith("+") else "address"
    functions = {int(code) for code in re.findall(r"\d+", str(vector.get("function_code", "3 4")))}
    # An offset alone is shared by many models: unit and kind of scale must be the same as well.
    scaled, unit = "scale_factor_register" in vector, vector.get("unit", "text")
    return [
        point
        for point in device_map.points
        if (point.words[0] if point.words else getattr(point, key)) == place
        and (point.type, point.unit, bool(point.scale_factor)) == (rtype, unit, scaled)
        and point.function in functions
    ]


def _through_map(device_map: DeviceMap, point: MapPoint, vector: Vector) -> Value:
    # A register of its own beside a SunSpec chain is read whatever models the chain has.
    wanted = [point.models] if point.models else dict.fromkeys(each.models for each in device_map.points if each.models)
    models = [SunSpecModel(each[0], MODEL_ADDRESS + 200 * at, 200) for at, each in enumerate(wanted)] or None
    resolved = resolve_map(device_map, models)
    placed = resolved.points[point.name]
    words = {(point.function, at): word for at, word in zip(placed.addresses, vector["registers"], strict=True)}
    # A vector without ratios means a meter without transformers.
    ratios = {name: Decimal(str(each)) for name, each in vector.get("ratios", {}).items()}
    words |= resolved.encode({**dict.fromkeys(point.scale_by, Decimal(1)), **ratios})
    if point.scale_factor:
        factor = resolved.points[point.scale_factor]
        words[factor.point.function, factor.addresses[0]] = vector["scale_factor_register"] & 0xFFFF
    return resolved.decode(words)[point.name]


def _type(vector: Vector) -> RegisterType:
    name = str(vector["type"])
    if name.startswith("pair16"):
        name = "fixed16_16" if "/65536" in name else "uint32"
    return register_type(name)


def _sentinels(vector: Vector, rtype: RegisterType) -> tuple[Sentinel, ...]:
    """The mark as vectors and tables write it: '0x8000', 'high word 0x7FFF', '0x7FFFxxxx', '0 (...)', 'NaN'."""
    text = str(vector.get("sentinel") or "")
    if high := re.search(r"high word (0x[0-9A-Fa-f]+)|(0x[0-9A-Fa-f]{4})xxxx", text):
        return (parse_sentinel(f"high word {high[1] or high[2]}", rtype),)
    marks = re.findall(r"0x[0-9A-Fa-f]+|-?FLT_MAX", text)
    if re.match(r"0(?![x0-9.])", text):
        marks.append("0x0")
    return tuple(parse_sentinel(mark, rtype) for mark in marks)


def _assert_expected(vector: Vector, value: Value) -> None:
    expected = vector["expected_value"]
    if expected is None or isinstance(expected, str):
        assert value == expected
        return
    assert isinstance(value, Decimal), f"expected {expected}, found {value!r}"
    difference = abs(value - Decimal(expected))
    assert difference <= TOLERANCE * abs(Decimal(expected)), f"expected {expected}, found {value}"
