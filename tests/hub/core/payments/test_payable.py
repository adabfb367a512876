"""What is to pay now: due amounts without what waits for the board, taxes shared exactly, nothing lost in between."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.ledger.signed_document import document_hash
from hub.core.payments.payable import SIDE_OF_LINE, payable_amounts
from hub.core.payments.tax_terms import TaxRates, TaxTerms
from hub.core.statements.document import state_month
from tests.hub.core.statements.statement_street import (
    Street,
    bills_of,
    make_readings,
    make_rule,
    make_street,
    street_members,
)

DAYS = ("2026-10-24", "2026-10-25", "2026-10-26")
TERMS = TaxTerms(
    (), (TaxRates("2026-01-01", 200_000, 130_000, 100_000), TaxRates("2026-10-26", 77_777, 130_000, 100_000))
)
relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=60)


def make_one() -> Street:
    members = street_members(6)
    readings = {day: make_readings(members, day, seed=n) for n, day in enumerate(DAYS)}
    return make_street(readings, make_rule("equal", members, seed=2), fee_nano=2_503_333_333)


STREET = make_one()


def stated(*, terms: TaxTerms | None = TERMS, standing: Any = None, billed: bool = True) -> dict[str, Any]:
    bills = bills_of(STREET, "a", terms, standing=standing) if billed else []
    return state_month(STREET.month, "a", name="A", made_at="2026-11-07T10:00Z", bills=bills)


def test_without_objections_all_that_is_due_is_to_pay_now() -> None:
    statement = stated()
    payment: Any = payable_amounts(statement, [])
    assert payment["statement"] == document_hash(statement)
    assert [bill["now_cent"] for bill in payment["bills"]] == [bill["due_cent"] for bill in statement["tax"]]
    assert payment["now_cent"] == statement["tax"][1]["gross_cent"] - statement["tax"][0]["gross_cent"]


def test_the_class_of_the_meter_is_told_only_where_it_charges_something() -> None:
    billed = {**stated(), "billed": True}
    assert payable_amounts(billed, [], meter="none")["meter"] == "none"
    assert "meter" not in payable_amounts(billed, [])
    assert "meter" not in payable_amounts({**billed, "billed": False}, [], meter="none")
    nothing = {**billed, "tax": [], "money": dict.fromkeys(billed["money"], 0)}
    assert payable_amounts(nothing, [], meter="none")["bills"] == []
    assert "meter" not in payable_amounts(nothing, [], meter="none")


def test_an_objection_to_a_side_of_the_month_leaves_only_the_fee_and_its_tax() -> None:
    statement = stated()
    for line in ("debit", "received", "demand"):
        payment: Any = payable_amounts(statement, [("", line, 5)])
        invoice, note = payment["bills"]
        assert invoice["now_cent"] == 250 + 25, "2.50 of fee and its tax are nobody's doubt"
        assert note["waiting_cent"] == 0
        assert payment["waiting"] == [{"day": "", "line": line, "until": 5}]


def test_a_month_that_is_not_billed_owes_nothing_yet_and_still_names_what_waits() -> None:
    payment: Any = payable_amounts(stated(billed=False), [(DAYS[0], "sold", 5)])
    assert (payment["bills"], payment["now_cent"], len(payment["waiting"])) == ([], 0, 1)


def test_what_an_earlier_bill_took_does_not_wait_again() -> None:
    before = {side: bill | {"gross_cent": bill["gross_cent"] + 100} for side, bill in _by_side(stated()).items()}
    changed = {side: bill | {"lines": []} for side, bill in before.items()}
    statement = stated(standing={"a": changed})
    payment: Any = payable_amounts(statement, [("", "debit", 5), ("", "credit", 5)])
    assert [bill["now_cent"] for bill in payment["bills"]] == [-100, -100], "what was billed too much goes back at once"


def _by_side(statement: dict[str, Any]) -> dict[str, Any]:
    return {bill["lines"][0]["name"]: bill for bill in statement["tax"]}


waits = st.lists(st.tuples(st.sampled_from(["", *DAYS]), st.sampled_from(sorted(SIDE_OF_LINE)), st.integers(1, 9)))


@given(first=waits, more=waits)
@relaxed
def test_more_objections_never_let_more_be_paid_and_the_parts_make_the_whole(
    first: list[tuple[str, str, int]], more: list[tuple[str, str, int]]
) -> None:
    statement = stated()
    less: Any = payable_amounts(statement, first)
    most: Any = payable_amounts(statement, [*first, *more])
    for few, many in zip(less["bills"], most["bills"], strict=True):
        assert 0 <= many["now_cent"] <= few["now_cent"] <= few["due_cent"]
        assert few["waiting_cent"] + few["now_cent"] == few["due_cent"]
    assert to_pay(most) <= to_pay(less) <= to_pay(payable_amounts(statement, []))


def to_pay(payment: Any) -> int:
    return max(0, -payment["now_cent"])


def test_an_objection_to_the_credit_holds_the_bill_it_would_have_paid() -> None:
    for more in (0, 5_000):  # a seller, and a buyer of so much more than is sold
        statement = stated()
        bill = statement["tax"][1 - [b["lines"][0]["name"] for b in statement["tax"]].index("sold")]
        bill["due_cent"] += more
        free: Any = payable_amounts(statement, [])
        for line in ("credit", "sold", "surplus"):
            payment: Any = payable_amounts(statement, [("", line, 5)])
            assert payment["now_cent"] == min(free["now_cent"], 0)
            waits = {bill["side"]: bill["waiting_cent"] for bill in payment["bills"]}
            assert waits["received"] == waits["sold"] - max(free["now_cent"], 0) > 0


def test_all_days_wait_as_the_month_does() -> None:
    statement = stated()
    every: Any = payable_amounts(statement, [(day, line, 1) for day in DAYS for line in ("debit", "credit")])
    assert [bill["waiting_cent"] for bill in every["bills"]] == [
        bill["waiting_cent"]
        for bill in payable_amounts(statement, [("", "debit", 1), ("", "credit", 1)])["bills"]  # type: ignore[union-attr]
    ]
