"""What a prompt brought: ten comparable days, no same-day adjustment, an interval that holds, and honest words."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.forecasting.forecaster import History
from hub.core.prompting.effect import MeasuredEffect, local_day, measured_effect
from protocols.slots import parse_slot

TZ = "Europe/Berlin"
MIDNIGHT = parse_slot("2026-07-14T22:00Z")  # Wednesday 15 July, local
USUAL, PROPOSED, RUN = MIDNIGHT + 76, MIDNIGHT + 50, 6
Floats = NDArray[np.float64]


def home(*, noise: float = 10.0, seed: int = 0, days: int = 30) -> Floats:
    """150 Wh a slot with an evening run of 1,200 Wh every day; the last day is the 15th."""
    rng = np.random.default_rng(seed)
    energy = 150 + rng.normal(0, noise, (days, 96))
    energy[:, 76 : 76 + RUN] += 200
    return energy


def effect(energy: Floats, **more: object) -> MeasuredEffect:
    history = History("demand", MIDNIGHT - (len(energy) - 1) * 96, energy.ravel())
    return measured_effect(  # type: ignore[arg-type]
        history, usual_slot=USUAL, proposed_slot=PROPOSED, duration_slots=RUN, tz=TZ, **more
    )


def moved(energy: Floats) -> Floats:
    energy = energy.copy()
    energy[-1, 76 : 76 + RUN] -= 200
    energy[-1, 50 : 50 + RUN] += 200
    return energy


def test_a_moved_run_is_measured() -> None:
    found = effect(moved(home()))
    assert found.moved_wh == pytest.approx(1200, abs=60)
    assert found.uncertainty_wh is not None
    assert 0 < found.uncertainty_wh < 100
    assert len(found.placebo_wh) == 10
    assert found.words.startswith("1.2 kWh moved")


def test_a_run_that_stayed_is_within_the_ups_and_downs() -> None:
    found = effect(home())
    assert found.moved_wh == pytest.approx(0, abs=60)
    assert "one prompt alone proves nothing" in found.words


def test_using_more_just_before_does_not_raise_it() -> None:
    energy = home()
    energy[-1, 60:76] += 500
    assert effect(energy) == effect(home())


def test_only_days_of_the_same_type_without_prompts_count() -> None:
    energy = home(noise=0.0)
    weekend = [day for day in range(30) if (local_day(MIDNIGHT, tz=TZ) - 29 + day + 3) % 7 >= 5]
    energy[weekend] *= 7
    asked = 27
    energy[asked, 50:56] += 999
    without = effect(energy, event_days={local_day(MIDNIGHT, tz=TZ) - 2})
    assert without.moved_wh == 0
    assert effect(energy).moved_wh != 0


def test_the_interval_holds_on_days_when_nothing_was_asked() -> None:
    inside = 0
    for seed in range(200):
        found = effect(home(noise=60.0, seed=seed))
        assert found.moved_wh is not None
        assert found.uncertainty_wh is not None
        inside += abs(found.moved_wh) <= found.uncertainty_wh
    assert 0.82 <= inside / 200 <= 0.97


def test_the_arithmetic_on_quiet_days_is_unbiased() -> None:
    found = [effect(home(noise=60.0, seed=seed)).moved_wh or 0 for seed in range(200)]
    assert abs(np.mean(found)) < 25
    assert abs(sum(effect(home(seed=1)).placebo_wh)) <= 10


def test_missing_readings_are_reported_not_guessed() -> None:
    energy = moved(home())
    energy[-1, 52] = np.nan
    assert effect(energy).moved_wh is None
    assert effect(energy).words == "Not measured: readings are missing in one of the two windows."
    assert "comparable days" in effect(moved(home(days=3))).words
    early = History("demand", MIDNIGHT, np.ones(40))
    late = measured_effect(early, usual_slot=USUAL, proposed_slot=PROPOSED, duration_slots=RUN, tz=TZ)
    assert "do not cover" in late.words


def test_windows_keep_the_local_clock_across_a_change() -> None:
    start = parse_slot("2026-03-01T23:00Z")
    sunday_over = parse_slot("2026-04-01T22:00Z")  # Thursday 2 April, four days after clocks went forward
    slots = sunday_over + 96 - start
    clock = (
        np.arange(start, start + slots) + np.where(np.arange(start, start + slots) >= sunday_over - 384, 8, 4)
    ) % 96
    energy = np.where((clock >= 76) & (clock < 82), 350.0, 150.0)
    found = measured_effect(
        History("demand", start, energy),
        usual_slot=sunday_over + 76,
        proposed_slot=sunday_over + 50,
        duration_slots=RUN,
        tz=TZ,
    )
    assert found.moved_wh == 0
    assert found.uncertainty_wh == 0
