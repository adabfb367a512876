"""A slot the board rejected can be put right also after its finding is closed."""

from datetime import date
from pathlib import Path

import pytest

from hub.books.days import settle_day
from hub.books.runs import marked_days
from hub.books.view import read_heads
from hub.quality.decisions import DecisionError, decide_finding, verdicts_of
from hub.storage.finding_records import FindingRow, NewFinding
from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from protocols.slots import slots_of_day
from tests.hub.settled_street import COOP, KEY, balances_by_day, open_street

DAY = date(2026, 5, 31)
FIRST = slots_of_day(DAY, COOP.tz).start + 40
FOUND = NewFinding("h03", "unbalanced", None, FIRST, 8, "note", (("excess_wh", 500),), "More away than it had.")


async def put(store: SqliteStore, found: list[NewFinding], position: int) -> FindingRow:
    await store.put_findings(str(DAY), found, closing="it holds no longer", at=position, message_position=position)
    (row,) = await store.findings(access=Access("m02", "board", "settle.share", "findings"))
    return row


async def test_a_rejected_slot_is_accepted_after_its_finding_closed(tmp_path: Path) -> None:
    street = await open_street(tmp_path)
    store = street.store
    member = await store.member("m02")
    assert member is not None
    await street.arrive_days([DAY])
    await settle_day(store, day=DAY, made_at=1, key=KEY)
    right = await balances_by_day(store)
    row = await put(store, [FOUND], 1)
    await decide_finding(store, row.id, member=member, verdict="reject", reason="odd", at=2)
    row = await put(store, [], 3)
    assert row.closed is not None
    await settle_day(store, day=DAY, made_at=4, key=KEY)
    assert await balances_by_day(store) != right, "what was rejected stays out"
    assert "accept" in await verdicts_of(store, row)
    await decide_finding(store, row.id, member=member, verdict="accept", reason="it was right", at=5)
    assert [mark.why for mark in await marked_days(store, await read_heads(store), [DAY])] == ["the board decided"]
    await settle_day(store, day=DAY, made_at=6, key=KEY)
    assert await balances_by_day(store) == right
    await store.close()


async def test_a_closed_finding_that_nobody_decided_on_offers_nothing(tmp_path: Path) -> None:
    street = await open_street(tmp_path)
    member = await street.store.member("m02")
    assert member is not None
    await put(street.store, [FOUND], 1)
    row = await put(street.store, [], 2)
    assert await verdicts_of(street.store, row) == ()
    with pytest.raises(DecisionError, match="closed"):
        await decide_finding(street.store, row.id, member=member, verdict="reject", reason="odd", at=3)
    await street.store.close()
