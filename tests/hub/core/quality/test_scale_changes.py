"""Grid meters that begin to count more: what is found on a street that lives as usual, and what is left alone."""

from dataclasses import replace

import numpy as np
import pytest

from hub.core.forecasting.day_grid import Floats
from hub.core.quality.cold_days import heat_demand
from hub.core.quality.scale_changes import DAYS, DAYS_BEFORE, MANY_DAYS, StreetDays, find_scale_changes

HOMES = tuple(f"h{number}" for number in range(1, 9))
SPAN = DAYS + DAYS_BEFORE
LONG = MANY_DAYS + DAYS_BEFORE
MAKER, STORER, WARMER, FLAT = 0, 1, 3, 5
"""Homes with panels, with panels and a battery, with a heat pump, and with none of these."""


def street(days: int, *, seed: int = 1) -> StreetDays:
    """Homes that draw a base, more in the evening and a kettle's power now and then, each in its own way."""
    rng = np.random.default_rng(seed)
    hours, count = np.arange(96) / 4, len(HOMES)
    evening = 1 + 3 * np.exp(-(((hours - 19) / 2) ** 2)) + np.exp(-(((hours - 8) / 2) ** 2))
    size = rng.uniform(20, 60, count) * np.exp(rng.normal(0, 0.1, (days, 1, count)))
    use = size * evening[None, :, None] * np.exp(rng.normal(0, 0.3, (days, 96, count)))
    use += np.where(rng.random((days, 96, count)) < 0.02, rng.uniform(300, 600, count), 0)
    heat = heat_demand(rng.normal(5, 4, (days, 1)) + np.zeros(96))
    use[:, :, WARMER] += 12 * heat * np.exp(rng.normal(0, 0.2, (days, 96)))
    sun = np.maximum(0, np.sin((hours - 6) / 12 * np.pi)) * rng.uniform(0.2, 1, (days, 96))
    made = np.zeros_like(use)
    made[:, :, : STORER + 1] = 900 * sun[:, :, None]
    made[:, :, STORER] += np.clip(use - made, -600, 600)[:, :, STORER]
    return StreetDays(np.rint(use - made), np.rint(made), heat)


def scaled(usual: StreetDays, home: int | slice, factor: float, *, days: int = DAYS) -> StreetDays:
    net = usual.net_wh.copy()
    net[-days:, :, home] = np.rint(net[-days:, :, home] * factor)
    return replace(usual, net_wh=net)


def last(usual: StreetDays, days: slice) -> StreetDays:
    return StreetDays(usual.net_wh[days], usual.made_wh[days], usual.heat[days])


CASES = [*((home, 1.5) for home in range(len(HOMES))), (MAKER, 3), (FLAT, 4), (WARMER, 40), (FLAT, 1000)]


@pytest.mark.parametrize(("home", "factor"), CASES)
def test_half_as_much_again_and_more_is_found_within_three_days(home: int, factor: float) -> None:
    (found,) = find_scale_changes(HOMES, scaled(street(SPAN), home, factor))
    assert (found.home, found.days) == (HOMES[home], DAYS)
    assert 0.6 * factor <= found.percent / 100 <= 1.6 * factor


@pytest.mark.parametrize("home", range(len(HOMES)))
def test_a_tenth_more_is_found_within_a_month(home: int) -> None:
    usual = street(LONG, seed=2)
    found = {each.home: each.percent for each in find_scale_changes(HOMES, scaled(usual, home, 1.1, days=MANY_DAYS))}
    assert set(found) == {HOMES[home]} or home == WARMER
    assert all(105 <= percent <= 120 for percent in found.values())


def test_a_street_that_lives_as_usual_is_left_alone() -> None:
    usual = street(LONG + 40, seed=3)
    for start in range(0, 40, 5):
        assert find_scale_changes(HOMES, last(usual, slice(start, start + LONG))) == ()


def test_what_the_whole_street_does_is_no_finding() -> None:
    usual = street(SPAN)
    made = np.zeros_like(usual.made_wh)
    everywhere = scaled(StreetDays(usual.net_wh + usual.made_wh, made, usual.heat), slice(None), 1.3)
    assert find_scale_changes(HOMES, everywhere) == ()


def test_a_cold_spell_is_no_finding() -> None:
    usual = street(SPAN)
    more = heat_demand(np.full((DAYS, 96), -8.0)) - usual.heat[-DAYS:]
    net, heat = usual.net_wh.copy(), usual.heat.copy()
    net[-DAYS:, :, WARMER] += 12 * more
    heat[-DAYS:] += more
    assert find_scale_changes(HOMES, StreetDays(net, usual.made_wh, heat)) == ()


def test_a_guest_who_uses_more_in_the_evening_is_no_finding() -> None:
    usual = street(SPAN)
    net = usual.net_wh.copy()
    net[-DAYS:, 68:92, FLAT] *= 1.4
    assert find_scale_changes(HOMES, replace(usual, net_wh=net)) == ()


def test_a_home_that_does_not_say_what_it_makes_is_not_judged() -> None:
    changed = scaled(street(SPAN), MAKER, 1.5)
    made = changed.made_wh.copy()
    made[:, :, MAKER] = np.nan
    assert find_scale_changes(HOMES, replace(changed, made_wh=made)) == ()


def test_few_homes_and_few_days_find_nothing_and_gaps_do_not_hide() -> None:
    changed = scaled(street(SPAN), FLAT, 1.5)
    assert find_scale_changes(HOMES, last(changed, slice(1, None))) == ()
    few = StreetDays(changed.net_wh[:, :, 2:6], changed.made_wh[:, :, 2:6], changed.heat)
    assert find_scale_changes(HOMES[2:6], few) == ()
    net: Floats = changed.net_wh.copy()
    net[:, ::9] = np.nan
    net[4] = np.nan
    assert [found.home for found in find_scale_changes(HOMES, replace(changed, net_wh=net))] == [HOMES[FLAT]]
    net[-DAYS:-1] = np.nan
    assert find_scale_changes(HOMES, replace(changed, net_wh=net)) == ()
