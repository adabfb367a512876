"""The homes of a street: their kind, equipment, appliances and the devices an agent reads there.

A home depends only on (seed, index), so a longer street starts with the same homes. `physics` computes what the
equipment does minute by minute.
"""

from dataclasses import dataclass
from typing import Literal

from simulator.world.appliances import SimulatedAppliance, make_appliances
from simulator.world.families import BORNAY, HUAWEI, SDM630, SHELLY, SUNSPEC_INVERTER, SUNSPEC_METER
from simulator.world.loads import Household, make_household
from simulator.world.production import Roof, Turbine
from simulator.world.streams import random_stream

UnitRole = Literal["grid", "pv", "wind", "battery"]
HomeKind = Literal["flat", "pv", "pv-battery", "wind", "ev", "heat-pump"]


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery behind the panels' inverter, for what the home makes itself; `loss` of the energy is lost each way."""

    capacity_wh: int
    power_w: int
    loss: float = 0.05


@dataclass(frozen=True, slots=True)
class HeatPump:
    """Heats the home in proportion to how cold it is outside."""

    heat_w_per_k: float
    limit_w: float


@dataclass(frozen=True, slots=True)
class ModbusUnit:
    """A device on the wire: one unit id on one link of the home, answering for one or more register maps.

    `float_models` chooses the float twins of a SunSpec device. `phases` is how many its meter knows, `counts_apart`
    whether that one counts each of the home's phases by itself.
    """

    link: str
    unit: int
    families: tuple[str, ...]
    place: UnitRole
    serial: str
    phases: int = 3
    float_models: bool = False
    counts_apart: bool = False


@dataclass(frozen=True, slots=True)
class AgentDevice:
    """One entry of the agent's configuration: a unit in one role, None for a device that is only watched."""

    name: str
    family: str
    role: UnitRole | None
    link: str
    unit: int
    max_power_w: int


@dataclass(frozen=True, slots=True)
class SimulatedHome:
    """One home of the street.

    `links` says whether each connection is "tcp" or "rtu". `willingness` is how likely its member is to
    follow a prompt, `purposes` what the household consents to.
    """

    id: str
    index: int
    name: str
    resident: str
    kind: HomeKind
    household: Household
    appliances: tuple[SimulatedAppliance, ...]
    willingness: float
    purposes: tuple[str, ...]
    roof: Roof | None
    turbine: Turbine | None
    battery: Battery | None
    heat_pump: HeatPump | None
    links: dict[str, Literal["tcp", "rtu"]]
    units: tuple[ModbusUnit, ...]
    devices: tuple[AgentDevice, ...]

    @property
    def counts_apart(self) -> bool:
        """Whether its grid meter counts each phase by itself; the legal meter nets them."""
        return any(unit.counts_apart for unit in self.units)


_KINDS: tuple[HomeKind, ...] = (
    "pv", "flat", "pv-battery", "wind", "ev", "heat-pump", "pv", "flat", "pv-battery", "pv", "ev", "wind",
)  # fmt: skip
_MEAN_W: dict[HomeKind, float] = {
    "flat": 210, "pv": 330, "pv-battery": 360, "wind": 340, "ev": 320, "heat-pump": 330,
}  # fmt: skip


def make_home(seed: int, index: int, *, counts_apart: bool = False) -> SimulatedHome:
    """The home at this position in the street, counted from 0.

    With `counts_apart`, a home with panels and no battery has a grid meter that counts each phase by itself.
    """
    home = f"h{index + 1:02d}"
    draw = random_stream(seed, home, "equipment")
    kind = _KINDS[index] if index < len(_KINDS) else _KINDS[int(draw.integers(len(_KINDS)))]
    charge_w = int(draw.choice((3700, 7400, 11000))) if kind == "ev" else 0
    has_roof = kind in ("pv", "pv-battery") or (kind == "ev" and index % 2 == 0 and index > 4)
    roof = _make_roof(seed, home) if has_roof else None
    turbine = _make_turbine(seed, home) if kind == "wind" else None
    battery = _make_battery(seed, home) if kind == "pv-battery" else None
    heat_pump = HeatPump(float(draw.uniform(150, 240)), 4500.0) if kind == "heat-pump" else None
    links, units, devices = _make_devices(index, home, kind=kind, roof=roof, turbine=turbine, battery=battery)
    if counts_apart and roof and not battery:
        links, units, devices = _counted_apart(home, roof)
    return SimulatedHome(
        id=home,
        index=index,
        name=f"Lindenweg {2 * index + 1}",
        resident=_resident(index),
        kind=kind,
        household=make_household(seed, home, mean_w=_MEAN_W[kind]),
        appliances=make_appliances(seed, home, charge_w=charge_w),
        willingness=float(draw.uniform(0.3, 0.8)),
        purposes=_purposes(seed, home, index),
        roof=roof,
        turbine=turbine,
        battery=battery,
        heat_pump=heat_pump,
        links=links,
        units=units,
        devices=devices,
    )


def _purposes(seed: int, home: str, index: int) -> tuple[str, ...]:
    """What the household consents to beyond the membership contract; some consent to nothing more."""
    if index % 12 == 7:
        return ()
    if index % 12 == 5:
        return ("forecast.hood",)
    shown = ("peers.view",) if random_stream(seed, home, "consent").random() < 0.3 else ()
    return ("forecast.hood", "forecast.home", "prompt.shift", *shown)


