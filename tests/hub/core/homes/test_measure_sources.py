"""Who brings a meter: one agent at a time, whatever the order in which agents of a home come, send and go."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.homes.measure_sources import (
    GRID_METER,
    BroughtSpan,
    MeterSource,
    SourceHistory,
    brought_spans,
    measures_of,
    meter_of,
    share_of,
)
from protocols.quantities import Measure
from protocols.slots import start_of

SEATS = {"a": 1, "a2": 1, "b": 2, "c": 3}


def source(agent: str, *, after: int = 0, first_slot: int = 0, since_at: int = 100) -> MeterSource:
    return MeterSource("h01", GRID_METER, agent, SEATS[agent], first_slot, since_at, after)


def test_every_measure_comes_from_one_meter() -> None:
    assert sorted(m for meter in {meter_of(measure) for measure in Measure} for m in measures_of(meter)) == sorted(
        Measure
    )


@pytest.mark.parametrize(
    ("held", "vacant_from", "first_slot", "counts", "is_new", "brought_by"),
    [
        (None, None, 5, True, True, None),
        (source("b"), None, 5, True, False, None),
        (source("a"), None, 5, False, False, "a"),
        (source("a"), 5, 5, True, True, None),
        (source("a"), 6, 5, False, True, None),
        (source("a", first_slot=9), 6, 8, False, True, None),
    ],
    ids=["nobody", "itself", "another works", "another is gone", "before that", "and before its own beginning"],
)
def test_what_an_agent_may_count(
    held: MeterSource | None,
    vacant_from: int | None,
    first_slot: int,
    *,
    counts: bool,
    is_new: bool,
    brought_by: str | None,
) -> None:
    share = share_of(held, agent="b", seat=2, vacant_from=vacant_from)
    assert (share.counts(first_slot), share.is_new, share.brought_by) == (counts, is_new, brought_by)


def test_a_successor_in_the_seat_goes_on_where_the_seat_was() -> None:
    share = share_of(source("a", first_slot=4), agent="a2", seat=1, vacant_from=None)
    assert (share.first_slot, share.is_new, share.is_takeover) == (4, True, False)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["send a", "send b", "send c", "end 1", "end 2", "end 3"]), st.integers(0, 9))
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(EVENTS)
def test_no_slot_counts_twice_and_the_history_says_the_same(events: list[tuple[str, int]]) -> None:
    """Each agent sends slots in its own order; a slot may count of one seat only, and later the history agrees."""
    rows: list[MeterSource] = []
    last: dict[int, int] = {}
    ended: set[int] = set()
    counted: dict[int, set[int]] = {}
    sent: list[tuple[str, int, int, bool]] = []
    for position, (what, slot) in enumerate(events, start=1):
        kind, name = what.split()
        if kind == "end":
            ended.add(int(name))
            continue
        seat = SEATS[name]
        if seat in ended:
            continue
        held = rows[-1] if rows else None
        vacant_from = last.get(held.seat, -1) + 1 if held is not None and held.seat in ended else None
        share = share_of(held, agent=name, seat=seat, vacant_from=vacant_from)
        counts = share.counts(slot)
        if counts and share.is_new:
            rows.append(source(name, after=position - 1, first_slot=share.first_slot))
        if counts:
            counted.setdefault(slot, set()).add(seat)
        sent.append((name, position, slot, counts))
        last[seat] = max(last.get(seat, -1), slot)
    assert all(len(seats) == 1 for seats in counted.values())
    history = SourceHistory(rows, seats=SEATS)
    for name, position, slot, counts in sent:
        assert history.counts(Measure.GRID_EXPORT, agent=name, position=position, first_slot=slot) is counts


def spans(*sources: MeterSource, seat: int, enrolled_at: int, revoked_at: int | None = None) -> list[BroughtSpan]:
    return brought_spans(sources, seat=seat, enrolled_at=enrolled_at, revoked_at=revoked_at)


def test_a_new_agent_waits_only_for_what_it_brings() -> None:
    first, taken = source("a", since_at=100), source("b", after=7, first_slot=3, since_at=900)
    assert spans(seat=1, enrolled_at=50) == [BroughtSpan(50, None)]
    assert spans(first, seat=1, enrolled_at=300, revoked_at=400) == [BroughtSpan(300, 400)], "as with one agent"
    assert spans(first, seat=2, enrolled_at=300) == [], "the grid's meter is brought by the other one"
    assert spans(first, taken, seat=2, enrolled_at=300) == [BroughtSpan(start_of(3), None, 7, 3)]
    assert spans(first, taken, seat=2, enrolled_at=950) == [BroughtSpan(950, None, 7, 3)], "it followed one in its seat"
    assert spans(first, taken, seat=2, enrolled_at=300, revoked_at=800) == [], "it was gone before its seat took over"
    assert spans(first, taken, seat=1, enrolled_at=300) == [BroughtSpan(300, 900)]
    assert spans(first, taken, seat=1, enrolled_at=950) == []
    again = replace(taken, agent="b", after_position=9)
    assert spans(first, taken, again, seat=2, enrolled_at=300) == [BroughtSpan(start_of(3), None, 7, 3)]
