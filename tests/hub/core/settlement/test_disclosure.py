"""What a pair of runs gives away: nobody's, five homes' or an own correction, and never one to four homes'."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.group_size import GroupRule
from hub.core.rules.rulebook import Rule
from hub.core.settlement.disclosure import (
    changed_homes,
    hides_each_home,
    hides_shares,
    known_reasons,
    same_shares_hidden,
    shared_slots,
    withheld_reasons,
)
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import MISSING_WH, Readings

MEMBERS = tuple(f"m{n:02d}" for n in range(1, 13))
ANYBODY = GroupRule()


def run_of(demand: np.ndarray, surplus: np.ndarray, rule: Rule | None = None) -> Settlement:
    readings = Readings(MEMBERS, tuple(range(8, 8 + len(demand))), surplus, demand)
    return settle(readings, rule or Rule("proportional"))


def whole() -> tuple[np.ndarray, np.ndarray]:
    """Two slots; the first six homes make power."""
    demand = np.array([[100 + 7 * n for n in range(12)], [300 - 11 * n for n in range(12)]])
    surplus = np.array([[50 + n if n < 6 else 0 for n in range(12)]] * 2)
    return demand, surplus


@pytest.mark.parametrize(("late", "is_hidden"), [(1, False), (4, False), (5, True), (6, True)])
def test_late_homes_hide_only_in_a_crowd_of_five(late: int, is_hidden: bool) -> None:
    demand, surplus = whole()
    before = demand.copy()
    before[1, 12 - late :] = MISSING_WH
    first, second = run_of(before, surplus), run_of(demand, surplus)
    assert hides_each_home(first, second, ANYBODY) is is_hidden
    assert changed_homes(first, second) == set(MEMBERS[12 - late :])


def test_five_homes_that_draw_hide_no_single_one_that_feeds_in() -> None:
    demand, surplus = whole()
    before, less = demand.copy(), surplus.copy()
    before[0, 4:9] += 9
    less[0, 5] -= 3
    assert hides_each_home(run_of(before, surplus), run_of(demand, surplus), ANYBODY)
    assert not hides_each_home(run_of(before, less), run_of(demand, surplus), ANYBODY)


def test_each_slot_is_a_difference_of_its_own() -> None:
    """Five homes changed on the day, but only one of them in the second slot."""
    demand, surplus = whole()
    before = demand.copy()
    before[0, :5] += 1
    before[1, 0] += 1
    assert not hides_each_home(run_of(before, surplus), run_of(demand, surplus), ANYBODY)


def test_a_plant_and_an_open_home_may_be_seen() -> None:
    demand, surplus = whole()
    before = surplus.copy()
    before[0, 0] -= 1
    first, second = run_of(demand, before), run_of(demand, surplus)
    assert not hides_each_home(first, second, ANYBODY)
    assert hides_each_home(first, second, GroupRule(plants=frozenset({"m01"})))
    assert hides_each_home(first, second, GroupRule(open_homes=frozenset({"m01"})))


def test_water_filling_shows_a_home_that_crosses_the_level() -> None:
    """Five corrected homes move the level, and one other home is filled now: its demand is in one sum only."""
    demand = np.array([[10] * 5 + [40] + [60] * 6])
    surplus = np.array([[50] * 6 + [0] * 6])
    more = demand.copy()
    more[0, :5] -= 8
    rule = Rule("equal")
    assert not hides_each_home(run_of(demand, surplus, rule), run_of(more, surplus, rule), ANYBODY)
    assert hides_each_home(run_of(demand, surplus), run_of(more, surplus), ANYBODY)


def test_runs_of_other_intervals_are_never_compared() -> None:
    demand, surplus = whole()
    one = run_of(demand, surplus)
    assert not hides_each_home(one, replace(one, slots=(9, 10)), ANYBODY)
    assert changed_homes(one, replace(one, slots=(9, 10))) is None


@settings(deadline=None, derandomize=True, max_examples=60)
@given(changed=st.sets(st.integers(0, 11)), slot=st.integers(0, 1))
def test_the_difference_of_every_published_sum_is_about_the_changed_homes(changed: set[int], slot: int) -> None:
    demand, surplus = whole()
    before = demand.copy()
    for n in changed:
        before[slot, n] += 1 + n
    first, second = run_of(before, surplus), run_of(demand, surplus)
    names = {MEMBERS[n] for n in changed}
    assert changed_homes(first, second) == names
    assert hides_each_home(first, second, ANYBODY) == (not names or len(names) >= 5)
    assert sum(shared_slots(first)[slot].demand) - sum(shared_slots(second)[slot].demand) == sum(1 + n for n in changed)


def day_of(*surplus: tuple[int, ...]) -> Settlement:
    """Slots in which the first homes feed in so much, and all draw the same."""
    rows = np.array([[*each, *[0] * (12 - len(each))] for each in surplus])
    return run_of(np.full(rows.shape, 200), rows)


EVEN, ONE, TWO, THREE = (300,) * 6, (0, 0, 400), (0, 300, 200), (400, 300, 60)


def test_a_sum_that_is_nearly_one_homes_is_withheld() -> None:
    """One or two makers of six feed in, or a third adds less than a tenth of the largest."""
    reasons = withheld_reasons(day_of(EVEN, ONE, TWO, THREE, (400, 300, 39), EVEN, (0, 9)), ANYBODY)
    assert reasons == (None, "uneven", "uneven", None, "uneven", None, None)


def test_another_interval_is_withheld_where_the_days_sum_would_tell_it() -> None:
    """Of the intervals that even out the sum, the one with the least energy goes."""
    alone = (900, 0, 0, 0, 0, 0)
    reasons = withheld_reasons(day_of(EVEN, alone, (100,) * 6, (5,) * 6), ANYBODY)
    assert reasons == (None, "uneven", "uneven", None)
    assert withheld_reasons(day_of(alone, (0,) * 6, (0, 5, 1, 1, 1, 1)), ANYBODY) == ("uneven", None, "uneven")


@pytest.mark.parametrize("gone", [2, 5])
def test_one_interval_without_most_makers_is_not_told_as_the_rest_of_the_day(gone: int) -> None:
    """Only four makers, or one, have readings there: the day's share less the others would be that interval's."""
    surplus = np.array([[300] * 6 + [0] * 6] * 4)
    demand = np.full(surplus.shape, 1_000)
    surplus[1, 0] = 299
    surplus[2, :gone] = demand[2, :gone] = MISSING_WH
    assert withheld_reasons(run_of(demand, surplus), ANYBODY) == (None, "uneven", "few_makers", None)


def test_four_makers_all_day_withhold_only_what_they_feed_in() -> None:
    four, plants = (300,) * 4, GroupRule(plants=frozenset({"m05"}))
    assert withheld_reasons(day_of(four, (0,), four), ANYBODY) == ("few_makers", None, "few_makers")
    surplus = np.array([[300] * 5 + [0] * 7] * 2)
    demand = np.full(surplus.shape, 200)
    surplus[1, :4] = demand[1, :4] = MISSING_WH
    assert withheld_reasons(run_of(demand, surplus), plants) == ("few_makers", None)


def test_a_home_that_draws_nearly_all_of_it_is_hidden_as_well() -> None:
    demand, surplus = whole()
    demand[0] = [5_000, 100] + [40] * 10
    surplus[1] = 0
    assert withheld_reasons(run_of(demand, surplus), ANYBODY)[0] == "uneven"
    assert withheld_reasons(run_of(demand, surplus), GroupRule(open_homes=frozenset({"m01"})))[0] is None


def test_a_plants_energy_hides_nobody() -> None:
    run = day_of((300, 900, 25, 25, 25, 25), EVEN)
    assert withheld_reasons(run, ANYBODY) == (None, None)
    assert withheld_reasons(run, GroupRule(plants=frozenset({"m01"})))[0] == "uneven"


def test_a_difference_that_is_nearly_one_homes_shows_it() -> None:
    demand, surplus = whole()
    before = demand.copy()
    before[0, :5] += [900, 40, 20, 10, 10]
    assert not hides_each_home(run_of(before, surplus), run_of(demand, surplus), ANYBODY)
    before[0, :5] += [0, 40, 40, 40, 40]
    assert hides_each_home(run_of(before, surplus), run_of(demand, surplus), ANYBODY)


def test_what_was_withheld_stays_so_where_a_later_run_is_the_same() -> None:
    """Each run's day has its own sum of what is withheld; their difference would be the interval that changed sides."""
    alone, first_choice, second_choice = (900, 0, 0, 0, 0, 0), (200,) * 6, (210,) * 6
    first = day_of(EVEN, alone, first_choice, second_choice)
    later = day_of(EVEN, alone, first_choice, (190,) * 6)
    reasons = withheld_reasons(first, ANYBODY)
    assert reasons == (None, "uneven", "uneven", None)
    assert withheld_reasons(later, ANYBODY) == (None, "uneven", None, "uneven")
    known = known_reasons([(first, reasons)], later)
    assert known == {0: None, 1: "uneven", 2: "uneven"}
    assert withheld_reasons(later, ANYBODY, known=known) == reasons
    assert same_shares_hidden(reasons, tuple("few_homes" if reason else None for reason in reasons))
    assert not same_shares_hidden(reasons, withheld_reasons(later, ANYBODY))


def test_what_was_shown_before_cannot_even_out_a_days_sum() -> None:
    first = day_of(EVEN, (100,) * 6, (50,) * 6)
    later = day_of(EVEN, (100,) * 6, (900, 0))
    known = known_reasons([(first, withheld_reasons(first, ANYBODY))], later)
    assert withheld_reasons(later, ANYBODY, known=known) == (None, None, "uneven")


@pytest.mark.parametrize(("makers", "is_hidden"), [(4, True), (5, False)])
def test_shares_are_told_by_day_where_few_homes_feed_in(makers: int, is_hidden: bool) -> None:
    reasons = withheld_reasons(day_of((300,) * makers, (0,)), ANYBODY)
    assert [hides_shares(why) for why in reasons] == [is_hidden, False]
