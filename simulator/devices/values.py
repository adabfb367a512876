"""What a device of each family measures in a home at one instant, under the point names of its register map.

Powers and energies are computed in W and Wh in our sign convention; `fit_value` converts them to the map's unit and
direction. Words are encoded in `image`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from protocols.maps.model import POWER_SIGN, W_PER_UNIT, WH_PER_UNIT, DeviceMap, MapPoint
from protocols.maps.registers import Value
from simulator.world.families import BORNAY, HUAWEI, SHELLY, SUNSPEC_INVERTER, SUNSPEC_METER
from simulator.world.homes import ModbusUnit, SimulatedHome, UnitRole
from simulator.world.phases import phase_powers_w
from simulator.world.physics import INVERTER_KEEPS, HomeState
from simulator.world.streams import draw_chance, random_stream

FamilyValues = dict[str, Value]
_SCALE_FACTORS: dict[str, int] = {
    "a_sf": -2, "v_sf": -1, "w_sf": 0, "hz_sf": -2, "pf_sf": -2, "wh_sf": 0, "dca_sf": -2, "dcv_sf": -1, "dcw_sf": 0,
}  # fmt: skip
_NUL: Value = Decimal(0)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a unit's lifetime counters show, by flow. Units: Wh, exact."""

    wh: Mapping[str, Decimal]

    def of(self, flow: str) -> Decimal:
        """One counter."""
        return self.wh[flow]


@dataclass(frozen=True, slots=True)
class UnitView:
    """One unit's view: the home's state, its own counters, and the mains at its terminals."""

    home: SimulatedHome
    unit: ModbusUnit
    state: HomeState
    counters: Counters
    volts: tuple[float, float, float]
    hertz: float
    shares: tuple[float, float]


def view_unit(seed: int, home: SimulatedHome, *, unit: ModbusUnit, state: HomeState, counters: Counters) -> UnitView:
    """Join a home's state with small variations of voltage and frequency that depend only on the instant."""
    at = int(state.at_s)
    volts = tuple(
        round(230.0 + 5.0 * (draw_chance(seed, home.id, "volt", phase, at) - 0.5) - 0.0002 * state.grid_w, 1)
        for phase in range(3)
    )
    hertz = round(50.0 + 0.06 * (draw_chance(seed, "hertz", at) - 0.5), 3)
    return UnitView(home, unit, state, counters, (volts[0], volts[1], volts[2]), hertz, _shares(seed, home.id))


def values_of(seen: UnitView, family: str) -> FamilyValues:
    """The measured values of one family, in W, Wh, V, A, Hz and our sign convention."""
    if family == HUAWEI:
        return {**_inverter(seen), **_huawei_extras(seen)}
    if family == SUNSPEC_INVERTER:
        return {
            **_inverter(seen),
            **_sunspec_inverter(seen),
            **_sunspec_extras(seen, "Solvane SV8", f"{seen.home.id}-I1"),
        }
    if family == SUNSPEC_METER:
        name = "Solvane SV8" if seen.unit.place == "pv" else "Solvane Meter"
        percent = _power_factor(seen.state.grid_w) * 100
        return {**_meter(seen, "grid"), "power_factor": percent, **_sunspec_extras(seen, name, seen.unit.serial)}
    if family == BORNAY:
        return _bornay(seen)
    extras: FamilyValues = {}
    if family == SHELLY:
        extras = {"mac": f"{_digits(seen):012x}".upper(), "model": "SPEM-003CEBEU"}
    return {**_meter(seen, seen.unit.place), **extras}


def fit_value(point: MapPoint, value: Value, place: UnitRole) -> Value:
    """A value in the map's unit and direction, kept below the counter's wrap."""
    if not isinstance(value, Decimal):
        return value
    if point.unit in WH_PER_UNIT:
        return value / WH_PER_UNIT[point.unit]
    if point.unit in W_PER_UNIT:
        sign = POWER_SIGN[place].get(point.positive, 1) if point.positive != "none" else 1
        return value * sign / W_PER_UNIT[point.unit]
    return value


