"""Payment orders on a real store: two at once make one, a booking stands once, in whatever order bookings come."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books.runs import settle_month
from hub.core.ledger.entries import balances, read_entry
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import COLLECTIONS, PAYOUTS, OrderKind
from hub.core.payments.order_history import BOOKED, PaymentOrderRecord
from hub.core.payments.sepa import BankFileError, CollectionOrder, PayoutOrder
from hub.core.payments.tax_terms import TaxRates, TaxStatus, TaxTerms
from hub.core.settlement.money import CENT_NANO
from hub.exchange.bank_files import collection_file, payout_file
from hub.money.booking import book_order, book_return
from hub.money.order_files import order_file
from hub.money.orders import (
    OrderRequest,
    OrderResult,
    approve_order,
    make_order,
    payment_orders,
    withdraw_order,
)
from hub.storage.account_records import NewAccount
from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from protocols.errors import RequestError
from tests.hub.settled_street import KEY, Street, open_street

MAY, PAY_ON, AT = date(2026, 5, 1), date(2026, 6, 20), 1_781_000_000
DAYS = (date(2026, 5, 30), date(2026, 5, 31))
OWN = CoopAccount("The Street", "DE89370400440532013000", creditor_id="DE98ZZZ09999999999", smallest_cent=1)
TERMS = TaxTerms(
    ("Street eG",),
    (TaxRates("2026-01-01", 200_000, 130_000, 100_000),),
    (TaxStatus("m01", "2026-01-01", "standard"),),
    {"self_billing": "Self-billing"},
)
ACCESS = Access("m01", "board", "bank.pay")
IBAN = "AT611904300234573201"
HOMES = 4


def write_file(order: PayoutOrder | CollectionOrder) -> bytes:
    return payout_file(order) if isinstance(order, PayoutOrder) else collection_file(order)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    """A published May, by terms with tax, and an account with a mandate of everybody."""
    opened = await open_street(tmp_path, homes=HOMES)
    await opened.arrive_days(DAYS)
    run = await settle_month(opened.store, month=MAY, kind="M1", made_at=AT, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(opened.store, run=run.run_key, member=member, at=AT, key=KEY)
    await publish_run(opened.store, run=run.run_key, member="m01", at=AT, key=KEY, terms=TERMS)
    for number in range(1, HOMES + 1):
        member = f"m{number:02d}"
        await opened.store.add_account(NewAccount(member, f"Member {number}", IBAN, member, AT))
        await opened.store.add_mandate(member, signed_on="2026-05-02", made_by=member, made_at=AT)
    yield opened
    await opened.store.close()


async def order(store: SqliteStore, kind: OrderKind, *, pay_on: date = PAY_ON, at: int = AT) -> OrderResult:
    wish = OrderRequest(kind, MAY, pay_on, OWN)
    return await make_order(store, wish, at=at, key=KEY, access=ACCESS, write_file=write_file)


async def written(store: SqliteStore, kind: OrderKind) -> PaymentOrderRecord:
    made = (await order(store, kind)).order
    assert made is not None
    for member in ("m01", "m02"):
        await approve_order(store, made.message_id, member=member, at=AT, key=KEY)
    await order_file(store, made.message_id, at=AT, key=KEY, access=ACCESS, write_file=write_file)
    return made


async def sums(store: SqliteStore) -> dict[tuple[str, str], int]:
    rows = await store.entries(after_position=0, limit=10**6)
    return {place: nano for place, nano in balances(read_entry(row.canonical) for row in rows).items() if nano}


async def test_two_who_ask_at_once_get_one_order(street: Street, tmp_path: Path) -> None:
    other = await SqliteStore.open(tmp_path / "hub.sqlite", now=lambda: float(AT))
    days = (PAY_ON, PAY_ON, date(2026, 6, 21), date(2026, 6, 22))
    stores = (street.store, other, street.store, other)
    asked = await asyncio.gather(
        *(order(store, PAYOUTS, pay_on=day) for store, day in zip(stores, days, strict=True)), return_exceptions=True
    )
    orders = await payment_orders(street.store)
    assert len(orders) == 1
    assert sum(isinstance(each, OrderResult) and each.is_new for each in asked) == 1
    assert len({payment.member for payment in orders[0].payments}) == len(orders[0].payments)
    await other.close()


async def test_two_who_book_at_once_book_it_once(street: Street, tmp_path: Path) -> None:
    made = await written(street.store, COLLECTIONS)
    other = await SqliteStore.open(tmp_path / "hub.sqlite", now=lambda: float(AT))
    tries = [(street.store, "2026-06-20"), (other, "2026-06-21"), (street.store, "2026-06-22"), (other, "2026-06-20")]
    done = await asyncio.gather(
        *(book_order(store, made.message_id, day=day, at=AT, key=KEY) for store, day in tries), return_exceptions=True
    )
    assert sum(isinstance(each, PaymentOrderRecord) for each in done) == 1
    assert [each.state for each in await payment_orders(street.store)] == [BOOKED]
    assert (await sums(street.store))["nano", "bank"] == -made.total_cent * CENT_NANO
    first = made.payments[0].reference
    back = await asyncio.gather(
        *(
            book_return(store, made.message_id, first, day="2026-06-23", reason="AM04", at=AT, key=KEY)
            for store in (street.store, other)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, PaymentOrderRecord) for each in back) == 1
    left = (made.total_cent - made.payments[0].amount_cent) * CENT_NANO
    assert (await sums(street.store)).get(("nano", "bank"), 0) == -left
    assert (await check_books(street.store, KEY.public_key())).findings == []
    await other.close()


async def test_bookings_in_any_order_come_to_the_same_books(street: Street, tmp_path: Path) -> None:
    made = [await written(street.store, PAYOUTS), await written(street.store, COLLECTIONS)]
    await street.store.close()
    found = []
    for name, turn in (("a", made), ("b", made[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        for part in tmp_path.glob("hub.sqlite*"):
            shutil.copy(part, folder / part.name)
        store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: float(AT))
        for day, each in zip(("2026-06-20", "2026-06-22"), turn, strict=True):
            await book_order(store, each.message_id, day=day, at=AT, key=KEY)
        found.append(await sums(store))
        check = await check_books(store, KEY.public_key())
        assert (check.findings, check.sums) == ([], {"Wh": 0, "nano": 0})
        await store.close()
    assert found[0] == found[1]
    assert not any(account.startswith("member:") and unit == "nano" for unit, account in found[0])
    assert ("nano", "tax:200000") in found[0], "taxes are paid and collected with the rest"


async def test_what_the_bank_would_refuse_leaves_no_order(street: Street) -> None:
    def refuse(_: PayoutOrder | CollectionOrder) -> bytes:
        raise BankFileError("not this one")

    wish = OrderRequest(PAYOUTS, MAY, PAY_ON, OWN)
    with pytest.raises(BankFileError):
        await make_order(street.store, wish, at=AT, key=KEY, access=ACCESS, write_file=refuse)
    assert await payment_orders(street.store) == ()


@pytest.mark.parametrize(
    ("change", "said"), [("account", "given another account since"), ("mandate", "revoked the mandate since")]
)
async def test_an_order_does_not_overrule_what_a_member_did_since(street: Street, change: str, said: str) -> None:
    made = (await order(street.store, COLLECTIONS)).order
    assert made is not None
    for member in ("m01", "m02"):
        await approve_order(street.store, made.message_id, member=member, at=AT, key=KEY)
    who = made.payments[0].member
    if change == "account":
        await street.store.add_account(NewAccount(who, "Member", "ES9121000418450200051332", who, AT + 1))
    else:
        await street.store.end_mandate(who, made_by=who, made_at=AT + 1)
    with pytest.raises(RequestError, match=said):
        await order_file(street.store, made.message_id, at=AT, key=KEY, access=ACCESS, write_file=write_file)
    assert [each.files for each in await payment_orders(street.store)] == [()]
    await withdraw_order(street.store, made.message_id, member="m01", reason="again", at=AT, key=KEY)
    again = await order(street.store, COLLECTIONS)
    assert who not in {payment.member for payment in (again.order.payments if again.order else ())}
    assert who in {each.member for each in again.held}


async def test_an_order_the_bank_executed_although_it_was_withdrawn_is_booked_and_evened_out(street: Street) -> None:
    first = await written(street.store, PAYOUTS)
    for member in ("m01", "m02"):
        await withdraw_order(street.store, first.message_id, member=member, reason="lost", at=AT, key=KEY)
    second = await written(street.store, PAYOUTS)
    assert [payment.amount_cent for payment in second.payments] == [payment.amount_cent for payment in first.payments]
    for each in (first, second):
        await book_order(street.store, each.message_id, day="2026-06-20", at=AT, key=KEY)
    paid_back = await order(street.store, COLLECTIONS, pay_on=date(2026, 7, 1))
    assert paid_back.order is not None
    amounts = {payment.member: payment.amount_cent for payment in paid_back.order.payments}
    assert {payment.member: payment.amount_cent for payment in first.payments}.items() <= amounts.items()
