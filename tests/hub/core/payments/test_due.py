"""What is due, after any sequence of bills, corrections, grants, objections, orders, bookings and returns.

A small world keeps its own plain account of what was paid; the ledger, the orders and that account must agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.attestations import FIRST_PREVIOUS, AttestedDocument, attest, read_attestation
from hub.core.ledger.entries import Entry, Posting, balances, trial_balance
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.bills import MonthMoney
from hub.core.payments.due import (
    COLLECTIONS,
    FROZEN,
    PAYOUTS,
    SMALL,
    MoneyTally,
    MonthCents,
    OrderKind,
    PaymentTerms,
    amounts_due,
)
from hub.core.payments.order_history import (
    BOOKED,
    PAYMENT_FILE,
    PAYMENT_ORDER,
    PAYMENT_WITHDRAWAL,
    WITHDRAWN,
    BankReport,
    PaymentOrderRecord,
    bank_record,
    booking_obstacle,
    covered_by,
    order_content,
    order_key_of,
    payment_entries,
    read_bank_report,
    read_orders,
    return_obstacle,
)
from hub.core.settlement.money import CENT_NANO

ACCOUNT = CoopAccount("The Street", "DE89370400440532013000", creditor_id="DE98ZZZ09999999999", smallest_cent=1)
MEMBERS, MONTHS = ("m01", "m02", "m03"), ("2026-10", "2026-11", "2026-12")


class Ink:
    """Signs with zeros: what is signed is not looked at here."""

    def sign(self, data: bytes, /) -> bytes:
        return bytes(64)


@dataclass(frozen=True)
class Objection:
    member: str
    month: str
    day: str
    line: str


def line(side: str, net_cent: int, rate_ppm: int = 0) -> dict[str, Any]:
    return {"name": side, "net_cent": net_cent, "rate_ppm": rate_ppm, "reverse_charge": False, "days": None}


@dataclass
class World:
    """Bills, grants and orders as they come, with the entries they make."""

    bills: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    grants: list[Entry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    said: list[AttestedDocument] = field(default_factory=list)
    bank: list[BankReport] = field(default_factory=list)
    objections: list[Objection] = field(default_factory=list)
    paid_cent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEMBERS, 0))

    def tally(self) -> MoneyTally:
        tally = MoneyTally()
        for month, standing in sorted(self.bills.items()):
            tally.add_bills(month, standing)
        for entry in self.grants:
            tally.add_fund(entry)
        for entry in self.entries:
            if entry.postings[0].line in ("received", "sold"):
                tally.add_objected(entry)
        return tally

    def orders(self) -> tuple[PaymentOrderRecord, ...]:
        return read_orders(self.said, self.bank)

    def bill(self, member: str, month: str, credit: int, debit: int) -> None:
        """A first bill or a correction, as the books have it: the account moves by exactly what the documents say."""
        before = self.tally().stated().get((member, month), MonthCents())
        documents = {"sold": credit, "received": debit}
        self.bills.setdefault(month, {})[member] = {
            side: {"gross_cent": cent, "lines": [line(side, cent)], "taxes": []} for side, cent in documents.items()
        }
        after = self.tally().stated()[member, month]
        moved = (after.net_cent - before.net_cent) * CENT_NANO
        self._move(f"{month}-28", member, moved, "coop:margin", "received")

    def grant(self, member: str, month: str, nano: int) -> None:
        self._move(f"{month}-28", member, nano, "coop:solidarity", "solidarity")
        self.grants.append(self.entries[-1])

    def order(self, kind: OrderKind, through: str, terms: PaymentTerms) -> None:
        covered, tally = covered_by(self.orders()), self.tally()
        stated, frozen = tally.stated(), tally.frozen(self.objections)
        dues, held = amounts_due(kind, stated, covered, frozen=frozen, through=through, terms=terms)
        for due in dues:
            left = [
                stated.get((due.member, m), MonthCents()).plus(covered.get((due.member, m), MonthCents()), -1)
                for m in MONTHS
            ]
            within = left[: MONTHS.index(through) + 1]
            net = sum(part.net_cent for part in within) * (1 if kind == PAYOUTS else -1)
            assert due.amount_cent >= terms.smallest_cent
            if terms.is_netted and due.member not in {each.member for each in self.objections}:
                assert 0 < due.amount_cent <= net, "never more than the net of all that is open"
            assert due.member not in {each.member for each in held if each.why == SMALL}
        if dues:
            self._say_order([(due, 1, None) for due in dues], kind, through, terms)

    def _say_order(self, dues: Any, kind: OrderKind, through: str, terms: PaymentTerms) -> None:
        account = replace(ACCOUNT, is_netted=terms.is_netted, smallest_cent=terms.smallest_cent)
        content = order_content(
            dues, kind=kind, through=through, pay_on="2027-01-20", made_at=len(self.said), coop="street",
            number=len(self.orders()) + 1, account=account,
        )  # fmt: skip
        self.speak(PAYMENT_ORDER, content, key=order_key_of(content))

    def speak(self, kind: str, content: dict[str, object], *, key: str) -> None:
        head = (len(self.said), FIRST_PREVIOUS)
        said = attest(content, kind=kind, subject="2026-12", run_key=key, coop="street", head=head, key=Ink())
        self.said.append(read_attestation(said.document))

    def withdraw(self, place: int) -> None:
        order = self.orders()[place]
        if order.state not in (BOOKED, WITHDRAWN):
            for member in MEMBERS[:2]:
                self.speak(PAYMENT_WITHDRAWAL, {"member": member, "at": 1, "reason": "no"}, key=order.order_key)

    def book(self, place: int) -> None:
        order = self.orders()[place]
        if order.state == WITHDRAWN:
            return
        assert (booking_obstacle(order) is None) == (order.state == "written")
        if not order.files:
            self.speak(PAYMENT_FILE, {"sha256": "0", "at": 1}, key=order.order_key)
            order = self.orders()[place]
        if booking_obstacle(order) is None:
            self._bank(order, None)

    def give_back(self, place: int, line: int) -> None:
        order = self.orders()[place]
        reference = order.payments[line % len(order.payments)].reference
        if return_obstacle(order, reference) is None:
            self._bank(order, reference)

    def _bank(self, order: PaymentOrderRecord, reference: str | None) -> None:
        word = BankReport(order.message_id, "2027-01-20", reference, "AM04", len(self.bank))
        assert read_bank_report(bank_record(order, word)) == word
        self.bank.append(word)
        self.entries += payment_entries(order, day=word.day, run="r", cites="c", returned=reference)
        for payment in order.payments:
            if reference in (None, payment.reference):
                sign = (1 if order.kind == PAYOUTS else -1) * (1 if reference is None else -1)
                self.paid_cent[payment.member] += sign * payment.amount_cent

    def _move(self, day: str, member: str, nano: int, other: str, line: str) -> None:
        postings = (Posting(f"member:{member}:money", nano, line), Posting(other, -nano, line))
        self.entries.append(Entry("nano", day, "r", member, postings, "c"))


def check(world: World) -> None:
    """The ledger sums to zero, and of each member paid and open come to what is stated, in cents and in nano."""
    orders, stated = world.orders(), world.tally().stated()
    covered, sums = covered_by(orders), balances(world.entries)
    assert trial_balance(sums) == {"Wh": 0, "nano": 0}
    assert len({order.message_id for order in orders}) == len(orders)
    assert sums.get(("nano", "bank"), 0) == sum(world.paid_cent.values()) * CENT_NANO
    booked = [order for order in orders if order.state == BOOKED]
    for member in MEMBERS:
        mine = [stated.get((member, month), MonthCents()) for month in MONTHS]
        net = sum(part.net_cent for part in mine)
        taken = sum(part.net_cent for (who, _), part in covered.items() if who == member)
        waiting = sum(
            payment.covered.net_cent
            for order in orders
            if order.state not in (BOOKED, WITHDRAWN)
            for payment in order.payments
            if payment.member == member
        )
        assert world.paid_cent[member] + waiting + (net - taken) == net, "paid + on its way + open == stated"
        rounded = sum(p.covered.rounding_nano for order in booked for p in order.payments if p.member == member)
        left = sum(part.rounding_nano for part in mine) - rounded
        balance = sums.get(("nano", f"member:{member}:money"), 0)
        assert balance + left == (net - world.paid_cent[member]) * CENT_NANO


numbers, cents = st.integers(0, 5), st.integers(0, 900)
STEPS = st.one_of(
    st.tuples(st.just("bill"), st.sampled_from(MEMBERS), st.sampled_from(MONTHS), cents, cents),
    st.tuples(st.just("grant"), st.sampled_from(MEMBERS), st.sampled_from(MONTHS), st.integers(0, 10**11)),
    st.tuples(st.just("object"), st.sampled_from(MEMBERS), st.sampled_from(MONTHS), st.sampled_from(["sold", "debit"])),
    st.tuples(
        st.just("order"), st.sampled_from([PAYOUTS, COLLECTIONS]), st.sampled_from(MONTHS),
        st.builds(PaymentTerms, st.booleans(), st.sampled_from([1, 100])),
    ),
    st.tuples(st.just("withdraw"), numbers),
    st.tuples(st.just("book"), numbers),
    st.tuples(st.just("book"), numbers),
    st.tuples(st.just("return"), numbers, numbers),
)  # fmt: skip


def take(world: World, step: tuple[Any, ...]) -> None:
    name, *rest = step
    if name == "bill":
        world.bill(*rest)
    elif name == "grant":
        world.grant(*rest)
    elif name == "object":
        member, month, line = rest
        world.objections.append(Objection(member, month, "", line))
    elif name == "order":
        world.order(*rest)
    elif rest[0] < len(world.orders()):
        {"withdraw": world.withdraw, "book": world.book, "return": world.give_back}[name](*rest)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_paid_and_open_come_to_what_is_stated_after_any_sequence(steps: Sequence[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        take(world, step)
        check(world)


@settings(max_examples=100)
@given(st.lists(STEPS, max_size=30))
def test_when_nothing_changes_any_more_everybody_is_paid_once(
    steps: Sequence[tuple[Any, ...]],
) -> None:
    world = World()
    for step in steps:
        take(world, step)
    world.objections.clear()
    for _ in range(2):
        for place in range(len(world.orders())):
            world.book(place)
        for kind in (PAYOUTS, COLLECTIONS):
            world.order(kind, MONTHS[-1], PaymentTerms(True, 1))
    before = len(world.orders())
    for kind in (PAYOUTS, COLLECTIONS):
        world.order(kind, MONTHS[-1], PaymentTerms(True, 1))
    assert len(world.orders()) == before, "what is covered is not ordered again"
    check(world)
    stated = world.tally().stated()
    for place in range(before):
        world.book(place)
    for member in MEMBERS:
        assert world.paid_cent[member] == sum(part.net_cent for (who, _), part in stated.items() if who == member)


@settings(max_examples=100)
@given(st.lists(STEPS, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_bookings_does_not_matter(steps: Sequence[tuple[Any, ...]], dice: Any) -> None:
    world = World()
    for step in steps:
        if step[0] not in ("book", "return"):
            take(world, step)
    places = list(range(len(world.orders())))
    other = replace(
        world,
        said=list(world.said),
        bank=list(world.bank),
        entries=list(world.entries),
        paid_cent=dict(world.paid_cent),
    )
    for place in places:
        world.book(place)
    dice.shuffle(places)
    for place in places:
        other.book(place)
    assert balances(world.entries) == balances(other.entries)
    assert covered_by(world.orders()) == covered_by(other.orders())


def due_of(
    kind: OrderKind, stated: MonthCents, *, frozen: MonthCents | None = None, is_netted: bool = True
) -> tuple[int, int]:
    """(in the order, frozen) of one member with one month."""
    place = ("m01", "2026-10")
    dues, held = amounts_due(
        kind,
        {place: stated},
        {},
        frozen={place: frozen or MonthCents()},
        through="2026-10",
        terms=PaymentTerms(is_netted),
    )
    return sum(due.amount_cent for due in dues), sum(each.amount_cent for each in held if each.why == FROZEN)


@pytest.mark.parametrize(
    ("kind", "frozen", "is_netted", "wanted"),
    [
        (PAYOUTS, MonthCents(0, 0), True, (400, 0)),
        (PAYOUTS, MonthCents(300, 0), True, (100, 300)),
        (PAYOUTS, MonthCents(1000, 0), True, (0, 1000)),
        (PAYOUTS, MonthCents(0, 600), True, (1000, 0)),
        (COLLECTIONS, MonthCents(0, 0), True, (0, 0)),
        (COLLECTIONS, MonthCents(1000, 600), True, (0, 600)),
        (PAYOUTS, MonthCents(0, 0), False, (1000, 0)),
        (PAYOUTS, MonthCents(300, 0), False, (700, 300)),
        (COLLECTIONS, MonthCents(0, 0), False, (600, 0)),
        (COLLECTIONS, MonthCents(0, 250), False, (350, 250)),
        (COLLECTIONS, MonthCents(1000, 0), True, (0, 600)),
        (COLLECTIONS, MonthCents(1000, 0), False, (0, 600)),
        (COLLECTIONS, MonthCents(500, 0), True, (0, 100)),
    ],
)
def test_what_is_frozen_waits_and_is_set_against_nothing(
    kind: OrderKind, frozen: MonthCents, is_netted: bool, wanted: tuple[int, int]
) -> None:
    assert due_of(kind, MonthCents(1000, 600), frozen=frozen, is_netted=is_netted) == wanted


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    months=st.lists(st.tuples(*[st.integers(-50, 3_000)] * 2, *[st.integers(0, 3_000)] * 4), min_size=1, max_size=3),
    is_netted=st.booleans(),
)
def test_an_objection_never_raises_what_is_collected(months: list[tuple[int, ...]], is_netted: bool) -> None:
    named = {("m01", f"2026-{10 + at}"): month for at, month in enumerate(months)}
    stated = {place: MonthCents(month[0], month[1]) for place, month in named.items()}
    first = {place: MonthCents(month[2], month[3]) for place, month in named.items()}
    more = {place: MonthCents(month[2] + month[4], month[3] + month[5]) for place, month in named.items()}
    asked = []
    for frozen in ({}, first, more):
        dues, _ = amounts_due(
            COLLECTIONS, stated, {}, frozen=frozen, through="2026-12", terms=PaymentTerms(is_netted=is_netted)
        )
        asked.append(sum(due.amount_cent for due in dues))
    assert asked == sorted(asked, reverse=True)


def test_what_was_ordered_before_the_objection_is_not_asked_back() -> None:
    place = ("m01", "2026-10")
    stated, frozen = {place: MonthCents(1000, 600)}, {place: MonthCents(1000, 600)}
    for kind in (PAYOUTS, COLLECTIONS):
        found = amounts_due(kind, stated, stated, frozen=frozen, through="2026-10", terms=PaymentTerms())
        assert found == ((), ())


def test_a_day_freezes_its_money_with_the_tax_on_it() -> None:
    tally = MoneyTally()
    taxes = [{"rate_ppm": 200_000, "reverse_charge": False, "net_cent": 500, "tax_cent": 100}]
    tally.add_bills(
        "2026-10", {"m01": {"received": {"gross_cent": 600, "lines": [line("received", 500, 200_000)], "taxes": taxes}}}
    )
    for day, cent in (("2026-10-03", 100), ("2026-10-04", 400)):
        nano = cent * CENT_NANO
        postings = (Posting("member:m01:money", -nano, "received"), Posting("pool", nano, "received"))
        tally.add_objected(Entry("nano", day, "r", "m01", postings, "c"))
    one, place = Objection("m01", "2026-10", "2026-10-03", "demand"), ("m01", "2026-10")
    assert tally.frozen([one, replace(one, line="received")]) == {place: MonthCents(0, 120)}
    assert tally.frozen([replace(one, day="", line="sold")]) == {place: MonthCents(0, 0)}
    assert tally.frozen([one, replace(one, day="", line="debit")]) == {place: MonthCents(0, 600)}
    assert tally.frozen([replace(one, month="2026-09")]) == {("m01", "2026-09"): MonthCents(0, 0)}


def test_a_month_before_there_were_bills_counts_in_whole_cents_and_says_what_rounding_adds() -> None:
    money = MonthMoney(
        {
            "received": {"m01": {"2026-05-01": 2 * CENT_NANO + 6_000_000}, "m02": {"2026-05-01": 4_000_000}},
            "sold": {"m01": {"2026-05-01": CENT_NANO, "2026-05-02": 3_000_000}, "m02": {"2026-05-02": 7_000_000}},
            "fee": {},
        },
        "2026-05-31",
    )
    tally = MoneyTally()
    tally.add_plain("2026-05", money)
    # Of 3.0 cents received, m01 has 2.6 and m02 0.4: the largest rest gets the third. Of 2.0 sold, m02 gets the second.
    assert tally.stated() == {
        ("m01", "2026-05"): MonthCents(1, 3, -3_000_000 - 4_000_000),
        ("m02", "2026-05"): MonthCents(1, 0, 3_000_000 + 4_000_000),
    }


whole_months = st.dictionaries(
    st.sampled_from(MEMBERS), st.dictionaries(st.sampled_from(["2026-05-01", "2026-05-02"]), st.integers(0, 10**12))
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(whole_months, whole_months)
def test_a_plain_months_rounding_is_what_its_cents_have_beyond_the_ledger(received: Any, sold: Any) -> None:
    tally = MoneyTally()
    money = MonthMoney({"received": received, "sold": sold, "fee": {}}, "2026-05-31")
    tally.add_plain("2026-05", money)
    stated = tally.stated()
    assert {member for member, _ in stated} == {*received, *sold}
    for (member, _), cents in stated.items():
        booked = sum(sold.get(member, {}).values()) - sum(received.get(member, {}).values())
        assert cents.net_cent * CENT_NANO - booked == cents.rounding_nano
        assert abs(cents.rounding_nano) < 2 * CENT_NANO
    for side, amounts in (("credit_cent", sold), ("debit_cent", received)):
        whole = sum(sum(days.values()) for days in amounts.values())
        assert sum(getattr(cents, side) for cents in stated.values()) == whole // CENT_NANO


def test_a_plain_month_freezes_the_day_that_is_objected_to() -> None:
    tally = MoneyTally()
    days = {"2026-05-01": 3 * CENT_NANO, "2026-05-02": 5 * CENT_NANO}
    tally.add_plain("2026-05", MonthMoney({"received": {"m01": days}, "sold": {}, "fee": {}}, "2026-05-31"))
    for day, nano in days.items():
        postings = (Posting("member:m01:money", -nano, "received"), Posting("pool", nano, "received"))
        tally.add_objected(Entry("nano", day, "r", "m01", postings, "c"))
    objection = Objection("m01", "2026-05", "2026-05-02", "received")
    assert tally.frozen([objection]) == {("m01", "2026-05"): MonthCents(0, 5)}


def test_refunds_become_cents_that_add_up_over_the_members() -> None:
    tally = MoneyTally()
    for member, nano in (("m01", 15_000_000), ("m02", 15_000_000), ("m03", 1_000_000)):
        postings = (Posting(f"member:{member}:money", nano, "grant"), Posting("coop:solidarity", -nano, "grant"))
        tally.add_fund(Entry("nano", "2026-05-31", "r", member, postings, "c"))
    assert tally.stated() == {
        ("m01", "2026-05"): MonthCents(2, 0, 5_000_000),
        ("m02", "2026-05"): MonthCents(1, 0, -5_000_000),
        ("m03", "2026-05"): MonthCents(0, 0, -1_000_000),
    }


def test_who_has_left_is_paid_even_a_small_amount() -> None:
    stated = {("m01", "2026-05"): MonthCents(40), ("m02", "2026-05"): MonthCents(40)}
    terms = PaymentTerms(smallest_cent=100, leavers=frozenset({"m02"}))
    dues, held = amounts_due(PAYOUTS, stated, {}, frozen={}, through="2026-05", terms=terms)
    assert [(due.member, due.amount_cent) for due in dues] == [("m02", 40)]
    assert [(each.member, each.why) for each in held] == [("m01", SMALL)]
