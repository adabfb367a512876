"""Measured German profiles as slot series for forecasting tests, read from the installed simbench package."""

from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hub.core.forecasting.weather_table import WeatherTable
from protocols.slots import SLOT_S

TZ = "Europe/Berlin"
DAYS = 200
FOLDER = "networks/1-complete_data-mixed-all-0-sw"
HOUSEHOLDS = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-L")
FIRST_SLOT = int(datetime(2016, 1, 1, tzinfo=ZoneInfo(TZ)).timestamp()) // SLOT_S
Floats = NDArray[np.float64]


@lru_cache
def columns(file: str, names: tuple[str, ...], days: int = DAYS) -> dict[str, Floats]:
    """Columns of a profile file from 1 January 2016 on; rows are contiguous quarter hours, clock changes included."""
    found = find_spec("simbench")
    assert found is not None
    assert found.origin is not None
    rows = []
    with (Path(found.origin).parent / FOLDER / file).open(encoding="utf-8") as lines:
        header = next(lines).rstrip().split(";")
        places = [header.index(name) for name in names]
        for _, line in zip(range(days * 96), lines, strict=False):
            fields = line.split(";")
            rows.append([float(fields[place]) for place in places])
    table = np.array(rows)
    return {name: table[:, place] for place, name in enumerate(names)}


def semi_urban() -> Floats:
    """Sum of a semi-urban low-voltage grid, in Wh per slot."""
    return 1000 * columns("LoadProfile.csv", ("lv_semiurb4_pload",))["lv_semiurb4_pload"]


def street(homes: int = 12, seed: int = 1) -> Floats:
    """A street of homes from the five household shapes, each shifted in time and scaled, in Wh per slot."""
    shapes = columns("LoadProfile.csv", tuple(f"{name}_pload" for name in HOUSEHOLDS))
    rng = np.random.default_rng(seed)
    total = np.zeros(DAYS * 96)
    for home in range(homes):
        shape = shapes[f"{HOUSEHOLDS[home % len(HOUSEHOLDS)]}_pload"]
        total += np.roll(shape, int(rng.integers(-6, 7)) + 672 * home) * rng.uniform(500, 1500)
    return total


def pv() -> Floats:
    """One roof, in Wh per slot."""
    return 1000 * columns("RESProfile.csv", ("PV5",))["PV5"]


def wind() -> Floats:
    """One wind turbine, in Wh per slot."""
    return 1000 * np.clip(columns("RESProfile.csv", ("WP4",))["WP4"], 0, None)


@lru_cache
def _said(seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    daily = np.repeat(rng.normal(0, 0.2, DAYS), 96)
    hourly = np.repeat(rng.normal(0, 0.15, DAYS * 24), 4)
    radiation = 1450 * columns("RESProfile.csv", ("PV6",))["PV6"] * np.exp(daily + hourly - 0.03)
    wrong = np.zeros(DAYS * 96)
    for slot in range(1, len(wrong)):
        wrong[slot] = 0.99 * wrong[slot - 1] + rng.normal(0, 1.3 * (1 - 0.99**2) ** 0.5)
    return radiation, np.maximum(3 + 9 * np.cbrt(wind() / 1000) + wrong, 0)


def weather(first_slot: int, slots: int, *, seed: int = 0) -> WeatherTable:
    """Weather as a forecast could have said it: radiation from a roof near by, wind from the turbine, both with error.

    Radiation errs by 20 % per day and 15 % per hour, wind speed by 1.3 m/s with a memory of about a day.
    """
    radiation, speed = _said(seed)
    start = first_slot - FIRST_SLOT
    slot = np.arange(first_slot, first_slot + slots, dtype=np.int64)
    return WeatherTable(
        slot=slot,
        known_slot=np.zeros(slots, dtype=np.int64),
        temperature_c=np.full(slots, np.nan),
        radiation_w_m2=radiation[start : start + slots],
        wind_m_s=speed[start : start + slots],
    )


def midnight(day: int) -> int:
    """First slot of the local day that is `day` days after 1 January 2016."""
    local = datetime.fromordinal(datetime(2016, 1, 1).toordinal() + day).replace(tzinfo=ZoneInfo(TZ))
    return int(local.timestamp()) // SLOT_S
