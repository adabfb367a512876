"""What the cold adds: learned from a home's past days, and nothing in a home that the cold does not move."""

import numpy as np

from hub.core.forecasting.day_grid import Floats
from hub.core.quality.cold_days import cold_excess, heat_demand

DAYS = 45


def weather(*, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(5, 5, (DAYS, 1)) + 3 * np.sin(np.arange(96) / 96 * 2 * np.pi)


def home(demand: Floats, *, slope: float) -> Floats:
    rng = np.random.default_rng(2)
    use: Floats = (100 + slope * demand) * np.exp(rng.normal(0, 0.2, (DAYS, 96)))
    return use


def test_a_degree_costs_more_the_colder_it_is() -> None:
    demand = heat_demand(np.array([17.0, 7.0, -3.0, -13.0, np.nan]))
    steps = np.diff(demand[:4])
    assert demand[0] == 0
    assert np.all(np.diff(steps) > 0)
    assert np.isnan(demand[4])


def test_a_heat_pumps_share_is_learned() -> None:
    demand = heat_demand(weather())
    excess = cold_excess(home(demand, slope=12), demand, past_days=42)
    assert excess is not None
    assert float(np.abs(excess - np.log1p(0.12 * demand)).mean()) < 0.06


def test_unknown_slots_are_left_out() -> None:
    demand = heat_demand(weather())
    use = home(demand, slope=12)
    use[::5, 30:60] = np.nan
    use[3] = np.nan
    excess = cold_excess(use, demand, past_days=42)
    assert excess is not None
    assert float(np.abs(excess - np.log1p(0.12 * demand)).mean()) < 0.06


def test_a_home_that_the_cold_does_not_move_is_left_alone() -> None:
    demand = heat_demand(weather())
    assert cold_excess(home(demand, slope=0), demand, past_days=42) is None
    assert cold_excess(home(demand, slope=12), np.zeros_like(demand), past_days=42) is None
    assert cold_excess(np.full((DAYS, 96), np.nan), demand, past_days=42) is None
