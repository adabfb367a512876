"""Appliances whose runs people can move: what they draw, when they usually run, and the plan of one day.

A plan says what would happen without prompts; `HomePlan` holds the moves that members really made.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

from simulator.world.site import DAY_S, STEP_S, Site, unix_of
from simulator.world.streams import random_stream


@dataclass(frozen=True, slots=True)
class ApplianceKind:
    """A kind of appliance: its draw in watts step by step (300 s each), and how often it runs."""

    label: str
    watts: tuple[int, ...]
    runs_per_day: float
    usual_hours: tuple[float, float]


def _blocks(*parts: tuple[int, int]) -> tuple[int, ...]:
    """(watts, minutes) one after the other."""
    return tuple(watts for watts, minutes in parts for _ in range(minutes // 5))


KINDS: dict[str, ApplianceKind] = {
    "dishwasher": ApplianceKind(
        "Dishwasher", _blocks((60, 10), (1900, 20), (70, 40), (1800, 15), (30, 20)), 0.85, (18.5, 20.5)
    ),
    "washing_machine": ApplianceKind("Washing machine", _blocks((1950, 20), (160, 55), (350, 15)), 0.6, (17.0, 19.5)),
    "dryer": ApplianceKind("Dryer", _blocks((850, 90),), 0.45, (18.0, 20.5)),
    "ev": ApplianceKind("Car charger", (), 0.75, (17.5, 19.5)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulatedAppliance:
    """One appliance of one home. `charge_w` is the car charger's power, 0 for all others."""

    name: str
    kind: str
    usual_s: int
    charge_w: int = 0

    @property
    def label(self) -> str:
        """What people call it."""
        return KINDS[self.kind].label

    @property
    def typical_watts(self) -> tuple[int, ...]:
        """The draw of an ordinary run, step by step of 300 s."""
        if self.kind == "ev":
            return (self.charge_w,) * round(7000 * 12 / self.charge_w)
        return KINDS[self.kind].watts

    @property
    def typical_wh(self) -> int:
        """Energy of an ordinary run."""
        return sum(self.typical_watts) * STEP_S // 3600


@dataclass(frozen=True, slots=True)
class ApplianceRun:
    """One run of an appliance: planned for `planned_s`, really begun at `start_s`."""

    appliance: str
    day: date
    planned_s: int
    start_s: int
    watts: tuple[int, ...]
    prompt: str | None = None

    @property
    def energy_ws(self) -> int:
        """All energy of the run, in watt-seconds."""
        return sum(self.watts) * STEP_S

    @property
    def end_s(self) -> int:
        """When it is over."""
        return self.start_s + len(self.watts) * STEP_S


def make_appliances(seed: int, home: str, *, charge_w: int) -> tuple[SimulatedAppliance, ...]:
    """What stands in this home; a car charger only where `charge_w` is not 0."""
    draw = random_stream(seed, home, "appliances")
    kinds = ["dishwasher"] if draw.random() < 0.9 else []
    kinds += ["washing_machine"]
    kinds += ["dryer"] if draw.random() < 0.45 else []
    kinds += ["ev"] if charge_w else []
    made = []
    for kind in kinds:
        early, late = KINDS[kind].usual_hours
        usual_s = round(float(draw.uniform(early, late)) * 4) * 900
        made.append(SimulatedAppliance(kind, kind, usual_s, charge_w if kind == "ev" else 0))
    return tuple(made)


@lru_cache(maxsize=16384)
def planned_run(seed: int, home: str, appliance: SimulatedAppliance, *, day: date, site: Site) -> ApplianceRun | None:
    """The run of this appliance on this local day, None on a day without one."""
    draw = random_stream(seed, home, "run", appliance.name, day.toordinal())
    weekend = 1.15 if day.weekday() >= 5 else 0.95
    if draw.random() >= KINDS[appliance.kind].runs_per_day * weekend:
        return None
    late_s = round(float(draw.normal(0.0, 2.2))) * STEP_S
    start_s = unix_of(day, appliance.usual_s + max(-5400, min(5400, late_s)), site.tz)
    watts = appliance.typical_watts
    if appliance.kind == "ev":
        watts = (appliance.charge_w,) * max(6, round(len(watts) * float(draw.lognormal(-0.05, 0.35))))
    start_s -= start_s % STEP_S
    return ApplianceRun(appliance.name, day, start_s, start_s, watts)


@dataclass(slots=True)
class HomePlan:
    """All runs of one home, planned and moved."""

    seed: int
    home: str
    appliances: tuple[SimulatedAppliance, ...]
    site: Site
    moved: dict[tuple[str, date], ApplianceRun] = field(default_factory=dict)

    def run_on(self, appliance: SimulatedAppliance, day: date) -> ApplianceRun | None:
        """The run that belongs to a local day, where a prompt has moved it when one has."""
        planned = planned_run(self.seed, self.home, appliance, day=day, site=self.site)
        return self.moved.get((appliance.name, day), planned)

    def runs_between(self, from_s: int, to_s: int) -> tuple[ApplianceRun, ...]:
        """Runs that draw power within [from_s, to_s), in order of their start."""
        first = date.fromordinal(date(1970, 1, 1).toordinal() + from_s // DAY_S) - timedelta(days=2)
        days = [first + timedelta(days=step) for step in range((to_s - from_s) // DAY_S + 5)]
        runs = [run for day in days for each in self.appliances if (run := self.run_on(each, day))]
        near = [run for run in runs if run.start_s < to_s and run.end_s > from_s]
        return tuple(sorted(near, key=lambda run: (run.start_s, run.appliance)))

    def next_run(self, name: str, *, after_s: float, until_s: float) -> ApplianceRun | None:
        """The first run of an appliance that has not begun at `after_s`, was never moved, and begins by `until_s`."""
        for appliance in self.appliances:
            if appliance.name == name:
                runs = self.runs_between(int(after_s), int(until_s) + 1)
                waiting = [run for run in runs if run.appliance == name and run.start_s > after_s]
                return next((run for run in waiting if run.prompt is None), None)
        return None

    def move(self, run: ApplianceRun, *, start_s: int, prompt: str) -> ApplianceRun:
        """Let the run begin at `start_s` instead; the plan remembers which prompt asked."""
        moved = ApplianceRun(run.appliance, run.day, run.planned_s, start_s, run.watts, prompt)
        self.moved[run.appliance, run.day] = moved
        return moved
