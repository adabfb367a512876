"""Named forgeries that the hub signs itself: the script refuses each, or prints what only the member can judge."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.core.allocation.published_steps import share_step
from hub.core.allocation.rounding import largest_remainder
from hub.core.ledger.signed_document import document_hash, sign_document
from hub.core.payments.payable import payable_amounts
from hub.core.payments.tax_lines import BillLine, add_up
from hub.core.payments.tax_terms import TaxRates, TaxTerms
from hub.core.rules.rulebook import Prices
from hub.core.settlement.period import Settlement
from hub.core.settlement.pool_series import PoolSeries, pool_series
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from hub.core.settlement.slot_marks import SlotMarks
from hub.core.statements import month as month_module
from hub.core.statements.document import own_readings, state_month
from hub.verify.statement import UncheckedError, verify
from hub.verify.statement_bills import RATES
from hub.verify.statement_files import StatementCheckError, read_json
from tests.hub.core.statements.statement_street import (
    HUB_KEY,
    PRICES,
    Street,
    bills_of,
    make_readings,
    make_rule,
    make_street,
    month_of,
    street_members,
)

DAYS = ("2026-03-30", "2026-03-31")
MEMBERS = street_members(12)
ME, OTHER = "a", "Z"
TERMS = TaxTerms(("Sunny Street eG",), (TaxRates("2026-01-01", 200_000, 130_000, 100_000),), (), {})
TRUE = {day: make_readings(MEMBERS, day, seed=n) for n, day in enumerate(DAYS)}
SENT: dict[str, Any] = own_readings(ME, TRUE.values())


@dataclass
class Forged:
    """What a member gets, and what the member has besides: what the agent sent, and an earlier statement."""

    signed: Any
    own: Any
    pool: Any
    before: Any = None
    sent: Any = None

    def check(self) -> list[str]:
        """What the script says. Raises what the script raises."""
        files = [self.signed, self.own, self.pool]
        return verify(files, HUB_KEY.public_key(), before=self.before, own=self.sent)


def street_of(readings: Mapping[str, Readings] = TRUE, *, kind: str = "M1", prices: Prices = PRICES) -> Street:
    rule = replace(make_rule("equal", MEMBERS, seed=2), prices=prices)
    return make_street(dict(readings), rule, kind=kind)


def forged(street: Street, *, bills: Any = None, statement: Any = None, **more: Any) -> Forged:
    """The files of the street as the hub signs them, with other bills or another statement."""
    bills = bills_of(street, ME, TERMS) if bills is None else bills
    if statement is None:
        statement = state_month(street.month, ME, name="Ann", made_at="2026-04-08T08:00Z", bills=bills)
    return Forged(signed_file(statement), street.own(ME), street.pool(), **more)


def signed_file(statement: Any, payment: Any = None) -> Any:
    payment = payable_amounts(statement, []) if payment is None else payment
    both = {**sign_document(statement, HUB_KEY), "payment": sign_document(payment, HUB_KEY)}
    return json.loads(json.dumps(both))


def statement_of(street: Street) -> Any:
    return copy.deepcopy(forged(street).signed["document"])


def bill_at(rate_ppm: int, *, replaces: Any = None) -> list[Any]:
    """The member's documents with this tax rate on all of them, right in every sum."""
    bills = []
    for bill in bills_of(street_of(), ME, TERMS):
        lines = [BillLine(line["name"], line["net_cent"], rate_ppm) for line in bill["lines"]]
        summed: Any = add_up(lines)
        due = summed["gross_cent"] - (replaces["gross_cent"] if replaces else 0)
        bills.append({**bill, **summed, "replaces": replaces, "due_cent": due})
    return bills


def payment_of_999() -> Forged:
    files = forged(street_of())
    document = files.signed["payment"]["document"]
    document["now_cent"] = document["due_cent"] = -99_999
    files.signed = signed_file(files.signed["document"], document)
    return files


