"""Findings: each fault put into a good home's series is found where it was put, and a good home has none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pvlib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.forecasting.sun_position import sun_elevation_deg
from hub.core.quality.home_checks import Finding, HomeSlots, find_all, night_slots, runs, utc_days
from hub.core.quality.neighbour_checks import find_clock_shifts, find_odd_yields
from hub.core.rules.estimates import WEEK_SLOTS, EstimateRule, estimate_gaps
from protocols.quantities import Gap, Measure
from protocols.slots import parse_slot, start_of

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
VIENNA = (48.2, 16.4)
FIRST = parse_slot("2026-05-04T00:00Z")
DAYS = 21
COUNT = DAYS * 96
PLATE_W = {Measure.GRID_IMPORT: 15_000, Measure.GRID_EXPORT: 15_000, Measure.PV_PRODUCTION: 6_000}


def clear_sky(azimuth: str = "south") -> np.ndarray:
    """The shape of a clear day's solar power from 0 to 1; panels to the east are early, to the west late."""
    instants = start_of(FIRST) + 450 + np.arange(COUNT) * 900.0
    turned = {"south": 0.0, "east": 15.0, "west": -15.0}[azimuth]
    height = sun_elevation_deg(instants, latitude_deg=VIENNA[0], longitude_deg=VIENNA[1] + turned)
    return np.clip(np.sin(np.radians(height)), 0, None)


