"""A small street for prompting tests: forecasts with known errors, appliances, members."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.core.forecasting.forecaster import QUANTILES, Forecast
from hub.core.prompting.terms import MemberHistory
from protocols.slots import parse_slot

TZ = "Europe/Berlin"
NOW = parse_slot("2026-07-15T06:00Z")  # Wednesday, 8 o'clock by the local clock
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Machine:
    home: str
    kind: str = "dishwasher"
    energy_wh: int = 1200
    duration_slots: int = 6
    usual_slot_of_day: int = 76
    earliest_slot_of_day: int = 24
    latest_slot_of_day: int = 95
    is_asked: bool = True


@dataclass(frozen=True)
class PastAsk:
    issued_slot: int
    answer: str | None = None
    appliance: str = "dishwasher"
    energy_wh: int = 1200
    usual_slot: int = NOW - 900
    proposed_slot: int = NOW - 920
    duration_slots: int = 6


def made(target: str, point_wh: Floats, *, first_slot: int = NOW, noise: float = 0.05, seed: int = 0) -> Forecast:
    """A forecast with 30 past error paths of the given relative size."""
    rng = np.random.default_rng(seed)
    daily = rng.normal(0, noise, (30, 1))
    errors = point_wh * (daily + rng.normal(0, noise / 2, (30, len(point_wh))))
    return Forecast(
        target=target,
        issued_slot=first_slot,
        first_slot=first_slot,
        quantiles=QUANTILES,
        energy_wh=np.maximum(np.quantile(point_wh + errors, QUANTILES, axis=0).T, 0),
        point_wh=point_wh,
        model="ridge",
        reason="",
        drivers=(),
        error_history_wh=errors,
        error_origin_slot=tuple(first_slot - 96 * back for back in range(30, 0, -1)),
        weather_known_slot=None,
    )


def sunny_day(first_slot: int = NOW, slots: int = 192, *, noise: float = 0.05) -> list[Forecast]:
    """Demand with an evening peak and more sun at noon than the street uses; local time is UTC + 2 h."""
    clock = (np.arange(first_slot, first_slot + slots) + 8) % 96
    demand = 1000.0 + 2500 * np.exp(-((clock - 78) ** 2) / 60)
    sun = 3500 * np.maximum(0, np.sin((clock - 28) / 48 * np.pi)) * ((clock > 28) & (clock < 76))
    return [
        made("demand", demand, first_slot=first_slot, noise=noise),
        made("pv", sun, first_slot=first_slot, noise=noise, seed=1),
    ]


def members(count: int, **more: object) -> list[MemberHistory]:
    return [MemberHistory(f"m{n:02}", f"h{n:02}", True, **more) for n in range(1, count + 1)]  # type: ignore[arg-type]


def machines(count: int) -> list[Machine]:
    return [Machine(f"h{n:02}") for n in range(1, count + 1)]
