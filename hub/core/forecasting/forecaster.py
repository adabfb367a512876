"""The forecaster: turns history and the weather known at the issue into quantiles per slot, with reasons.

Numbers in, numbers out: it fetches nothing, keeps nothing and has no clock. The models are in models.py, quantiles and
the choice of a model in errors.py, whole paths in scenarios.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, SUNDAY, Bools, DayGrid, Floats, day_grid, wall_slots
from hub.core.forecasting.errors import SCORED_ROWS, ModelChoice, choose, rolling_losses
from hub.core.forecasting.explanations import driver_sentences, reason_sentence
from hub.core.forecasting.models import ModelPrediction, candidates, on_free_days
from hub.core.forecasting.spread import day_ahead, error_paths, guessed_spread
from hub.core.forecasting.weather_table import KnownWeather, WeatherTable, WeatherVintages
from protocols.errors import InputError

TARGETS = ("demand", "pv", "wind")
QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
HISTORY_DAYS_MAX = 120
HORIZON_SLOTS_MAX = 7 * SLOTS_PER_DAY


class ForecastInputError(InputError):
    """No forecast can be made for the request; the one-line message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class History:
    """Energy of one target on contiguous slots; NaN is a gap. Shape: energy_wh (slots,)."""

    target: str
    first_slot: int
    energy_wh: Floats


@dataclass(frozen=True, slots=True)
class Forecast:
    """Quantiles of energy per slot from the issue on, and where they come from.

    Units: Wh per slot. Shape: energy_wh (slots, quantiles), point_wh (slots,), error_history_wh (past days, slots):
    the model's own out-of-sample errors over the same horizon, for issues at the same time on each past day, oldest
    first; error_origin_slot (past days,) gives the slots of those issues.
    Known at: issued_slot, the first slot whose reading is not yet complete; nothing later was used.
    """

    target: str
    issued_slot: int
    first_slot: int
    quantiles: tuple[float, ...]
    energy_wh: Floats
    point_wh: Floats
    model: str
    reason: str
    drivers: tuple[str, ...]
    error_history_wh: Floats
    error_origin_slot: tuple[int, ...]
    weather_known_slot: int | None


def forecast(
    history: History,
    weather: WeatherTable,
    horizon_slots: int,
    *,
    issued_slot: int,
    tz: str,
    quantiles: Sequence[float] = QUANTILES,
    profile_wh: Floats | None = None,
    free_days: Collection[date] = (),
) -> Forecast:
    """Forecast the slots from `issued_slot` on, by the model that did best on recent days.

    `profile_wh` (a typical local day, 96 values) is the forecast until there are readings, as on a co-op's first day.
    `free_days` are public holidays by the local clock: demand on them is forecast like that of Sundays, and they teach
    nothing about working days.
    Known at: history before issued_slot and weather rows known by then; anything later is ignored.
    Raises: ForecastInputError for a request that cannot be answered.
    """
    levels = _checked_levels(quantiles)
    _check(history, horizon_slots, tz=tz, profile_wh=profile_wh)
    first_slot, known_wh = _known_part(history, issued_slot)
    grid = day_grid(first_slot, issued_slot=issued_slot, horizon_slots=horizon_slots, tz=_clock(history.target, tz))
    rows = grid.lay_out(known_wh)
    if not np.isfinite(rows).any():
        return _typical_day(history.target, grid, levels, profile_wh=profile_wh, tz=tz)
    vintages = WeatherVintages(weather, issued_slot=issued_slot)
    free = grid.free_cells(free_days if history.target == "demand" else ())
    taught = np.where(free, np.nan, rows)
    if not np.isfinite(taught).any():
        taught, free = rows, np.zeros_like(free)
    weathers = [_known_weather(vintages, grid, lead=lead) for lead in range(grid.rows - grid.past_rows)]
    by_lead = _predictions(history.target, rows, taught, weathers, grid=grid, free=free)
    rows = taught
    choice = _choose(rows, by_lead, levels, past_rows=grid.past_rows)
    name = choice.name if choice else _first_resort(history.target, by_lead)
    chosen = [found[name] if name in found else list(found.values())[-1] for found in by_lead]
    days_ahead = [day_ahead(history.target, rows, one, levels, past_rows=grid.past_rows) for one in chosen]
    point = np.concatenate([day.point_wh for day in days_ahead])
    spread = np.concatenate([day.spread_wh for day in days_ahead])
    has_weather = _reaches_ahead(weathers[0])
    errors, days_back = error_paths(days_ahead, past_rows=grid.past_rows)
    ahead = grid.ahead_cell - grid.past_rows * SLOTS_PER_DAY
    energy = np.maximum(np.sort(point[ahead, None] + spread[ahead], axis=1), 0.0)
    if history.target == "pv":
        energy[point[ahead] <= 0.0] = 0.0
    return Forecast(
        target=history.target,
        issued_slot=issued_slot,
        first_slot=issued_slot,
        quantiles=tuple(float(level) for level in levels),
        energy_wh=energy,
        point_wh=point[ahead],
        model=name,
        reason=reason_sentence(
            name, choice, days=float(np.isfinite(rows).sum()) / SLOTS_PER_DAY, has_weather=has_weather
        ),
        drivers=driver_sentences(
            history.target,
            chosen[0].contributions,
            point[:SLOTS_PER_DAY],
            has_weather=has_weather,
            has_free_day=bool(free[grid.past_rows].any()),
        ),
        error_history_wh=errors[:, ahead],
        error_origin_slot=tuple(issued_slot - int(back) * SLOTS_PER_DAY for back in days_back),
        weather_known_slot=vintages.newest_known_slot,
    )