def _resident(index: int) -> str:
    """Households are numbered, not named: a street contains no person's name."""
    return f"Household {index + 1}"


def _make_roof(seed: int, home: str) -> Roof:
    draw = random_stream(seed, home, "roof")
    peak_w = round(float(draw.uniform(5200, 9800)), -1)
    return Roof(
        peak_w=peak_w,
        inverter_w=round(0.9 * peak_w, -2),
        tilt_deg=float(draw.uniform(15, 45)),
        azimuth_deg=float(draw.choice((95, 140, 180, 190, 225, 265)) + draw.uniform(-10, 10)),
        soiling=float(draw.uniform(0.93, 0.99)),
    )


def _make_turbine(seed: int, home: str) -> Turbine:
    draw = random_stream(seed, home, "turbine")
    return Turbine(float(draw.choice((1500, 3000, 5000))), float(draw.uniform(10, 18)), float(draw.uniform(0.85, 1.05)))


def _make_battery(seed: int, home: str) -> Battery:
    draw = random_stream(seed, home, "battery")
    return Battery(int(draw.choice((5000, 7500, 10000, 15000))), int(draw.choice((2500, 3600, 5000))))


_Wiring = tuple[dict[str, Literal["tcp", "rtu"]], tuple[ModbusUnit, ...], tuple[AgentDevice, ...]]
_GRID_LIMIT_W = 25_000


def _make_devices(
    index: int, home: str, *, kind: HomeKind, roof: Roof | None, turbine: Turbine | None, battery: Battery | None
) -> _Wiring:
    if turbine:
        return _wind_bus(home, turbine)
    if roof and (battery or index % 12 == 6):
        return _huawei(home, roof, battery)
    if roof:
        return _sunspec(home, roof, separate_meter=index % 3 == 0 and index > 0, float_models=index % 12 == 9)
    if kind == "heat-pump":
        return _only_meter(home, SDM630, "rtu")
    return _only_meter(home, SHELLY, "tcp")


def _only_meter(home: str, family: str, transport: Literal["tcp", "rtu"]) -> _Wiring:
    unit = ModbusUnit("meter", 1, (family,), "grid", f"{home}-M1")
    return {"meter": transport}, (unit,), (AgentDevice("meter", family, "grid", "meter", 1, _GRID_LIMIT_W),)


def _sunspec(home: str, roof: Roof, *, separate_meter: bool, float_models: bool) -> _Wiring:
    meter_unit = 240 if separate_meter else 1
    inverter = ModbusUnit("solar", 1, (SUNSPEC_INVERTER,), "pv", f"{home}-I1", float_models=float_models)
    meter = ModbusUnit("solar", 240, (SUNSPEC_METER,), "grid", f"{home}-M1", float_models=float_models)
    both = ModbusUnit("solar", 1, (SUNSPEC_INVERTER, SUNSPEC_METER), "pv", f"{home}-I1", float_models=float_models)
    devices = (
        AgentDevice("meter", SUNSPEC_METER, "grid", "solar", meter_unit, _GRID_LIMIT_W),
        AgentDevice("inverter", SUNSPEC_INVERTER, "pv", "solar", 1, int(roof.inverter_w)),
    )
    return {"solar": "tcp"}, (inverter, meter) if separate_meter else (both,), devices


def _counted_apart(home: str, roof: Roof) -> _Wiring:
    """An inverter, and a meter of its own that counts each phase by itself."""
    units = (
        ModbusUnit("solar", 1, (SUNSPEC_INVERTER,), "pv", f"{home}-I1"),
        ModbusUnit("meter", 1, (SHELLY,), "grid", f"{home}-M1", counts_apart=True),
    )
    devices = (
        AgentDevice("meter", SHELLY, "grid", "meter", 1, _GRID_LIMIT_W),
        AgentDevice("inverter", SUNSPEC_INVERTER, "pv", "solar", 1, int(roof.inverter_w)),
    )
    return {"solar": "tcp", "meter": "tcp"}, units, devices


def _huawei(home: str, roof: Roof, battery: Battery | None) -> _Wiring:
    unit = ModbusUnit("solar", 1, (HUAWEI,), "pv", f"{home}-I1")
    devices = [
        AgentDevice("meter", HUAWEI, "grid", "solar", 1, _GRID_LIMIT_W),
        AgentDevice("inverter", HUAWEI, "pv", "solar", 1, int(roof.inverter_w) + (battery.power_w if battery else 0)),
    ]
    if battery:
        # On the DC side: the loss of the inverter comes on top of what the battery gives the home.
        devices.append(AgentDevice("battery", HUAWEI, "battery", "solar", 1, round(1.05 * battery.power_w)))
    return {"solar": "tcp"}, (unit,), tuple(devices)


def _wind_bus(home: str, turbine: Turbine) -> _Wiring:
    limit_w = int(1.2 * turbine.rated_w)
    units = (
        ModbusUnit("bus", 1, (SDM630,), "grid", f"{home}-M1"),
        ModbusUnit("bus", 2, (SDM630,), "wind", f"{home}-M2"),
        ModbusUnit("bus", 3, (BORNAY,), "wind", f"{home}-W1", phases=1),
    )
    devices = (
        AgentDevice("meter", SDM630, "grid", "bus", 1, _GRID_LIMIT_W),
        AgentDevice("wind-feed", SDM630, "wind", "bus", 2, limit_w),
        AgentDevice("turbine", BORNAY, None, "bus", 3, limit_w),
    )
    return {"bus": "rtu"}, units, devices
