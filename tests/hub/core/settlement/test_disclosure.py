"""What a pair of runs gives away: nobody's, five homes' or an own correction, and never one to four homes'."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.group_size import GroupRule
from hub.core.rules.rulebook import Rule
from hub.core.settlement.disclosure import changed_homes, hides_each_home, shared_slots
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
