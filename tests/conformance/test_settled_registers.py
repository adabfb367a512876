"""The registers that money rests on, written down a second time: agent and simulator read the same map files, so a
wrong address in one of them would agree with itself everywhere else. SunSpec maps are held by the official models.
"""

from pathlib import Path

import pytest

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, RoleName

MAPS = Path(__file__).parents[2] / "firmware_configs" / "devices"
Row = tuple[str, str, int, int, str, str, str, str, str]

# family, point, function, address, type, word order, scale, unit, meaning of a positive value.
# Sources: Eastron SDM630 Modbus V2 register table; Huawei SUN2000 Modbus interface definitions; Shelly Gen2 Modbus
# documentation (EM component); Bornay Wind+ Modbus table.
SETTLED: list[Row] = [
    ("eastron-sdm630", "energy_import_total", 4, 72, "float32", "HL", "1", "kWh", "none"),
    ("eastron-sdm630", "energy_export_total", 4, 74, "float32", "HL", "1", "kWh", "none"),
    ("eastron-sdm630", "active_power", 4, 52, "float32", "HL", "1", "W", "import"),
    ("huawei-sun2000", "meter.energy_import_total", 3, 37121, "int32", "HL", "0.01", "kWh", "none"),
    ("huawei-sun2000", "meter.energy_export_total", 3, 37119, "int32", "HL", "0.01", "kWh", "none"),
    ("huawei-sun2000", "meter.active_power", 3, 37113, "int32", "HL", "1", "W", "export"),
    ("huawei-sun2000", "energy_production_total", 3, 32106, "uint32", "HL", "0.01", "kWh", "none"),
    ("huawei-sun2000", "active_power", 3, 32080, "int32", "HL", "1", "W", "generation"),
    ("huawei-sun2000", "battery.energy_charge_total", 3, 37780, "uint32", "HL", "0.01", "kWh", "none"),
    ("huawei-sun2000", "battery.energy_discharge_total", 3, 37782, "uint32", "HL", "0.01", "kWh", "none"),
    ("huawei-sun2000", "battery_power", 3, 37765, "int32", "HL", "1", "W", "charge"),
    ("shelly-pro3em", "energy_import_total", 4, 1162, "float32", "LH", "1", "Wh", "none"),
    ("shelly-pro3em", "energy_export_total", 4, 1164, "float32", "LH", "1", "Wh", "none"),
    ("shelly-pro3em", "active_power", 4, 1013, "float32", "LH", "1", "W", "import"),
    ("bornay-wind-plus", "active_power", 3, 5023, "uint16", "HL", "1", "W", "generation"),
]
METER = {"import": "energy_import_total", "export": "energy_export_total"}
COUNTERS: dict[str, dict[RoleName, dict[str, str]]] = {
    "eastron-sdm630": {
        "grid": METER,
        "pv": {"production": METER["export"]},
        "wind": {"production": METER["export"]},
        "battery": {"charge": METER["import"], "discharge": METER["export"]},
        "load": {"import": METER["import"]},
    },
    "huawei-sun2000": {
        "grid": {"import": "meter.energy_import_total", "export": "meter.energy_export_total"},
        "pv": {"production": "energy_production_total"},
        "battery": {"charge": "battery.energy_charge_total", "discharge": "battery.energy_discharge_total"},
    },
    "shelly-pro3em": {
        "grid": METER,
        "pv": {"production": METER["export"]},
        "wind": {"production": METER["export"]},
        "load": {"import": METER["import"]},
    },
    "bornay-wind-plus": {"wind": {}},
}


def shipped(family: str) -> DeviceMap:
    return load_map((MAPS / f"{family}.toml").read_text(encoding="utf-8"), name=f"{family}.toml")


@pytest.mark.parametrize("family", COUNTERS)
def test_every_register_a_role_rests_on_is_the_documented_one(family: str) -> None:
    found = shipped(family)
    wanted = {
        name
        for role in found.roles.values()
        for name in (*role.counters.values(), *role.swapped.values(), *([role.power] if role.power else []))
    }
    rows = {
        (family, p.name, p.function, p.address, p.type.name, p.word_order, str(p.scale), p.unit, p.positive)
        for p in found.points
        if p.name in wanted
    }
    assert rows == {row for row in SETTLED if row[0] == family}


@pytest.mark.parametrize("family", COUNTERS)
def test_every_role_counts_with_the_right_counter(family: str) -> None:
    assert {name: dict(role.counters) for name, role in shipped(family).roles.items()} == COUNTERS[family]


def test_every_family_without_official_models_is_written_down() -> None:
    families = {path.stem for path in MAPS.glob("*.toml") if not path.stem.startswith("sunspec-")}
    assert families == set(COUNTERS)
