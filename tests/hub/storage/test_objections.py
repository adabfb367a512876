"""Objections in the store: append-only, one open objection per line, one decision each."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.storage.contract import Store
from hub.storage.records import Member, NewObjection
from hub.storage.sql.objections import MOST_OPEN
from tests.hub.storage.backends import OpenBackend, is_kept


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: 0.0)
    for number in (1, 2):
        await opened.add_member(Member(f"m0{number}", "Name", f"m{number}@example.org", "en", number == 1, 0), None)
    yield opened
    await opened.close()


def new(line: str = "received", *, member: str = "m02", day: str = "2026-05-03") -> NewObjection:
    return NewObjection(member, "2026-05", day, line, 1200, "ab" * 32, "too little", 1000, 2000)


async def test_an_objection_comes_back_with_its_decision(store: Store, open_backend: OpenBackend) -> None:
    assert await store.add_objection(new()) is None
    assert await store.add_objection(new()) == "already open"
    assert await store.add_objection(new(day="")) is None
    assert await store.add_objection(new(member="m01")) is None
    (first, _) = await store.objections(member="m02")
    assert (first.line, first.stated, first.verdict, first.decision) == ("received", 1200, None, None)
    assert await store.decide_objection(first.id, board_member="m01", verdict="rejected", reason="no", at=9) is None
    again = await store.decide_objection(first.id, board_member="m01", verdict="accepted", reason="yes", at=10)
    assert again == "already decided"
    assert await store.decide_objection(99, board_member="m01", verdict="accepted", reason="x", at=9) == "unknown"
    await store.close()
    reopened = await open_backend(now=lambda: 0.0)
    rows = await reopened.objections()
    decided = rows[0]
    assert (decided.verdict, decided.board_member, decided.decision, decided.decided_at) == ("rejected", "m01", "no", 9)
    assert decided.reason == "too little"
    assert await reopened.add_objection(new()) is None, "after the decision, the member may object to the line again"
    await reopened.close()


async def test_two_at_once_leave_one_and_their_number_is_limited(store: Store) -> None:
    found = await asyncio.gather(*(store.add_objection(new()) for _ in range(5)))
    assert sorted(map(str, found)) == ["None", *["already open"] * 4]
    for day in range(1, MOST_OPEN):
        assert await store.add_objection(new("sold", day=f"2026-06-{day:02d}")) is None
    assert await store.add_objection(new("debit")) == "too many are open"
    assert await store.add_objection(new("debit", member="m01")) is None


async def test_no_row_is_ever_changed(store: Store) -> None:
    await store.add_objection(new())
    await store.decide_objection(1, board_member="m01", verdict="accepted", reason="yes", at=9)
    for sql in (
        "UPDATE objection SET reason = ''",
        "DELETE FROM objection",
        "UPDATE objection_decision SET verdict = 'rejected'",
        "DELETE FROM objection_decision",
    ):
        assert await is_kept(store, sql), sql
