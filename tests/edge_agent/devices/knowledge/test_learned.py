"""What a device teaches: refused registers are never asked for again, and nothing that is not refused is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.knowledge.learned import LearnedMap
from protocols.maps.loading import resolve_map
from protocols.maps.planning import ReadRequest, Span, bisect_request
from tests.protocols.maps.shipped import shipped_map

RESOLVED = resolve_map(shipped_map("huawei-sun2000"))
BARE = LearnedMap(RESOLVED)
LONGEST = max(span.count for span in RESOLVED.spans())
NAMES = RESOLVED.names()
bounded = settings(deadline=None, derandomize=True, max_examples=80)


def readable(learned: LearnedMap) -> set[str]:
    """The points whose registers all are in some request of the plan."""
    requests = learned.plan()
    return {
        name
        for name in NAMES
        if all(any(covers(request, span) for request in requests) for span in RESOLVED.spans([name]))
    }


def covers(request: Span, span: Span) -> bool:
    return request.function == span.function and request.address <= span.address and span.end <= request.end


def test_everything_is_read_from_a_device_that_refuses_nothing() -> None:
    assert readable(BARE) == set(NAMES)
    assert BARE.refused == ()


@bounded
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
def test_a_refused_register_is_never_asked_for_and_all_others_are_read(refused: list[str]) -> None:
    learned = BARE
    for name in refused:
        learned = learned.refuse(RESOLVED.points[name].span, code=2, now_s=0) if name in RESOLVED.points else learned
    bad = learned.refused
    for request in learned.plan():
        assert not any(
            request.function == span.function and request.address < span.end and span.address < request.end
            for span in bad
        )
    assert readable(learned) == {name for name in NAMES if not learned.is_point_refused(name)}
    assert all(learned.is_point_refused(name) for name in refused if name in RESOLVED.points)


def test_a_span_of_another_function_is_not_refused() -> None:
    span = next(iter(RESOLVED.points.values())).span
    learned = BARE.refuse(span, code=2, now_s=0)
    assert learned.is_refused(span)
    assert learned.is_refused(Span(span.function, span.end - 1, 5))
    assert not learned.is_refused(Span(span.function, span.end, 5))
    assert not learned.is_refused(Span(span.function, span.address - 3, 3))
    assert not learned.is_refused(Span(7 - span.function, span.address, span.count))


@bounded
@given(st.data())
def test_a_cut_block_is_not_asked_for_again_and_no_point_is_lost(data: st.DataObject) -> None:
    learned = BARE
    for _ in range(data.draw(st.integers(1, 4))):
        splits = [
            (request, halves) for request in learned.plan() if (halves := bisect_request(request, RESOLVED.spans()))
        ]
        if not splits:
            break
        request, halves = data.draw(st.sampled_from(splits))
        learned = learned.cut(request, halves)
        # A block without a hole that is no longer than the map's longest value cannot be forbidden: that value is read.
        if request.count > LONGEST or halves[0].end < halves[1].address:
            assert request not in learned.plan()
    assert readable(learned) == set(NAMES)
    assert learned.refused == ()


def test_a_hole_of_unknown_registers_is_not_read_over_again() -> None:
    first, second = sorted({p.span for p in RESOLVED.points.values()}, key=lambda s: (s.function, s.address))[:2]
    whole = ReadRequest(first.function, first.address, second.end - first.address)
    halves = (ReadRequest(*vars_of(first)), ReadRequest(*vars_of(second)))
    learned = BARE.cut(whole, halves)
    assert not any(covers(request, whole) for request in learned.plan())


def vars_of(span: Span) -> tuple[int, int, int]:
    return span.function, span.address, span.count
