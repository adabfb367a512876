"""Homes compared with their neighbours: too little sun, a wrong clock, and nothing said from fewer than five others."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.quality.home_checks import Finding, HomeSlots
from hub.core.quality.neighbour_checks import NeighbourLimits, find_clock_shifts, find_odd_yields
from protocols.quantities import Measure
from tests.hub.core.quality.test_home_checks import COUNT, FIRST, clear_sky, good_home, with_values

SUN = Measure.PV_PRODUCTION


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
def test_a_wrong_clock_is_found_with_its_minutes_whichever_way_the_panels_face(lag: int, home: str) -> None:
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


def flat(yields: Mapping[str, int], *, slots: int = 14 * 96, nameplate_w: int = 1000) -> dict[str, HomeSlots]:
    """Homes of one size whose panels made the same in every slot."""
    return {
        home: HomeSlots(home, FIRST, {SUN: np.full(slots, wh, dtype=np.int64)}, nameplate_w={SUN: nameplate_w})
        for home, wh in yields.items()
    }


def odd(homes: Mapping[str, HomeSlots], limits: NeighbourLimits | None = None) -> dict[str, int]:
    return {each.home: dict(each.numbers)["percent_of_usual"] for each in find_odd_yields(homes, limits)}


ALIKE = {"h1": 98, "h2": 99, "h3": 100, "h4": 101, "h5": 102}


@pytest.mark.parametrize(("wh", "expected"), [(50, {"h6": 50}), (150, {"h6": 150}), (86, {}), (114, {})])
def test_far_from_the_median_of_the_others_in_either_direction(wh: int, expected: dict[str, int]) -> None:
    """Within 15 % is not odd, however alike the others are."""
    assert odd(flat({**ALIKE, "h6": wh})) == expected


def test_a_street_of_unlike_roofs_finds_nobody() -> None:
    """The distances from the median are 40, 25, 10, 10, 25 and 40 %, so 40 % is only 1.1 robust deviations."""
    assert odd(flat({"h1": 60, "h2": 75, "h3": 90, "h4": 110, "h5": 125, "h6": 140})) == {}


def test_where_all_others_agree_exactly_a_difference_beyond_the_limit_is_found() -> None:
    same = {f"h{i}": 100 for i in range(1, 6)}
    assert odd(flat({**same, "h6": 84})) == {"h6": 84}
    assert odd(flat({**same, "h6": 86})) == {}


@pytest.mark.parametrize(("wh", "is_odd"), [(79, True), (80, False)])
def test_far_is_three_and_a_half_robust_deviations(wh: int, *, is_odd: bool) -> None:
    """79 Wh is 5.20 median distances from the median and 80 Wh 4.95: times 0.6745 that is 3.51 and 3.34."""
    homes = flat({"h1": 96, "h2": 98, "h3": 100, "h4": 102, "h5": 104, "h6": wh})
    assert odd(homes, NeighbourLimits(difference=0.0)) == ({"h6": wh} if is_odd else {})


def test_a_home_alone_has_no_neighbours() -> None:
    assert odd(flat({"h1": 100})) == {}
    assert odd({}) == {}


def test_a_larger_roof_is_not_odd() -> None:
    homes = flat(ALIKE) | flat({"h6": 1000}, nameplate_w=10_000)
    assert odd(homes) == {}
    assert odd(flat(ALIKE) | flat({"h6": 1000}, nameplate_w=5_000)) == {"h6": 200}


def test_five_others_are_needed() -> None:
    homes = flat({**ALIKE, "h6": 10})
    assert odd(homes) == {"h6": 10}
    del homes["h1"]
    assert odd(homes) == {}
    assert odd(homes, NeighbourLimits(homes=4)) == {"h6": 10}


def test_homes_without_panels_or_nameplate_are_not_neighbours() -> None:
    homes = flat({**ALIKE, "h6": 10})
    homes["h1"] = replace(homes["h1"], nameplate_w={})
    assert odd(homes) == {}
    homes = flat({**ALIKE, "h6": 10})
    homes["h1"] = replace(homes["h1"], energy_wh={})
    assert odd(homes) == {}


def test_slots_a_home_does_not_know_are_not_compared() -> None:
    """Half of the home's slots are unknown; in the others it made what is usual."""
    homes = flat({**ALIKE, "h6": 100})
    homes["h6"].energy_wh[SUN][:700] = -1
    assert odd(homes) == {}
    for home in ALIKE:
        homes[home].energy_wh[SUN][:] = -1
    assert odd(homes) == {}


