"""Which run of a day is shown: compared with every one shown before, and an own correction to its home alone."""

import numpy as np

from hub.core.rules.group_size import GroupRule
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings
from hub.core.statements.shown_runs import choose_runs

MEMBERS = tuple(f"m{n:02d}" for n in range(1, 13))
ANYBODY = GroupRule()


def run_with(**more: int) -> Settlement:
    """One slot in which these members draw so much more than usual."""
    demand = np.array([[500 + more.get(member, 0) for member in MEMBERS]])
    return settle(Readings(MEMBERS, (8,), np.full((1, 12), 100), demand), Rule("proportional"))


def choose(*runs: Settlement, group: GroupRule = ANYBODY, earlier: tuple[bool, ...] = ()) -> tuple[int, list[int]]:
    """The run that everybody sees, and those that m01 and m02 see."""
    keys = [str(n) for n in range(len(runs))]
    found = choose_runs(keys, runs, [group] * len(runs), earlier=earlier)
    return found.shown, [found.for_member("m01"), found.for_member("m02")]


FIVE = dict.fromkeys(MEMBERS[3:8], 7)


def test_a_correction_of_one_home_is_seen_by_that_home() -> None:
    assert choose(run_with(), run_with(m01=5)) == (0, [1, 0])


def test_a_second_one_ends_what_the_first_sees_of_itself_alone() -> None:
    """With the others' earlier sums, m01 could otherwise work out m02's correction from m01's own share."""
    assert choose(run_with(), run_with(m01=5), run_with(m01=5, m02=9)) == (0, [1, 0])
    assert choose(run_with(), run_with(m01=5, m02=9)) == (0, [0, 0])


def test_five_homes_are_shown() -> None:
    assert choose(run_with(), run_with(**FIVE)) == (1, [1, 1])


def test_every_earlier_edition_counts() -> None:
    """Between the first and the third, five homes and m01 changed; then four of the five came back."""
    back = dict.fromkeys(MEMBERS[3:7], 7)
    runs = run_with(), run_with(**FIVE), run_with(**FIVE, m01=5), run_with(**back, m01=5)
    assert choose(*runs)[0] == 1


def test_open_homes_and_what_earlier_releases_showed() -> None:
    runs = run_with(), run_with(m01=5)
    assert choose(*runs, group=GroupRule(open_homes=frozenset({"m01"})))[0] == 1
    assert choose(*runs, earlier=(True, True))[0] == 1
