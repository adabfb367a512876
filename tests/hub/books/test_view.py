"""The books at one moment: what they decode to, that a step reads them once, and that a later write is a conflict."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books.runs import settle_month
from hub.books.signing import as_row
from hub.books.view import read_books, read_heads, read_money_books
from hub.core.ledger.attestations import APPROVAL, attest, document_digest
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import COLLECTIONS
from hub.core.payments.sepa import CollectionOrder, PayoutOrder
from hub.money.booking import book_order
from hub.money.funds import book_fund, plan_grants
from hub.money.order_files import order_file
from hub.money.orders import OrderRequest, approve_order, make_order, withdraw_order
from hub.storage.account_records import NewAccount
from hub.storage.errors import StoreConflictError
from hub.storage.records import Access, AttestationRow, BookRows
from hub.storage.sqlite.store import SqliteStore
from tests.hub.settled_street import COOP, KEY, Street, arrivals_of, open_street

MAY, AT = date(2026, 5, 1), 1_781_000_000
DAYS = (date(2026, 5, 30), date(2026, 5, 31))
ACCESS = Access("m01", "board", "bank.pay")
OWN = CoopAccount("The Street", "DE89370400440532013000", creditor_id="DE98ZZZ09999999999", smallest_cent=1)
WISH = OrderRequest(COLLECTIONS, MAY, date(2026, 6, 20), OWN)
IBAN = "AT611904300234573201"


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=3)
    await opened.arrive_days(DAYS)
    yield opened
    await opened.store.close()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Which decisions each read of the books asked for."""
    found: list[Sequence[str]] = []
    book_rows = SqliteStore.book_rows

    async def counted(
        store: SqliteStore,
        *,
        decisions: Sequence[str] = (),
        funds: Sequence[str] = (),
        days: tuple[str, str] | None = None,
        subjects: tuple[str, str] | None = None,
    ) -> BookRows:
        found.append(decisions)
        return await book_rows(store, decisions=decisions, funds=funds, days=days, subjects=subjects)

    monkeypatch.setattr(SqliteStore, "book_rows", counted)
    return found


def write_file(order: PayoutOrder | CollectionOrder) -> bytes:
    return order.message_id.encode()


async def test_empty_books_have_first_heads_and_nothing_else(street: Street) -> None:
    books = await read_money_books(street.store)
    assert (books.coop, books.attestation, books.ledger) == (COOP, (0, bytes(32)), (0, bytes(32)))
    assert (books.runs, books.month_runs, books.fund_runs, books.orders) == ((), (), (), ())
    assert (books.current, books.runs_of("2026-05")) == ({}, ())


async def test_the_books_say_what_is_booked_signed_and_decided(street: Street) -> None:
    store = street.store
    run = await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)
    approved = await approve_run(store, run=run.run_key, member="m01", at=AT + 1, key=KEY)
    books = await read_books(store)
    last = await store.last_attestation()
    assert last is not None
    assert books.attestation == (last.position, document_digest(last.document))
    assert books.ledger == await store.ledger_head()
    assert books.access_line == await store.last_access_line()
    assert books.month_runs == (approved,), "the approval's answer is what the books then hold"
    assert {day: found.run_key for day, found in books.current.items()} == dict(run.days)
    assert books.runs_of("2026-04") == ()
    one_day = await read_heads(store, days=("2026-05-31", "2026-05-31"))
    assert [found.day for found in one_day.runs] == ["2026-05-31"]
    assert (one_day.attestation, one_day.ledger) == (books.attestation, books.ledger)


async def test_the_newest_run_of_a_day_is_current(tmp_path: Path) -> None:
    street = await open_street(tmp_path, homes=3)
    store, late = street.store, arrivals_of(DAYS[1], 3)[40:60]
    await street.arrive_days(DAYS, without=late)
    await settle_month(store, month=MAY, kind="M1", made_at=1, key=KEY)
    first = (await read_books(store)).current["2026-05-31"]
    await street.arrive(late)
    await settle_month(store, month=MAY, kind="M1", made_at=2, key=KEY)
    books = await read_books(store)
    assert [found.made_at for found in books.runs if found.day == "2026-05-31"] == [1, 2]
    assert books.current["2026-05-31"] != first
    assert [run.state for run in books.runs_of("2026-05")] == ["superseded", "draft"]
    await store.close()


