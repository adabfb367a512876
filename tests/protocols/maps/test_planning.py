"""Request planning: the fewest requests, nothing torn, nothing read that must not be, and healing by halves."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.maps.planning import (
    BlockLimits,
    PlanError,
    ReadRequest,
    Span,
    bisect_request,
    merge_spans,
    outermost_spans,
    plan_requests,
)

REGISTERS = 60


@st.composite
def maps(draw: st.DrawFn) -> tuple[list[Span], BlockLimits]:
    """A random map: overlapping spans (atomic groups), forbidden registers between them, and limits."""
    longest = draw(st.integers(4, 16))
    spans = [
        Span(draw(st.sampled_from([3, 4])), draw(st.integers(0, REGISTERS)), draw(st.integers(1, min(longest, 6))))
        for _ in range(draw(st.integers(1, 9)))
    ]
    wanted = {(span.function, at) for span in spans for at in range(span.address, span.end)}
    forbidden = draw(st.lists(st.tuples(st.sampled_from([3, 4]), st.integers(0, REGISTERS)), max_size=6))
    no_read = tuple(Span(function, at, 1) for function, at in forbidden if (function, at) not in wanted)
    border = draw(st.integers(0, REGISTERS))
    split = [span for span in spans if span.address < border < span.end]
    areas = [Span(function, *area) for function in (3, 4) for area in ((0, border), (border, 100))]
    readable = () if split or draw(st.booleans()) else tuple(area for area in areas if area.count)
    bridge = draw(st.sampled_from([None, 0, 1, 3, 10]))
    known = merge_spans(
        Span(draw(st.sampled_from([3, 4])), draw(st.integers(0, REGISTERS)), draw(st.integers(1, 5)))
        for _ in range(draw(st.integers(0, 4)))
    )
    holes = tuple(
        Span(draw(st.sampled_from([3, 4])), draw(st.integers(0, REGISTERS)), 1) for _ in range(draw(st.integers(0, 2)))
    )
    return spans, BlockLimits(longest, bridge, readable, no_read, known, holes)


@settings(max_examples=400)
@given(case=maps())
def test_plan_is_as_short_as_the_best_of_all_cuts(case: tuple[list[Span], BlockLimits]) -> None:
    spans, limits = case
    assert len(plan_requests(spans, limits)) == _shortest_by_cuts(spans, limits)


@settings(max_examples=300)
@given(case=maps(), cost=st.sampled_from([0, 0.5, 3, 10, 29.6, 1000]))
def test_where_requests_have_a_cost_no_cut_is_quicker_and_nothing_forbidden_is_read(
    case: tuple[list[Span], BlockLimits], cost: float
) -> None:
    spans, limits = case
    plan = plan_requests(spans, replace(limits, request_cost=cost))
    assert sum(cost + request.count for request in plan) == pytest.approx(_quickest_by_cuts(spans, limits, cost))
    assert all(any(_covers(request, span) for request in plan) for span in spans)
    assert all(limits.allows(request) is None for request in plan)
    if cost == 1000:
        assert len(plan) == len(plan_requests(spans, limits))


@settings(max_examples=100, deadline=None)
@given(case=maps())
def test_plan_is_as_short_as_the_smallest_cover_by_any_windows(case: tuple[list[Span], BlockLimits]) -> None:
    spans, limits = case
    plan = plan_requests(spans, limits)
    windows = _all_windows(spans, limits)
    for fewer in range(1, min(len(plan), 4)):
        for chosen in combinations(windows, fewer):
            assert not all(any(_covers(window, span) for window in chosen) for span in spans)


@given(case=maps())
def test_plan_reads_every_span_whole_and_nothing_forbidden(case: tuple[list[Span], BlockLimits]) -> None:
    spans, limits = case
    plan = plan_requests(spans, limits)
    assert all(any(_covers(request, span) for request in plan) for span in spans)
    touched = {(request.function, at) for request in plan for at in range(request.address, request.end)}
    assert not touched & {(area.function, at) for area in limits.no_read for at in range(area.address, area.end)}
    assert all(request.count <= limits.max_registers for request in plan)
    for request in plan if limits.readable else ():
        assert any(_covers(area, request) for area in limits.readable)


@given(case=maps(), data=st.data())
def test_one_bad_register_is_found_by_halves_and_loses_no_other_span(
    case: tuple[list[Span], BlockLimits], data: st.DataObject
) -> None:
    spans, limits = case
    apart = [
        span
        for index, span in enumerate(outermost_spans(spans))
        if not _overlaps_any(span, outermost_spans(spans)[:index])
    ]
    request = plan_requests(apart, limits)[0]
    inside = [span for span in apart if _covers(request, span)]
    bad = data.draw(st.sampled_from([at for span in inside for at in range(span.address, span.end)]))
    read, culprits, extra = _heal(request, inside, bad)
    assert [span for span in culprits if not span.address <= bad < span.end] == []
    assert set(read) | set(culprits) == set(inside)
    assert extra <= 2 * math.ceil(math.log2(len(inside))) if len(inside) > 1 else extra == 0


@given(bad=st.integers(0, 62))
def test_one_bad_value_among_63_costs_at_most_twelve_requests(bad: int) -> None:
    spans = [Span(3, 2 * place, 1) for place in range(63)]
    read, culprits, extra = _heal(ReadRequest(3, 0, 125), spans, 2 * bad)
    assert culprits == [spans[bad]]
    assert len(read) == 62
    assert extra <= 12


def test_spans_inside_others_are_dropped() -> None:
    assert outermost_spans([Span(3, 4, 2), Span(3, 0, 6), Span(3, 0, 6), Span(3, 0, 2), Span(4, 0, 2)]) == [
        Span(3, 0, 6), Span(4, 0, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("span", "limits", "reason"),
    [
        (Span(3, 0, 126), BlockLimits(), "126 registers are more than the 125"),
        (Span(3, 10, 2), BlockLimits(no_read=(Span(3, 11, 1),)), "must not be read"),
        (Span(3, 10, 2), BlockLimits(readable=(Span(3, 0, 11),)), "not inside one readable area"),
    ],
)
def test_a_span_that_cannot_be_read_is_named(span: Span, limits: BlockLimits, reason: str) -> None:
    with pytest.raises(PlanError, match=rf"function 3 registers {span.address}\.\.{span.end - 1}: .*{reason}"):
        plan_requests([span], limits)


def test_bridging_never_any_and_by_width() -> None:
    spans = [Span(3, 0, 2), Span(3, 2, 2), Span(3, 10, 2)]
    assert plan_requests(spans, BlockLimits(bridge=None)) == (ReadRequest(3, 0, 12),)
    assert plan_requests(spans, BlockLimits(bridge=6)) == (ReadRequest(3, 0, 12),)
    assert plan_requests(spans, BlockLimits(bridge=5, known=(Span(3, 6, 1),))) == (ReadRequest(3, 0, 12),)
    assert plan_requests(spans, BlockLimits(bridge=6, holes=(Span(3, 6, 1),))) == (
        ReadRequest(3, 0, 4), ReadRequest(3, 10, 2),
    )  # fmt: skip
    assert plan_requests(spans, BlockLimits(bridge=5)) == (ReadRequest(3, 0, 4), ReadRequest(3, 10, 2))
    assert plan_requests(spans, BlockLimits(bridge=0)) == (ReadRequest(3, 0, 4), ReadRequest(3, 10, 2))


def test_functions_are_never_mixed_and_nothing_wanted_is_nothing_read() -> None:
    assert plan_requests([Span(3, 0, 1), Span(4, 1, 1)], BlockLimits()) == (ReadRequest(3, 0, 1), ReadRequest(4, 1, 1))
    assert plan_requests([], BlockLimits()) == ()


def test_merging_joins_spans_that_touch() -> None:
    assert merge_spans([Span(3, 4, 2), Span(3, 0, 4), Span(3, 8, 1), Span(4, 6, 1)]) == (
        Span(3, 0, 6), Span(3, 8, 1), Span(4, 6, 1),
    )  # fmt: skip


def _shortest_by_cuts(spans: Sequence[Span], limits: BlockLimits) -> int:
    """Dynamic programme over all ways to cut the sorted outermost spans into runs."""
    atoms = outermost_spans(spans)
    best = [0, *[len(atoms) + 1] * len(atoms)]
    for end in range(1, len(atoms) + 1):
        for start in range(end):
            run = atoms[start:end]
            if _is_allowed(run, limits):
                best[end] = min(best[end], best[start] + 1)
    return best[-1]


def _quickest_by_cuts(spans: Sequence[Span], limits: BlockLimits, cost: float) -> float:
    """The least time over all ways to cut the sorted outermost spans, each tried."""
    atoms = outermost_spans(spans)
    best = math.inf
    for cuts in range(1 << max(0, len(atoms) - 1)):
        runs, start = [], 0
        for end in range(1, len(atoms) + 1):
            if end == len(atoms) or cuts >> (end - 1) & 1:
                runs.append(atoms[start:end])
                start = end
        if all(_is_allowed(run, limits) for run in runs):
            best = min(best, sum(cost + run[-1].end - run[0].address for run in runs))
    return best


def _is_allowed(run: Sequence[Span], limits: BlockLimits) -> bool:
    if len({span.function for span in run}) > 1:
        return False
    for before, after in pairwise(run):
        gap = range(before.end, after.address)
        if any(each.function == before.function and each.address in gap for each in limits.holes):
            return False
        known = {
            at for each in limits.known if each.function == before.function for at in range(each.address, each.end)
        }
        blind = "".join("x" if at in known else "." for at in gap)
        if limits.bridge is not None and max(map(len, blind.split("x"))) > limits.bridge:
            return False
    return limits.allows(Span(run[0].function, run[0].address, run[-1].end - run[0].address)) is None


def _all_windows(spans: Sequence[Span], limits: BlockLimits) -> list[Span]:
    windows = []
    for first in spans:
        for last in spans:
            if first.function != last.function or last.end <= first.address:
                continue
            window = Span(first.function, first.address, last.end - first.address)
            inside = outermost_spans([span for span in spans if _covers(window, span)])
            if inside and _is_allowed(inside, limits) and limits.allows(window) is None:
                windows.append(window)
    return list(dict.fromkeys(windows))


def _heal(request: Span, spans: Sequence[Span], bad: int) -> tuple[list[Span], list[Span], int]:
    """Read, halve what is refused, and count the extra requests."""
    read: list[Span] = []
    culprits: list[Span] = []
    extra, waiting = 0, [request]
    while waiting:
        block = waiting.pop()
        inside = [span for span in spans if _covers(block, span)]
        if not block.address <= bad < block.end:
            read += inside
        elif halves := bisect_request(block, inside):
            extra += len(halves)
            waiting += halves
        else:
            culprits += inside
    return read, culprits, extra


def _covers(window: Span, span: Span) -> bool:
    return window.function == span.function and window.address <= span.address and span.end <= window.end


def _overlaps_any(span: Span, others: Sequence[Span]) -> bool:
    return any(span.function == other.function and span.address < other.end for other in others)
