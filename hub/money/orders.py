"""Payment orders on the hub's own books: made from what is due, approved or withdrawn by board members.

hub.core.payments.due says what is due, hub.core.payments.order_history what may be done next; order_files.py hands out
the file. Every step is signed in the hub's one chain, so an order cannot be made twice: whoever comes second starts
again.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Protocol

from hub.books.days import TRIES, SettlementStores
from hub.books.runs import month_runs
from hub.books.signing import as_row, attestation_head
from hub.core.ledger.attestations import APPROVAL, attest, read_attestation
from hub.core.ledger.entries import read_entry
from hub.core.ledger.fund_approvals import FUND_KINDS, FundRunStatus, read_fund_runs
from hub.core.ledger.month_runs import PUBLISHED, MonthRun
from hub.core.ledger.run_calendar import days_of
from hub.core.ledger.signed_document import Signer
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.bills import Bill, newest_bills
from hub.core.payments.due import (
    PAYOUTS,
    AmountDue,
    HeldAmount,
    MoneyTally,
    OpenObjection,
    OrderKind,
    PaymentTerms,
    amounts_due,
)
from hub.core.payments.order_history import (
    BOOKED,
    BOOKED_KIND,
    ORDER_WORDS,
    PAYMENT_APPROVAL,
    PAYMENT_ORDER,
    PAYMENT_WITHDRAWAL,
    RETURNED_KIND,
    WITHDRAWN,
    Payment,
    PaymentOrderRecord,
    covered_by,
    decision_obstacle,
    order_content,
    order_key_of,
    read_bank_report,
    read_orders,
)
from hub.core.payments.sepa import Collection, CollectionOrder, Party, Payout, PayoutOrder
from hub.money.bills import billed_runs, run_money
from hub.storage.account_records import BankDetails
from hub.storage.contract import AccessLog, AccountStore, ObjectionStore
from hub.storage.errors import StoreConflictError
from hub.storage.records import Access
from protocols.errors import RequestError

PURPOSE: Final = "bank.pay"
NO_ACCOUNT: Final = "no bank account"
NO_MANDATE: Final = "no direct-debit mandate"
CAME_BACK: Final = "the last payment came back"

WriteFile = Callable[[PayoutOrder | CollectionOrder], bytes]
"""hub.exchange.bank_files, an optional package: a checked order as the bank's XML."""


class PaymentStores(SettlementStores, AccessLog, AccountStore, ObjectionStore, Protocol):
    """The slices that payments read and write."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What somebody on the board asks for: an order of a kind for all that is due through a month."""

    kind: OrderKind
    month: date
    pay_on: date
    account: CoopAccount


@dataclass(frozen=True, slots=True)
class OrderResult:
    """The order, None where nothing is due; and what is due but not in it, of which somebody should know."""

    order: PaymentOrderRecord | None
    held: tuple[HeldAmount, ...]
    is_new: bool


async def payment_orders(store: SettlementStores) -> tuple[PaymentOrderRecord, ...]:
    """Every order ever made, with the board's words on it and what the bank did."""
    rows = await store.attestations(ORDER_WORDS)
    runs = await store.fund_runs(kinds=(BOOKED_KIND, RETURNED_KIND))
    return read_orders(
        [read_attestation(row.document) for row in rows], [read_bank_report(run.allocation) for run in runs]
    )


def find_order(message_id: str, orders: Sequence[PaymentOrderRecord]) -> PaymentOrderRecord:
    """The order with this message id. Raises: RequestError."""
    found = next((order for order in orders if order.message_id == message_id), None)
    if found is None:
        known = ", ".join(order.message_id for order in orders[-4:]) or "none yet"
        raise RequestError(f"there is no order {message_id[:40]!r}; newest: {known}")
    return found


async def fund_run_statuses(store: SettlementStores) -> tuple[FundRunStatus, ...]:
    """The runs of the voted funds with the board's approvals."""
    said = [read_attestation(row.document) for row in await store.attestations((APPROVAL,))]
    return read_fund_runs(await store.fund_runs(kinds=FUND_KINDS), said)


