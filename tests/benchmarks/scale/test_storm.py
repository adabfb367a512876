"""The simulated storm against what holds of any: nothing is lost, a fluid's drain time, random waits that help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks.scale.arrivals import back_after_s, back_in_step_s
from tests.benchmarks.scale.queueing import drain_s, fifo_waits_s, longest_queue
from tests.benchmarks.scale.storm import Storm, Work, simulate, slot_end

WORK = Work(connection_s=2e-3, passed_s=1e-4, batch_s=5e-4, receipt_s=1e-4)
DAY_S = 86_400.0


def dice() -> np.random.Generator:
    return np.random.default_rng(10)


def in_region(homes: int, *, share: float = 0.1, outage_s: float = DAY_S, workers: int = 1) -> Storm:
    return Storm(homes, round(homes * share), outage_s, spread_s=100, workers=workers, brokers=1)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 300), st.integers(1, 200), st.integers(0, 600))
def test_every_message_of_the_backlog_is_stored_once(away: int, slots: int, within_s: int) -> None:
    storm = Storm(away, away, slots * 900.0, spread_s=0, workers=1, brokers=1)
    back_s = back_after_s(dice(), away, within_s=within_s)
    found = simulate(storm, back_s, WORK, dice())
    # Beside the backlog the slots that end while the storm is walked through: at 0, and each quarter hour after.
    walked_s = max(found.caught_up_s, 900.0)
    assert away * slots <= round(found.stored) <= away * (slots + 1 + walked_s // 900)


def test_a_backlog_that_comes_at_once_drains_as_a_fluid() -> None:
    """10,000 homes with a day each: 960,000 batches, with the load of 90,000 homes that go on sending."""
    storm = replace(in_region(100_000), spread_s=840)
    found = simulate(storm, np.zeros(storm.away), WORK, dice())
    backlog_s = storm.away * (96 * WORK.batch_s + 5 * WORK.receipt_s)
    load = storm.homes / 900 * (WORK.batch_s + WORK.receipt_s)
    assert found.caught_up_s == pytest.approx(drain_s(backlog_s, servers=1, load=load), rel=0.05)
    assert found.longest_queue == pytest.approx(20 * storm.away, rel=0.06), "a window of each, and a few that go on"


def test_the_second_by_second_queue_is_the_one_of_single_messages() -> None:
    """One window each and no receipts in between: then every message can be followed on its own."""
    away = 20_000
    storm = Storm(away, away, 900.0, spread_s=0, workers=1, brokers=1)
    back_s = back_after_s(dice(), away, within_s=0)
    plain = replace(WORK, connection_s=0, batch_s=5e-3)
    found = simulate(storm, back_s, plain, dice())
    # The slot that ends as the network comes back brings nothing yet: nobody is connected.
    waits_s = fifo_waits_s(back_s, plain.batch_s + plain.receipt_s)
    ended_s = back_s[-1] + waits_s[-1]
    assert found.caught_up_s == pytest.approx(ended_s, abs=2)
    single = longest_queue(back_s, waits_s, plain.batch_s + plain.receipt_s)
    assert single > 3_000
    assert found.longest_queue == pytest.approx(single, abs=350), "what comes within a second may differ"


def test_random_waits_take_the_storm_out_of_a_storm() -> None:
    storm = in_region(100_000)
    before = simulate(storm, back_in_step_s(storm.away), WORK, dice())
    by_itself = simulate(storm, back_after_s(dice(), storm.away, within_s=0), WORK, dice())
    asked = simulate(storm, back_after_s(dice(), storm.away, within_s=2_000), WORK, dice())
    assert before.most_connections_a_second > 40 * by_itself.most_connections_a_second
    assert before.gave_up > 0
    assert before.longest_connection_s == pytest.approx(storm.away * WORK.connection_s, rel=0.1)
    assert asked.gave_up == by_itself.gave_up == 0
    assert asked.longest_queue < 0.1 * by_itself.longest_queue
    assert asked.live_receipt_s[1] < by_itself.live_receipt_s[1]


def test_more_workers_catch_up_sooner() -> None:
    at_once = np.zeros(10_000)
    times = [simulate(in_region(100_000, workers=w), at_once, WORK, dice()).caught_up_s for w in (1, 2, 4)]
    assert times[0] > 1.8 * times[1] > 3.2 * times[2]


def test_what_never_ends_is_said() -> None:
    with pytest.raises(ValueError, match="more comes than 1 workers can store"):
        simulate(in_region(2_000_000, outage_s=3600), np.zeros(200_000), replace(WORK, batch_s=1e-3), dice())


def test_a_slot_s_end_without_a_spread_is_one_burst_and_with_one_none() -> None:
    work_s = WORK.batch_s + WORK.receipt_s
    burst = slot_end(100_000, spread_s=0, workers=1, work=WORK, dice=dice())
    assert burst.most_s == pytest.approx(100_000 * work_s, rel=0.05)
    spread = slot_end(100_000, spread_s=200, workers=1, work=WORK, dice=dice())
    assert spread.most_s < 1
    assert spread.longest_queue < 500