def place_of(point_name: str, family: str, unit: ModbusUnit) -> UnitRole:
    """The measuring point that a point of a unit belongs to."""
    if point_name.startswith("meter.") or family == SUNSPEC_METER:
        return "grid"
    if family == HUAWEI and point_name.startswith(("battery.", "battery_power")):
        return "battery"
    return unit.place


def known_points(device_map: DeviceMap, values: FamilyValues) -> FamilyValues:
    """Only what this map has a point for."""
    names = {point.name for point in device_map.points}
    return {name: value for name, value in values.items() if name in names}


def _meter(seen: UnitView, place: UnitRole) -> FamilyValues:
    power_w, bought, sold = _flow(seen, place)
    phases = _split(power_w, seen.shares)
    if seen.unit.counts_apart and place == "grid":
        phases = phase_powers_w(seen.state.power_w)
        more = _number(seen.state.counted_apart_ws / 3600, 6)
        bought, sold = bought + more, sold + more
    values: FamilyValues = {
        "active_power": _watts(power_w),
        "power_factor": _power_factor(power_w),
        "frequency": _number(seen.hertz, 3),
        "energy_import_total": bought,
        "energy_export_total": sold,
        "energy_total": bought + sold,
    }
    total_a = Decimal(0)
    for phase, (watts, volts) in enumerate(zip(phases, seen.volts, strict=True), 1):
        share = _phase_share(seen.shares, phase)
        amps = _number(abs(watts) / volts / 0.98, 3)
        total_a += amps
        values |= {
            f"active_power_l{phase}": _watts(watts),
            f"voltage_l{phase}": _number(volts, 1),
            f"current_l{phase}": amps,
            f"apparent_power_l{phase}": _watts(abs(watts) / 0.98),
            f"reactive_power_l{phase}": _watts(abs(watts) * 0.203),
            f"power_factor_l{phase}": _power_factor(watts),
            f"energy_import_l{phase}": bought * share,
            f"energy_export_l{phase}": sold * share,
        }
    return {**values, "current": total_a}


def _flow(seen: UnitView, place: UnitRole) -> tuple[float, Decimal, Decimal]:
    """Power towards the house's busbar, in the direction the meter is mounted: import and export as it counts them.

    A sub-meter on a generator is mounted so that flow towards the house counts as export.
    """
    power, of = seen.state.power_w, seen.counters.of
    if place == "grid":
        return power["import"] - power["export"], of("import"), of("export")
    flow = "solar" if place == "pv" else "wind"
    return power[flow], Decimal(0), of(flow)


def _inverter(seen: UnitView) -> FamilyValues:
    """What the inverter gives on its AC side, with what a battery gives and without what it takes."""
    output_w, solar_w = seen.state.power_w["output"], seen.state.power_w["solar"]
    phases = _split(output_w, (1 / 3, 1 / 3))
    values: FamilyValues = {
        "active_power": _watts(output_w),
        "energy_production_total": seen.counters.of("output"),
        "dc_power": _watts(solar_w / INVERTER_KEEPS),
        "dc_energy_total": seen.counters.of("solar") / Decimal(str(INVERTER_KEEPS)),
        "frequency": _number(seen.hertz, 3),
        "power_factor": Decimal(1) if output_w else _NUL,
        "current": _number(output_w / 230.0, 2),
    }
    for phase, (watts, volts) in enumerate(zip(phases, seen.volts, strict=True), 1):
        values |= {f"voltage_l{phase}": _number(volts, 1), f"current_l{phase}": _number(watts / volts, 3)}
    return values


def _sunspec_inverter(seen: UnitView) -> FamilyValues:
    solar_w = seen.state.power_w["solar"]
    return {
        "dc_voltage": Decimal(620) if solar_w else _NUL,
        "dc_current": _number(solar_w / INVERTER_KEEPS / 620.0, 2),
        "power_factor": Decimal(100) if solar_w else _NUL,
        "status": Decimal(4 if solar_w else 2),
    }


def _sunspec_extras(seen: UnitView, model: str, serial: str) -> FamilyValues:
    factors: FamilyValues = {name: Decimal(power) for name, power in _SCALE_FACTORS.items()}
    texts: FamilyValues = {"manufacturer": "Solvane", "model": model, "version": "1.4.2", "serial": serial}
    return {**factors, **texts}


