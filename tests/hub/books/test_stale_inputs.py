"""Two jobs on the same books: the one that read first never takes back what the other booked from newer readings."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books import days as settlement_days
from hub.books import runs as settlement_runs
from hub.books.days import DayInputs, book_inputs, read_day_inputs, settle_day
from hub.books.runs import marked_days, settle_month
from hub.books.signing import as_row
from hub.books.view import read_heads
from hub.core.ledger.attestations import DAY_ROOT, attest
from hub.core.settlement.period import settle
from hub.storage.errors import StaleInputsError, StoreConflictError
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from tests.hub.settled_street import COOP, KEY, Street, arrivals_of, balances_by_day, open_street

MAY = date(2026, 5, 1)
DAYS = (date(2026, 5, 30), date(2026, 5, 31))
HOMES = 3
LATE = [each for each in arrivals_of(DAYS[1], HOMES) if each[0] == 2][40:60]


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES)
    await opened.arrive_days(DAYS, without=LATE)
    yield opened
    await opened.store.close()


async def book_newer(street: Street) -> dict[tuple[str, str, str, str], int]:
    """The late readings arrive and M1 is booked with them; returns the books."""
    await street.arrive(LATE)
    await settle_month(street.store, month=MAY, kind="M1", made_at=5, key=KEY)
    return await balances_by_day(street.store)


def meanwhile(street: Street, module: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """After the module has read the last day once, another job books the newer readings; its books go in the list."""
    books: list[Any] = []

    async def read_then_book(*args: Any, **named: Any) -> DayInputs:
        inputs = await read_day_inputs(*args, **named)
        if named["day"] == DAYS[1] and not books:
            monkeypatch.setattr(module, "read_day_inputs", read_day_inputs)
            books.append(await book_newer(street))
        return inputs

    monkeypatch.setattr(module, "read_day_inputs", read_then_book)
    return books


@pytest.mark.parametrize("is_settled", [False, True])
async def test_older_inputs_are_not_booked_over_newer_ones(street: Street, is_settled: bool) -> None:
    store = street.store
    if is_settled:
        await settle_day(store, day=DAYS[1], made_at=1, key=KEY)
    stale = await read_day_inputs(store, day=DAYS[1])
    good = await book_newer(street)
    settled = settle(stale.readings, stale.rule)
    with pytest.raises(StaleInputsError, match="2026-05-31 was settled from other inputs at the same moment"):
        await book_inputs(store, stale, settled=settled, made_at=6, kind="D", key=KEY)
    assert await balances_by_day(store) == good
    assert await marked_days(store, await read_heads(store), DAYS) == ()
    assert (await store.runs(days=("2026-05-31", "2026-05-31")))[-1].kind == "M1"


async def test_the_store_itself_refuses_a_run_of_older_inputs(street: Street) -> None:
    stale = await read_day_inputs(street.store, day=DAYS[1])
    good = await book_newer(street)
    standing = (await street.store.runs())[-1]
    run = replace(standing, run_key="0" * 64, input_digest=stale.digest, entries=0)
    with pytest.raises(StaleInputsError):
        await street.store.book_run(run, entries=[], through=stale.through)
    await street.store.set_settled_through(stale.through)
    assert await marked_days(street.store, await read_heads(street.store), DAYS) == (), (
        "nor does it forget what the standing run had seen"
    )
    assert await balances_by_day(street.store) == good


async def test_a_day_settled_meanwhile_is_read_again(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    books = meanwhile(street, settlement_days, monkeypatch)
    result = await settle_day(street.store, day=DAYS[1], made_at=6, key=KEY)
    assert result.booked == 0
    assert [await balances_by_day(street.store)] == books


async def test_a_month_settled_meanwhile_is_planned_again(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    store = street.store
    books = meanwhile(street, settlement_runs, monkeypatch)
    run = await settle_month(store, month=MAY, kind="M1", made_at=6, key=KEY)
    assert [await balances_by_day(store)] == books
    for member in ("m01", "m02"):
        await approve_run(store, run=run.run_key, member=member, at=7, key=KEY)
    await publish_run(store, run=run.run_key, member="m01", at=8, key=KEY)
    checked = await check_books(store, KEY.public_key())
    assert (checked.findings, checked.late_days) == ([], [])


async def test_two_jobs_that_sign_an_older_run_at_once_both_go_on(street: Street, tmp_path: Path) -> None:
    await settle_day(street.store, day=DAYS[0], made_at=1)
    stores = [await SqliteStore.open(tmp_path / "hub.sqlite", now=lambda: 0.0) for _ in range(3)]
    results = await asyncio.gather(*(settle_day(each, day=DAYS[1], made_at=3, key=KEY) for each in stores))
    assert sorted(result.booked > 0 for result in results) == [False, False, True]
    checked = await check_books(street.store, KEY.public_key())
    assert (checked.findings, checked.attestations) == ([], 2)
    for each in stores:
        await each.close()


async def test_a_second_root_of_a_run_is_a_conflict(street: Street) -> None:
    store = street.store
    run_key = (await settle_day(street.store, day=DAYS[0], made_at=1, key=KEY)).run_key
    head = (await read_heads(store)).attestation
    again = attest({}, kind=DAY_ROOT, subject="2026-05-30", run_key=run_key, coop=COOP.id, head=head, key=KEY)
    with pytest.raises(StoreConflictError, match="already has a root"):
        await store.attest([as_row(again)])
    assert (await read_heads(store)).attestation == head