async def tally_money(store: SettlementStores, objected: Sequence[OpenObjection]) -> MoneyTally:
    """All money that is stated: the bills of each month's published runs, and the funds the board has approved.

    A month published before there were bills counts with its newest run's plain cents, as its statements do.

    Of months that somebody has objected to, that member's days too, as the newest published run has them.
    """
    tally, ends = MoneyTally(), {}
    published: dict[str, list[MonthRun]] = defaultdict(list)
    for run in await month_runs(store):
        if run.state == PUBLISHED:
            published[run.month].append(run)
    for month, runs in sorted(published.items()):
        keys, standing = {run.run_key for run in runs}, dict[str, dict[str, Bill]]()
        billed = [
            each for each in await billed_runs(store, date.fromisoformat(f"{month}-01")) if each.month_run in keys
        ]
        for each in billed:
            standing = newest_bills(standing, each.documents)
        if billed:
            tally.add_bills(month, standing)
        else:
            tally.add_plain(month, await run_money(store, runs[-1]))
        ends[month] = runs[-1].ledger_position
    for member, month in sorted({(each.member, each.month) for each in objected if each.month in ends}):
        days = days_of(date.fromisoformat(f"{month}-01"))
        for row in await store.entries_of_member(member, days=(days[0].isoformat(), days[-1].isoformat())):
            if row.unit == "nano" and row.position <= ends[month]:
                tally.add_objected(read_entry(row.canonical))
    for word in await fund_run_statuses(store):
        if word.is_due:
            for row in await store.entries_of_run(word.run_key):
                tally.add_fund(read_entry(row.canonical))
    return tally


async def make_order(
    store: PaymentStores, wish: OrderRequest, *, at: int, key: Signer, access: Access, write_file: WriteFile
) -> OrderResult:
    """The order for all that is due through the month; the standing one where it was made before and is not booked.

    A new one is a draft: its amounts count as covered from then on. What the bank would refuse is refused here, before
    anything is kept. Raises: RequestError, BankRefusal.
    """
    homes = [home.id for home in await store.homes()]
    await store.log_access(access, homes, fields="ledger entries", rows=(await store.ledger_head())[0])
    for attempt in range(TRIES):
        try:
            return await _make(store, wish, at=at, key=key, access=access, write_file=write_file)
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


async def _make(
    store: PaymentStores, wish: OrderRequest, *, at: int, key: Signer, access: Access, write_file: WriteFile
) -> OrderResult:
    head = await attestation_head(store)
    orders = await payment_orders(store)
    through, pay_on = wish.month.strftime("%Y-%m"), wish.pay_on.isoformat()
    dues, held, details = await _due_now(store, wish, orders=orders, access=access)
    for order in reversed(orders):
        is_same = (order.kind, order.through, order.pay_on) == (wish.kind, through, pay_on)
        if is_same and order.state not in (BOOKED, WITHDRAWN):
            return OrderResult(order, held, is_new=False)
    if not dues:
        return OrderResult(None, held, is_new=False)
    coop = await store.coop()
    content = order_content(
        [(due, *_account_of(due, wish.kind, details)) for due in dues],
        kind=wish.kind,
        through=through,
        pay_on=pay_on,
        made_at=at,
        coop=coop.id,
        number=len(orders) + 1,
        account=wish.account,
    )
    order_key = order_key_of(content)
    said = attest(content, kind=PAYMENT_ORDER, subject=through, run_key=order_key, coop=coop.id, head=head, key=key)
    (order,) = read_orders([read_attestation(said.document)], [])
    write_file(bank_order(order, details))
    # If power fails before this commit there is no order, and the same call makes it.
    await store.attest([as_row(said)])
    return OrderResult(order, held, is_new=True)


async def _due_now(
    store: PaymentStores, wish: OrderRequest, *, orders: Sequence[PaymentOrderRecord], access: Access
) -> tuple[list[AmountDue], tuple[HeldAmount, ...], BankDetails]:
    """What can be paid, what waits and why, and the accounts of those concerned."""
    objected = [row for row in await store.objections() if row.verdict is None]
    tally = await tally_money(store, objected)
    frozen = tally.frozen(objected)
    terms = PaymentTerms(wish.account.is_netted, wish.account.smallest_cent)
    through = wish.month.strftime("%Y-%m")
    dues, waiting = amounts_due(
        wish.kind, tally.stated(), covered_by(orders), frozen=frozen, through=through, terms=terms
    )
    details = await store.bank_details([due.member for due in dues], access=access)
    came_back = _came_back(orders)
    ready, held = [], list(waiting)
    for due in dues:
        if why := _why_wait(due.member, wish.kind, details, came_back.get(due.member, -1)):
            held.append(HeldAmount(due.member, due.amount_cent, why))
        else:
            ready.append(due)
    return ready, tuple(sorted(held, key=lambda each: (each.member.encode("utf-8"), each.why))), details