def payment_left_out() -> Forged:
    files = forged(street_of())
    del files.signed["payment"]
    return files


def payment_of_another_form() -> Forged:
    files = forged(street_of())
    payment = files.signed["payment"]["document"] | {"format": "commonwatt-payment-9"}
    files.signed = signed_file(files.signed["document"], payment)
    return files


def payment_of_a_meter_that_is_no_word() -> Forged:
    files = forged(street_of())
    payment = files.signed["payment"]["document"] | {"meter": 7}
    files.signed = signed_file(files.signed["document"], payment)
    return files


def replacing_an_invented_bill() -> Forged:
    invented = {"number": "I-2026-03-M1-0001", "date": "2026-04-01", "gross_cent": -90_000}
    return forged(street_of(), bills=bill_at(200_000, replaces=invented))


def replacing_another_than_before() -> Forged:
    files = replacing_an_invented_bill()
    files.before = forged(street_of()).signed
    return files


def billed_twice() -> Forged:
    bills = bills_of(street_of(), ME, TERMS)
    return forged(street_of(), bills=[bills[0], *bills])


def bill_left_out() -> Forged:
    bills = bills_of(street_of(), ME, TERMS)
    return forged(street_of(), bills=bills[1:], before=forged(street_of()).signed)


def bill_of_another_month() -> Forged:
    bills = [
        dict(bill, number=bill["number"].replace("2026-03", "2026-02")) for bill in bills_of(street_of(), ME, TERMS)
    ]
    return forged(street_of(), bills=bills)


