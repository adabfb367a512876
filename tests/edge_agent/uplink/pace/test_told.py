"""The hub's pace: the newest signed word holds for its time, survives a restart, and delays nothing but the network."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from edge_agent.uplink.pace.told import AHEAD_S, FILE, FRESH_BOOT_S, HubPace, read_kept
from protocols.wire.pace.notices import PaceNotice, encode_pace
from protocols.wire.refusal_reasons import WireError

AGENT, NOW_S = "a-1", 1_790_000_000
NOTICE = PaceNotice(AGENT, NOW_S, 600, 120, 86_400)


class At:
    """A pace, with both clocks in the test's hand; randomness always gives the most."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now_s, self.boot_s = folder, float(NOW_S), 5000.0
        self.pace = self.again()

    def again(self, agent: str = AGENT) -> HubPace:
        """As after a restart of the agent."""
        self.pace = HubPace(
            agent,
            folder=self.folder,
            now=lambda: self.now_s,
            monotonic=lambda: self.boot_s,
            uniform=lambda _least, most: most,
        )
        return self.pace

    async def told(self, notice: PaceNotice) -> tuple[int, int]:
        await self.pace.note(encode_pace(notice))
        return self.says

    def later(self, seconds: float) -> None:
        self.now_s, self.boot_s = self.now_s + seconds, self.boot_s + seconds

    @property
    def says(self) -> tuple[int, int]:
        return self.pace.reconnect_s, self.pace.spread_s


@pytest.fixture
def at(tmp_path: Path) -> At:
    return At(tmp_path)


async def test_a_word_holds_for_its_time_and_then_the_agent_goes_by_itself(at: At) -> None:
    assert at.says == (0, 0)
    assert await at.told(NOTICE) == (600, 120)
    at.later(86_399)
    assert at.says == (600, 120)
    at.later(1)
    assert at.says == (0, 0)


async def test_a_newer_word_replaces_it_and_an_older_one_does_not(at: At) -> None:
    at.later(100)
    await at.told(replace(NOTICE, at=NOW_S + 100))
    assert await at.told(replace(NOTICE, at=NOW_S + 99, reconnect_s=3600)) == (600, 120)
    assert await at.told(replace(NOTICE, at=NOW_S + 100, reconnect_s=30, spread_s=0)) == (30, 0)
    assert await at.told(replace(NOTICE, at=NOW_S + 101, reconnect_s=0, spread_s=0)) == (0, 0)


@pytest.mark.parametrize(
    "wrong", [{"agent": "a-2"}, {"at": NOW_S + AHEAD_S + 1}, {"at": NOW_S - 86_400}, {"at": NOW_S - 100, "hold_s": 60}]
)
async def test_another_agent_s_an_old_or_a_future_word_changes_nothing(at: At, wrong: dict[str, object]) -> None:
    assert await at.told(replace(NOTICE, **wrong)) == (0, 0)  # type: ignore[arg-type]
    assert not (at.folder / FILE).exists()


async def test_a_word_that_waited_at_the_broker_holds_only_for_the_rest(at: At) -> None:
    assert await at.told(replace(NOTICE, at=NOW_S - 86_000)) == (600, 120)
    at.later(399)
    assert at.says == (600, 120)
    at.later(1)
    assert at.says == (0, 0)


async def test_a_clock_that_was_behind_makes_it_hold_no_longer_than_it_says(at: At) -> None:
    """Without a battery clock a computer may start in the past; the hold is counted by the clock that never jumps."""
    at.now_s -= 80_000
    assert await at.told(NOTICE) == (600, 120)
    at.boot_s += 86_400
    assert at.says == (0, 0)


async def test_what_is_no_notice_is_refused(at: At) -> None:
    with pytest.raises(WireError):
        await at.pace.note(b"\xa0")


async def test_it_survives_a_restart_and_one_that_asks_for_nothing_ends_it_for_good(at: At) -> None:
    await at.told(NOTICE)
    assert (at.again(), at.says)[1] == (600, 120)
    assert (at.again("a-other"), at.says)[1] == (0, 0), "another agent's file says nothing of this one"
    at.again()
    at.later(10)
    await at.told(replace(NOTICE, at=NOW_S + 10, reconnect_s=0, spread_s=0))
    assert (at.again(), at.says)[1] == (0, 0)
    assert not (at.folder / FILE).exists()


async def test_a_word_that_is_repeated_each_hour_is_written_twice_a_day(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[PaceNotice] = []
    monkeypatch.setattr("edge_agent.uplink.pace.told.write_kept", lambda _folder, notice: written.append(notice))
    for hour in range(24):
        assert await at.told(replace(NOTICE, at=NOW_S + 3600 * hour)) == (600, 120)
        at.later(3600)
    assert [(each.at - NOW_S) // 3600 for each in written] == [0, 12]


async def test_a_disk_that_is_full_does_not_undo_the_word(
    at: At, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_folder: Path, _notice: PaceNotice) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.uplink.pace.told.write_kept", full)
    assert await at.told(NOTICE) == (600, 120)
    assert "No space left on device; used until the next start" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "x" * 2000,
        json.dumps({"agent": AGENT, "at": NOW_S, "reconnect_s": 10**6, "spread_s": 0, "hold_s": 9}),
        json.dumps({"agent": AGENT, "at": NOW_S, "reconnect_s": "1", "spread_s": 0, "hold_s": 9}),
    ],
)
def test_a_file_that_cannot_be_read_is_said_and_left(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(content)
    assert read_kept(tmp_path, AGENT) is None
    assert "cannot be used" in caplog.text


async def test_only_a_computer_that_has_just_started_waits_before_it_connects_first(at: At) -> None:
    assert at.pace.first_wait_s() == 0
    await at.told(NOTICE)
    assert at.pace.first_wait_s() == 0, "a restart of the agent alone, as after an update"
    at.boot_s = FRESH_BOOT_S - 1
    assert at.again().first_wait_s() == 600


async def test_a_slot_is_held_at_random_within_the_spread_and_a_later_one_does_not_begin_it_again(at: At) -> None:
    at.pace.hold()
    assert at.pace.held_s() == 0, "without a word of the hub nothing is held"
    await at.told(NOTICE)
    at.pace.hold()
    assert at.pace.held_s() == 120
    at.later(100)
    at.pace.hold()
    assert at.pace.held_s() == 20
    at.later(20)
    assert at.pace.held_s() == 0
    at.pace.hold()
    at.pace.release()
    assert at.pace.held_s() == 0


async def test_a_pace_of_which_nothing_was_told_asks_for_nothing() -> None:
    pace = HubPace(AGENT)
    await pace.note(encode_pace(NOTICE))
    pace.hold()
    assert (pace.reconnect_s, pace.spread_s, pace.held_s(), pace.first_wait_s()) == (0, 0, 0.0, 0.0)
    assert pace._until_s == -inf
