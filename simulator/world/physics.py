"""The energy balance of one home, in whole watts over steps of 300 s, so that every sum is exact.

grid = load - solar - wind + charge - discharge in every step, and every counter is the integral of its power.
Batteries share the inverter with the panels: on its AC side it gives output = solar - charge + discharge, and
`charge_dc` and `discharge_dc` are what flows between the battery and its DC side.
What a device shows of this, at its own resolution, is in `simulator.devices`.
"""

from dataclasses import dataclass, field

import numpy as np

from simulator.world.appliances import HomePlan
from simulator.world.arrays import FloatArray, IntArray
from simulator.world.homes import Battery, HeatPump, SimulatedHome
from simulator.world.loads import household_power_w
from simulator.world.phases import CountedApart
from simulator.world.production import hub_wind_m_s, solar_power_w, wind_power_w
from simulator.world.site import DAY_S, STEP_S, STEPS_PER_DAY
from simulator.world.streams import random_stream
from simulator.world.weather import Weather

FLOWS = (
    "load", "solar", "wind", "charge", "discharge", "import", "export", "output", "charge_dc", "discharge_dc",
)  # fmt: skip
"""Everything that is counted; none is ever negative."""
_LOAD, _SOLAR, _WIND, _CHARGE, _DISCHARGE, _IMPORT, _EXPORT, _OUTPUT, _CHARGE_DC, _DISCHARGE_DC = range(len(FLOWS))
INVERTER_KEEPS = 0.965
"""What an inverter passes on between its DC and its AC side."""
_RIPPLES = 5
_DEAD_BAND_W = 40


@dataclass(frozen=True, slots=True, eq=False)
class DayFlows:
    """One UTC day of a home. Units: W per step, watt-seconds for counters and the battery's energy.

    Shape: `power_w` (10 flows, 288 steps), `counted_ws` (10, 289) from the street's first day on, `stored_ws` (289).
    """

    power_w: IntArray
    counted_ws: IntArray
    stored_ws: IntArray


@dataclass(frozen=True, slots=True)
class HomeState:
    """A home at one instant: powers in W, lifetime counters in watt-seconds, the battery's content."""

    at_s: float
    power_w: dict[str, float]
    counted_ws: dict[str, float]
    stored_ws: float
    hub_wind_m_s: float
    apart: CountedApart | None = field(default=None, compare=False, repr=False)

    @property
    def counted_apart_ws(self) -> float:
        """What a meter that counts each phase by itself has counted more, in both directions."""
        return self.apart.more_ws(self.at_s) if self.apart else 0.0

    @property
    def grid_w(self) -> float:
        """Import positive, export negative."""
        return self.power_w["import"] - self.power_w["export"]