def clouds(seed: int = 7) -> np.ndarray:
    """The street's sky: fronts of hours with quicker clouds on top, the same for everyone."""
    rng = np.random.default_rng(seed)
    slow = np.interp(np.arange(COUNT), np.arange(0, COUNT + 12, 12), rng.random(COUNT // 12 + 1))
    return np.clip(slow + rng.normal(0, 0.1, COUNT), 0.05, 1)


def good_home(name: str = "h1", *, seed: int = 1, azimuth: str = "south", size_w: int = 6_000) -> HomeSlots:
    rng = np.random.default_rng(seed)
    sun = clear_sky(azimuth) * clouds() * (1 + rng.normal(0, 0.03, COUNT)) * size_w * 0.85 / 4
    made = np.clip(sun, 0, size_w // 4).astype(np.int64)
    used = rng.integers(40, 300, COUNT)
    net = used - made
    energy = {
        Measure.GRID_IMPORT: np.clip(net, 0, None),
        Measure.GRID_EXPORT: np.clip(-net, 0, None),
        Measure.PV_PRODUCTION: made,
    }
    return HomeSlots(name, FIRST, energy, nameplate_w={**PLATE_W, Measure.PV_PRODUCTION: size_w})


def with_values(home: HomeSlots, measure: Measure, place: slice, value: int) -> HomeSlots:
    energy = {name: wh.copy() for name, wh in home.energy_wh.items()}
    energy[measure][place] = value
    return replace(home, energy_wh=energy)


def found_in(home: HomeSlots) -> list[Finding]:
    return list(find_all(home, place_deg=VIENNA))


@pytest.mark.parametrize(("latitude", "longitude"), [(48.2, 16.4), (-33.0, 151.0), (65.0, -18.0), (0.0, 0.0)])
def test_the_sun_stands_where_an_established_algorithm_has_it(latitude: float, longitude: float) -> None:
    times = pd.date_range("2020-01-01", "2035-01-01", freq="53h", tz="UTC")
    reference = pvlib.solarposition.get_solarposition(times, latitude, longitude)["elevation"].to_numpy()
    unix_s = np.array([moment.timestamp() for moment in times])
    ours = sun_elevation_deg(unix_s, latitude_deg=latitude, longitude_deg=longitude)
    assert np.abs(ours - reference).max() < 0.03


def test_night_is_when_no_minute_of_the_slot_is_lighter_than_civil_twilight() -> None:
    night = night_slots(FIRST, 96, place_deg=VIENNA)
    minutes = sun_elevation_deg(start_of(FIRST) + np.arange(96 * 15) * 60.0, latitude_deg=48.2, longitude_deg=16.4)
    assert np.array_equal(night, (minutes.reshape(96, 15) < -6).all(axis=1))
    assert 20 < night.sum() < 40


@pytest.mark.parametrize("seed", range(5))
def test_a_good_home_has_no_finding(seed: int) -> None:
    assert found_in(good_home(seed=seed)) == []


FAULTS = [
    ("impossible", Measure.PV_PRODUCTION, slice(5 * 96 + 44, 5 * 96 + 46), 2_000),
    ("night_sun", Measure.PV_PRODUCTION, slice(96 * 3, 96 * 3 + 2), 25),
    ("unbalanced", Measure.GRID_EXPORT, slice(96 * 4, 96 * 4 + 3), 3_000),
    ("frozen_value", Measure.PV_PRODUCTION, slice(96 * 6 + 36, 96 * 6 + 56), 333),
]


@pytest.mark.parametrize(("code", "measure", "place", "value"), FAULTS)
def test_a_fault_is_found_where_it_is(code: str, measure: Measure, place: slice, value: int) -> None:
    findings = [
        finding for finding in found_in(with_values(good_home(), measure, place, value)) if finding.code == code
    ]
    assert [(each.first_slot, each.slots, each.severity) for each in findings] == [
        (FIRST + place.start, place.stop - place.start, "check")
    ]
    assert findings[0].home == "h1"
    assert findings[0].sentence.endswith("Z on.")


def test_nameplate_and_two_percent_are_still_possible() -> None:
    noon = slice(96 * 5 + 46, 96 * 5 + 47)
    for value, expected in ((1_530, []), (1_531, ["impossible"])):
        found = found_in(with_values(good_home(), Measure.PV_PRODUCTION, noon, value))
        assert [each.code for each in found if each.code == "impossible"] == expected


def test_all_gaps_of_the_grid_meter_are_one_note_with_the_usual_reason() -> None:
    home = with_values(good_home(), Measure.GRID_IMPORT, slice(10, 14), -1)
    home = with_values(home, Measure.GRID_EXPORT, slice(13, 15), -1)
    reasons = np.zeros(COUNT, dtype=np.int8)
    reasons[10:13], reasons[13] = Gap.DEVICE_SILENT, Gap.NEVER_ARRIVED
    (found,) = found_in(replace(home, gaps={Measure.GRID_IMPORT: reasons}))
    assert (found.code, found.measure, found.severity) == ("gap", None, "note")
    assert (found.first_slot - FIRST, found.slots, dict(found.numbers)["missing"]) == (10, 5, 5)
    assert Gap.DEVICE_SILENT.label in found.sentence


def test_a_counter_that_power_does_not_bear_out_is_found_on_its_day() -> None:
    home = good_home()
    counter = home.energy_wh[Measure.PV_PRODUCTION]
    power = (counter * 1.02).astype(np.int64)
    assert found_in(replace(home, integral_wh={Measure.PV_PRODUCTION: power})) == []
    power[96 * 9 : 96 * 10] = counter[96 * 9 : 96 * 10] * 2
    power[96 * 9 + 40] = -1
    findings = found_in(replace(home, integral_wh={Measure.PV_PRODUCTION: power}))
    assert [(each.code, each.first_slot - FIRST, each.slots) for each in findings] == [("register", 96 * 9, 96)]
    numbers = dict(findings[0].numbers)
    assert numbers["power_wh"] == 2 * numbers["counter_wh"]


def street(count: int = 8) -> dict[str, HomeSlots]:
    turned = ("south", "east", "west")
    return {f"h{i}": good_home(f"h{i}", seed=i, azimuth=turned[i % 3], size_w=3_000 + 500 * i) for i in range(count)}


def test_good_neighbours_have_neither_odd_yields_nor_shifted_clocks() -> None:
    homes = street()
    assert list(find_odd_yields(homes)) == []
    assert list(find_clock_shifts(homes)) == []


def test_half_the_panels_dark_is_an_odd_yield_even_with_gaps() -> None:
    homes = street()
    made = homes["h3"].energy_wh[Measure.PV_PRODUCTION] // 2
    made[300:420] = -1
    homes["h3"] = replace(homes["h3"], energy_wh={**homes["h3"].energy_wh, Measure.PV_PRODUCTION: made})
    findings = list(find_odd_yields(homes))
    assert [(each.code, each.home, each.slots) for each in findings] == [("odd_yield", "h3", 14 * 96)]
    assert 40 <= dict(findings[0].numbers)["percent_of_usual"] <= 60


@pytest.mark.parametrize("lag", [-4, -2, 1, 4, 8])
@pytest.mark.parametrize("home", ["h3", "h4"])
def test_a_clock_astray_is_found_with_its_minutes_whatever_way_the_panels_face(lag: int, home: str) -> None:
    homes = street()
    made = np.roll(homes[home].energy_wh[Measure.PV_PRODUCTION], lag)
    homes[home] = replace(homes[home], energy_wh={**homes[home].energy_wh, Measure.PV_PRODUCTION: made})
    findings = list(find_clock_shifts(homes))
    assert [(each.home, dict(each.numbers)["minutes"]) for each in findings] == [(home, 15 * lag)]
    assert ("ahead" if lag > 0 else "behind") in findings[0].sentence


def test_fewer_than_five_neighbours_are_not_compared() -> None:
    homes = street(5)
    homes["h3"] = with_values(homes["h3"], Measure.PV_PRODUCTION, slice(0, COUNT), 0)
    assert list(find_odd_yields(homes)) == []
    assert list(find_clock_shifts(homes)) == []
    moved = replace(homes["h1"], first_slot=FIRST + 1)
    with pytest.raises(ValueError, match="same slots"):
        list(find_odd_yields({**homes, "h1": moved}))


@given(energy=st.lists(st.integers(-1, 5_000), min_size=1, max_size=400), longest=st.integers(1, 50))
@settings(relaxed)
@pytest.mark.parametrize("method", ["none", "straight_line", "same_time_of_week"])
def test_estimates_never_touch_a_reading_and_are_flagged(method: str, energy: list[int], longest: int) -> None:
    series = np.array(energy, dtype=np.int64)
    done = estimate_gaps(series, EstimateRule(method, longest=longest, least=1))
    assert np.array_equal(done.energy_wh[series >= 0], series[series >= 0])
    assert np.array_equal(done.is_estimate, (series < 0) & (done.energy_wh >= 0))
    if method != "straight_line":
        assert not done.is_estimate.any()
        return
    for run in runs(series < 0):
        inside = run.start > 0 and run.stop < len(series) and run.stop - run.start <= longest
        assert done.is_estimate[run].all() == inside
        if inside:
            beside = sorted((energy[run.start - 1], energy[run.stop]))
            assert beside[0] <= done.energy_wh[run].min() <= done.energy_wh[run].max() <= beside[1]


def test_the_same_time_of_week_is_the_middle_of_the_known_weeks() -> None:
    series = np.arange(5 * WEEK_SLOTS, dtype=np.int64) % 7
    here = 4 * WEEK_SLOTS + 50
    for week, value in enumerate((100, -1, 40, 61)):
        series[50 + week * WEEK_SLOTS] = value
    series[here] = -1
    rule = EstimateRule("same_time_of_week")
    assert estimate_gaps(series, rule).energy_wh[here] == 61
    assert estimate_gaps(series, replace(rule, weeks=2)).energy_wh[here] == 50
    assert estimate_gaps(series, replace(rule, least=4)).energy_wh[here] == -1
    late = series.copy()
    late[here] = 77
    assert not estimate_gaps(late, rule).is_estimate.any()


@pytest.mark.parametrize("broken", [{"method": "guess"}, {"longest": 0}, {"least": 0}, {"least": 9}])
def test_an_estimate_without_a_rule_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="estimate"):
        EstimateRule(**broken)


@given(first=st.integers(0, 10**6), count=st.integers(1, 600))
@settings(relaxed)
def test_utc_days_cover_every_slot_once_and_never_two_days(first: int, count: int) -> None:
    days = utc_days(first, count)
    assert [slot for day in days for slot in range(day.start, day.stop)] == list(range(count))
    assert all((first + day.start) // 96 == (first + day.stop - 1) // 96 for day in days)
