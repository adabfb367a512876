"""The pace a hub asks for: by its homes and the board's rates, wider while intake is behind, never above the limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.folder.intake_settings import IntakeLimits
from hub.intake.pace import HOLD_S, LONG, MOST_WIDER, NARROW_AFTER_S, WIDEN_AFTER_S, WIDEN_AGAIN_S, HomesPace
from hub.intake.receiver import Intake
from protocols.timeline import Clock
from protocols.wire import topics
from protocols.wire.clock_check import ClockQuestion, ClockState, encode_question
from protocols.wire.envelope import open_sealed, seal
from protocols.wire.pace.notices import MOST_RECONNECT_S, MOST_SPREAD_S, PaceNotice, decode_pace
from tests.hub.intake.test_limits import Hub
from tests.hub.intake.test_receiver import KEY
from tests.hub.sending_home import COOP, NOW_S, SendingHome, open_store

RATES = IntakeLimits(connections_a_second=50, messages_a_second=500)


def behind(pace: HomesPace, *, from_s: float, for_s: float) -> float:
    """The queue is long at every look for so long; when it ended."""
    at_s = from_s
    while at_s <= from_s + for_s:
        pace.note_queue(LONG, steady_s=at_s)
        at_s += 1
    return at_s - 1


@pytest.mark.parametrize(
    ("homes", "asked"),
    [
        (12, (0, 0)),
        (1_000, (20, 2)),
        (10_000, (200, 20)),
        (100_000, (2_000, 200)),
        (1_000_000, (MOST_RECONNECT_S, MOST_SPREAD_S)),
    ],
)
def test_the_times_grow_with_the_homes_up_to_their_limits(homes: int, asked: tuple[int, int]) -> None:
    assert HomesPace(RATES).times_s(homes) == asked


def test_a_queue_that_stays_long_doubles_the_times_each_minute() -> None:
    pace = HomesPace(RATES)
    behind(pace, from_s=100, for_s=WIDEN_AFTER_S - 1)
    assert pace.times_s(1_000) == (20, 2), "a burst at a slot's end"
    ended_s = behind(pace, from_s=200, for_s=WIDEN_AFTER_S)
    assert pace.times_s(1_000) == (40, 4)
    ended_s = behind(pace, from_s=ended_s + 1, for_s=WIDEN_AGAIN_S)
    assert pace.times_s(1_000) == (80, 8)
    behind(pace, from_s=ended_s + 1, for_s=100 * WIDEN_AGAIN_S)
    assert pace.times_s(1_000) == (20 * MOST_WIDER, 2 * MOST_WIDER)


def test_one_look_at_a_short_queue_begins_the_half_minute_again() -> None:
    pace = HomesPace(RATES)
    ended_s = behind(pace, from_s=0, for_s=WIDEN_AFTER_S - 1)
    pace.note_queue(LONG - 1, steady_s=ended_s)
    behind(pace, from_s=ended_s + 1, for_s=WIDEN_AFTER_S - 1)
    assert pace.times_s(1_000) == (20, 2)


def test_each_hour_without_a_long_queue_halves_them() -> None:
    pace = HomesPace(RATES)
    ended_s = behind(pace, from_s=0, for_s=WIDEN_AFTER_S + WIDEN_AGAIN_S)
    assert pace.times_s(1_000) == (80, 8)
    pace.note_queue(0, steady_s=ended_s + NARROW_AFTER_S - 1)
    assert pace.times_s(1_000) == (80, 8)
    pace.note_queue(0, steady_s=ended_s + NARROW_AFTER_S)
    assert pace.times_s(1_000) == (40, 4)
    pace.note_queue(0, steady_s=ended_s + 5 * NARROW_AFTER_S)
    assert pace.times_s(1_000) == (20, 2), "also if nobody looked in between; never below the usual"


def test_a_small_hub_says_nothing_and_one_that_had_asked_says_that_it_is_over() -> None:
    pace = HomesPace(RATES)
    assert pace.told(["a-1"], homes=12, at=NOW_S, steady_s=0) == []
    [(agent, kind, payload)] = pace.told(["a-1", "a-1"], homes=1_000, at=NOW_S, steady_s=0)
    assert (agent, kind) == ("a-1", "pace")
    assert decode_pace(payload) == PaceNotice("a-1", NOW_S, 20, 2, HOLD_S)
    [(_, _, over)] = pace.told(["a-1"], homes=12, at=NOW_S + HOLD_S - 1, steady_s=HOLD_S - 1)
    assert decode_pace(over) == PaceNotice("a-1", NOW_S + HOLD_S - 1, 0, 0, HOLD_S)
    assert pace.told(["a-1"], homes=12, at=NOW_S + HOLD_S, steady_s=HOLD_S) == []


@given(
    st.integers(0, 10**7),
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.lists(st.tuples(st.integers(0, 2 * LONG), st.floats(0, 7200)), max_size=60),
)
def test_whatever_happens_an_agent_can_read_what_it_is_asked(
    homes: int, connections: int, messages: int, looks: list[tuple[int, float]]
) -> None:
    pace = HomesPace(IntakeLimits(connections_a_second=connections, messages_a_second=messages))
    steady_s = 0.0
    for waiting, passed_s in looks:
        steady_s += passed_s
        pace.note_queue(waiting, steady_s=steady_s)
    for _, _, payload in pace.told(["a-1"], homes=homes, at=NOW_S, steady_s=steady_s):
        notice = decode_pace(payload)
        assert notice.reconnect_s >= min(MOST_RECONNECT_S, homes // connections)
        assert notice.spread_s >= min(MOST_SPREAD_S, homes // messages)


def asks_the_time(home: SendingHome) -> tuple[str, bytes]:
    topic = topics.uplink_topic(COOP.id, home.agent, kind="time")
    question = ClockQuestion(home.agent, bytes(16), NOW_S, ClockState.SYNCHRONISED)
    return topic, seal(home.key, topic, encode_question(question))


async def test_an_agent_that_asks_for_the_time_is_told_the_pace_signed_and_under_its_own_topic(tmp_path: Path) -> None:
    homes = [SendingHome("h01"), SendingHome("h02")]
    hub = Hub(await open_store(tmp_path, homes))
    try:
        intake = hub.intake(IntakeLimits(connections_a_second=1, messages_a_second=1))
        await intake.agents_changed()
        await hub.receive(intake, homes[0].batch(), asks_the_time(homes[0]), homes[1].batch())
        told = [(topic, sealed) for topic, sealed in hub.broker.sent if topic.endswith("/pace")]
        [(topic, sealed)] = told
        assert topic == topics.downlink_topic(COOP.id, homes[0].agent, kind="pace")
        notice = decode_pace(open_sealed(sealed, topic, KEY.public_key()))
        assert (notice.agent, notice.reconnect_s, notice.spread_s) == (homes[0].agent, 2, 2)
        usual = hub.intake()
        await usual.agents_changed()
        await hub.receive(usual, asks_the_time(homes[0]))
        assert [each for each in hub.broker.sent if each[0].endswith("/pace")] == told, "two homes need none"
    finally:
        await hub.store.close()


async def test_a_long_queue_is_seen_by_intake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(HomesPace, "note_queue", lambda _pace, waiting, steady_s: seen.append(waiting))
    home = SendingHome("h01")
    hub = Hub(await open_store(tmp_path, [home]))
    try:
        intake = Intake(hub.store, coop=COOP.id, key=KEY, clock=Clock(real=lambda: hub.now_s), broker=hub.broker)
        await intake.agents_changed()
        await hub.receive(intake, *(home.batch() for _ in range(130)))
        assert seen == [66, 2, 0], "64 of one home in each group"
    finally:
        await hub.store.close()