def sellers_shaved(patch: pytest.MonkeyPatch) -> Forged:
    """All sellers together sell 30 % less than the buyers bought, in each interval."""

    def shaved(settled: Settlement) -> Settlement:
        rows = zip(settled.alloc_wh.sum(axis=1).tolist(), settled.surplus_wh.tolist(), strict=True)
        sold = [largest_remainder(used * 7 // 10, surplus) for used, surplus in rows]
        return replace(settled, sold_wh=np.array(sold, dtype=np.int64))

    def shaved_series(settled: Settlement, **names: str) -> PoolSeries:
        series = pool_series(settled, **names)
        surplus = settled.surplus_wh.tolist()
        steps = [share_step(sum(row), given, settled.members) for row, given in
                 zip(settled.sold_wh.tolist(), surplus, strict=True)]  # fmt: skip
        slots = tuple(replace(slot, sell=step) for slot, step in zip(series.slots, steps, strict=True))
        return replace(series, slots=slots)

    from tests.hub.core.statements import statement_street

    settle = statement_street.settle
    patch.setattr(statement_street, "settle", lambda readings, rule: shaved(settle(readings, rule)))
    patch.setattr(month_module, "pool_series", shaved_series)
    return forged(street_of())


def with_my_column(change: Callable[[np.ndarray[Any, Any]], object]) -> dict[str, Readings]:
    """The street's readings with my own changed by the hub."""
    changed = {}
    for day, true in TRUE.items():
        column, surplus, demand = true.members.index(ME), true.surplus_wh.copy(), true.demand_wh.copy()
        for energy in (surplus, demand):
            energy[:, column] = change(energy[:, column])
        changed[day] = Readings(true.members, true.slots, surplus, demand)
    return changed


def intervals_missing() -> Forged:
    def first_missing(energy: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.where(np.arange(len(energy)) < 40, MISSING_WH, energy)

    return forged(street_of(with_my_column(first_missing)), sent=SENT)


def marked(kind: str) -> Forged:
    """All of my slots taken away, or replaced by nothing, under a mark that names no finding."""
    changed = {}
    for day, true in TRUE.items():
        column, surplus, demand = true.members.index(ME), true.surplus_wh.copy(), true.demand_wh.copy()
        gone = 0 if kind == "estimated" else MISSING_WH
        surplus[:, column] = demand[:, column] = gone
        spans = ((true.slots[0], len(true.slots)),)
        each = {"held": SlotMarks(held=spans), "rejected": SlotMarks(rejected=spans),
                "estimated": SlotMarks(estimated=tuple((slot, 0, 0) for slot in true.slots))}[kind]  # fmt: skip
        changed[day] = Readings(true.members, true.slots, surplus, demand, marks={ME: each})
    files = forged(street_of(changed))
    files.own = SENT
    return files


def readings_of_another_home() -> Forged:
    swapped = {}
    for day, true in TRUE.items():
        order = list(range(len(true.members)))
        mine, other = true.members.index(ME), true.members.index(OTHER)
        order[mine], order[other] = other, mine
        swapped[day] = Readings(true.members, true.slots, true.surplus_wh[:, order], true.demand_wh[:, order])
    return forged(street_of(swapped), sent=SENT)


def last_day_not_stated() -> Forged:
    street = street_of()
    month = month_of(street.days[:1], "2026-03", missing=DAYS[1:], before=street.month.before)
    return forged(Street(month, street.readings, street.days[:1]), bills=[])


def slot_twice() -> Forged:
    files = forged(street_of())
    files.own = {**files.own, "readings": [files.own["readings"][0], *files.own["readings"]]}
    return files


def day_twice_in_the_pool() -> Forged:
    files = forged(street_of())
    files.pool = {"days": [files.pool["days"][0], *files.pool["days"]]}
    return files


def day_twice() -> Forged:
    statement = statement_of(street_of())
    statement["days"].insert(0, statement["days"][0])
    return forged(street_of(), statement=statement)


def unknown_field() -> Forged:
    statement = statement_of(street_of())
    statement["days"][0]["note"] = "paid in cash"
    return forged(street_of(), statement=statement)


def root_of_another_form() -> Forged:
    statement = statement_of(street_of())
    root = statement["days"][0]["root"]["document"] | {"format": "commonwatt-day-root-9"}
    statement["days"][0]["root"] = sign_document(root, HUB_KEY)
    return forged(street_of(), statement=statement)


def changed_without_a_run() -> Forged:
    other = {day: make_readings(MEMBERS, day, seed=70 + n) for n, day in enumerate(DAYS)}
    return forged(street_of(), before=forged(street_of(other)).signed)


def other_pool_for_me() -> Forged:
    files = forged(street_of())
    files.pool = copy.deepcopy(files.pool)
    for slot in files.pool["days"][0]["slots"]:
        if slot["buy"]:
            slot["buy"][0][0] //= 2
    statement = files.signed["document"]
    root = statement["days"][0]["root"]["document"]
    root["pool"]["members"] = document_hash(files.pool["days"][0])
    statement["days"][0]["root"] = sign_document(root, HUB_KEY)
    files.signed = signed_file(statement)
    return files


def fee_nobody_booked() -> Forged:
    bills = copy.deepcopy(bills_of(street_of(), ME, TERMS))
    lines = [BillLine("received", bills[0]["lines"][0]["net_cent"], 200_000), BillLine("fee", 900, 100_000)]
    summed: Any = add_up(lines)
    bills[0] |= {**summed, "due_cent": summed["gross_cent"]}
    return forged(street_of(), bills=bills)


FORGERIES: dict[str, tuple[Callable[[], Forged], str]] = {
    "a payment of 999.99": (payment_of_999, "payment due_cent"),
    "a payment left out": (payment_left_out, "payment: is missing"),
    "a payment of another form": (payment_of_another_form, "payment format"),
    "a payment by a meter that is no word": (payment_of_a_meter_that_is_no_word, "payment meter"),
    "a bill that replaces one that another statement had": (replacing_another_than_before, "does not replace"),
    "a bill twice": (billed_twice, "one document for each side"),
    "a bill left out": (bill_left_out, "left out now"),
    "a bill of another month": (bill_of_another_month, "number and kind of this month"),
    "a fee that nobody booked": (fee_nobody_booked, "fee: not as booked"),
    "intervals said to be missing": (intervals_missing, "80 of 192 intervals without a reading, 80 of these you sent"),
    "everything estimated": (lambda: marked("estimated"), "estimated without a finding"),
    "everything rejected": (lambda: marked("rejected"), "rejected without a finding"),
    "everything held": (lambda: marked("held"), "held without a finding"),
    "another home's readings": (readings_of_another_home, "what your agent sent"),
    "the last day not stated": (last_day_not_stated, "published, but not all of it is stated"),
    "a slot twice": (slot_twice, "readings.json slots"),
    "a day twice in the pool series": (day_twice_in_the_pool, "pool.json days"),
    "a day twice": (day_twice, "days"),
    "an unknown field": (unknown_field, "unknown field note"),
    "a root of another form": (root_of_another_form, "root format"),
    "a month changed without a run": (changed_without_a_run, "without a published run"),
    "another pool series": (other_pool_for_me, "received, sold"),
}


def test_the_true_files_are_right() -> None:
    files = forged(street_of(), sent=SENT)
    assert files.check()[0].startswith("2026-03 of a: right in all of 192 intervals")
    files.before = files.signed
    assert not any("changed since" in note for note in files.check())


def test_a_payment_is_checked_by_the_rule_of_its_own_form() -> None:
    files = forged(street_of())
    statement = files.signed["document"]
    now: Any = payable_amounts(statement, [("", "credit", 5)])
    assert {bill["side"]: bill["waiting_cent"] for bill in now["bills"]}["received"] > 0, "it waits with the credit"
    before = copy.deepcopy(now) | {"format": "commonwatt-payment-1"}
    for bill in (bill for bill in before["bills"] if bill["side"] == "received"):
        bill |= {"waiting_cent": 0, "now_cent": bill["due_cent"]}
    for name in ("waiting_cent", "now_cent"):
        before[name] = sum((1 if bill["side"] == "sold" else -1) * bill[name] for bill in before["bills"])
    for right, other in ((now, before), (before, now)):
        files.signed = signed_file(statement, right)
        assert any("on hold until the board decides: credit" in note for note in files.check())
        files.signed = signed_file(statement, right | {"format": other["format"]})
        with pytest.raises(StatementCheckError, match="payment bills"):
            files.check()


@pytest.mark.parametrize(("forge", "said"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_signed_by_the_hub_is_refused(forge: Callable[[], Forged], said: str) -> None:
    with pytest.raises(StatementCheckError) as wrong:
        forge().check()
    assert said in str(wrong.value)


def test_sellers_who_get_less_than_the_buyers_bought_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StatementCheckError, match="sold by all homes"):
        sellers_shaved(monkeypatch).check()


def test_a_bill_that_replaces_one_needs_that_ones_statement() -> None:
    with pytest.raises(UncheckedError, match="replaces an earlier document: give its statement with --before"):
        replacing_an_invented_bill().check()


CHEAP = replace(PRICES, sell_micro_per_kwh=79_382)


def with_rulebook(change: Callable[[Any], object], *, prices: Prices = PRICES) -> Forged:
    """The true files, with the rulebook changed and all of it signed again."""
    files = forged(street_of(prices=prices))
    statement = files.signed["document"]
    change(statement["rulebook"])
    files.signed = signed_file(statement)
    return files


def adoption_of(rulebook: Any, **changes: Any) -> None:
    """The month's rule as one that was adopted after the founding, with these values."""
    second = rulebook[0] | {"valid_from": "2026-03-01", "adopted_on": "2026-02-27", "by": ["m1", "m2"]} | changes
    rulebook[:] = [rulebook[0] | {"rule": "0" * 64}, second]


def test_a_rule_that_nobody_adopted_is_refused() -> None:
    true = forged(street_of()).signed["document"]["rulebook"]
    assert any("the co-op's first" in note for note in forged(street_of()).check())
    files = with_rulebook(lambda rulebook: rulebook.__setitem__(slice(None), true), prices=CHEAP)
    with pytest.raises(StatementCheckError, match="day 2026-03-30 rule: is not the one that was adopted for this day"):
        files.check()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"by": []}, "is not adopted by two members of the board"),
        ({"by": ["m1"]}, "is not adopted by two members of the board"),
        ({"by": ["m1", "m1"]}, "is not adopted by two members of the board"),
        ({"adopted_on": "2026-03-01"}, "is not adopted by two members of the board before it begins"),
        ({"adopted_on": "2026-02-30"}, "rulebook: malformed"),
        ({"adopted_on": "20260227"}, "dates"),
        ({"valid_from": "2026-03-31"}, "day 2026-03-30 rule"),
        ({"rule": "0" * 64}, "day 2026-03-30 rule"),
    ],
)
def test_an_adoption_that_does_not_fit_is_refused(changes: Any, said: str) -> None:
    notes = with_rulebook(adoption_of).check()
    assert any("adopted on 2026-02-27 by m1 and m2" in note for note in notes)
    with pytest.raises(StatementCheckError, match=said):
        with_rulebook(lambda rulebook: adoption_of(rulebook, **changes)).check()


