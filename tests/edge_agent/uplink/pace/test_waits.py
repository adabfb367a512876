"""Waits before connecting again: random over the whole range, doubling, bounded; the hub widens them only."""

from __future__ import annotations

import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.pace.waits import FIRST_CEILING_S, LAST_CEILING_S, ReconnectWaits
from protocols.wire.pace.notices import MOST_RECONNECT_S


def ceilings(count: int, *, within_s: int = 0) -> list[float]:
    """The longest wait that each of several failures in a row may bring."""
    waits = ReconnectWaits(lambda _least, most: most, within_s=lambda: within_s)
    return [waits.next_s() for _ in range(count)]


def test_the_ceiling_doubles_up_to_two_minutes() -> None:
    assert ceilings(9) == [2, 4, 8, 16, 32, 64, 120, 120, 120]


def test_the_hub_widens_every_wait_from_the_first_on_and_shortens_none() -> None:
    assert ceilings(8, within_s=60) == [60, 60, 60, 60, 60, 64, 120, 120]
    assert ceilings(2, within_s=MOST_RECONNECT_S) == [3600, 3600]


def test_a_connection_begins_again_with_a_short_wait() -> None:
    waits = ReconnectWaits(lambda _least, most: most, within_s=lambda: 0)
    assert [waits.next_s(), waits.next_s()] == [2, 4]
    waits.note_connected()
    assert waits.next_s() == FIRST_CEILING_S


def test_the_hub_s_word_counts_from_the_moment_it_comes() -> None:
    asked = [0]
    waits = ReconnectWaits(lambda _least, most: most, within_s=lambda: asked[0])
    assert waits.next_s() == 2
    asked[0] = 900
    assert waits.next_s() == 900
    asked[0] = 0
    assert waits.next_s() == 8


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(0, MOST_RECONNECT_S))
def test_no_wait_is_longer_than_the_hub_may_ask(seed: int, failures: int, within_s: int) -> None:
    waits = ReconnectWaits(random.Random(seed).uniform, within_s=lambda: within_s)
    assert all(0 <= waits.next_s() <= max(LAST_CEILING_S, within_s) for _ in range(failures))


def test_homes_that_lost_one_broker_together_come_back_evenly_spread() -> None:
    """10,000 homes told to come back within ten minutes: no minute sees more than a tenth of them, and some over."""
    homes = [ReconnectWaits(random.Random(seed).uniform, within_s=lambda: 600).next_s() for seed in range(10_000)]
    minutes = [sum(60 * n <= wait < 60 * (n + 1) for wait in homes) for n in range(10)]
    assert sum(minutes) == 10_000
    assert max(minutes) < 1_150
    assert fmean(homes) == pytest.approx(300, abs=10)