def _huawei_extras(seen: UnitView) -> FamilyValues:
    state, of, battery = seen.state, seen.counters.of, seen.home.battery
    values: FamilyValues = {f"meter.{name}": value for name, value in _meter(seen, "grid").items()}
    values |= {
        "model": "SUN2000-8KTL-M1" if battery else "SUN2000-6KTL-M0",
        "serial": f"HV{_digits(seen) % 10**10:010d}",
        "rated_power": _watts(seen.home.roof.inverter_w) if seen.home.roof else None,
        "status": Decimal(0x0200 if state.power_w["output"] else 0xA000),
        "meter.status": Decimal(1),
        "meter.type": Decimal(1),
        "battery_soc": None,
        "battery_status": None,
        "battery_power": None,
        "battery.energy_charge_total": None,
        "battery.energy_discharge_total": None,
    }
    if battery:
        power_w = state.power_w["charge_dc"] - state.power_w["discharge_dc"]
        values |= {
            "battery_soc": _number(100 * state.stored_ws / (battery.capacity_wh * 3600), 1),
            "battery_status": Decimal(2),
            "battery_power": _watts(power_w),
            "battery.energy_charge_total": of("charge_dc"),
            "battery.energy_discharge_total": of("discharge_dc"),
        }
    return values


def _bornay(seen: UnitView) -> FamilyValues:
    watts, wind = seen.state.power_w["wind"], seen.state.hub_wind_m_s
    rated = seen.home.turbine.rated_w if seen.home.turbine else 1500.0
    turning = wind > 2.5
    rpm = min(420.0, 38.0 * wind) if turning else 0.0
    return {
        "state": Decimal(2 if turning else 1),
        "power_reference": _watts(watts),
        "battery_power_minute": _watts(watts),
        "battery_power_hour": _watts(watts),
        "wind_speed_minute": _number(wind, 0),
        "wind_speed_hour": _number(wind, 0),
        "temperature_1": Decimal("31.5"),
        "temperature_2": Decimal("28.0"),
        "rotor_speed": _number(rpm, 0),
        "rotor_speed_maximum": Decimal(430),
        "duty_cycle": _number(min(95.0, 100 * watts / rated), 0),
        "wind_speed": _number(wind, 2),
        "turbine_dc_voltage": _number(0.9 * rpm, 1),
        "battery_current": _number(watts / 52.0, 1),
        "brake_current": _NUL,
        "active_power": _watts(watts),
        "available_power": _watts(watts),
        "status": _NUL,
        "battery_voltage": Decimal("52.0"),
        "charger_state": Decimal(1 if watts else 0),
        "wind_speed_estimated": _number(wind, 1),
        "absorption_time": _NUL,
    }


def _split(power_w: float, shares: tuple[float, float]) -> tuple[float, float, float]:
    """Power on three phases; the third takes the remainder, so that the phases always sum to the total."""
    first, second = round(power_w * shares[0]), round(power_w * shares[1])
    return float(first), float(second), power_w - first - second


def _phase_share(shares: tuple[float, float], phase: int) -> Decimal:
    first, second = (Decimal(round(share, 3)).quantize(Decimal("0.001")) for share in shares)
    return (first, second, 1 - first - second)[phase - 1]


def _shares(seed: int, home: str) -> tuple[float, float]:
    draw = random_stream(seed, home, "phases")
    first, second = sorted(draw.uniform(0.15, 0.85, 2).tolist())
    return round(first, 3), round(second - first, 3)


def _digits(seen: UnitView) -> int:
    return int(draw_chance(0, seen.unit.serial, "mac") * 2**47)


def _power_factor(power_w: float) -> Decimal:
    return Decimal("0.98") if power_w >= 0 else Decimal("-0.98")


def _watts(power_w: float) -> Decimal:
    return _number(power_w, 0) if power_w == int(power_w) else _number(power_w, 1)


def _number(value: float, digits: int) -> Decimal:
    return Decimal(f"{value:.{digits}f}")
