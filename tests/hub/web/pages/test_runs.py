"""Months on the board's pages: due, previewed, booked, approved by two, published; every refusal changes nothing."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from hub.board.run_service import BUSY, RunService
from hub.books.view import read_books
from hub.core.allocation.surplus import allocate
from hub.core.ledger.month_preview import BoardPreview, MemberChange, MonthPreview, board_preview
from hub.core.ledger.run_calendar import RunCalendar
from hub.core.trials.fairness import report_periods
from hub.storage.fleet_records import ReceivedNotice
from hub.storage.records import AcceptedMessage
from hub.storage.sqlite.store import SqliteStore
from protocols.wire.meter_notices import MeterNotice
from tests.hub.web.conftest import BEFORE, M1_DUE, R1_DUE, Come, local
from tests.hub.web.page_street import COOP, HUB_KEY, NOW_SLOT, reading_rows

JUNE = "/board/runs/2026-06"


async def arrive_late(store: SqliteStore) -> None:
    """What home 11 had not sent when it fell silent."""
    slots = range(NOW_SLOT - 30, NOW_SLOT)
    late = AcceptedMessage(
        agent="a-11",
        home="h11",
        epoch=1,
        seq=3,
        kind="batch",
        hash=sha256(b"late").digest(),
        sealed=b"late",
        received_at=int(M1_DUE),
        slot=slots[-1],
        readings=tuple(reading_rows(11, slots)),
        long_intervals=(),
        devices=(),
        consent=None,
        consent_version=3,
        answer=None,
    )
    await store.store_messages([late])


async def preview_key(browser: httpx.AsyncClient, kind: str = "M1") -> str:
    answer = await browser.get(f"{JUNE}/preview.json?kind={kind}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_key"])


async def book(browser: httpx.AsyncClient, kind: str = "M1") -> str:
    key = await preview_key(browser, kind)
    answer = await browser.post(f"{JUNE}/book", data={"kind": kind, "run_key": key})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{JUNE}?said=booked"), answer.text
    return key


async def rows_of(store: SqliteStore) -> tuple[object, ...]:
    head = await store.last_attestation()
    return await store.ledger_head(), head and head.position, len(await store.runs(allocations=False))


async def test_a_month_from_its_due_day_to_a_published_bill(come: Come, store: SqliteStore) -> None:
    first, second = await come("m20"), await come("m21")
    assert "M1: due since 7 Jul 2026" in (await first.get("/board/runs")).text
    month = (await first.get(f"{JUNE}.json")).json()
    assert (month["bookable"], month["settled_days"], month["days"]) == (["M1"], 0, 19)
    assert {"day": "2026-06-12", "why": "never settled"} in month["marked_days"]
    assert "<b>Fri 12 Jun to Tue 30 Jun</b> not settled yet" in (await first.get(JUNE)).text
    key = await book(first)
    page = (await second.get(JUNE)).text
    assert "M1: waiting for approval, 0 of 2" in page
    assert "Review M1 and approve it" in page
    look = (await second.get(f"{JUNE}/run/{key}")).text
    assert 'action="/board/runs/2026-06/approve"' in look
    assert f'name="run_key" value="{key}"' in look
    assert "Members pay" in look
    assert (await second.post(f"{JUNE}/approve", data={"run_key": key})).status_code == 303
    assert "waiting for approval, 1 of 2" in (await first.get(JUNE)).text
    assert (await first.post(f"{JUNE}/approve", data={"run_key": key})).status_code == 303
    assert "approved, not published yet" in (await first.get("/board/runs")).text
    look = (await first.get(f"{JUNE}/run/{key}")).text
    assert "Approved by Board m21" in look
    assert 'action="/board/runs/2026-06/publish"' in look
    assert (await first.post(f"{JUNE}/publish", data={"run_key": key})).status_code == 303
    (run,) = (await read_books(store)).month_runs
    assert (run.run_key, run.state, [member for member, _ in run.approvals]) == (key, "published", ["m21", "m20"])
    assert "published on 7 July, 10:00" in (await first.get(JUNE)).text
    assert "<form" not in (await first.get(f"{JUNE}/run/{key}")).text.split("<main")[1]


async def test_a_run_says_which_homes_are_billed_by_an_uncertified_meter(come: Come, store: SqliteStore) -> None:
    first = await come("m20")
    key = await book(first)
    assert "not known to be certified" not in (await first.get(f"{JUNE}/run/{key}")).text
    agent = (await store.agents())[0]
    notice = MeterNotice(agent.id, 1, 0, "silver", "netted", "netted", False, "none")
    await store.note_meters([ReceivedNotice(notice, b"sealed", 1)])
    page = (await first.get(f"{JUNE}/run/{key}")).text
    assert f"not known to be certified for billing (MID): {agent.home_id} (not certified)" in page
    assert (await first.get(f"{JUNE}/run/{key}.json")).json()["uncertified"] == {agent.home_id: "none"}
    certified = replace(notice, from_slot=NOW_SLOT, metrology="MID B")
    later = replace(notice, agent=(await store.agents())[1].id, from_slot=NOW_SLOT + 96 * 31)
    await store.note_meters([ReceivedNotice(each, b"sealed", 1) for each in (certified, later)])
    shown = (await first.get(f"{JUNE}/run/{key}.json")).json()["uncertified"]
    assert shown == {agent.home_id: "none"}, "what was told of a later month changes nothing of this one"


async def test_a_preview_books_nothing_and_shows_sums_but_no_member(come: Come, store: SqliteStore) -> None:
    await arrive_late(store)
    browser = await come("m20")
    before = await rows_of(store)
    page = (await browser.get(f"{JUNE}/preview?kind=M1")).text
    shown = (await browser.get(f"{JUNE}/preview.json?kind=M1")).json()
    assert await rows_of(store) == before
    assert shown["days"][0] == "2026-06-12"
    assert shown["members"] == 12
    assert shown["to_members_nano"] + shown["margin_nano"] == shown["from_members_nano"]
    assert set(shown) == {
        "month", "days", "entries", "members", "shared_wh", "to_members_nano", "from_members_nano", "margin_nano",
        "largest_nano", "kind", "run_key",
    }  # fmt: skip
    assert "Household" not in page
    assert "m05" not in page


async def test_reading_for_a_preview_is_in_every_homes_log(come: Come, store: SqliteStore) -> None:
    browser = await come("m20")
    await browser.get(JUNE)
    assert not any(row.actor == "job:settlement-preview" for row in await store.access_rows("h03", limit=100))
    key = await book(browser)
    await browser.get(f"{JUNE}/run/{key}")
    for home in await store.homes():
        (row,) = [row for row in await store.access_rows(home.id, limit=100) if row.actor == "job:settlement-preview"]
        assert "what a month's run books" in row.fields


async def test_one_to_four_members_amounts_are_withheld() -> None:
    def preview(count: int) -> BoardPreview:
        members = tuple(MemberChange(f"m{n}", 10, 0, -10, 0, -2 * n) for n in range(1, count + 1))
        still = MemberChange("m9", 0, 0, 0, 0, 0)
        return board_preview(MonthPreview("2026-06", (), 1, (*members, still), 3, "r", "i"))

    for few in (1, 4):
        shown = preview(few)
        assert (shown.members, shown.shared_wh, shown.from_members_nano, shown.largest_nano) == (few, None, None, None)
    assert preview(0).from_members_nano == 0
    many = preview(5)
    assert (many.shared_wh, many.from_members_nano, many.to_members_nano, many.largest_nano) == (50, 30, 0, 10)


async def test_a_run_is_approved_by_two_different_members(come: Come, store: SqliteStore) -> None:
    first, second = await come("m20"), await come("m21")
    key = await book(first)
    assert (await first.post(f"{JUNE}/publish", data={"run_key": key})).status_code == 409
    assert (await first.post(f"{JUNE}/approve", data={"run_key": key})).status_code == 303
    again = await first.post(f"{JUNE}/approve", data={"run_key": key})
    assert again.status_code == 409
    assert "the second approval must come from another board member" in again.text
    assert "You have approved it." in (await first.get(f"{JUNE}/run/{key}")).text
    assert "1 approval(s) missing" in (await second.post(f"{JUNE}/publish", data={"run_key": key})).text
    (run,) = (await read_books(store)).month_runs
    assert (run.state, len(run.approvals)) == ("draft", 1)


async def test_two_words_at_the_same_moment_count_once_each(come: Come, store: SqliteStore) -> None:
    first, second = await come("m20"), await come("m21")
    key = await book(first)
    posts = [browser.post(f"{JUNE}/approve", data={"run_key": key}) for browser in (first, first, second)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*posts))
    (run,) = (await read_books(store)).month_runs
    assert statuses == [303, 303, 409]
    assert (run.state, len(run.approvals)) == ("approved", 2)


async def test_two_presses_of_publish_bill_once(come: Come, store: SqliteStore) -> None:
    first, second = await come("m20"), await come("m21")
    key = await book(first)
    for browser in (first, second):
        await browser.post(f"{JUNE}/approve", data={"run_key": key})
    presses = [first.post(f"{JUNE}/publish", data={"run_key": key}) for _ in range(3)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*presses)) == [303, 409, 409]
    said = await store.attestations(("publication",))
    assert [row.run_key for row in said] == [key]


async def test_settling_is_done_beside_the_event_loop(
    come: Come, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_thread, threads = threading.get_ident(), []

    def noting(work: Any) -> Any:
        def noted(*args: Any, **named: Any) -> Any:
            threads.append(threading.get_ident())
            return work(*args, **named)

        return noted

    monkeypatch.setattr("hub.core.settlement.period.allocate", noting(allocate))
    monkeypatch.setattr("hub.trials.fairness_service.report_periods", noting(report_periods))
    board, member = await come("m20"), await come("m02")
    await book(board)
    for path in ("/what-if?month=2026-06&rule=equal", "/fairness"):
        begun = len(threads)
        assert (await member.get(path)).status_code == 200
        assert len(threads) > begun, path
    assert loop_thread not in threads


async def test_a_second_press_of_the_button_writes_nothing(come: Come, store: SqliteStore) -> None:
    browser = await come("m20")
    key = await book(browser)
    before = await rows_of(store)
    again = await browser.post(f"{JUNE}/book", data={"kind": "M1", "run_key": key})
    assert (again.status_code, await rows_of(store)) == (303, before)
    assert "already" in (await browser.get(f"{JUNE}/preview?kind=M1")).text
    both = [browser.post(f"{JUNE}/book", data={"kind": "M1", "run_key": key}) for _ in range(2)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*both)) == [303, 409]
    assert await rows_of(store) == before


async def test_readings_after_the_preview_stop_the_booking(come: Come, store: SqliteStore) -> None:
    browser = await come("m20")
    key = await preview_key(browser)
    await arrive_late(store)
    before = await rows_of(store)
    stale = await browser.post(f"{JUNE}/book", data={"kind": "M1", "run_key": key})
    assert (stale.status_code, await rows_of(store)) == (409, before)
    assert "preview it again" in stale.text
    for wrong in ("", "x" * 64, key[:12]):
        assert (await browser.post(f"{JUNE}/book", data={"kind": "M1", "run_key": wrong})).status_code == 409
    assert await rows_of(store) == before
    assert await preview_key(browser) != key


async def test_a_replaced_run_cannot_be_approved_any_more(come: Come, store: SqliteStore) -> None:
    browser, other = await come("m20"), await come("m21")
    old = await book(browser)
    await browser.post(f"{JUNE}/approve", data={"run_key": old})
    await arrive_late(store)
    new = await book(browser)
    assert new != old
    stale = await other.post(f"{JUNE}/approve", data={"run_key": old})
    assert stale.status_code == 409
    assert "a newer M1 of 2026-06 was made" in stale.text
    assert "Only the newer run can be approved" in (await other.get(f"{JUNE}/run/{old}")).text
    states = {run.run_key: (run.state, len(run.approvals)) for run in (await read_books(store)).month_runs}
    assert states == {old: ("superseded", 1), new: ("draft", 0)}


async def test_late_readings_mark_days_and_the_next_run_bills_the_difference(come: Come, store: SqliteStore) -> None:
    first, second = await come("m20"), await come("m21")
    m1 = await book(first)
    for browser in (first, second):
        await browser.post(f"{JUNE}/approve", data={"run_key": m1})
    await first.post(f"{JUNE}/publish", data={"run_key": m1})
    await arrive_late(store)
    page = (await first.get(JUNE)).text
    assert "Fri 12 Jun" in page
    assert "more readings have arrived" in page
    assert "1 settled day has changed since" in (await first.get("/board/runs")).text
    assert (await first.post(f"{JUNE}/book", data={"kind": "R1", "run_key": m1})).status_code == 409
    later = await come("m20", at=R1_DUE)
    r1 = await book(later, "R1")
    booked = (await later.get(f"{JUNE}/run/{r1}.json")).json()
    assert booked["booked"]["days"] == ["2026-06-12"]
    assert booked["kind"] == "R1"


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("book", {"kind": "M1"}, 409),
        ("book", {"kind": "R1"}, 409),
        ("book", {"kind": "X", "decision": "because"}, 409),
        ("book", {"kind": "Z"}, 422),
        ("book", {}, 422),
        ("approve", {"run_key": "0" * 64}, 404),
        ("approve", {}, 404),
        ("publish", {"run_key": "../m1"}, 404),
    ],
)
async def test_what_may_not_be_done_changes_nothing(
    come: Come, store: SqliteStore, path: str, form: dict[str, str], status: int
) -> None:
    browser = await come("m20", at=BEFORE)
    before = await rows_of(store)
    answer = await browser.post(f"{JUNE}/{path}", data=form)
    assert (answer.status_code, await rows_of(store)) == (status, before)
    assert "--" not in answer.text.split("<main")[1], "no word of a command line"


@pytest.mark.parametrize(
    "path", ["", "/preview?kind=M1", "/preview.json?kind=M1", ".json", "/run/{key}", "/run/{key}.json"]
)
async def test_the_months_are_for_the_board_alone(come: Come, path: str) -> None:
    board, member = await come("m20"), await come("m02")
    where = JUNE + path.format(key=await book(board))
    assert (await member.get(where)).status_code == 403
    answer = await board.get(where)
    assert answer.status_code == 200
    assert "Household" not in answer.text


async def test_members_and_other_sites_book_and_approve_nothing(come: Come, store: SqliteStore) -> None:
    board, member = await come("m20"), await come("m02")
    key = await book(board)
    before = await rows_of(store)
    foreign = {"origin": "https://evil.example"}
    for path in ("book", "approve", "publish"):
        form = {"kind": "M1", "run_key": key}
        assert (await member.post(f"{JUNE}/{path}", data=form)).status_code == 403
        assert (await board.post(f"{JUNE}/{path}", data=form, headers=foreign)).status_code == 403
        assert (await board.get(f"{JUNE}/{path}")).status_code == 405
    assert await rows_of(store) == before


@pytest.mark.parametrize("month", ["2026-05", "2026-08", "x", "2026-13", "2026-6", "0000-01"])
async def test_a_month_without_readings_gets_a_clear_sentence(come: Come, month: str) -> None:
    browser = await come("m20")
    for path in (f"/board/runs/{month}", f"/board/runs/{month}/preview?kind=M1"):
        assert (await browser.get(path)).status_code == 404


async def test_a_month_that_is_not_over_is_no_run(come: Come) -> None:
    browser = await come("m20", at=local("2026-06-20T10:00"))
    assert (await browser.get(f"{JUNE}/preview?kind=M1")).status_code == 409
    assert "M1: due on 7 Jul 2026" in (await browser.get(JUNE)).text


async def test_while_a_run_is_booked_no_other_begins(store: SqliteStore) -> None:
    desk = RunService(store, calendar=RunCalendar(), key=HUB_KEY)
    today = datetime.fromtimestamp(M1_DUE, ZoneInfo(COOP.tz)).date()
    june = today.replace(month=6, day=1)
    looked = await desk.preview(june, kind="M1", today=today)
    assert not isinstance(looked, str)

    async def book_it() -> object:
        return await desk.book(june, kind="M1", previewed=looked[1], decision="", at=int(M1_DUE), today=today)

    booking = asyncio.create_task(book_it())
    await asyncio.sleep(0)
    assert await book_it() == BUSY
    assert await desk.preview(june, kind="M1", today=today) == BUSY
    assert not isinstance(await booking, str)


async def test_a_month_without_readings_asks_for_the_boards_decision(
    come: Come, store: SqliteStore, tmp_path: Path
) -> None:
    browser = await come("m20")
    assert 'name="decision"' not in (await browser.get(f"{JUNE}/preview?kind=M1")).text
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
        db.execute("UPDATE reading SET energy_wh = NULL, mark = 3")
    assert "No home has a reading in this month" in (await browser.get(f"{JUNE}/preview?kind=M1")).text
    form = {"kind": "M1", "run_key": await preview_key(browser)}
    before = await rows_of(store)
    assert "has no reading of any home" in (await browser.post(f"{JUNE}/book", data=form)).text
    assert await rows_of(store) == before
    booked = await browser.post(f"{JUNE}/book", data=form | {"decision": "board of 7 July: fees only"})
    assert booked.status_code == 303, booked.text
    (run,) = (await read_books(store)).month_runs
    assert run.decision == "board of 7 July: fees only"
    assert "board of 7 July: fees only" in (await browser.get(f"{JUNE}/run/{run.run_key}")).text
