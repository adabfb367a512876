"""Netted import by the calmer side: within its bound for every course of the power, and a step dearer each change."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.metering.phases.calmer_side import CalmerSide, SidedImport

courses = st.lists(st.tuples(st.integers(-8000, 8000), st.integers(1, 20)), min_size=2, max_size=60)


def read(course: list[tuple[int, int]], *, is_late: bool) -> tuple[SidedImport | None, float]:
    """What the readings make of power that jumps right before a reading, or right after it; and the true import."""
    sides, at_s, import_ws, export_ws = CalmerSide(), 0, 0, 0
    sides.add(0, course[0][0], 0, step_wh=1)
    sides.open()
    for (before, _), (after, length_s) in pairwise(course):
        now_w = before if is_late else after
        at_s += length_s
        import_ws += max(0, now_w) * length_s
        export_ws += max(0, -now_w) * length_s
        sides.add(at_s, after, import_ws // 3600 - export_ws // 3600, step_wh=1)
    return sides.best(), import_ws / 3600


@given(courses, st.booleans())
def test_the_import_is_within_the_stated_doubt(course: list[tuple[int, int]], is_late: bool) -> None:
    found, true_wh = read(course, is_late=is_late)
    assert found is not None
    # One step more: the counters may end a way in the middle of a step, where no change was paid for.
    assert abs(found.import_wh - true_wh) <= found.spread_wh + 1


def test_a_side_that_stands_still_has_no_doubt() -> None:
    """Loads that switch while the home feeds in all the time: nothing is drawn, whatever they do."""
    found, _ = read([(-3000, 1), (-1000, 10), (-2900, 10), (-400, 10)], is_late=True)
    assert found == SidedImport(0.0, 0.0)


def test_a_change_of_sides_costs_a_step_and_no_more() -> None:
    """An hour of feeding in, then of drawing, each with loads that switch: one change between two calm sides."""
    feeding = [(-3000 - 900 * (at % 2), 10) for at in range(20)]
    drawing = [(1000 + 900 * (at % 2), 10) for at in range(20)]
    found, true_wh = read([*feeding, *drawing], is_late=True)
    assert found is not None
    crossing_wh = 1000 / 2 * 10 / 3600
    assert found.spread_wh == pytest.approx(1 + crossing_wh)
    assert abs(found.import_wh - true_wh) <= found.spread_wh


@pytest.mark.parametrize("gap", [(40, 500, 0), (20, None, 0)], ids=["a reading too late", "a reading without power"])
def test_readings_that_do_not_reach_say_nothing(gap: tuple[int, int | None, int]) -> None:
    sides = CalmerSide()
    sides.add(0, 500, 0, step_wh=1)
    sides.open()
    at_s, power_w, difference_wh = gap
    sides.add(at_s, power_w, difference_wh, step_wh=1)
    assert sides.best() is None


def test_where_the_counters_are_not_believed_the_side_is_not_changed() -> None:
    sides = CalmerSide()
    sides.add(0, 500, 0, step_wh=1)
    sides.open()
    sides.add(10, 700, None, step_wh=1)
    sides.add(20, 500, 3, step_wh=1)
    found = sides.best()
    assert found == SidedImport(pytest.approx(12000 / 3600), pytest.approx(2000 / 3600))
