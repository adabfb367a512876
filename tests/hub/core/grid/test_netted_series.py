"""Series are netted before they are compared: ours and the grid operator's alike, by the quarter hour or the hour."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.grid.comparison import compare_sources
from hub.core.grid.files import MISSING, Direction, QuarterHours, quarter_hours, read_quarter_hours
from hub.core.grid.netted_series import NettedPoints, netted_series
from hub.core.grid.tables import GridFileError
from protocols.slots import parse_slot

MADRID = "Europe/Madrid"
FIRST = parse_slot("2026-06-01T10:00Z")
HOURS = frozenset([FIRST, FIRST + 4])
BY_HOUR = NettedPoints("in", "out", hours=HOURS)
BY_QUARTER = NettedPoints("in", "out", quarters=frozenset(range(FIRST, FIRST + 8)))


def pair(demand_wh: list[int], surplus_wh: list[int]) -> list[QuarterHours]:
    sides: list[tuple[str, Direction, list[int]]] = [
        ("in", "consumption", demand_wh),
        ("out", "generation", surplus_wh),
    ]
    return [quarter_hours(point, way, first_slot=FIRST, energy_wh=wh) for point, way, wh in sides]


def energies(series: tuple[QuarterHours, ...]) -> list[list[int]]:
    return [[wh if wh == MISSING else wh // 1000 for wh in each.energy_micro_kwh.tolist()] for each in series]


def test_by_the_hour_and_by_the_quarter_hour() -> None:
    demand, surplus = [100, 100, 0, 0, 50, 0, 0, 0], [0, 0, 400, 400, 20, 0, 0, 10]
    hourly = netted_series(pair(demand, surplus), [BY_HOUR])
    assert energies(hourly) == [[0, 0, 0, 0, 20, 0, 0, 0], [600, 0, 0, 0, 0, 0, 0, 0]]
    quarterly = netted_series(pair(demand, surplus), [BY_QUARTER])
    assert energies(quarterly) == [[100, 100, 0, 0, 30, 0, 0, 0], [0, 0, 400, 400, 0, 0, 0, 10]]


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999)), min_size=8, max_size=8))
def test_netted_again_it_is_the_same_and_the_difference_stays(wh: list[tuple[int, int]]) -> None:
    gross = pair([one for one, _ in wh], [other for _, other in wh])
    for points in (BY_HOUR, BY_QUARTER):
        once = netted_series(gross, [points])
        twice = netted_series(once, [points])
        assert energies(once) == energies(twice)
        sums = [sum(each) for each in energies(once)]
        assert sums[0] - sums[1] == sum(one for one, _ in wh) - sum(other for _, other in wh)
        assert compare_sources(once, twice, tolerance_wh=0) == ()


def test_an_hour_that_lacks_a_quarter_hour_is_missing_as_a_whole() -> None:
    gross = pair([1, MISSING, 1, 1, 5, 5, 5, 5], [0] * 8)
    assert energies(netted_series(gross, [BY_HOUR]))[0] == [MISSING] * 4 + [20, 0, 0, 0]
    full = pair([1, 1, 1, 1, 5, 5, 5, 5], [0] * 8)
    found = compare_sources(*(netted_series(each, [BY_HOUR]) for each in (gross, full)), tolerance_wh=0)
    assert [(each.kind, each.first_slot, each.slots, each.grid_micro_kwh) for each in found] == [
        ("only_grid", FIRST, 4, 4000)
    ]


@pytest.mark.parametrize("later", [1, 2, 3])
def test_an_hour_in_which_a_file_begins_is_missing_as_a_whole(later: int) -> None:
    """Its quarter hours alone are neither netted nor comparable with the whole hour."""
    ours = pair([100, 100, 0, 0, 5, 5, 5, 5], [0, 0, 0, 90, 0, 0, 0, 0])
    theirs = [
        replace(
            each, first_slot=FIRST + later, energy_micro_kwh=each.energy_micro_kwh[later:], quality=each.quality[later:]
        )
        for each in ours
    ]
    netted = [netted_series(each, [BY_HOUR]) for each in (ours, theirs)]
    assert energies(netted[1]) == [[MISSING] * (4 - later) + [20, 0, 0, 0], [MISSING] * (4 - later) + [0, 0, 0, 0]]
    found = compare_sources(*netted, tolerance_wh=0)
    assert {(each.kind, each.first_slot, each.slots) for each in found} == {("only_own", FIRST + later, 4 - later)}
    assert energies(netted_series(netted[1], [BY_HOUR])) == energies(netted[1])


def test_an_hour_differs_as_a_whole_and_within_the_same_tolerance() -> None:
    ours, theirs = pair([10] * 8, [0] * 8), pair([10] * 7 + [12], [0] * 8)
    for tolerance, count in ((1, 1), (2, 0)):
        netted = [netted_series(each, [BY_HOUR]) for each in (ours, theirs)]
        found = compare_sources(*netted, tolerance_wh=tolerance)
        assert [(each.kind, each.first_slot, each.slots) for each in found] == [("differs", FIRST + 4, 4)] * count


def hourly_file(*, ends: bool) -> bytes:
    rows = [f"in;2026-06-01;{12 + hour + ends:02d}:00;{hour},000" for hour in range(10)]
    day = [f"in;2026-06-01;{'24' if ends else '23'}:00;0,000"] if ends else []
    return "\n".join(["CUPS;Fecha;Hora;kWh", *rows, *day]).encode()


@pytest.mark.parametrize("ends", [False, True])
def test_a_distributors_hourly_values_are_taken_where_hours_are_netted(ends: bool) -> None:
    (read,) = read_quarter_hours(hourly_file(ends=ends), MADRID, takes_hours=True).series
    hours = frozenset(range(FIRST, FIRST + 56, 4))
    (found,) = netted_series([read], [NettedPoints("in", None, hours=hours)])
    assert (found.first_slot, found.energy_micro_kwh[:8].tolist()) == (FIRST, [0, 0, 0, 0, 1_000_000, 0, 0, 0])
    own = quarter_hours("in", "consumption", first_slot=FIRST, energy_wh=[h * 250 for h in range(10) for _ in range(4)])
    (ours,) = netted_series([own], [NettedPoints("in", None, hours=hours)])
    kinds = {each.kind for each in compare_sources([ours], [found], tolerance_wh=0)}
    assert kinds <= {"only_grid"}, "the last hour alone, of which we have nothing"


def test_hourly_values_of_a_time_that_is_not_netted_by_the_hour_are_refused() -> None:
    (read,) = read_quarter_hours(hourly_file(ends=False), MADRID, takes_hours=True).series
    for points in ([], [BY_HOUR], [NettedPoints("in", "out")]):
        with pytest.raises(GridFileError, match="in: these are hourly values; ask the grid operator for quarter hours"):
            netted_series([read], points)
    with pytest.raises(GridFileError, match="hourly values"):
        read_quarter_hours(hourly_file(ends=False), MADRID)


def test_where_one_direction_is_missing_nothing_is_known_of_the_other_either() -> None:
    """Told as it is, it would differ from the grid operator's netted value, and nothing would be wrong."""
    gross = pair([100] * 8, [MISSING] * 4 + [30] * 4)
    netted = netted_series(gross, [BY_HOUR])
    assert energies(netted) == [[MISSING] * 4 + [280, 0, 0, 0], [MISSING] * 4 + [0, 0, 0, 0]]
    assert np.array_equal(gross[0].energy_micro_kwh, pair([100] * 8, [0] * 8)[0].energy_micro_kwh), "unchanged itself"
    theirs = netted_series(pair([100] * 8, [30] * 8), [BY_HOUR])
    found = compare_sources(netted, theirs, tolerance_wh=0)
    assert [(each.kind, each.point, each.first_slot, each.slots) for each in found] == [
        ("only_grid", "in", FIRST, 4),
        ("only_grid", "out", FIRST, 4),
    ]
    assert energies(netted_series(netted, [BY_HOUR])) == energies(netted)


