"""Roles: counters in Wh and power in W with our signs, whatever the device's sign, wiring or units."""

from decimal import Decimal
from pathlib import Path

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import MapError, RoleName, Sign
from protocols.maps.placement import ResolvedMap
from protocols.maps.registers import Value
from protocols.maps.roles import alike_roles, role_names, role_values, state_names
from protocols.maps.sunspec import SunSpecModel

MAPS = Path(__file__).parents[3] / "firmware_configs" / "devices"


def _resolved(family: str, *, sign: Sign = "as_documented", invert: bool = False) -> ResolvedMap:
    device_map = load_map((MAPS / f"{family}.toml").read_text(encoding="utf-8"), name=family)
    models = [SunSpecModel(1, 40002, 66), SunSpecModel(103, 40070, 50), SunSpecModel(203, 40122, 105)]
    return resolve_map(device_map, models if device_map.is_sunspec else None, sign=sign, invert=invert)


def _power(resolved: ResolvedMap, role: RoleName, **values: int) -> Decimal | None:
    named: dict[str, Value] = {name.replace("__", "."): Decimal(value) for name, value in values.items()}
    return role_values(resolved, named, role).power_w


@pytest.mark.parametrize(
    ("family", "role", "point", "raw", "power_w"),
    [
        ("eastron-sdm630", "grid", "active_power", 500, 500),
        ("eastron-sdm630", "pv", "active_power", -500, 500),
        ("eastron-sdm630", "wind", "active_power", 12, -12),
        ("eastron-sdm630", "battery", "active_power", 500, 500),
        ("eastron-sdm630", "load", "active_power", 500, 500),
        ("huawei-sun2000", "grid", "meter__active_power", 500, -500),
        ("huawei-sun2000", "pv", "active_power", 500, 500),
        ("huawei-sun2000", "battery", "battery_power", 500, 500),
        ("shelly-pro3em", "grid", "active_power", -500, -500),
        ("bornay-wind-plus", "wind", "active_power", 500, 500),
        ("sunspec-inverter", "pv", "active_power", 500, 500),
        ("sunspec-meter", "grid", "active_power", 500, 500),
    ],
)
def test_power_is_in_our_sign(family: str, role: RoleName, point: str, raw: int, power_w: int) -> None:
    assert _power(_resolved(family), role, **{point: raw}) == power_w


@pytest.mark.parametrize(
    ("family", "role", "power_w"),
    [("eastron-sdm630", "grid", -500), ("eastron-sdm630", "pv", 500), ("eastron-sdm630", "load", -500),
     ("shelly-pro3em", "grid", -500), ("sunspec-meter", "grid", -500), ("bornay-wind-plus", "wind", -500)],
)  # fmt: skip
def test_swapped_wiring_turns_power(family: str, role: RoleName, power_w: int) -> None:
    assert _power(_resolved(family, invert=True), role, active_power=500) == power_w


def test_a_huawei_export_counter_that_counts_downwards_is_taken_without_its_sign() -> None:
    huawei = _resolved("huawei-sun2000")
    values = huawei.decode({(3, 37119): 65534, (3, 37120): 7616})
    assert role_values(huawei, values, "grid").export_wh == 1234560


def test_an_inverter_has_no_swapped_wiring() -> None:
    with pytest.raises(MapError, match="huawei-sun2000: invert: expected false, role pv cannot be swapped"):
        role_names(_resolved("huawei-sun2000", invert=True), "pv")


def test_vendor_sign_turns_power_only_and_only_where_the_map_allows_it() -> None:
    solaredge = _resolved("sunspec-meter", sign="inverted")
    values: dict[str, Value] = {"active_power": Decimal(900), "energy_import_total": Decimal(5), "wh_sf": Decimal(0)}
    reading = role_values(solaredge, values, "grid")
    assert (reading.power_w, reading.import_wh) == (-900, 5)
    assert solaredge.device_map.inverted_for == ("SolarEdge",)
    with pytest.raises(MapError, match="eastron-sdm630: sign: expected as_documented"):
        _resolved("eastron-sdm630", sign="inverted")


def test_swapped_wiring_swaps_the_counters() -> None:
    values: dict[str, Value] = {"energy_import_total": Decimal("1.5"), "energy_export_total": Decimal(20)}
    straight = role_values(_resolved("eastron-sdm630"), values, "grid")
    swapped = role_values(_resolved("eastron-sdm630", invert=True), values, "grid")
    assert (straight.import_wh, straight.export_wh) == (1500, 20000)
    assert (swapped.import_wh, swapped.export_wh) == (20000, 1500)
    battery = role_values(_resolved("eastron-sdm630", invert=True), values, "battery")
    assert (battery.charge_wh, battery.discharge_wh) == (20000, 1500)


