"""Findings in the store: added and closed, never changed; decisions follow each other; every access is logged."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hub.storage.contract import Store
from hub.storage.finding_records import NewFinding
from hub.storage.records import Access, Home, Member
from protocols.quantities import Measure
from tests.hub.storage.backends import OpenBackend, is_kept

BOARD = Access(actor="m01", role="board", purpose="settle.share", reason="findings")
DAY = "2026-05-03"
STUCK = NewFinding("h02", "frozen_value", Measure.GRID_IMPORT, 100, 16, "hold", (("energy_wh", 345),), "345 Wh.")
GAP = NewFinding("h03", "gap", None, 90, 4, "note", (("missing", 4), ("reason", 1)), "Missing.")


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: 0.0)
    for number in (1, 2, 3):
        member, home = f"m0{number}", f"h0{number}"
        await opened.add_member(
            Member(member, "Name", f"{member}@example.org", "en", number == 1, 0), Home(home, home, member)
        )
    yield opened
    await opened.close()


async def put(store: Store, *found: NewFinding, position: int = 7, day: str = DAY) -> None:
    await store.put_findings(day, found, closing="gone", at=1000 + position, message_position=position)


async def test_what_is_found_again_stays_and_what_is_gone_is_closed(store: Store) -> None:
    await put(store, STUCK, GAP)
    await put(store, GAP, STUCK, position=8)
    rows = await store.findings(access=BOARD)
    assert {row.found for row in rows} == {STUCK, GAP}
    assert {(row.day, row.found_at, row.closed) for row in rows} == {(DAY, 1007, None)}
    assert [row.is_waiting for row in rows if row.found == STUCK] == [True]
    await put(store, replace(GAP, slots=2), STUCK, position=9)
    rows = await store.findings(access=BOARD)
    assert [(row.found.slots, row.closed, row.closed_at) for row in rows if row.found.code == "gap"] == [
        (4, "gone", 1009),
        (2, None, None),
    ]
    await put(store, position=10)
    assert [row.closed for row in await store.findings(access=BOARD)] == ["gone"] * 3
    await put(store, STUCK, position=11)
    assert len(await store.findings(access=BOARD)) == 4, "what comes back is a new finding"
    assert await store.looked_through(days=(DAY, DAY)) == {DAY: 11}


async def test_a_list_has_the_last_days_and_everything_that_waits_for_the_board(store: Store) -> None:
    await put(store, STUCK, GAP)
    await put(store, replace(GAP, home="h01"), day="2026-06-01")
    codes = [(row.found.home, row.found.code) for row in await store.findings(access=BOARD, since="2026-06-01")]
    assert sorted(codes) == [("h01", "gap"), ("h02", "frozen_value")]
    assert [row.found for row in await store.findings(access=BOARD, home="h03")] == [GAP]
    assert await store.findings(access=BOARD, number=99) == ()
    assert [await store.findings_waiting(home) for home in ("h01", "h02", "h03")] == [0, 1, 0]


async def test_every_access_is_logged_for_the_homes_it_shows(store: Store) -> None:
    await put(store, STUCK)
    assert await store.access_rows("h02", limit=9) == ()
    await store.findings(access=BOARD)
    (line,) = await store.access_rows("h02", limit=9)
    assert (line.actor, line.role, line.fields, line.rows) == ("m01", "board", "findings", 1)
    await store.findings_waiting("h02")
    await store.slot_decisions(slots=range(1000))
    assert len(await store.access_rows("h02", limit=9)) == 1
    assert await store.access_rows("h03", limit=9) == ()


async def test_decisions_follow_each_other_and_the_last_is_read_last(store: Store) -> None:
    await put(store, STUCK)
    (row,) = await store.findings(access=BOARD)

    async def decide(verdict: str, after: int, number: int = row.id) -> str | None:
        return await store.decide_finding(number, board_member="m01", verdict=verdict, reason="why", at=5, after=after)

    results = await asyncio.gather(*(decide("reject", 0) for _ in range(4)))
    assert sorted(map(str, results)) == ["None", *["decided meanwhile"] * 3]
    (row,) = await store.findings(access=BOARD)
    assert (row.is_waiting, [each.verdict for each in row.decisions]) == (False, ["reject"])
    assert await decide("accept", row.decisions[-1].id) is None
    words = await store.slot_decisions(slots=range(115, 200))
    assert [(each.home, each.code, each.measure, each.verdict) for each in words] == [
        ("h02", "frozen_value", Measure.GRID_IMPORT, verdict) for verdict in ("reject", "accept")
    ]
    assert await store.slot_decisions(slots=range(116, 200)) == ()
    assert await store.slot_decisions(slots=range(100)) == ()
    assert await decide("accept", 0, number=99) == "unknown"
    await put(store, position=8)
    assert len(await store.slot_decisions(slots=range(100, 116))) == 2, "the decision is still there"
    assert await decide("accept", 0) == "decided meanwhile"
    assert await decide("reject", words[-1].id) is None, "and can be replaced after the finding is closed"


async def test_a_closed_finding_without_a_decision_accepts_none(store: Store) -> None:
    await put(store, STUCK)
    await put(store, position=8)
    assert await store.decide_finding(1, board_member="m01", verdict="reject", reason="x", at=5, after=0) == "closed"
    assert await store.slot_decisions(slots=range(100, 116)) == ()


async def test_no_row_is_ever_changed(store: Store) -> None:
    await put(store, STUCK)
    await store.decide_finding(1, board_member="m01", verdict="accept", reason="yes", at=9, after=0)
    await put(store, position=8)
    for sql in (
        "UPDATE finding SET severity = 'note'",
        "DELETE FROM finding",
        "UPDATE finding_closed SET reason = ''",
        "DELETE FROM finding_closed",
        "UPDATE finding_decision SET verdict = 'reject'",
        "DELETE FROM finding_decision",
    ):
        assert await is_kept(store, sql), sql
