"""A home's usual use as densities: they are ones, they know the hour, and steps keep an appliance's power."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hub.core.forecasting.day_grid import Floats
from hub.core.quality.usual_use import (
    LEAST_STEPS,
    STEP_BIN,
    USE_BIN,
    known_median,
    log_steps,
    log_use,
    medians_of_others,
    step_densities,
    step_log_density,
    use_densities,
    use_log_density,
)


def test_the_median_of_what_is_known() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random((9, 40)) < 0.3, np.nan, rng.normal(size=(9, 40)))
    values[:, 0] = np.nan
    middle = known_median(values)
    assert np.isnan(middle[0])
    assert middle[1:] == pytest.approx(np.nanmedian(values[:, 1:], axis=0))
    assert known_median(values, axis=1) == pytest.approx(np.nanmedian(values, axis=1))


def test_densities_by_the_hour_are_densities_and_know_the_hour() -> None:
    use = np.where(np.arange(96) < 48, 50.0, 500.0) * np.exp(np.random.default_rng(1).normal(0, 0.1, (42, 96)))
    densities = use_densities(log_use(use))
    assert np.exp(densities).sum(axis=1) * USE_BIN == pytest.approx(np.ones(24), abs=0.01)
    likely = use_log_density(densities, log_use(use))
    swapped = use_log_density(densities, log_use(use[:, ::-1]))
    assert (likely - swapped).mean() > 2


def test_what_is_unknown_counts_nowhere() -> None:
    use = np.full((42, 96), 50.0)
    holes = use.copy()
    holes[::2] = np.nan
    assert use_densities(log_use(holes)) == pytest.approx(use_densities(log_use(use)))
    assert np.isfinite(use_log_density(use_densities(log_use(use)), log_use(holes))).all()


def test_a_step_is_the_appliance_and_not_what_runs_beside_it() -> None:
    use = np.full((2, 96), 40.0)
    use[1] = 140.0
    use[:, [20, 70]] += 475
    steps = log_steps(use, np.ones((2, 96), dtype=np.bool_))
    assert np.exp(steps[:, [20, 70]]) == pytest.approx(np.full((2, 2), 475))
    usable = np.ones((2, 96), dtype=np.bool_)
    usable[0, 24] = False
    assert np.isnan(log_steps(use, usable)[0, 16:33]).all()
    assert np.isfinite(log_steps(use, usable)[0, 33:]).all()


def test_steps_of_one_appliance_are_narrow() -> None:
    logs = np.log(np.repeat([475.0, 3.0], LEAST_STEPS))
    densities = step_densities(logs)
    assert densities is not None
    assert np.exp(densities).sum() * STEP_BIN == pytest.approx(1, abs=0.1)
    at, beside = step_log_density(densities, np.log(np.array([475.0, 1.1 * 475])))
    assert at - beside > 2
    assert step_densities(logs[: LEAST_STEPS - 1]) is None


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 3), st.integers(1, 9)),
        elements=st.one_of(st.just(np.nan), st.integers(-3, 3).map(float)),
    )
)
def test_the_median_of_the_others_is_that_of_the_rest_alone(values: Floats) -> None:
    found = medians_of_others(values)
    for place in range(values.shape[1]):
        rest = (
            known_median(np.delete(values, place, axis=1), axis=1)
            if values.shape[1] > 1
            else np.full(len(values), np.nan)
        )
        np.testing.assert_array_equal(found[:, place], rest)
