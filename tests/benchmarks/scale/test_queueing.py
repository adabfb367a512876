"""The queue over arrays against one that is walked, and against the formulas of queueing theory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.scale.queueing import drain_s, fifo_waits_s, longest_queue, mean_wait_s


def walked(arrivals_s: list[float], service_s: float) -> tuple[list[float], int]:
    """Waits and the longest queue, one arrival at a time."""
    free_s, waits, ends, longest = 0.0, [], [], 0
    for at_s in arrivals_s:
        waits.append(max(0.0, free_s - at_s))
        free_s = max(free_s, at_s) + service_s
        ends.append(free_s)
        longest = max(longest, sum(end > at_s for end in ends))
    return waits, longest


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 50))
def test_the_array_s_queue_is_the_walked_one(arrivals: list[int], service: int) -> None:
    """In whole numbers, so that both are exact."""
    rising = sorted(arrivals)
    waits, longest = walked([float(each) for each in rising], float(service))
    times = np.array(rising, dtype=np.float64)
    found = fifo_waits_s(times, float(service))
    assert found.tolist() == waits
    assert longest_queue(times, found, float(service)) == longest


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8, 0.9])
def test_random_arrivals_wait_as_pollaczek_and_khinchine_say(load: float) -> None:
    service_s, count = 600e-6, 2_000_000
    gaps_s = np.random.default_rng(1930).exponential(service_s / load, count)
    found_s = fifo_waits_s(np.cumsum(gaps_s), service_s).mean()
    assert found_s == pytest.approx(mean_wait_s(load, service_s), rel=0.03)


def test_a_backlog_drains_at_what_the_arrivals_leave_of_the_server() -> None:
    """100 s of work at once, and a load of .6 after it: gone after 250 s."""
    service_s, load = 1e-3, 0.6
    later_s = np.arange(0, 400, service_s / load)
    arrivals_s = np.concatenate([np.zeros(100_000), later_s])
    waits_s = fifo_waits_s(arrivals_s, service_s)[100_000:]
    gone_s = later_s[np.flatnonzero(waits_s > service_s)[-1]]
    assert gone_s == pytest.approx(drain_s(100, servers=1, load=load), rel=0.01)


@pytest.mark.parametrize("load", [1.0, 1.5, -0.1])
def test_a_queue_that_never_ends_has_no_mean(load: float) -> None:
    with pytest.raises(ValueError, match="below 1"):
        mean_wait_s(load, 1)


def test_a_backlog_that_grows_never_ends() -> None:
    with pytest.raises(ValueError, match="never ends"):
        drain_s(1, servers=2, load=2)