def _came_back(orders: Sequence[PaymentOrderRecord]) -> dict[str, int]:
    """The newest account row of each member that a payment came back from."""
    found: dict[str, int] = {}
    for order in orders:
        returned = {reference for reference, _, _ in order.returned}
        for payment in order.payments:
            if payment.reference in returned:
                found[payment.member] = max(payment.account, found.get(payment.member, -1))
    return found


def _why_wait(member: str, kind: OrderKind, details: BankDetails, came_back: int) -> str | None:
    account = details.account_of(member)
    if account is None:
        return NO_ACCOUNT
    if account.id <= came_back:
        return CAME_BACK
    return NO_MANDATE if kind != PAYOUTS and details.mandate_of(member) is None else None


def _account_of(due: AmountDue, kind: OrderKind, details: BankDetails) -> tuple[int, str | None]:
    account, mandate = details.account_of(due.member), details.mandate_of(due.member)
    assert account is not None
    return account.id, None if kind == PAYOUTS or mandate is None else mandate.id


def bank_order(order: PaymentOrderRecord, details: BankDetails) -> PayoutOrder | CollectionOrder:
    """The order for the bank, from the accounts as they stood when it was made."""
    created = datetime.fromtimestamp(order.made_at, UTC)
    account, day = order.account, date.fromisoformat(order.pay_on)
    own = Party(account.name, account.iban, account.bic)
    accounts = {row.id: Party(row.name, row.iban) for row in details.accounts}
    if order.kind == PAYOUTS:
        payouts = tuple(
            Payout(payment.reference, accounts[payment.account], payment.amount_cent, _text(order, payment))
            for payment in order.payments
        )
        return PayoutOrder(order.message_id, created, day, own, payouts)
    signed = {row.id: date.fromisoformat(row.signed_on) for row in details.mandates}
    collections = tuple(
        Collection(
            reference=payment.reference,
            debtor=accounts[payment.account],
            amount_cent=payment.amount_cent,
            text=_text(order, payment),
            mandate_id=payment.mandate or "",
            mandate_signed_on=signed[payment.mandate or ""],
        )
        for payment in order.payments
    )
    return CollectionOrder(order.message_id, created, day, own, account.creditor_id, collections)


def _text(order: PaymentOrderRecord, payment: Payment) -> str:
    months = [month for month, _ in payment.months]
    span = months[0] if len(months) == 1 else f"{months[0]} - {months[-1]}"
    return f"{order.account.name} {span}"


async def approve_order(
    store: PaymentStores, message_id: str, *, member: str, at: int, key: Signer
) -> PaymentOrderRecord:
    """Add a board member's approval to a draft; the order as it is then. Raises: RequestError."""
    return await _say(store, PAYMENT_APPROVAL, message_id, content={"member": member, "at": at}, key=key)


async def withdraw_order(
    store: PaymentStores, message_id: str, *, member: str, reason: str, at: int, key: Signer
) -> PaymentOrderRecord:
    """A board member's word that the order is not to be executed; what it covers is due again once it is withdrawn.

    Raises: RequestError.
    """
    content: dict[str, object] = {"member": member, "at": at, "reason": reason}
    return await _say(store, PAYMENT_WITHDRAWAL, message_id, content=content, key=key)


async def _say(
    store: PaymentStores, kind: str, message_id: str, *, content: dict[str, object], key: Signer
) -> PaymentOrderRecord:
    """Checked against what stands, and signed after it: a word said at the same moment makes this one start again."""
    member = str(content["member"])
    who = await store.member(member)
    if who is None:
        raise RequestError(f"there is no member {member[:40]!r}")
    for attempt in range(TRIES):
        head = await attestation_head(store)
        order = find_order(message_id, await payment_orders(store))
        if problem := decision_obstacle(order, member, is_board=who.is_board, word=kind):
            raise RequestError(problem)
        try:
            # If power fails before this commit the word was not given, and may be given again.
            await attest_decision(store, order, content, kind=kind, head=head, key=key)
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
            continue
        return find_order(message_id, await payment_orders(store))
    raise AssertionError("unreachable")


async def attest_decision(
    store: PaymentStores,
    order: PaymentOrderRecord,
    content: dict[str, object],
    *,
    kind: str,
    head: tuple[int, bytes],
    key: Signer,
) -> None:
    """Sign a word on the order after this head of the chain. Raises: StoreConflictError."""
    coop = (await store.coop()).id
    said = attest(content, kind=kind, subject=order.through, run_key=order.order_key, coop=coop, head=head, key=key)
    await store.attest([as_row(said)])
