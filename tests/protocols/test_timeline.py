"""A timeline never goes backwards and never passes its hold; a clock follows one that is rewritten while it runs."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.timeline import FOLLOW_EVERY_S, REAL, Clock, Timeline, parse_timeline

NUMBERS = st.floats(-1e10, 1e10)
TIMELINES = st.builds(Timeline, NUMBERS, NUMBERS, st.floats(0, 1e6), st.none() | NUMBERS)


@given(line=TIMELINES, first_s=NUMBERS, later_s=st.floats(0, 1e10))
def test_time_never_falls_and_never_passes_the_hold(line: Timeline, first_s: float, later_s: float) -> None:
    assert line.at(first_s) <= line.at(first_s + later_s)
    if line.hold_at_s is not None:
        assert line.at(first_s) <= line.hold_at_s


@given(line=TIMELINES)
def test_text_and_back(line: Timeline) -> None:
    assert parse_timeline(line.text()) == line


@given(real_s=NUMBERS)
def test_the_real_timeline_changes_nothing_from_1970_on(real_s: float) -> None:
    assert REAL.at(real_s) == max(0.0, real_s)


def test_the_wait_is_in_real_seconds() -> None:
    line = Timeline(100.0, 5000.0, 600.0, 9000.0)
    assert line.real_wait_s(5000.0, 8600.0) == 6.0
    assert line.real_wait_s(5000.0, 5000.0) == 0.0
    assert line.real_wait_s(5000.0, 9001.0) == float("inf")
    assert Timeline(0, 0, 0, None).real_wait_s(0, 1) == float("inf")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"anchor_real_s": 0, "anchor_s": 0, "rate": 1}',
        '{"anchor_real_s": 0, "anchor_s": 0, "rate": -1, "hold_at_s": null}',
        '{"anchor_real_s": 0, "anchor_s": 0, "rate": NaN, "hold_at_s": null}',
        '{"anchor_real_s": 0, "anchor_s": 0, "rate": true, "hold_at_s": null}',
        '{"anchor_real_s": 0, "anchor_s": "0", "rate": 1, "hold_at_s": null}',
        '{"anchor_real_s": 0, "anchor_s": 0, "rate": 1, "hold_at_s": null, "more": 1}',
        "[" * 4000,
        '{"anchor_real_s": 1' + "0" * 400 + ', "anchor_s": 0, "rate": 1, "hold_at_s": null}',
        " " * 5000,
    ],
)
def test_what_is_not_a_timeline_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="timeline"):
        parse_timeline(text)


class World:
    """A real clock that only sleeping moves, and a timeline text that can be rewritten."""

    def __init__(self) -> None:
        self.real_s = 1000.0
        self.text = Timeline(1000.0, 50_000.0, 600.0, 53_600.0).text()
        self.stamp = 1
        self.sleeps: list[float] = []
        self.reads = 0
        self.is_gone = False

    def read(self) -> str:
        self.reads += 1
        if self.is_gone:
            raise FileNotFoundError("clock.json")
        return self.text

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.real_s += seconds
        if self.real_s > 1005 and self.stamp == 1:
            self.rewrite(Timeline(self.real_s, 53_000.0, 6000.0, None).text())
        await asyncio.sleep(0)

    def rewrite(self, text: str) -> None:
        self.text = text
        self.stamp += 1

    def followed(self) -> Clock:
        return Clock(lambda: self.real_s, self.read, lambda: self.stamp, self.sleep)


async def test_a_clock_follows_a_timeline_that_changes_while_it_sleeps() -> None:
    world = World()
    clock = world.followed()
    assert clock.now() == 50_000.0
    assert clock.rate == 600.0
    await clock.sleep_until(100_000.0)
    assert clock.now() >= 100_000.0
    assert clock.rate == 6000.0
    assert max(world.sleeps) <= FOLLOW_EVERY_S
    assert world.reads == 2


async def test_the_real_clock_sleeps_once() -> None:
    world = World()
    clock = Clock(lambda: world.real_s, sleep=world.sleep)
    await clock.sleep(4.0)
    assert world.sleeps == [4.0]
    assert clock.now() == 1004.0
    assert clock.rate == 1.0


async def test_a_pause_is_shorter_on_a_faster_timeline_and_never_longer_than_real_time() -> None:
    world = World()
    await world.followed().pause(0.3)
    await Clock(lambda: world.real_s, sleep=world.sleep).pause(0.3)
    world.rewrite(Timeline(world.real_s, 53_000.0, 0.0, None).text())
    await world.followed().pause(0.04)
    assert [round(each, 6) for each in world.sleeps] == [0.0005, 0.3, 0.04]


def test_a_torn_text_keeps_the_last_good_timeline_and_is_read_again() -> None:
    world = World()
    clock = world.followed()
    clock.now()
    world.rewrite('{"anchor_real_s": 10')
    world.real_s += 1
    assert clock.now() == 50_600.0
    world.text = Timeline(1001.0, 60_000.0, 1.0, None).text()
    assert clock.now() == 60_000.0


def test_an_unreadable_text_keeps_the_last_good_timeline() -> None:
    world = World()
    clock = world.followed()
    clock.now()

    world.is_gone = True
    world.stamp += 1
    world.real_s += 1
    assert clock.now() == 50_600.0
    never_seen = world.followed()
    assert never_seen.now() == world.real_s


def test_a_followed_clock_never_steps_back() -> None:
    world = World()
    clock = world.followed()
    assert clock.now() == 50_000.0
    world.rewrite(Timeline(1000.0, 40_000.0, 1.0, None).text())
    assert clock.now() == 50_000.0


async def test_a_clock_without_a_sleep_says_so() -> None:
    with pytest.raises(RuntimeError, match="sleep"):
        await Clock(lambda: 0.0).sleep(1)
