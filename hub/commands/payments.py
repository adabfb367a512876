"""`commonwatt-hub payments`: an order for what is due, two approvals, the bank's file, and what the bank then did.

The steps are: make the order, approve it twice, write it with the same options and --out, book it.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.books.view import read_money_books
from hub.commands.periods import parse_month
from hub.console.output_files import new_file
from hub.core.local_dates import parse_day
from hub.core.payments.due import COLLECTIONS, FROZEN, FROZEN_BESIDE, KINDS, SMALL, HeldAmount
from hub.core.payments.order_history import DRAFT, REASON_CHARS_MAX, PaymentOrderRecord
from hub.core.payments.sepa import BankFileError, CollectionOrder, PayoutOrder
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.money.booking import book_order, book_return
from hub.money.order_files import order_file
from hub.money.orders import (
    CAME_BACK,
    NO_ACCOUNT,
    NO_MANDATE,
    PURPOSE,
    OrderRequest,
    OrderResult,
    WriteFile,
    approve_order,
    make_order,
    withdraw_order,
)
from hub.storage.records import Access
from protocols.errors import RequestError
from protocols.timeline import Clock

EURO: Final = "EUR"
WHAT_TO_DO: Final[Mapping[str, str]] = {
    NO_ACCOUNT: "the member gives it on the page My bank account, or the board with commonwatt-hub account",
    NO_MANDATE: "the member gives it on the page My bank account, or the board with commonwatt-hub account",
    CAME_BACK: "ask the member; it is in the next order once the account is entered again",
    SMALL: "it is in a later order, together with what follows",
    FROZEN: "it waits for the board to decide on the objection",
    FROZEN_BESIDE: "it is not netted until the board decides on the objection",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock; with no options, the command lists the orders."""
    parser.add_argument("--kind", choices=KINDS, help="make or write an order of this kind")
    parser.add_argument("--month", metavar="MONTH", help="with --kind: for all that is due through this month")
    parser.add_argument("--date", metavar="DAY", help="with --kind: when the bank is to do it; else when it did it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="with --kind: write the approved order's XML here")
    parser.add_argument(
        "--member", "--by", metavar="ID", help="who asks, approves or enters it: a board member such as m01"
    )
    parser.add_argument("--approve", metavar="MESSAGE_ID", help="approve the order; two board members must")
    parser.add_argument("--withdraw", metavar="MESSAGE_ID", help="withdraw an order the bank will not execute")
    parser.add_argument("--booked", metavar="MESSAGE_ID", help="the bank's statement shows the order on --date")
    parser.add_argument(
        "--returned", nargs=2, metavar=("MESSAGE_ID", "REFERENCE"), help="the bank's statement shows it came back"
    )
    parser.add_argument("--reason", metavar="TEXT", help="with --returned and --withdraw: why")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Do the one step that was asked for and print the order. Raises: RequestError with a one-line message."""
    _check_arguments(args)
    clock = open_clock(args.clock)
    found = asyncio.run(do_step(args, clock=clock))
    sys.stdout.write(json.dumps(found) + "\n" if args.json else _lines(found))
    sys.stdout.flush()
    if args.out is not None and not found["written"]:
        orders = found["orders"]
        assert isinstance(orders, list)
        waits = f"{orders[0]['message_id']} waits for its approvals" if orders else "nothing is due"
        raise RequestError(f"payments: {waits}; {args.out} was not written")
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    steps = [name for name in ("kind", "approve", "withdraw", "booked", "returned") if getattr(args, name) is not None]
    if len(steps) > 1:
        raise RequestError(f"payments: --{steps[0]} and --{steps[1]} are two steps: do one after the other")
    step = steps[0] if steps else "the list"
    needs = {
        "kind": ("month", "date"),
        "approve": ("member",),
        "withdraw": ("member", "reason"),
        "booked": ("date",),
        "returned": ("date", "reason"),
    }
    takes = {"kind": {"out"}}
    if args.member is None:
        raise RequestError("payments: say who looks: --member with a board member's id")
    wanted = needs.get(step, ())
    for name in wanted:
        if getattr(args, name) is None:
            raise RequestError(f"payments: --{step} needs --{name}")
    for name in ("month", "date", "out", "reason"):
        if getattr(args, name) is not None and name not in wanted and name not in takes.get(step, ()):
            raise RequestError(f"payments: --{name} does not go with {step if not steps else '--' + step}")
    if args.reason is not None and not (
        args.reason.isprintable() and args.reason.strip() and len(args.reason) <= REASON_CHARS_MAX
    ):
        raise RequestError(f"payments: --reason: expected 1 to {REASON_CHARS_MAX} printable characters")


async def do_step(args: argparse.Namespace, *, clock: Clock) -> dict[str, object]:
    """Do the step on the hub in the folder; returns orders and held amounts, ready for JSON. Raises: RequestError."""
    try:
        async with opened_hub(args.data, clock=clock) as hub:
            if not getattr(await hub.store.member(args.member), "is_board", False):
                raise RequestError(f"{args.member[:40]} is not on the board")
            if args.kind is not None:
                return await _make_or_write(args, hub)
            if args.approve is None and args.withdraw is None and args.booked is None and args.returned is None:
                return await _list(hub, who=args.member)
            order = await _change_order(args, hub)
            return await _logged(hub, (order,), who=args.member)
    except (RequestError, BankFileError) as problem:
        raise RequestError(f"payments: {problem}") from None


async def _change_order(args: argparse.Namespace, hub: OpenHub) -> PaymentOrderRecord:
    """Approve, withdraw or book the named order."""
    store, key, at = hub.store, hub.signer, hub.opened_at
    if args.approve is not None:
        return await approve_order(store, args.approve, member=args.member, at=at, key=key)
    if args.withdraw is not None:
        return await withdraw_order(store, args.withdraw, member=args.member, reason=args.reason, at=at, key=key)
    day = _bank_day(args.date, today=hub.today).isoformat()
    if args.booked is not None:
        await _require_later(hub, args.booked, day=day)
        return await book_order(store, args.booked, day=day, at=at, key=key)
    message_id, reference = args.returned
    return await book_return(store, message_id, reference, day=day, reason=args.reason, at=at, key=key)


async def _list(hub: OpenHub, *, who: str) -> dict[str, object]:
    """All orders, and the fund runs that await the board's approval."""
    books = await read_money_books(hub.store)
    funds = [asdict(fund) for fund in books.fund_runs if fund.is_newest and not fund.is_due]
    return await _logged(hub, books.orders, who=who) | {"funds": funds}


async def _logged(hub: OpenHub, orders: Sequence[PaymentOrderRecord], *, who: str) -> dict[str, object]:
    """Orders say what members get and owe, so the access is first recorded in their homes' logs (I12)."""
    members = {payment.member for order in orders for payment in order.payments}
    homes = [home.id for home in await hub.store.homes() if home.member_id in members]
    access = Access(actor=who, role="board", purpose=PURPOSE, reason="payment orders")
    await hub.store.log_access(access, homes, fields="payments", rows=len(orders))
    return _found(orders)


async def _make_or_write(args: argparse.Namespace, hub: OpenHub) -> dict[str, object]:
    month, pay_on, account = parse_month(args.month), _bank_day(args.date), hub.settings.bank
    if account is None or hub.settings.coop.currency != EURO:
        raise RequestError("hub.toml needs a table [bank] with name and iban, and the currency EUR")
    if args.kind == COLLECTIONS and not account.creditor_id:
        raise RequestError("hub.toml needs bank.creditor_id, the co-op's SEPA creditor identifier")
    if pay_on < hub.today:
        raise RequestError(f"--date {pay_on} is in the past; use today or later")
    access = Access(actor=args.member, role="board", purpose=PURPOSE, reason=f"{args.kind} through {args.month}")
    if args.out is not None and args.out.exists():
        raise RequestError(f"{args.out} already exists; nothing written, choose another name")
    at, write_file = hub.opened_at, bank_writer()
    wish = OrderRequest(args.kind, month, pay_on, account)
    key = hub.signer
    made = await make_order(hub.store, wish, at=at, key=key, access=access, write_file=write_file)
    if made.order is None or args.out is None or made.order.state == DRAFT:
        return _found_made(made, written=False)
    with new_file(args.out) as file:  # it holds account numbers: only its owner may read it
        # Opened before the order is attested as written, so that if the folder is missing, the order stays approved.
        message_id = made.order.message_id
        file.write(await order_file(hub.store, message_id, at=at, key=key, access=access, write_file=write_file))
    return _found_made(made, written=True)


def bank_writer() -> WriteFile:
    """The functions that write the bank's XML. Raises: RequestError if its package is not installed."""
    try:
        from hub.exchange.bank_files import collection_file, payout_file  # noqa: PLC0415 - an optional package
    except ImportError:
        raise RequestError("the package sepaxml is missing: install commonwatt with the extra 'sepa'") from None

    def write(order: PayoutOrder | CollectionOrder) -> bytes:
        return payout_file(order) if isinstance(order, PayoutOrder) else collection_file(order)

    return write


async def _require_later(hub: OpenHub, message_id: str, *, day: str) -> None:
    """Raises: RequestError if the day is before the order was made: then the order is wrong, or the day is mistyped."""
    orders = (await read_money_books(hub.store)).orders
    order = next((order for order in orders if order.message_id == message_id), None)
    if order is not None:
        made_at = datetime.fromtimestamp(order.made_at, UTC)
        made_on = made_at.astimezone(ZoneInfo(hub.settings.coop.tz)).date().isoformat()
        if day < made_on:
            raise RequestError(f"{message_id} was made on {made_on}, so not executed on {day}")


def _bank_day(text: str, *, today: date | None = None) -> date:
    """The day in this text; if `today` is given, the day must not be later. Raises: RequestError."""
    try:
        day = parse_day(text)
    except ValueError:
        raise RequestError(f"--date {text[:20]!r} is not a day like 2026-11-21") from None
    if today is not None and day > today:
        raise RequestError(f"{day} is in the future")
    return day


def _found(orders: Sequence[PaymentOrderRecord]) -> dict[str, object]:
    return {"orders": [order_json(order) for order in orders], "held": [], "written": False}


def _found_made(made: OrderResult, *, written: bool) -> dict[str, object]:
    orders = [] if made.order is None else [order_json(made.order)]
    held = [_held_json(each) for each in made.held]
    return {"orders": orders, "held": held, "written": written}


def _held_json(held: HeldAmount) -> dict[str, object]:
    return asdict(held) | {"what_to_do": WHAT_TO_DO[held.why]}


def order_json(order: PaymentOrderRecord) -> dict[str, object]:
    """An order for programs, without account numbers."""
    returned = {reference: reason for reference, reason, _ in order.returned}
    return {
        "message_id": order.message_id,
        "kind": order.kind,
        "through": order.through,
        "date": order.pay_on,
        "state": order.state,
        "made_at": order.made_at,
        "total_cent": order.total_cent,
        "approvals": [member for member, _ in order.approvals],
        "withdrawals": [{"member": member, "reason": reason} for member, _, reason in order.withdrawals],
        "booked_on": order.booked_on,
        "payments": [
            {
                "reference": payment.reference,
                "member": payment.member,
                "amount_cent": payment.amount_cent,
                "months": [month for month, _ in payment.months],
                "returned": returned.get(payment.reference),
            }
            for payment in order.payments
        ],
    }


def _lines(found: Mapping[str, object]) -> str:
    orders, held = found["orders"], found["held"]
    assert isinstance(orders, list)
    assert isinstance(held, list)
    lines = []
    for order in orders:
        approvals = ", ".join(order["approvals"]) or "nobody"
        count = len(order["payments"])
        head = f"{order['message_id']}  {count} {order['kind']} through {order['through']} on {order['date']}"
        lines.append(f"{head}  {_euro(order['total_cent'])}  {order['state']}, approved by {approvals}")
        if len(orders) == 1:
            lines += [_payment_line(payment) for payment in order["payments"]]
    lines += [
        f"  {each['member']:<10}{_euro(each['amount_cent']):>16}  waits: {each['why']}; {each['what_to_do']}"
        for each in held
    ]
    funds = found.get("funds", [])
    assert isinstance(funds, list)
    lines += [
        f"{fund['kind'].removeprefix('fund:')} of {fund['day']} is waiting:"
        f" commonwatt-hub approve --run {fund['run_key']}"
        for fund in funds
    ]
    return "\n".join(lines or ["no order, and nothing is due"]) + "\n"


def _payment_line(payment: Mapping[str, Any]) -> str:
    returned = f"  returned: {payment['returned']}" if payment["returned"] is not None else ""
    months = payment["months"]
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    amount = _euro(payment["amount_cent"])
    return f"  {payment['member']:<10}{amount:>16}  {span}  {payment['reference']}{returned}"


def _euro(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} {EURO}"
