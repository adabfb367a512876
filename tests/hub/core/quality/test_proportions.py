"""Days out of all proportion: what the neighbours and the home's own past make of them."""

import numpy as np
import pytest

from hub.core.quality.proportions import (
    HISTORY_DAYS,
    PastDays,
    find_out_of_proportion,
    largest_usual,
    members_far_above,
)
from hub.core.settlement.prepared_readings import Readings

MEMBERS = ("a", "b", "c", "d", "e")


def day(*surplus_wh: int, slots: int = 96) -> Readings:
    energy = np.array([[wh // slots for wh in surplus_wh]] * slots)
    return Readings(MEMBERS[: len(surplus_wh)], tuple(range(960, 960 + slots)), energy, np.zeros_like(energy))


def past(**days_wh: list[int]) -> PastDays:
    return PastDays({member: np.array(days) for member, days in days_wh.items()}, {})


USUAL = [9600, 19_200, 28_800] * 10


@pytest.mark.parametrize(
    ("total", "own", "held"),
    [
        (288_000, USUAL, True),
        (96_000, USUAL, False),
        (288_000, [200_000] * 30, False),
        (288_000, [], True),
        (158_400, [], False),
        (288_000, [9600] * 5, True),
    ],
)
def test_a_day_must_be_far_above_the_neighbours_and_the_homes_own_past(total: int, own: list[int], held: bool) -> None:
    readings = day(total, 28_800, 9600, 0, 0)
    assert (members_far_above(readings) == ("a",)) == (total > 4 * 28_800)
    assert find_out_of_proportion(readings, past(a=own)) == ({"a": total} if held else {})


def test_a_neighbour_with_as_much_or_too_few_neighbours_leave_it_alone() -> None:
    assert find_out_of_proportion(day(288_000, 96_000, 0, 0, 0), past(a=USUAL)) == {}
    assert find_out_of_proportion(day(288_000, 0, 0, 0), past(a=USUAL)) == {}
    assert find_out_of_proportion(day(288_000, 0, 0, 0, 0, slots=90), past(a=USUAL)) == {}


def test_wrong_days_never_become_usual() -> None:
    assert largest_usual(np.array(USUAL[:20] + [288_000] * (HISTORY_DAYS - 20))) == 28_800
    assert largest_usual(np.array([0] * 20 + [15_000, 40_000, 90_000])) == 90_000
    assert largest_usual(np.array([-1] * 50 + USUAL[:6])) is None
