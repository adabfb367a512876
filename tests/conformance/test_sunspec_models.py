"""Every point that a map takes from a SunSpec model, against the official definitions as pysunspec2 ships them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

sunspec2 = pytest.importorskip("sunspec2")

from protocols.maps.model import DeviceMap, MapPoint  # noqa: E402
from tests.one_rule import held_by_each  # noqa: E402
from tests.protocols.maps.shipped import shipped_maps  # noqa: E402

MODELS = Path(sunspec2.__file__).parent / "models" / "json"
NAMES = {
    "manufacturer": {"Mn"}, "model": {"Md"}, "version": {"Vr"}, "serial": {"SN"},
    "active_power": {"W", "OutputW"}, "active_power_l1": {"WphA", "WL1"}, "active_power_l2": {"WphB", "WL2"},
    "active_power_l3": {"WphC", "WL3"}, "voltage_l1": {"PhVphA", "VL1"}, "current": {"A"}, "frequency": {"Hz"},
    "power_factor": {"PF"}, "energy_production_total": {"WH", "TotWhInj", "LifeTimeKWHOut"},
    "energy_absorbed_total": {"TotWhAbs"}, "energy_import_total": {"TotWhImp"}, "energy_export_total": {"TotWhExp"},
    "dc_power": {"DCW"}, "dc_voltage": {"DCV"}, "dc_current": {"DCA"}, "status": {"St", "ChargerSt"},
    "der_state": {"InvSt"},
}  # fmt: skip


REPEATS = 8
"""How often a repeating group is laid out; no map reads further."""


def points() -> dict[str, tuple[MapPoint, int, DeviceMap]]:
    return {
        f"{device_map.id}-{model}-{point.name}": (point, model, device_map)
        for device_map in shipped_maps().values()
        if device_map.is_sunspec
        for point in device_map.points
        for model in point.models
    }


@cache
def _layout(model: int) -> tuple[dict[int, dict[str, Any]], int]:
    """Official points by offset from the id register, and the fixed length without id and length registers."""
    group = json.loads((MODELS / f"model_{model}.json").read_text(encoding="utf-8"))["group"]
    layout: dict[int, dict[str, Any]] = {}
    fixed = at = _lay_out(group["points"], layout, 0)
    for repeating in group.get("groups", ()):
        for _ in range(REPEATS if "count" in repeating else 1):
            at = _lay_out(repeating["points"], layout, at)
    return layout, fixed - 2


def _lay_out(points: list[dict[str, Any]], layout: dict[int, dict[str, Any]], at: int) -> int:
    """Put points one after the other from `at` on; the offset behind the last."""
    for point in points:
        layout[at] = point
        at += point["size"]
    return at


@held_by_each(points)
def test_each_point_lies_where_the_model_says(case: tuple[MapPoint, int, DeviceMap]) -> None:
    point, model, device_map = case
    layout, _ = _layout(model)
    assert point.offset is not None
    official = layout[point.offset]
    assert official["size"] == point.type.words
    assert official["type"] == ("string" if point.type.kind == "text" else point.type.name)
    if point.name in NAMES:
        assert official["name"] in NAMES[point.name]
    factor = next((each for each in device_map.named(point.scale_factor or "")), None)
    named = official.get("sf")
    assert (named is None) == (factor is None)
    if factor is not None and factor.offset is not None:
        assert layout[factor.offset]["name"] == named
        assert layout[factor.offset]["type"] == "sunssf"


@pytest.mark.parametrize(
    ("model", "length"),
    [
        (1, 66),
        (101, 50),
        (103, 50),
        (111, 60),
        (113, 60),
        (203, 105),
        (213, 124),
        (701, 153),
        (120, 26),
        (160, 8),
        (702, 50),
        (713, 7),
        (714, 18),
        (802, 62),
    ],
)
def test_lengths_the_plans_rely_on_are_the_official_ones(model: int, length: int) -> None:
    assert _layout(model)[1] == length
