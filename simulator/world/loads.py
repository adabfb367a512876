"""Household load shapes measured in German homes (SimBench), read from the installed package; nothing is copied.

The shape of an ordinary day. `appliances` adds the runs that a prompt can move.
Source: SimBench dataset, 15-minute household profiles H0-A, B, C, G, L of 2016, each divided by its maximum
(data under ODbL 1.0).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simulator.errors import SimulatorError
from simulator.world.arrays import FloatArray, IntArray
from simulator.world.site import DAY_S, STEP_S, STEPS_PER_DAY, Site, local_clock
from simulator.world.streams import random_stream

SHAPES = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-L")
_PROFILE = "1-complete_data-mixed-all-0-sw/LoadProfile.csv"
_PROFILE_YEAR = 2016
_SLOTS = 96
_DAYS = 366


@dataclass(frozen=True, slots=True)
class Household:
    """How one home lives: a mix of two measured shapes, shifted by weeks and minutes, scaled to its size."""

    shapes: tuple[str, str]
    weeks: tuple[int, int]
    share: float
    late_s: int
    mean_w: float
    standby_w: float


@cache
def profiles() -> dict[str, npt.NDArray[np.float32]]:
    """Each shape as (day of the year, quarter of an hour) in local time, divided by its own mean.

    Raises: SimulatorError if the package is not installed or does not contain what is expected.
    """
    try:
        found = [path for path in files("simbench") or () if str(path).endswith(_PROFILE)]
        with Path(str(found[0].locate())).open(encoding="utf-8") as table:
            titles = table.readline().rstrip("\n").split(";")
            columns = [titles.index(f"{name}_pload") for name in SHAPES]
            values = np.loadtxt(table, delimiter=";", usecols=columns, dtype=np.float32)
    except (PackageNotFoundError, IndexError, OSError, ValueError):
        raise SimulatorError("the household load shapes are missing: run 'pip install --no-deps simbench'") from None
    if len(values) != _DAYS * _SLOTS:
        raise SimulatorError(f"simbench: expected {_DAYS * _SLOTS} quarter hours, found {len(values)}")
    return {
        name: (known / known.mean()).reshape(_DAYS, _SLOTS)
        for name, known in zip(SHAPES, np.ascontiguousarray(np.nan_to_num(values, nan=0.0).T), strict=True)
    }


def make_household(seed: int, home: str, *, mean_w: float) -> Household:
    """The household of one home, drawn from its own random stream."""
    draw = random_stream(seed, home, "household")
    first, second = draw.choice(len(SHAPES), size=2, replace=False)
    return Household(
        shapes=(SHAPES[first], SHAPES[second]),
        weeks=(int(draw.integers(-3, 4)), int(draw.integers(-3, 4))),
        share=float(draw.uniform(0.45, 0.8)),
        late_s=int(draw.integers(-9, 10)) * STEP_S,
        mean_w=mean_w * float(draw.uniform(0.8, 1.25)),
        standby_w=float(draw.uniform(25, 70)),
    )


def household_power_w(seed: int, home: str, household: Household, *, site: Site, day: int) -> FloatArray:
    """What the home uses on one UTC day without its movable runs. Shape: 288 steps. Units: W."""
    draw = random_stream(seed, home, "household day", day)
    late_s = household.late_s + int(draw.integers(-3, 4)) * STEP_S
    flicker = np.exp(0.22 * draw.standard_normal(STEPS_PER_DAY) - 0.024)
    size = float(np.exp(0.1 * draw.standard_normal() - 0.005))
    dates, seconds = _shifted_clock(day, site.tz, late_s)
    known = profiles()
    quarter = seconds // 900
    shape = np.zeros(STEPS_PER_DAY)
    parts = zip(household.shapes, household.weeks, (household.share, 1 - household.share), strict=True)
    for name, weeks, weight in parts:
        rows = np.array([_profile_day(each, weeks) for each in dates])
        shape += weight * known[name][rows, quarter]
    variable_w = max(40.0, household.mean_w - household.standby_w)
    return np.asarray(household.standby_w + variable_w * size * shape * flicker)


def _shifted_clock(day: int, tz: str, late_s: int) -> tuple[list[date], IntArray]:
    """For each step of a UTC day, the local date and second in which this home lives, `late_s` behind."""
    dates, hours_s = local_clock(day, tz)
    seconds = np.repeat(hours_s, 12) + np.tile(np.arange(12) * STEP_S, 24) - late_s
    carry = seconds // DAY_S
    own = [dates[step // 12] + timedelta(days=int(carry[step])) for step in range(STEPS_PER_DAY)]
    return own, seconds % DAY_S


@cache
def _profile_day(day: date, weeks: int) -> int:
    """The day of the profile year at the same season and on the same weekday, `weeks` later."""
    start = date(_PROFILE_YEAR, 1, 1)
    same = date(_PROFILE_YEAR, day.month, day.day)
    near = same + timedelta(days=(day.weekday() - same.weekday() + 3) % 7 - 3, weeks=weeks)
    return (near - start).days % _DAYS
