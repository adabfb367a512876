"""When there is power to spare and when to start something: properties over any day."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hub.web.views.home.day_outlook import (
    SHORTEST_SPELL_SLOTS,
    SlotOutlook,
    best_start,
    find_spare,
    measured_moment,
    unknown_moment,
)


def day(spares: list[float | None], *, sun_share: float = 1.0) -> list[SlotOutlook]:
    return [
        unknown_moment(100 + i)
        if spare is None
        else measured_moment(
            100 + i,
            sun_wh=(1000 + spare) * sun_share,
            wind_wh=(1000 + spare) * (1 - sun_share),
            used_wh=1000,
        )
        for i, spare in enumerate(spares)
    ]


spares = st.lists(st.none() | st.floats(-900, 900), max_size=100)


@given(spares)
def test_stretches_are_in_order_apart_and_long_enough(values: list[float | None]) -> None:
    found = find_spare(day(values))
    assert all(stretch.end - stretch.first >= SHORTEST_SPELL_SLOTS for stretch in found)
    assert all(left.end < right.first for left, right in itertools.pairwise(found))


@given(spares)
def test_every_long_enough_run_of_spare_power_is_found(values: list[float | None]) -> None:
    covered = {slot for stretch in find_spare(day(values)) for slot in range(stretch.first, stretch.end)}
    for i in range(len(values) - 1):
        pair = values[i], values[i + 1]
        if all(value is not None and value > 1e-6 for value in pair):
            assert {100 + i, 101 + i} <= covered


def test_one_quarter_hour_without_does_not_cut_a_stretch() -> None:
    found = find_spare(day([5, 5, -1, 5, 5]))
    assert [(stretch.first, stretch.end) for stretch in found] == [(100, 105)]


def test_a_quarter_hour_nobody_knows_cuts_a_stretch() -> None:
    found = find_spare(day([5, 5, None, 5, 5]))
    assert [(stretch.first, stretch.end) for stretch in found] == [(100, 102), (103, 105)]


def test_the_source_is_named_by_what_made_it() -> None:
    sources = [find_spare(day([9, 9], sun_share=share))[0].source for share in (1.0, 0.5, 0.0)]
    assert sources == ["sun", "both", "wind"]


@given(spares, st.integers(1, 12))
def test_the_best_start_beats_every_other_window(values: list[float | None], length: int) -> None:
    moments = day(values)
    best = best_start(moments, length)
    totals = {
        i: round(sum(moment.spare_wh or 0.0 for moment in moments[i : i + length]), 3)
        for i in range(len(values) - length + 1)
        if all(value is not None for value in values[i : i + length])
    }
    if not totals:
        assert best is None
        return
    assert best is not None
    at = best.first - 100
    assert totals[at] == max(totals.values())
    assert at == min(i for i, total in totals.items() if total == totals[at])
    assert 0 <= best.covered <= 1