def test_only_the_last_fourteen_days_count() -> None:
    homes = flat({**ALIKE, "h6": 100}, slots=20 * 96)
    homes["h6"].energy_wh[SUN][: 6 * 96] = 0
    assert odd(homes) == {}
    homes["h6"].energy_wh[SUN][6 * 96 :] = 50
    (found,) = find_odd_yields(homes)
    assert (found.first_slot, found.slots, found.severity) == (FIRST + 6 * 96, 14 * 96, "check")


def shifted(homes: dict[str, HomeSlots], home: str, lag: int) -> list[Finding]:
    made = np.roll(homes[home].energy_wh[SUN], lag)
    return list(find_clock_shifts({**homes, home: replace(homes[home], energy_wh={SUN: made})}))


def cut(homes: dict[str, HomeSlots], slots: int) -> dict[str, HomeSlots]:
    return {
        name: replace(home, energy_wh={measure: wh[:slots] for measure, wh in home.energy_wh.items()})
        for name, home in homes.items()
    }


def test_a_clock_is_compared_from_seven_days_on() -> None:
    assert [dict(each.numbers)["minutes"] for each in shifted(cut(street(), 7 * 96), "h3", 4)] == [60]
    assert shifted(cut(street(), 7 * 96 - 1), "h3", 4) == []


def test_weather_of_its_own_is_not_a_wrong_clock() -> None:
    """Panels whose output follows nobody's clouds fit no shift well enough."""
    homes = street()
    made: NDArray[np.int64] = np.random.default_rng(3).permutation(homes["h3"].energy_wh[SUN])
    assert list(find_clock_shifts({**homes, "h3": replace(homes["h3"], energy_wh={SUN: made})})) == []


def test_half_a_likeness_is_not_enough() -> None:
    """Its own weather on top of the neighbours', an hour late: the best likeness is about 0.5, and 0.3 unmoved."""
    homes = street()
    made = homes["h3"].energy_wh[SUN]
    noisy = np.roll(made, 4) + np.random.default_rng(3).permutation(made)
    mixed = {**homes, "h3": replace(homes["h3"], energy_wh={SUN: noisy})}
    assert list(find_clock_shifts(mixed)) == []
    assert [each.home for each in find_clock_shifts(mixed, NeighbourLimits(likeness=0.4))] == ["h3"]


def test_weather_that_changes_from_day_to_day_only_does_not_show_an_hour() -> None:
    bright = np.repeat(np.random.default_rng(5).uniform(0.2, 1, COUNT // 96), 96)
    made = (clear_sky() * bright * 1000).astype(np.int64)
    late = {f"h{i}": np.roll(made, 4 if i == 3 else 0) for i in range(8)}
    homes = {name: HomeSlots(name, FIRST, {SUN: wh}, nameplate_w={SUN: 4000}) for name, wh in late.items()}
    assert list(find_clock_shifts(homes)) == []
    assert [each.home for each in find_clock_shifts(homes, NeighbourLimits(gain=0.01))] == ["h3"]


def test_a_clock_that_fits_best_unmoved_is_right() -> None:
    assert list(find_clock_shifts(street(), NeighbourLimits(gain=0.0))) == []


def test_panels_of_one_home_that_never_changed_say_nothing_of_its_clock() -> None:
    homes = street()
    homes["h3"] = with_values(homes["h3"], SUN, slice(0, COUNT), 100)
    assert list(find_clock_shifts(homes)) == []


def test_panels_that_never_changed_say_nothing_of_the_clock() -> None:
    homes = {name: with_values(home, SUN, slice(0, COUNT), 100) for name, home in street().items()}
    assert list(find_clock_shifts(homes)) == []
