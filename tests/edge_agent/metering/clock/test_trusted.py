"""When a clock is believed, and where an agent goes on after a pause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.metering.clock.trusted import (
    MAX_SKIPPED_SLOTS,
    PATIENCE_S,
    TRUSTED_SINCE_S,
    ClockBounds,
    TrustedTime,
    first_slot,
    first_whole_slot,
    gap_of_absence,
    judge_clock,
    trusted_now,
)
from edge_agent.uplink.hub_time import TimeBounds
from protocols.quantities import Gap
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.readings import ClockTrust
from tests.edge_agent.hand_clock import HandClock

FIRST = 2_000_000
NOW = float(start_of(FIRST) + 100)
TIMES = st.floats(TRUSTED_SINCE_S - 1e6, TRUSTED_SINCE_S + 1e6)


def test_a_first_start_begins_with_the_slot_it_is_in_or_was_first_read_in() -> None:
    assert first_slot(NOW, None) == (FIRST, 0)
    assert first_slot(NOW, None, begun_s=NOW - 3000) == (FIRST - 4, 0)


@pytest.mark.parametrize(("away", "left_out"), [(0, 0), (3, 0), (MAX_SKIPPED_SLOTS, 0), (MAX_SKIPPED_SLOTS + 9, 9)])
def test_a_restart_goes_on_where_it_ended_but_for_very_long_absences(away: int, left_out: int) -> None:
    assert first_slot(NOW, FIRST - away, begun_s=NOW - 50) == (FIRST - away + left_out, left_out)


@pytest.mark.parametrize(
    ("next_slot", "after_s", "goes_on", "whole"),
    [
        (FIRST, 0, False, FIRST),
        (FIRST, 60, False, FIRST),
        (FIRST, 61, False, FIRST + 1),
        (FIRST, 899, False, FIRST + 1),
        (FIRST, 400, True, FIRST),
        (FIRST - 3, 400, True, FIRST + 1),
        (FIRST + 2, -400, False, FIRST + 2),
    ],
)
def test_the_first_whole_slot_is_not_the_one_it_started_in_the_middle_of(
    next_slot: int, after_s: float, goes_on: bool, whole: int
) -> None:
    assert first_whole_slot(next_slot, start_of(FIRST) + after_s, window_s=60, goes_on=goes_on) == whole


@given(TIMES, TIMES, TIMES, st.booleans(), st.floats(0, 2 * PATIENCE_S))
def test_a_clock_is_believed_only_within_its_bounds(
    now_s: float, sealed_s: float, signed_s: float, is_set: bool, waited_s: float
) -> None:
    trust = judge_clock(now_s, ClockBounds(sealed_s, signed_s), is_synchronised=is_set, waited_s=waited_s)
    if trust is not None:
        assert now_s >= max(TRUSTED_SINCE_S, sealed_s)
        assert (trust is ClockTrust.TRUSTED) is is_set
        assert is_set or (now_s >= signed_s and waited_s >= PATIENCE_S)
    assert trust is not ClockTrust.BACKFILLED


async def test_a_clock_is_trusted_at_once_when_it_can_be_true() -> None:
    found = await trusted_now(Clock(lambda: NOW), ClockBounds(NOW - 5), is_synchronised=lambda: True, boot_clock=None)
    assert found == TrustedTime(NOW, ClockTrust.TRUSTED, 0.0, waited=False)


async def test_a_clock_behind_what_was_sealed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock(NOW)

    async def moves(_seconds: float) -> None:
        clock.move_to(clock.now_s + 10)

    monkeypatch.setattr("edge_agent.metering.clock.trusted.asyncio.sleep", moves)
    found = await trusted_now(clock, ClockBounds(NOW + 25), is_synchronised=lambda: True, boot_clock=None)
    assert (found.now_s, found.waited) == (NOW + 30, True)
    assert gap_of_absence(True) is Gap.CLOCK_UNTRUSTED
    assert gap_of_absence(False) is Gap.AGENT_OFF


async def test_why_nothing_is_sealed_is_said_once_each(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, is_set = HandClock(NOW), [False]

    async def moves(_seconds: float) -> None:
        clock.move_to(clock.now_s + 10)
        is_set[0] = clock.now_s >= NOW + 20

    monkeypatch.setattr("edge_agent.metering.clock.trusted.asyncio.sleep", moves)
    bounds = ClockBounds(float(start_of(FIRST + 1)))
    await trusted_now(clock, bounds, is_synchronised=lambda: is_set[0], boot_clock=None)
    assert [record.message for record in caplog.records] == [
        "no time service sets the system clock: no slot is closed until one does or the hub's signed time agrees",
        "the system clock is behind what was already sealed; nothing is sealed until 2027-01-15 08:15 UTC,"
        " or until the hub's signed time shows that the earlier time was wrong",
    ]


async def test_a_clock_nobody_sets_is_an_estimate_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = [50.0]

    async def passes(seconds: float) -> None:
        boot[0] += 100 * seconds

    monkeypatch.setattr("edge_agent.metering.clock.trusted.asyncio.sleep", passes)
    clock = Clock(lambda: NOW + boot[0])
    found = await trusted_now(clock, ClockBounds(), is_synchronised=lambda: False, boot_clock=lambda: boot[0])
    assert (found.trust, found.boot_s, found.waited) == (ClockTrust.ESTIMATED, 50 + PATIENCE_S, True)


def hub_at(now_s: float) -> TimeBounds:
    return TimeBounds(now_s, now_s + 2)


YEARS_S = 5 * 365 * 86400.0


@pytest.mark.parametrize(
    ("off_s", "is_set", "waited_s", "trust"),
    [
        (YEARS_S, True, 9e9, None),
        (-YEARS_S / 5, True, 9e9, None),
        (700, True, 9e9, None),
        (500, True, 0, ClockTrust.TRUSTED),
        (500, False, 0, None),
        (500, False, 600, ClockTrust.ESTIMATED),
        (20, False, 0, ClockTrust.ESTIMATED),
    ],
)
def test_the_hubs_time_bounds_a_clock_on_both_sides(
    off_s: float, is_set: bool, waited_s: float, trust: ClockTrust | None
) -> None:
    found = judge_clock(NOW + off_s, ClockBounds(NOW - 900), is_synchronised=is_set, waited_s=waited_s, hub=hub_at(NOW))
    assert found is trust


def test_what_was_sealed_ahead_of_the_hubs_time_binds_nothing() -> None:
    ahead = ClockBounds(NOW + YEARS_S)
    assert judge_clock(NOW, ahead, is_synchronised=True, waited_s=0) is None, "only the hub can tell which was wrong"
    assert judge_clock(NOW, ahead, is_synchronised=True, waited_s=0, hub=hub_at(NOW)) is ClockTrust.TRUSTED
    near = ClockBounds(NOW + 300)
    assert judge_clock(NOW, near, is_synchronised=True, waited_s=0, hub=hub_at(NOW)) is None, "no slot is sealed twice"


def test_a_clock_that_is_suddenly_days_later_asks_the_hub_first() -> None:
    bounds = ClockBounds(NOW)
    assert judge_clock(NOW + YEARS_S, bounds, is_synchronised=True, waited_s=0) is None
    assert judge_clock(NOW + 3600, bounds, is_synchronised=True, waited_s=0) is ClockTrust.TRUSTED
    assert judge_clock(NOW + YEARS_S, bounds, is_synchronised=True, waited_s=60) is ClockTrust.TRUSTED, "no hub answers"


async def test_a_clock_nobody_sets_right_is_replaced_by_the_hubs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    boot = [50.0]

    async def passes(seconds: float) -> None:
        boot[0] += seconds

    monkeypatch.setattr("edge_agent.metering.clock.trusted.asyncio.sleep", passes)
    found = await trusted_now(
        Clock(lambda: NOW + YEARS_S + boot[0]),
        ClockBounds(NOW + YEARS_S),
        is_synchronised=lambda: True,
        boot_clock=lambda: boot[0],
        hub_bounds=lambda: hub_at(NOW + boot[0]),
    )
    assert found == TrustedTime(NOW + 650, ClockTrust.ESTIMATED, 650.0, waited=True, sealed_too_far=True)
    assert [record.message for record in caplog.records] == [
        "the system clock is 5 years ahead of the hub's signed time: no slot is closed until it is corrected;"
        " readings are kept meanwhile",
        "no time service sets the system clock: using the hub's signed time instead",
    ]