class HomePhysics:
    """The flows of one home from the street's first day, computed day by day on request."""

    def __init__(self, home: SimulatedHome, *, seed: int, weather: Weather, first_day: int) -> None:
        self.home = home
        self.plan = HomePlan(seed, home.id, home.appliances, weather.site)
        self.first_day = first_day
        self._seed = seed
        self._weather = weather
        self._days: list[DayFlows] = []
        self._apart = CountedApart(self)

    def day(self, day: int) -> DayFlows:
        """One UTC day. Raises: ValueError before the street's first day."""
        if day < self.first_day:
            raise ValueError("the street has no past before its first day")
        while len(self._days) <= day - self.first_day:
            self._days.append(self._make_day(self.first_day + len(self._days)))
        return self._days[day - self.first_day]

    def forget_from(self, at_s: float) -> None:
        """Discard what was computed from this instant's day on: a run was moved and the balance changes."""
        del self._days[max(0, int(at_s // DAY_S) - self.first_day) :]
        self._apart.forget()

    def counted_ws(self, flow: str, at_s: int) -> int:
        """The counter of a flow at the start of a step, exact."""
        day, second = divmod(at_s, DAY_S)
        return int(self.day(day).counted_ws[FLOWS.index(flow), second // STEP_S])

    def counters(self, first_s: int, *, every_s: int, count: int) -> IntArray:
        """All counters at `count` instants. Shape: (10 flows, count). Units: watt-seconds."""
        last_s = first_s + every_s * (count - 1)
        days = [self.day(day) for day in range(first_s // DAY_S, last_s // DAY_S + 1)]
        starts = np.concatenate([each.counted_ws[:, :STEPS_PER_DAY] for each in days], axis=1)
        begin = first_s % DAY_S // STEP_S
        every = every_s // STEP_S
        return np.asarray(starts[:, begin : begin + every * (count - 1) + 1 : every])

    def state(self, at_s: float) -> HomeState:
        """The home at an instant; between steps a ripple without net energy keeps the values alive."""
        day, second = divmod(at_s, DAY_S)
        flows = self.day(int(day))
        step = int(second // STEP_S)
        into_s = second - step * STEP_S
        power = {name: float(flows.power_w[row, step]) for row, name in enumerate(FLOWS)}
        counted = {name: float(flows.counted_ws[row, step]) for row, name in enumerate(FLOWS)}
        stored = float(flows.stored_ws[step])
        if into_s:
            stored += (float(flows.stored_ws[step + 1]) - stored) * into_s / STEP_S
            for name in FLOWS:
                counted[name] += power[name] * into_s
            _add_ripple(power, counted, into_s)
            for found in (power, counted):
                found["output"] = found["solar"] - found["charge"] + found["discharge"]
        wind = hub_wind_m_s(self.home.turbine, self._weather, day=int(day))[step] if self.home.turbine else 0.0
        return HomeState(at_s, power, counted, stored, float(wind), self._apart)

    def _make_day(self, day: int) -> DayFlows:
        power = np.zeros((len(FLOWS), STEPS_PER_DAY), dtype=np.int64)
        power[_LOAD] = self._load_w(day)
        home, inputs = self.home, {"seed": self._seed, "day": day}
        if home.roof:
            power[_SOLAR] = np.rint(solar_power_w(home.roof, self._weather, home=home.id, **inputs))
        if home.turbine:
            power[_WIND] = np.rint(wind_power_w(home.turbine, self._weather, home=home.id, **inputs))
        before = self._days[-1] if self._days else None
        stored_ws = np.zeros(STEPS_PER_DAY + 1, dtype=np.int64)
        stored_ws[0] = before.stored_ws[-1] if before else 0
        if home.battery:
            surplus = power[_SOLAR] + power[_WIND] - power[_LOAD]
            _run_battery(home.battery, surplus, power, stored_ws)
        grid = power[_LOAD] - power[_SOLAR] - power[_WIND] + power[_CHARGE] - power[_DISCHARGE]
        power[_IMPORT], power[_EXPORT] = np.maximum(grid, 0), np.maximum(-grid, 0)
        power[_OUTPUT] = power[_SOLAR] - power[_CHARGE] + power[_DISCHARGE]
        power[_CHARGE_DC] = np.rint(power[_CHARGE] / INVERTER_KEEPS)
        power[_DISCHARGE_DC] = np.rint(power[_DISCHARGE] / INVERTER_KEEPS)
        counted = np.zeros((len(FLOWS), STEPS_PER_DAY + 1), dtype=np.int64)
        np.cumsum(power * STEP_S, axis=1, out=counted[:, 1:])
        if before:
            counted += before.counted_ws[:, -1:]
        return DayFlows(power, counted, stored_ws)

    def _load_w(self, day: int) -> IntArray:
        home, site = self.home, self._weather.site
        load = household_power_w(self._seed, home.id, home.household, site=site, day=day)
        if home.heat_pump:
            load = load + _heat_pump_w(home.heat_pump, self._weather, seed=self._seed, home=home.id, day=day)
        whole = np.rint(load).astype(np.int64)
        start_s = day * DAY_S
        for run in self.plan.runs_between(start_s, start_s + DAY_S):
            first = (run.start_s - start_s) // STEP_S
            for step, watts in enumerate(run.watts, first):
                if 0 <= step < STEPS_PER_DAY:
                    whole[step] += watts
        return whole


def _run_battery(battery: Battery, surplus_w: IntArray, power: IntArray, stored_ws: IntArray) -> None:
    """Greedy self-consumption: store surplus, supply deficits, within power and capacity."""
    full_ws = battery.capacity_wh * 3600
    kept = 1.0 - battery.loss
    content = int(stored_ws[0])
    for step, surplus in enumerate(surplus_w.tolist()):
        if surplus > _DEAD_BAND_W:
            watts = min(surplus, battery.power_w, int((full_ws - content) / kept / STEP_S))
            power[_CHARGE, step] = watts
            content += int(watts * STEP_S * kept)
        elif surplus < -_DEAD_BAND_W:
            watts = min(-surplus, battery.power_w, int(content * kept / STEP_S))
            power[_DISCHARGE, step] = watts
            content -= int(watts * STEP_S / kept)
        stored_ws[step + 1] = content


def _heat_pump_w(pump: HeatPump, weather: Weather, *, seed: int, home: str, day: int) -> FloatArray:
    """Electric power of a heat pump that follows the outdoor temperature and cycles. Shape: 288."""
    outside_c = np.repeat(weather.day(day).temperature_c, 3)
    heat_w = np.clip(17.0 - outside_c, 0.0, None) * pump.heat_w_per_k + 180.0
    factor = np.clip(3.4 + 0.075 * (outside_c - 5.0), 1.9, 5.0)
    cycles = random_stream(seed, home, "heat pump", day).uniform(0.5, 1.5, STEPS_PER_DAY // 6)
    return np.asarray(np.minimum(heat_w / factor * np.repeat(cycles, 6), pump.limit_w))


def _add_ripple(power: dict[str, float], counted: dict[str, float], into_s: float) -> None:
    """A ripple of load and production within the step that sums to zero and keeps the grid's direction."""
    grid = power["import"] - power["export"]
    made = "solar" if power["solar"] else "wind"
    turn = 2 * np.pi * _RIPPLES / STEP_S
    swing, area = float(np.sin(turn * into_s)), float((1 - np.cos(turn * into_s)) / turn)
    load_w = min(0.2 * power["load"], 0.5 * abs(grid))
    made_w = -min(0.1 * power[made], 0.4 * abs(grid))
    net_w = load_w - made_w
    changes = {"load": load_w, made: made_w, "import" if grid > 0 else "export": net_w if grid > 0 else -net_w}
    for name, watts in changes.items():
        power[name] += watts * swing
        counted[name] += watts * area