async def test_each_step_reads_the_books_once_and_answers_what_they_then_hold(
    street: Street, reads: list[Sequence[str]]
) -> None:
    store = street.store
    run = await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)

    def once() -> bool:
        count = len(reads)
        reads.clear()
        return count == 1

    reads.clear()
    for member in ("m01", "m02"):
        await approve_run(store, run=run.run_key, member=member, at=AT, key=KEY)
        assert once()
    published = await publish_run(store, run=run.run_key, member="m01", at=AT, key=KEY)
    assert once()
    assert (await read_books(store)).month_runs == (published,)
    for number in (1, 2, 3):
        await store.add_account(NewAccount(f"m{number:02d}", "A", IBAN, f"m{number:02d}", AT))
        await store.add_mandate(f"m{number:02d}", signed_on="2026-05-02", made_by="m01", made_at=AT)
    reads.clear()
    made = (await make_order(store, WISH, at=AT, key=KEY, access=ACCESS, write_file=write_file)).order
    assert once()
    assert made is not None
    for member in ("m01", "m02"):
        approved = await approve_order(store, made.message_id, member=member, at=AT, key=KEY)
        assert once()
    assert (await read_money_books(store)).orders == (approved,)
    reads.clear()
    await order_file(store, made.message_id, at=AT, key=KEY, access=ACCESS, write_file=write_file)
    assert once()
    booked = await book_order(store, made.message_id, day="2026-06-21", at=AT, key=KEY)
    assert once()
    assert (await read_money_books(store)).orders == (booked,)


async def test_a_withdrawal_answers_what_the_books_then_hold(street: Street) -> None:
    store = street.store
    run = await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(store, run=run.run_key, member=member, at=AT, key=KEY)
    await publish_run(store, run=run.run_key, member="m01", at=AT, key=KEY)
    for number in (1, 2, 3):
        await store.add_account(NewAccount(f"m{number:02d}", "A", IBAN, f"m{number:02d}", AT))
        await store.add_mandate(f"m{number:02d}", signed_on="2026-05-02", made_by="m01", made_at=AT)
    made = (await make_order(store, WISH, at=AT, key=KEY, access=ACCESS, write_file=write_file)).order
    assert made is not None
    withdrawn = await withdraw_order(store, made.message_id, member="m01", reason="wrong day", at=AT, key=KEY)
    assert withdrawn.withdrawals == (("m01", AT, "wrong day"),)
    assert (await read_money_books(store)).orders == (withdrawn,)


async def test_what_is_signed_after_heads_that_are_no_longer_the_last_is_a_conflict(street: Street) -> None:
    store = street.store
    run = await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)
    books = await read_books(store)

    def approval(member: str) -> list[AttestationRow]:
        content = {"member": member, "at": AT}
        signed = attest(
            content,
            kind=APPROVAL,
            subject=run.month,
            run_key=run.run_key,
            coop=books.coop.id,
            head=books.attestation,
            key=KEY,
        )
        return [as_row(signed)]

    await store.attest(approval("m01"))
    with pytest.raises(StoreConflictError):
        await store.attest(approval("m02"))
    assert [each for each, _ in (await read_books(store)).month_runs[0].approvals] == ["m01"]


async def test_a_grant_waits_in_the_books_for_its_approvals(street: Street) -> None:
    store = street.store
    plan = await plan_grants(store, day=date(2026, 6, 1), grants_nano={}, decided="assembly of 2026-03-12")
    booked = await book_fund(store, plan, made_at=AT, key=KEY)
    (fund,) = (await read_money_books(store)).fund_runs
    assert (fund.run_key, fund.approvals, fund.is_due) == (booked.run_key, (), False)