def test_a_direction_without_any_value_takes_nothing_off_the_other() -> None:
    """A flat that feeds nothing in, whose file names a point for it all the same."""
    netted = netted_series(pair([100] * 8, [MISSING] * 8), [BY_HOUR])
    assert energies(netted) == [[400, 0, 0, 0] * 2, [MISSING] * 8]


@pytest.mark.parametrize("points", [BY_HOUR, BY_QUARTER])
def test_directions_told_for_different_times_are_known_where_both_are(points: NettedPoints) -> None:
    demand, surplus = pair([100] * 8, [30] * 8)
    later = replace(
        surplus, first_slot=FIRST + 4, energy_micro_kwh=surplus.energy_micro_kwh[4:], quality=surplus.quality[4:]
    )
    found = energies(netted_series([demand, later], [points]))
    assert found[0][:4] == [MISSING] * 4
    assert (sum(found[0][4:]), sum(found[1])) == (280, 0)


def test_netted_nothing_is_left_of_the_error_of_what_was_derived() -> None:
    error = np.full(8, 50_000, dtype=np.int64)
    derived = [replace(each, error_micro_kwh=error) for each in pair([30] * 8, [10] * 8)]
    for points in (BY_HOUR, BY_QUARTER):
        for each in netted_series(derived, [points]):
            assert each.error_micro_kwh is not None
            assert not each.error_micro_kwh.any()
    (alone,) = netted_series(derived[:1], [NettedPoints("in", None, hours=HOURS)])
    assert alone.error_micro_kwh is not None
    assert alone.error_micro_kwh.tolist() == [200_000, 0, 0, 0] * 2
