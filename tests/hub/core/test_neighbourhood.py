"""The neighbourhood's picture adds up, and a silent home is a stated scaling or a gap, never a dip."""

import numpy as np

from hub.core.neighbourhood import MeasureSums, estimate_neighbourhood
from protocols.quantities import Measure


def sums(energy: list[int], homes: list[int]) -> MeasureSums:
    return MeasureSums(np.array(energy, dtype=np.int64), np.array(homes, dtype=np.int32))


def test_used_energy_is_import_less_export_plus_made_and_battery() -> None:
    hood = estimate_neighbourhood(
        {
            Measure.GRID_IMPORT: sums([100, 0], [3, 3]),
            Measure.GRID_EXPORT: sums([0, 400], [3, 3]),
            Measure.PV_PRODUCTION: sums([0, 900], [2, 2]),
            Measure.WIND_PRODUCTION: sums([50, 0], [1, 1]),
            Measure.BATTERY_CHARGE: sums([0, 200], [1, 1]),
            Measure.BATTERY_DISCHARGE: sums([30, 0], [1, 1]),
        },
        slots=2,
    )
    assert hood.demand_wh.tolist() == [180.0, 300.0]
    assert (hood.pv_wh + hood.wind_wh).tolist() == [50.0, 900.0]


def test_one_silent_home_of_ten_is_scaled_and_six_are_a_gap() -> None:
    hood = estimate_neighbourhood({Measure.GRID_IMPORT: sums([1000, 900, 400], [10, 9, 4])}, slots=3)
    assert hood.demand_wh[:2].tolist() == [1000.0, 1000.0]
    assert np.isnan(hood.demand_wh[2])


def test_a_neighbourhood_without_turbines_makes_no_wind() -> None:
    hood = estimate_neighbourhood({Measure.GRID_IMPORT: sums([10], [1])}, slots=1)
    assert hood.wind_wh.tolist() == [0.0]


def test_half_of_the_usual_homes_is_enough() -> None:
    hood = estimate_neighbourhood({Measure.GRID_IMPORT: sums([1000, 500, 490], [10, 5, 4])}, slots=3)
    assert hood.demand_wh[1] == 1000.0
    assert np.isnan(hood.demand_wh[2])


def test_the_usual_number_of_homes_is_that_of_the_last_seven_days() -> None:
    """Ten homes a week ago, four now: four are all there are, and the ten before are not a gap."""
    homes = [10] * 96 + [4] * (7 * 96)
    hood = estimate_neighbourhood({Measure.GRID_IMPORT: sums([100 * n for n in homes], homes)}, slots=len(homes))
    assert (hood.demand_wh == 400.0).all()
    longer = [10] * 96 + [4] * (7 * 96 - 1)
    hood = estimate_neighbourhood({Measure.GRID_IMPORT: sums([100 * n for n in longer], longer)}, slots=len(longer))
    assert np.isnan(hood.demand_wh[-1]), "a slot with ten homes is still within the seven days"


def test_a_silent_week_is_measured_by_the_homes_before_it() -> None:
    homes = [4] * 96 + [0] * (7 * 96)
    hood = estimate_neighbourhood({Measure.GRID_IMPORT: sums([100 * n for n in homes], homes)}, slots=len(homes))
    assert (hood.demand_wh[:96] == 400.0).all()
    assert np.isnan(hood.demand_wh[96:]).all()


def test_used_energy_is_never_negative_and_a_gap_of_one_measure_is_a_gap_of_the_demand() -> None:
    exported = {Measure.GRID_EXPORT: sums([500, 500], [2, 2]), Measure.PV_PRODUCTION: sums([400, 0], [2, 0])}
    hood = estimate_neighbourhood(exported, slots=2)
    assert hood.demand_wh[0] == 0.0
    assert np.isnan(hood.demand_wh[1])
    assert hood.pv_wh[0] == 400.0
