"""Homes come as the agent's own waits make them come, and no shard hides a crowd."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edge_agent.uplink.pace.waits import ReconnectWaits
from tests.benchmarks.scale.arrivals import back_after_power_s, back_after_s, back_in_step_s, busiest, slot_end_s

OUTAGE_S = 6 * 3600.0


def by_the_agent(seed: int, *, within_s: int) -> float:
    """How long after the network is back one real agent makes its next attempt."""
    waits = ReconnectWaits(random.Random(seed).uniform, within_s=lambda: within_s)
    at_s = 0.0
    while at_s < OUTAGE_S:
        at_s += waits.next_s()
    return at_s - OUTAGE_S


@pytest.mark.parametrize("within_s", [0, 60, 600, 3600])
def test_homes_come_back_as_agents_do(within_s: int) -> None:
    """The two distributions differ nowhere by more than chance allows 4,000 homes (Kolmogorov-Smirnov, 1 in 1,000)."""
    homes = 4_000
    real = np.sort([by_the_agent(seed, within_s=within_s) for seed in range(homes)])
    simulated = back_after_s(np.random.default_rng(7), 100 * homes, within_s=within_s)
    share = np.searchsorted(simulated, real) / simulated.size
    steps = np.arange(homes) / homes
    assert max(np.abs(share - steps).max(), np.abs(share - steps - 1 / homes).max()) < 1.95 / homes**0.5
    assert real[-1] <= max(120, within_s)


def test_a_wider_word_makes_fewer_connections_a_second() -> None:
    dice = np.random.default_rng(1)
    most = [
        np.bincount(back_after_s(dice, 100_000, within_s=within_s).astype(int)).max() for within_s in (120, 600, 3600)
    ]
    assert most == pytest.approx([2 * 100_000 / within_s for within_s in (120, 600, 3600)], rel=0.5)
    assert most[0] > 4 * most[1] > 16 * most[2]
    assert np.bincount(back_in_step_s(100_000).astype(int)).max() >= 99_999, "as it was before waits were random"


def test_after_a_power_cut_the_start_of_the_computer_comes_before_the_wait() -> None:
    times = back_after_power_s(np.random.default_rng(1), 10_000, within_s=600)
    assert times[0] >= 25
    assert times[-1] <= 660
    assert (np.diff(times) >= 0).all()


def test_a_slot_s_batches_come_within_what_is_asked() -> None:
    times = slot_end_s(np.random.default_rng(1), 10_000, spread_s=100)
    assert 0 <= times[0] < times[-1] <= 101
    assert np.histogram(times, bins=10, range=(0, 100))[0].max() < 1_150


@pytest.mark.parametrize(("workers", "least", "most"), [(1, 10**6, 10**6), (4, 250_000, 252_500), (64, 15_625, 16_200)])
def test_the_busiest_worker_has_little_more_than_its_share(workers: int, least: int, most: int) -> None:
    assert least <= busiest(np.random.default_rng(1), 10**6, workers=workers) <= most
