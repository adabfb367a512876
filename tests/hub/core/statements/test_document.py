"""Statements: cents add up over members, differences name what changed, tax by rate, and nothing k-unsafe is shown."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.allocation.published_steps import share_step
from hub.core.allocation.rounding import largest_remainder
from hub.core.ledger.merkle import verify_proof
from hub.core.ledger.signed_document import SIGNED_TAG, canonical_bytes, document_hash, sign_document
from hub.core.payments.tax_lines import BillLine, add_up, tax_cent
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.money import Money
from hub.core.settlement.period import settle
from hub.core.settlement.pool_series import LEAST_HOMES, pool_series
from hub.core.statements.document import SLOT_COLUMNS, state_month, statement_csv
from hub.core.statements.month import booked_amounts, prepare_month
from tests.hub.core.settlement.settlement_worlds import METHODS, NAMES
from tests.hub.core.statements.statement_street import (
    COOP,
    HUB_KEY,
    PRICES,
    Street,
    make_readings,
    make_rule,
    make_street,
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


def test_every_entry_is_proven_under_a_signed_root_and_a_statement_is_signed() -> None:
    street = street_of()
    document = stated(street, "a")
    for day in document["days"]:
        root = day["root"]["document"]
        covered = SIGNED_TAG + canonical_bytes(root)
        HUB_KEY.public_key().verify(bytes.fromhex(day["root"]["signature"]), covered)
        for each in day["entries"]:
            path = [bytes.fromhex(step) for step in each["proof"]]
            leaf, root_bytes = each["entry"].encode(), bytes.fromhex(root["root"])
            assert verify_proof(leaf, each["place"], size=root["entries"], proof=path, root=root_bytes)
    signed = sign_document(document, HUB_KEY)
    assert canonical_bytes(json.loads(json.dumps(signed))["document"]) == canonical_bytes(document)


@pytest.mark.parametrize(
    ("kind", "state", "billed"), [("D", "provisional", False), ("M1", "provisional", True), ("RF", "final", True)]
)
def test_a_statement_is_final_when_a_whole_month_is_closed(kind: str, state: str, billed: bool) -> None:
    street = street_of(kind=kind)
    whole = prepare_month(COOP, "2026-03", days=street.days, missing=(), key=HUB_KEY)
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
    with pytest.raises(ValueError, match="another member"):
        stated(later, "Z", last=last)


def test_the_table_has_one_line_for_each_interval_and_adds_up() -> None:
    document = stated(street_of(), "a")
    rows = list(csv.DictReader(statement_csv(document).splitlines()))
    assert tuple(rows[0]) == SLOT_COLUMNS
    assert len(rows) == 96 + 92 + 96
    for name in ("received", "sold", "imported", "exported"):
        assert sum(int(row[f"{name}_wh"] or 0) for row in rows) == document["totals"][name]
    assert {row["state"] for row in rows} == {"complete", "provisional"}


def test_a_month_that_the_books_do_not_bear_out_is_no_month() -> None:
    street = street_of()
    day = street.days[0]
    for broken in (replace(day, booked=day.booked[1:]), replace(day, booked=[*day.booked, day.booked[0]])):
        with pytest.raises(ValueError, match="do not say"):
            prepare_month(COOP, "2026-03", days=[broken], missing=(), key=HUB_KEY)
    with pytest.raises(ValueError, match="stands twice"):
        prepare_month(COOP, "2026-03", days=[day, day], missing=(), key=HUB_KEY)
    with pytest.raises(ValueError, match="is not a day of"):
        prepare_month(COOP, "2026-04", days=[day], missing=(), key=HUB_KEY)
    with pytest.raises(ValueError, match="exactly the slots"):
        prepare_month(COOP, "2026-03", days=[replace(day, settled=day.settled.part(1, 96))], missing=(), key=HUB_KEY)
    with pytest.raises(ValueError, match="no part"):
        stated(street, "nobody")
    assert booked_amounts((), "a")["received"] == 0


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
def test_members_see_only_sums_that_five_homes_stand_behind(method: str) -> None:
    members = street_members(9)
    day = "2026-06-10"
    settled = settle(make_readings(members, day, seed=8, gaps=0.25), make_rule(method, members, seed=5))
    series = pool_series(settled, coop="c", day=day, run="r")
    shown = series.for_members()
    assert document_hash(series.for_auditor("a")) != document_hash(series.for_auditor("b"))
    tiers = settled.rule.params.get("tiers", ())
    for t, slot in enumerate(shown["slots"]):
        homes = int(settled.present[t].sum())
        assert slot["homes"] == homes
        if homes < LEAST_HOMES or method == "pairwise":
            assert set(slot) == {"slot", "homes", "withheld"}
        elif method == "priority":
            counts = [sum(bool(settled.present[t, members.index(m)]) for m in tier) for tier in tiers]
            hidden = sum(count for count, step in zip(counts, slot["buy"], strict=True) if step is None)
            assert hidden == 0 or hidden >= LEAST_HOMES or hidden == homes
            assert all(count == 0 or count >= 5 for count, s in zip(counts, slot["buy"], strict=True) if s is not None)


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


def test_tax_is_rounded_once_for_each_rate_and_reverse_charge_is_owed_by_the_recipient() -> None:
    lines = [BillLine("received", 8, 200_000), BillLine("fee", 5, 200_000), BillLine("book", 333, 100_000)]
    summed = add_up(lines)
    assert [(tax["rate_ppm"], tax["net_cent"], tax["tax_cent"]) for tax in summed["taxes"]] == [
        (100_000, 333, 33),  # 33.3 cents
        (200_000, 13, 3),  # 2.6 cents
    ]
    assert (summed["net_cent"], summed["tax_cent"], summed["gross_cent"]) == (346, 36, 382)
    reversed_ = add_up([BillLine("sold", 12_345, 190_000, reverse_charge=True)])
    assert (reversed_["tax_cent"], reversed_["gross_cent"]) == (0, 12_345)
    assert reversed_["taxes"][0]["tax_cent"] == 2_346  # 2345.55
    for net, rate in ((-1, 0), (1, -1), (1, 1_000_001)):
        with pytest.raises(ValueError, match=r"negative|no tax rate"):
            BillLine("x", net, rate)


@given(net=st.integers(0, 10**12), rate=st.integers(0, 1_000_000))
@settings(relaxed)
def test_tax_is_the_nearest_cent_and_half_a_cent_goes_up(net: int, rate: int) -> None:
    exact = net * rate
    assert -500_000 < tax_cent(net, rate) * 1_000_000 - exact <= 500_000