def test_swapped_wiring_of_a_generator_counts_what_the_meter_calls_import() -> None:
    values: dict[str, Value] = {"energy_import_total": Decimal(7), "energy_export_total": Decimal(1)}
    swapped = _resolved("eastron-sdm630", invert=True)
    assert role_values(_resolved("eastron-sdm630"), values, "pv").production_wh == 1000
    assert role_values(swapped, values, "pv").production_wh == 7000
    assert "energy_import_total" in role_names(swapped, "pv")
    assert role_values(_resolved("eastron-sdm630"), values, "load").import_wh == 7000
    assert role_values(swapped, values, "load").import_wh == 1000


def test_missing_values_stay_missing_and_a_device_without_counter_is_derived() -> None:
    wind = role_values(_resolved("bornay-wind-plus"), {"active_power": Decimal(640)}, "wind")
    assert (wind.production_wh, wind.power_w, wind.derived) == (None, 640, True)
    grid = role_values(_resolved("huawei-sun2000"), {"meter.energy_import_total": None}, "grid")
    assert (grid.import_wh, grid.export_wh, grid.power_w, grid.derived) == (None, None, None, False)
    with pytest.raises(MapError, match="bornay-wind-plus: role 'grid': expected one of wind"):
        role_values(_resolved("bornay-wind-plus"), {}, "grid")


def test_names_of_a_role_are_what_must_be_read() -> None:
    assert role_names(_resolved("huawei-sun2000"), "grid") == (
        "meter.energy_import_total", "meter.energy_export_total", "meter.active_power",
    )  # fmt: skip


def test_wrap_and_step_follow_the_scale_factor_of_the_device() -> None:
    values: dict[str, Value] = {"energy_production_total": Decimal(4000), "wh_sf": Decimal(1)}
    reading = role_values(_resolved("sunspec-inverter"), values, "pv")
    assert reading.steps_wh == {"production_wh": Decimal(10)}
    assert reading.wraps_wh == {"production_wh": Decimal(2**32 * 10)}


@pytest.mark.parametrize(
    ("status", "is_counted", "words"),
    [
        (Decimal(1), True, None),
        (Decimal(0), False, "meter.status is 0 (offline)"),
        (Decimal(7), False, "meter.status is 7"),
        (None, False, "meter.status is not available"),
        ("unread", True, None),
    ],
)
def test_counters_that_stand_still_while_the_meter_is_offline_are_not_taken(
    status: Decimal | str | None, is_counted: bool, words: str | None
) -> None:
    values: dict[str, Value] = {"meter.energy_import_total": Decimal(5), "meter.active_power": Decimal(-300)}
    values |= {} if status == "unread" else {"meter.status": status}
    reading = role_values(_resolved("huawei-sun2000"), values, "grid")
    assert reading.stopped == words
    assert (reading.import_wh, reading.power_w) == ((5000, 300) if is_counted else (None, None))
    assert state_names(_resolved("huawei-sun2000"), "grid") == ("meter.status",)
    assert state_names(_resolved("huawei-sun2000"), "pv") == ()


def test_a_state_that_is_none_is_refused_in_a_map() -> None:
    text = (MAPS / "huawei-sun2000.toml").read_text(encoding="utf-8")
    with pytest.raises(MapError, match=r"roles\.grid: only_while: expected the name of a state"):
        load_map(
            text.replace('only_while = { point = "meter.status"', 'only_while = { point = "battery_soc"'), name="x"
        )


@pytest.mark.parametrize(
    ("family", "alike"),
    [
        ("huawei-sun2000", ()),
        ("p1-dsmr", ()),
        ("sunspec-inverter", (("pv", "wind"),)),
        ("victron-gx-pvinverter", (("pv", "wind"),)),
    ],
)
def test_roles_that_rest_on_the_same_counters_are_known(family: str, alike: tuple[tuple[RoleName, RoleName]]) -> None:
    assert alike_roles(_resolved(family).device_map) == alike
    meter = _resolved("eastron-sdm630").device_map
    assert len(alike_roles(meter)) == len(meter.roles) * (len(meter.roles) - 1) // 2, "a meter counts at one place"
