"""What the hub told of settled days: the newest word for each day, over restarts, whatever arrives again."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.home_store import credit_days
from edge_agent.home_store.credit_days import (
    FILE_NAME,
    KEPT_DAYS,
    CreditBook,
    local_day,
    merged,
    newest_credit_day,
    read_credit_day,
    yesterday,
)
from protocols.slots import slots_of_day, start_of
from protocols.wire.credits.notices import CreditDay, CreditsNotice, encode_credits
from protocols.wire.refusal_reasons import WireError

TZ = "Europe/Berlin"
SLOTS = slots_of_day(date(2026, 6, 10), TZ)
DAY = CreditDay(SLOTS.start, 96, False, 3210, 1040, 5000, 700)
BEFORE = replace(DAY, first_slot=SLOTS.start - 96, received_wh=900)
TOLD_S = DAY.end_s + 3000


def notice(*days: CreditDay, at: int = TOLD_S, agent: str = "a-1") -> bytes:
    return encode_credits(CreditsNotice(agent, at, days))


async def test_it_is_kept_over_a_restart_and_a_correction_replaces_it(tmp_path: Path) -> None:
    book = CreditBook(tmp_path, agent="a-1")
    assert book.is_empty
    await book.note(notice(BEFORE, DAY))
    assert book.day(SLOTS) == DAY
    again = CreditBook(tmp_path, agent="a-1")
    assert (again.is_empty, again.day(SLOTS)) == (False, DAY)
    corrected = replace(DAY, received_wh=3300, imported_wh=4910)
    await again.note(notice(BEFORE, corrected, at=TOLD_S + 21_600))
    assert read_credit_day(tmp_path, SLOTS) == corrected
    assert newest_credit_day(tmp_path) == corrected
    await again.note(notice(replace(corrected, is_settled=True), at=TOLD_S + 40_000))
    assert read_credit_day(tmp_path, SLOTS) == replace(corrected, is_settled=True)
    assert read_credit_day(tmp_path, range(BEFORE.first_slot, SLOTS.start)) == BEFORE


async def test_an_older_notice_that_comes_again_changes_nothing_also_after_a_restart(tmp_path: Path) -> None:
    book, corrected = CreditBook(tmp_path, agent="a-1"), replace(DAY, given_wh=1)
    first, second = notice(DAY), notice(corrected, at=TOLD_S + 1)
    await book.note(first)
    await book.note(second)
    for each in (book, CreditBook(tmp_path, agent="a-1")):
        await each.note(first)
        assert each.day(SLOTS) == corrected
    kept = (tmp_path / FILE_NAME).stat().st_mtime_ns
    await book.note(second)
    assert (tmp_path / FILE_NAME).stat().st_mtime_ns == kept, "the same notice again is not written again"


async def test_another_agents_notice_and_what_is_none_are_not_taken(tmp_path: Path) -> None:
    book = CreditBook(tmp_path, agent="a-1")
    await book.note(notice(DAY, agent="a-2"))
    with pytest.raises(WireError):
        await book.note(b"\x00" * 426)
    assert book.is_empty
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_full_disk_is_said_once_and_the_next_notice_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    book = CreditBook(tmp_path, agent="a-1")
    with monkeypatch.context() as patched:
        patched.setattr(credit_days, "write_durably", full)
        for at in range(3):
            await book.note(notice(DAY, at=TOLD_S + at))
    assert book.is_empty, "what is not on disk is not shown"
    assert caplog.text.count("cannot be written: No space left on device") == 1
    await book.note(notice(DAY, at=TOLD_S + 3))
    assert CreditBook(tmp_path, agent="a-1").day(SLOTS) == DAY


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[[1]]", "[1]", "null", '[["x", 1, 96, true, 1, 1, 1, 1]]', "[[5, 1, 96, true, 1, 1, 1, 1]]",
     '[{"a": 1}]', "[[9999999999, 1, 96, 1, 1, 1, 1, 1]]", "[[9999999999, 1, 96, true, -1, 1, 1, 1]]", "[" * 5000],
)  # fmt: skip
async def test_a_damaged_file_is_one_line_and_the_next_notice_renews_it(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    book = CreditBook(tmp_path, agent="a-1")
    assert book.is_empty
    assert caplog.text.count("cannot be used") == 1
    await book.note(notice(DAY))
    assert read_credit_day(tmp_path, SLOTS) == DAY


@st.composite
def told(draw: st.DrawFn) -> CreditsNotice:
    """The word of one moment on some of five days; what it says follows from the moment, as a hub's does."""
    at = draw(st.integers(1, 40))
    days = sorted(draw(st.sets(st.integers(0, 4), min_size=1)))
    return CreditsNotice("a-1", at, tuple(CreditDay(96 * day, 96, False, at, 0, 0, 0) for day in days))


@given(st.lists(told(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_whatever_the_order_and_however_often_each_day_ends_with_its_newest_word(notices, dice) -> None:  # type: ignore[no-untyped-def]
    newest = {}
    for each in sorted(notices, key=lambda each: each.at):
        newest |= {day.first_slot: each.at for day in each.days}
    known = {}
    for each in dice.choices(notices, k=2 * len(notices)) + notices:
        before = known
        known = merged(known, each)
        assert all(known[first][0] >= at for first, (at, _) in before.items()), "no day goes back"
    assert {first: day.received_wh for first, (_, day) in known.items()} == newest


def test_the_newest_days_are_kept_for_more_than_a_year() -> None:
    known = {}
    for at in range(KEPT_DAYS + 30):
        day = replace(DAY, first_slot=96 * at)
        known = merged(known, CreditsNotice("a-1", day.end_s, (day,)))
    assert list(known) == [96 * at for at in range(30, KEPT_DAYS + 30)]


def test_yesterday_is_the_local_day_before_also_when_the_clocks_change() -> None:
    assert yesterday(start_of(SLOTS.stop) + 5, TZ) == SLOTS
    assert yesterday(start_of(SLOTS.stop) - 5, TZ) == slots_of_day(date(2026, 6, 9), TZ)
    long_day = slots_of_day(date(2026, 10, 25), TZ)
    assert (len(yesterday(start_of(long_day.stop) + 3600, TZ)), len(long_day)) == (100, 100)
    assert local_day(DAY, TZ) == date(2026, 6, 10)


async def test_a_day_of_another_length_is_not_the_same_day(tmp_path: Path) -> None:
    book = CreditBook(tmp_path, agent="a-1")
    await book.note(notice(replace(DAY, slots=92)))
    assert book.day(SLOTS) is None
