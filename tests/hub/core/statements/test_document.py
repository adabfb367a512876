"""Statements: cents add up over members, differences name what changed, tax by rate, and nothing k-unsafe is shown."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.published_steps import share_step
from hub.core.allocation.rounding import largest_remainder
from hub.core.ledger.signed_document import SIGNED_TAG, canonical_bytes, document_hash, sign_document
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.money import Money
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import Readings
from hub.core.settlement.slot_marks import SlotMarks
from hub.core.statements.document import StatementFiles, own_readings, state_month
from hub.verify.statement_days import root_of
from tests.hub.core.settlement.settlement_worlds import METHODS, NAMES
from tests.hub.core.statements.statement_street import (
    HUB_KEY,
    PRICES,
    Street,
    make_readings,
    make_rule,
    make_street,
    month_of,
    street_members,
)

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
DAYS = ("2026-03-28", "2026-03-29", "2026-03-30")  # the clocks go forward on the second


def street_of(method: str = "equal", *, seed: int = 1, kind: str = "M1", count: int = 6) -> Street:
    members = street_members(count)
    readings = {day: make_readings(members, day, seed=seed + n, gaps=0.02) for n, day in enumerate(DAYS)}
    return make_street(readings, make_rule(method, members, seed=2), kind=kind)


def stated(street: Street, member: str, **more: object) -> dict[str, object]:
    return state_month(street.month, member, name=member, made_at="2026-04-08T08:00Z", **more)


@pytest.mark.parametrize("method", METHODS)
def test_the_members_statements_add_up_to_the_months_money(method: str) -> None:
    street = street_of(method)
    members = street.days[0].settled.members
    documents = [stated(street, member) for member in members]
    debit = tuple(sum(day.settled.money.debit_nano[i] for day in street.days) for i in range(len(members)))
    credit = tuple(sum(day.settled.money.credit_nano[i] for day in street.days) for i in range(len(members)))
    whole = Money(debit, credit, None)
    for unit, unit_nano in (("micro", 1_000), ("cent", 10_000_000)):
        rounded = whole.in_units_of(unit_nano)
        assert tuple(document["money"][f"debit_{unit}"] for document in documents) == rounded.debit
        assert tuple(document["money"][f"credit_{unit}"] for document in documents) == rounded.credit
    for document, paid, earned in zip(documents, debit, credit, strict=True):
        money, totals = document["money"], document["totals"]
        assert (money["debit_nano"], money["credit_nano"]) == (paid, earned)
        retail, feedin = PRICES.retail_micro_per_kwh, PRICES.feedin_micro_per_kwh
        gained = totals["received"] * (retail - PRICES.buy_micro_per_kwh)
        gained += totals["sold"] * (PRICES.sell_micro_per_kwh - feedin)
        assert money["alone_nano"] - money["cost_nano"] == money["benefit_nano"] == gained


def test_of_two_members_with_the_same_amount_one_gets_the_unit_that_is_left_over() -> None:
    whole = make_readings(("a", "b", "c"), DAYS[0], seed=1)
    surplus, demand = np.zeros_like(whole.surplus_wh), np.zeros_like(whole.demand_wh)
    surplus[40, 0] = 100
    demand[40, 1:] = 2  # each owes 370.864 micro: of the two rests together, one unit is left over
    readings = Readings(whole.members, whole.slots, surplus, demand)
    street = make_street({DAYS[0]: readings}, make_rule("equal", whole.members, seed=2))
    assert [stated(street, member)["money"]["debit_micro"] for member in "abc"] == [0, 371, 370]


def test_every_entry_is_proven_under_a_signed_root_and_a_statement_is_signed() -> None:
    street = street_of()
    document = stated(street, "a")
    for day in document["days"]:
        root = day["root"]["document"]
        covered = SIGNED_TAG + canonical_bytes(root)
        HUB_KEY.public_key().verify(bytes.fromhex(day["root"]["signature"]), covered)
        for each in day["entries"]:
            path = [bytes.fromhex(step) for step in each["proof"]]
            leaf, root_bytes = bytes.fromhex(each["salt"]) + each["entry"].encode(), bytes.fromhex(root["root"])
            assert root_of(leaf, each["place"], root["entries"], path) == root_bytes
    signed = sign_document(document, HUB_KEY)
    assert canonical_bytes(json.loads(json.dumps(signed))["document"]) == canonical_bytes(document)


@pytest.mark.parametrize(
    ("kind", "state", "billed"), [("D", "provisional", False), ("M1", "provisional", True), ("RF", "final", True)]
)
def test_a_statement_is_final_when_a_whole_month_is_closed(kind: str, state: str, billed: bool) -> None:
    street = street_of(kind=kind)
    whole = month_of(street.days, "2026-03")
    document = state_month(whole, "a", name="a", made_at="x")
    assert (document["state"], document["billed"]) == (state, billed)
    open_month = stated(street, "a")
    assert (open_month["state"], open_month["billed"]) == ("provisional", False)


def test_differences_to_the_last_statement_name_the_changed_numbers_of_the_changed_days() -> None:
    first = street_of(seed=1)
    later_readings = dict(first.readings) | {DAYS[1]: make_readings(first.readings[DAYS[1]].members, DAYS[1], seed=99)}
    later = make_street(later_readings, first.days[0].settled.rule, kind="R1")
    last = stated(first, "a")
    assert stated(first, "a", last=last)["changes"] == {"since": document_hash(last), "month": {}, "days": {}}
    now = stated(later, "a", last=last)
    assert set(now["changes"]["days"]) == {DAYS[1]}
    before, after = now["changes"]["month"]["received"]
    assert (before, after) == (last["totals"]["received"], now["totals"]["received"])
    with pytest.raises(ValueError, match="of another member or month"):
        stated(later, "Z", last=last)


def test_own_readings_carry_their_marks_and_what_came_late() -> None:
    surplus, demand = np.array([[5, 1], [-1, 1], [0, 1], [7, 1]]), np.array([[2, 1]] * 4)
    readings = Readings(("a", "b"), (40, 41, 42, 43), surplus, demand)
    own = own_readings("b", [readings], marks=[SlotMarks(held=((41, 1), (44, 1)))])
    rows = [[40, 1, 1], [41, 1, 1, "held"], [42, 1, 1], [43, 1, 1], [44, None, None, "held"]]
    assert own == {"member": "b", "readings": rows}
    assert own_readings("a", [readings])["readings"] == [[40, 5, 2], [41, None, 2], [42, 0, 2], [43, 7, 2]]
    assert own_readings("c", [readings]) == {"member": "c", "readings": []}
    day = {
        "day": "1970-01-01", "run": {"key": "r", "kind": "M1"}, "rule": "x", "window": None, "first_slot": 40,
        "step": 1, "surplus": [5, None, None, 7], "demand": [2, None, None, 2], "received": [0] * 4, "sold": [0] * 4,
        "provisional": [],
    }  # fmt: skip
    late = own_readings("a", [readings], statement={"days": [day]})["readings"]
    assert late == [[40, 5, 2], [41, None, 2], [42, 0, 2, "late"], [43, 7, 2]], "41 is still half a reading"


def test_files_hold_their_documents_and_nothing_else() -> None:
    files = StatementFiles({"document": {"month": "2026-03"}, "payment": {"document": {"now_cent": 5}}}, {}, (), {}, "")
    assert (files.statement, files.payment) == ({"month": "2026-03"}, {"now_cent": 5})
    with pytest.raises(ValueError, match="no statement or payment document"):
        _ = StatementFiles({"document": []}, {}, (), {}, "").statement


def test_who_has_no_part_in_the_month_gets_no_statement() -> None:
    with pytest.raises(ValueError, match="nobody has no part in 2026-03"):
        stated(street_of(), "nobody")


@given(
    total=st.integers(0, 2**60),
    weights=st.lists(st.integers(0, 40) | st.integers(0, 2**53), min_size=1, max_size=len(NAMES)),
)
@settings(relaxed, max_examples=400)
def test_the_bar_parts_the_units_left_over_exactly_and_is_nobodys_rest_unless_rests_are_equal(
    total: int, weights: list[int]
) -> None:
    members = sorted(NAMES[: len(weights)], key=str.encode)
    step = share_step(total, weights, members)
    if step.weight_sum == 0:
        return
    rests = [step.total * weight % step.weight_sum for weight in weights]
    above = [
        step.bar is not None and (r > step.bar or (r == step.bar and (step.before is None or m < step.before)))
        for r, m in zip(rests, members, strict=True)
    ]
    shares = [step.total * weight // step.weight_sum + unit for weight, unit in zip(weights, above, strict=True)]
    assert shares == largest_remainder(total, weights)
    if step.before is not None:
        assert rests.count(step.bar) > 1


@pytest.mark.parametrize("method", METHODS)
def test_a_record_is_read_back_into_its_settlement_and_no_other_bytes_are(method: str) -> None:
    members = street_members(6)
    rule = make_rule(method, members, seed=5, aggregate=4)
    settled = settle(make_readings(members, "2026-06-10", seed=8, gaps=0.2), rule)
    record = settled.record()
    again = read_record(record, rule)
    assert (again.members, again.slots, again.money) == (settled.members, settled.slots, settled.money)
    assert np.array_equal(again.present, settled.present)
    for broken in (b"", record[:-1], record + b"x", record.replace(b"intervals", b"Intervals", 1), record[40:]):
        with pytest.raises(ValueError, match="allocation record"):
            read_record(broken, rule)
    with pytest.raises(ValueError, match="this rule"):
        read_record(record, replace(rule, prices=replace(PRICES, buy_micro_per_kwh=1_000_000)))