def _checked_levels(quantiles: Sequence[float]) -> Floats:
    levels = np.asarray(quantiles, dtype=np.float64)
    if levels.ndim != 1 or not len(levels) or not np.all((levels > 0) & (levels < 1)) or np.any(np.diff(levels) <= 0):
        raise ForecastInputError(f"quantiles must rise strictly between 0 and 1, not {tuple(quantiles)}")
    return levels


def _check(history: History, horizon_slots: int, *, tz: str, profile_wh: Floats | None) -> None:
    if history.target not in TARGETS:
        raise ForecastInputError(f"target {history.target!r} is not one of {', '.join(TARGETS)}")
    if not 1 <= horizon_slots <= HORIZON_SLOTS_MAX:
        raise ForecastInputError(f"horizon of {horizon_slots} slots is not from 1 to {HORIZON_SLOTS_MAX}")
    if profile_wh is not None and profile_wh.shape != (SLOTS_PER_DAY,):
        raise ForecastInputError(f"the typical day must have {SLOTS_PER_DAY} values, not {profile_wh.shape}")
    if history.energy_wh.ndim != 1 or np.isinf(history.energy_wh).any():
        raise ForecastInputError("the history must be one row of finite values, with NaN for gaps")
    try:
        ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError):
        raise ForecastInputError(f"unknown time zone {tz!r}; use a name like Europe/Berlin") from None


def _clock(target: str, tz: str) -> str:
    """People live by the local clock; sun and wind do not."""
    return tz if target == "demand" else "UTC"


def _known_part(history: History, issued_slot: int) -> tuple[int, Floats]:
    first_slot = min(max(history.first_slot, issued_slot - HISTORY_DAYS_MAX * SLOTS_PER_DAY), issued_slot)
    start = max(first_slot - history.first_slot, 0)
    return first_slot, history.energy_wh[start : max(issued_slot - history.first_slot, 0)]


def _predictions(
    target: str, rows: Floats, taught: Floats, weathers: Sequence[KnownWeather], *, grid: DayGrid, free: Bools
) -> list[dict[str, ModelPrediction]]:
    """Every model's predictions by lead, learned from `taught`: the rows without free days."""
    alike = free | (grid.weekday() == SUNDAY)
    by_lead = []
    for lead, weather in enumerate(weathers):
        last_row = grid.past_rows + lead + 1
        found = candidates(target, taught[:last_row], weather, grid, lead)
        by_lead.append(on_free_days(found, rows[:last_row], free=free, alike=alike, lead=lead))
    return by_lead


def _known_weather(vintages: WeatherVintages, grid: DayGrid, *, lead: int) -> KnownWeather:
    known = vintages.look_up(grid.first_slot, grid.origin_slot(lead))
    last_row = grid.past_rows + lead + 1
    return KnownWeather(
        grid.lay_out(known.temperature_c)[:last_row],
        grid.lay_out(known.radiation_w_m2)[:last_row],
        grid.lay_out(known.wind_m_s)[:last_row],
    )


def _reaches_ahead(weather: KnownWeather) -> bool:
    """Whether any weather is known for the newest row."""
    newest = (weather.temperature_c[-1], weather.radiation_w_m2[-1], weather.wind_m_s[-1])
    return bool(np.isfinite(newest).any())


def _choose(
    rows: Floats, by_lead: Sequence[dict[str, ModelPrediction]], levels: Floats, *, past_rows: int
) -> ModelChoice | None:
    """Choose over the first two days ahead together, or the first alone if the second lacks a model (no weather)."""
    scored = range(max(1, past_rows - SCORED_ROWS), past_rows)
    of_lead = [
        rolling_losses(
            rows[: past_rows + lead + 1],
            np.stack([one.predicted_wh for one in found.values()]),
            lead,
            levels=levels,
            scored=scored,
        )
        for lead, found in enumerate(by_lead[:2])
        if found.keys() == by_lead[0].keys()
    ]
    losses = dict(zip(by_lead[0], np.mean(of_lead, axis=0), strict=True))
    return choose(losses, float(np.nanmean(rows[:past_rows])))


def _first_resort(target: str, by_lead: Sequence[dict[str, ModelPrediction]]) -> str:
    """The model to use before any could be scored."""
    return "mean-so-far" if target == "wind" else next(iter(by_lead[0]))


def _typical_day(target: str, grid: DayGrid, levels: Floats, *, profile_wh: Floats | None, tz: str) -> Forecast:
    """A forecast from the given typical day alone, while there are no readings yet."""
    if profile_wh is None:
        raise ForecastInputError(f"no readings of {target} yet and no typical day given: nothing to forecast from")
    walls = wall_slots(grid.issued_slot, len(grid.ahead_cell), tz=tz)
    point = profile_wh[walls % SLOTS_PER_DAY]
    return Forecast(
        target=target,
        issued_slot=grid.issued_slot,
        first_slot=grid.issued_slot,
        quantiles=tuple(float(level) for level in levels),
        energy_wh=np.maximum(point[:, None] + guessed_spread(point, levels), 0.0),
        point_wh=point,
        model="profile",
        reason=reason_sentence("profile", None, days=0.0),
        drivers=(),
        error_history_wh=np.empty((0, len(point))),
        error_origin_slot=(),
        weather_known_slot=None,
    )
