"""Counting over the last hour agrees with keeping every moment; durations fall into the bucket of their bound."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hub.health.counters import MINUTES_KEPT, Durations, LastHour

STEPS = st.lists(st.tuples(st.integers(0, 900), st.sampled_from("ab"), st.integers(1, 5)), max_size=60)


@given(STEPS, st.integers(0, 7200))
def test_the_last_hour_is_what_its_minutes_brought(steps: list[tuple[int, str, int]], later_s: int) -> None:
    hour, now_s = LastHour(), 0
    noted: list[tuple[int, str, int]] = []
    for wait_s, name, count in steps:
        now_s += wait_s
        hour.note(name, count, steady_s=now_s)
        noted.append((now_s, name, count))
    now_s += later_s
    expected: dict[str, int] = {}
    for at_s, name, count in noted:
        if at_s // 60 > now_s // 60 - MINUTES_KEPT:
            expected[name] = expected.get(name, 0) + count
    assert hour.counts(steady_s=now_s) == expected


@given(st.lists(st.floats(0, 20), max_size=40))
def test_every_duration_is_in_one_bucket(seconds: list[float]) -> None:
    took = Durations((0.1, 1.0, 5.0))
    for each in seconds:
        took.note(each)
    edges = (-1.0, 0.1, 1.0, 5.0, float("inf"))
    expected = tuple(sum(low < each <= high for each in seconds) for low, high in itertools.pairwise(edges))
    assert took.buckets.counts == expected
    assert abs(took.buckets.sum_s - sum(seconds)) < 1e-6