def test_only_the_rules_that_a_member_knows_are_right() -> None:
    files = forged(street_of())
    version = files.signed["document"]["days"][0]["rule"]
    three = [files.signed, files.own, files.pool]
    assert verify(three, HUB_KEY.public_key(), rules=["77" * 32, version[:16]])
    with pytest.raises(StatementCheckError, match=f"{version} is not among those given with --rule"):
        verify(three, HUB_KEY.public_key(), rules=["77" * 32])


def test_a_founding_rule_that_was_another_before_is_refused() -> None:
    files = forged(street_of(prices=CHEAP), before=forged(street_of()).signed)
    with pytest.raises(StatementCheckError, match="rulebook of --before"):
        files.check()


def test_a_root_that_the_hub_signed_anew_is_refused() -> None:
    files = forged(street_of(), before=forged(street_of()).signed)
    before = files.before["document"]
    root = before["days"][1]["root"]["document"]
    before["days"][1]["root"] = sign_document(root | {"attested": [root["attested"][0], "ab" * 32]}, HUB_KEY)
    files.before = signed_file(before)
    with pytest.raises(StatementCheckError, match="day 2026-03-31 root: the hub signed it again"):
        files.check()


@pytest.mark.parametrize(("rate_ppm", "percent"), [(990_000, "99"), (210_000, "21"), (200_001, "20.0001")])
def test_a_tax_rate_that_nobody_knows_is_refused(rate_ppm: int, percent: str) -> None:
    files = forged(street_of(), bills=bill_at(rate_ppm))
    with pytest.raises(StatementCheckError, match=f"{percent} % is no rate known for Europe/Vienna; if"):
        files.check()
    notes = verify([files.signed, files.own, files.pool], HUB_KEY.public_key(), tax_rates=[rate_ppm])
    assert any(f"tax {percent} %" in note for note in notes)


def test_the_known_rates_of_every_time_zone_are_whole_tenths_of_a_percent_up_to_27() -> None:
    for zones, rates in RATES.items():
        assert all(str(ZoneInfo(zone)) == zone for zone in zones.split())
        assert all(0 < int(rate) <= 270 for rate in rates.split())
    listed = {zone: rates.split() for zones, rates in RATES.items() for zone in zones.split()}
    assert listed["Europe/Busingen"] == listed["Europe/Zurich"]
    assert {"180", "160"} < {*listed["Atlantic/Azores"]}
    assert "Africa/Ceuta" not in listed


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":{"b":1,"c":0,"b":1}}', "[1.0]", "[1e3]", "[NaN]", "[-Infinity]"]
)
def test_a_name_that_occurs_twice_or_a_fraction_is_no_statement(text: str) -> None:
    with pytest.raises(ValueError, match=r"occurs twice|not a whole number"):
        read_json(text)
