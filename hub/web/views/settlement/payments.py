"""Payment orders as pages show them: members see their own payments, the board whole orders. No account numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hub.core.payments.due import PAYOUTS
from hub.core.payments.order_history import APPROVED, BOOKED, DRAFT, WITHDRAWN, WRITTEN, Payment, PaymentOrderRecord
from hub.core.settlement.money import CENT_NANO
from hub.storage.records import Member
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class OwnPayment:
    """One payment to or from a member: what it is for, the amount, and its state."""

    what: str
    amount: str
    state: str


@dataclass(frozen=True, slots=True)
class OrderCard:
    """One order for the board: who receives or pays how much, and what this reader may do."""

    message_id: str
    headline: str
    state: str
    is_fine: bool
    decisions: tuple[str, ...]
    payments: tuple[tuple[str, str, str], ...]
    may_approve: bool
    may_withdraw: bool


def own_payments(orders: Sequence[PaymentOrderRecord], member: str, words: Localizer) -> tuple[OwnPayment, ...]:
    """The member's payments, newest first; those in withdrawn orders are left out."""
    return tuple(
        _own(order, payment, words)
        for order in reversed(orders)
        if order.state != WITHDRAWN
        for payment in order.payments
        if payment.member == member
    )


def _own(order: PaymentOrderRecord, payment: Payment, words: Localizer) -> OwnPayment:
    months = months_words(payment, words)
    if order.kind == PAYOUTS:
        what = words.text("To you: %(months)s", months=months)
    else:
        what = words.text("From you: %(months)s", months=months)
    return OwnPayment(what, words.money(payment.amount_cent * CENT_NANO), _own_state(order, payment, words))


def _own_state(order: PaymentOrderRecord, payment: Payment, words: Localizer) -> str:
    reason = next((why for reference, why, _ in order.returned if reference == payment.reference), None)
    if reason is not None:
        return words.text("returned by the bank: %(reason)s", reason=reason)
    if order.booked_on is not None:
        return words.text("done on %(day)s", day=_day(order.booked_on, words))
    if order.state == WRITTEN:
        return words.text("sent to the bank, for %(day)s", day=_day(order.pay_on, words))
    return words.text("being prepared, for %(day)s", day=_day(order.pay_on, words))


def months_words(payment: Payment, words: Localizer) -> str:
    """The months a payment covers: one, or from the first to the last."""
    first, last = (words.month(date.fromisoformat(f"{payment.months[i][0]}-01")) for i in (0, -1))
    return first if first == last else words.text("%(first)s to %(last)s", first=first, last=last)


def own_payments_json(orders: Iterable[PaymentOrderRecord], member: str) -> list[dict[str, object]]:
    """The member's payments for programs."""
    return [
        {
            "reference": payment.reference,
            "kind": order.kind,
            "amount_cent": payment.amount_cent,
            "months": [month for month, _ in payment.months],
            "state": order.state,
            "date": order.pay_on,
            "booked_on": order.booked_on,
            "returned": next((why for reference, why, _ in order.returned if reference == payment.reference), None),
        }
        for order in orders
        if order.state != WITHDRAWN
        for payment in order.payments
        if payment.member == member
    ]


def order_cards(
    orders: Sequence[PaymentOrderRecord], words: Localizer, *, members: Sequence[Member], reader: str
) -> tuple[OrderCard, ...]:
    """The orders, newest first."""
    names = {member.id: member.name for member in members}
    return tuple(_card(order, words, names=names, reader=reader) for order in reversed(orders))


def _card(order: PaymentOrderRecord, words: Localizer, *, names: Mapping[str, str], reader: str) -> OrderCard:
    approvals, withdrawals = ([word[0] for word in each] for each in (order.approvals, order.withdrawals))
    return OrderCard(
        message_id=order.message_id,
        headline=_headline(order, words),
        state=_state_words(order, words),
        is_fine=order.state in (APPROVED, WRITTEN, BOOKED),
        decisions=tuple(_history(order, words, names=names)),
        payments=tuple(
            (
                names.get(payment.member, payment.member),
                months_words(payment, words),
                words.money(payment.amount_cent * CENT_NANO),
            )
            for payment in order.payments
        ),
        may_approve=order.state == DRAFT and reader not in approvals,
        may_withdraw=order.state not in (BOOKED, WITHDRAWN) and reader not in withdrawals,
    )


def _headline(order: PaymentOrderRecord, words: Localizer) -> str:
    parts = {"amount": words.money(order.total_cent * CENT_NANO), "day": _day(order.pay_on, words)}
    count = len(order.payments)
    if order.kind == PAYOUTS:
        return words.plural(
            "%(n)s payout on %(day)s, %(amount)s", "%(n)s payouts on %(day)s, %(amount)s", count, **parts
        )
    return words.plural(
        "%(n)s collection on %(day)s, %(amount)s", "%(n)s collections on %(day)s, %(amount)s", count, **parts
    )


def _history(order: PaymentOrderRecord, words: Localizer, *, names: Mapping[str, str]) -> Iterable[str]:
    for member, at in order.approvals:
        who, when = names.get(member, member), words.moment(at)
        yield words.text("%(who)s approved it on %(when)s", who=who, when=when)
    for member, at, reason in order.withdrawals:
        who, when = names.get(member, member), words.moment(at)
        yield words.text("%(who)s withdrew it on %(when)s: %(reason)s", who=who, when=when, reason=reason)
    for reference, reason, _ in order.returned:
        yield words.text("%(reference)s was returned: %(reason)s", reference=reference, reason=reason)


def _state_words(order: PaymentOrderRecord, words: Localizer) -> str:
    return {
        DRAFT: words.text("waiting for approval by two board members"),
        APPROVED: words.text("approved: the bank file can be written"),
        WRITTEN: words.text("the bank file has been written"),
        BOOKED: words.text("executed and booked"),
        WITHDRAWN: words.text("withdrawn: what it covered is due again"),
    }[order.state]


def _day(day: str, words: Localizer) -> str:
    return words.day(date.fromisoformat(day))
