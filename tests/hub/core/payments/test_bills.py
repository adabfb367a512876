"""Bills and credit notes: cents add up, numbers have no gaps, a later run replaces what changed, accounts are even."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.ledger.entries import Entry, Posting, balances, trial_balance
from hub.core.ledger.fund_entries import fund_entries
from hub.core.payments.bills import (
    BILL_COLUMNS,
    BILL_LINES,
    bill_members,
    bill_table,
    newest_bills,
    tally_month,
    target_bills,
)
from hub.core.payments.tax_terms import REVERSE_CHARGE, SMALL_BUSINESS, STANDARD, TaxRates, TaxStatus, TaxTerms
from hub.core.settlement.money import CENT_NANO

LAST = "2026-07-31"
WORDS = {
    "self_billing": "Self-billing",
    "reverse_charge": "Reverse charge",
    "small_business": "No VAT: small business",
    "private": "Private sale",
}
TERMS = TaxTerms(
    ("Sunny Street eG", "Sonnengasse 1"),
    (TaxRates("2026-01-01", 200_000, 130_000, 100_000), TaxRates("2026-07-16", 210_000, 130_000, 100_000)),
    (
        TaxStatus("m02", "2026-01-01", STANDARD, tax_number="ATU2"),
        TaxStatus("m03", "2026-01-01", SMALL_BUSINESS),
        TaxStatus("m04", "2026-01-01", REVERSE_CHARGE, REVERSE_CHARGE),
    ),
    WORDS,
)
relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
Amounts = Mapping[tuple[str, str], tuple[int, int]]
"""(member, day) with nano received and sold."""


def entries_of(amounts: Amounts, fees: Mapping[str, int]) -> list[Entry]:
    entries = []
    for (member, day), (received, sold) in amounts.items():
        postings = (
            Posting(f"member:{member}:money", -received, "received"),
            Posting("pool", received, "received"),
            Posting(f"member:{member}:money", sold, "sold"),
            Posting("pool", -sold, "sold"),
        )
        entries.append(Entry("nano", day, "run", member, postings, ""))
    for member, fee in fees.items():
        paid = (Posting(f"member:{member}:money", -fee, "fee"), Posting("coop:fees", fee, "fee"))
        entries.append(Entry("nano", LAST, "fees", member, paid, ""))
    return entries


def bills_of(
    entries: list[Entry], *, terms: TaxTerms | None = TERMS, series: str = "2026-07-M1", standing: Any = None
) -> Any:
    money = tally_month(entries, last_day=LAST)
    return bill_members(money, terms=terms, series=series, day="2026-08-07", current_bills=standing or {})


def test_each_member_is_billed_as_the_terms_have_it() -> None:
    cents = {"m01": (1_000, 0), "m02": (0, 5_000), "m03": (500, 700), "m04": (1_000, 1_000)}
    amounts = {(m, "2026-07-20"): (r * CENT_NANO, s * CENT_NANO) for m, (r, s) in cents.items()}
    bills = bills_of(entries_of(amounts, {"m01": 300 * CENT_NANO}))
    first = bills["m01"]["received"]
    assert (first["kind"], first["number"], first["date"]) == ("invoice", "I-2026-07-M1-0001", "2026-08-07")
    assert [(tax["rate_ppm"], tax["tax_cent"]) for tax in first["taxes"]] == [(100_000, 30), (210_000, 210)]
    assert (first["net_cent"], first["gross_cent"], first["due_cent"]) == (1_300, 1_540, 1_540)
    assert "sold" not in bills["m01"]
    trader = bills["m02"]["sold"]
    assert (trader["kind"], trader["words"], trader["tax_number"]) == (
        "self-billed credit note",
        ["Self-billing"],
        "ATU2",
    )
    assert (trader["tax_cent"], trader["gross_cent"]) == (650, 5_650)
    small = bills["m03"]["sold"]
    assert (small["tax_cent"], small["words"]) == (0, ["Self-billing", "No VAT: small business"])
    for side, rate in (("received", 210_000), ("sold", 130_000)):
        bill = bills["m04"][side]
        assert (bill["tax_cent"], bill["gross_cent"], bill["taxes"][0]["rate_ppm"]) == (0, 1_000, rate)
        assert "Reverse charge" in bill["words"]
    private = bills_of(entries_of({("m01", "2026-07-01"): (0, CENT_NANO)}, {}))["m01"]["sold"]
    assert (private["kind"], private["words"], private["gross_cent"]) == ("credit note", ["Private sale"], 1)


def test_a_small_business_charges_no_tax_but_pays_what_its_suppliers_charge() -> None:
    terms = TaxTerms((), (TaxRates("2026-01-01", 0, 130_000, 0, small_business=True),), TERMS.statuses, WORDS)
    amounts = {("m02", "2026-07-20"): (1_000 * CENT_NANO, 1_000 * CENT_NANO)}
    bills = bills_of(entries_of(amounts, {"m02": 100 * CENT_NANO}), terms=terms)["m02"]
    assert (bills["received"]["tax_cent"], bills["received"]["words"]) == (0, ["No VAT: small business"])
    assert bills["sold"]["tax_cent"] == 130


def test_without_terms_there_are_bills_and_no_tax() -> None:
    bills = bills_of(entries_of({("m01", LAST): (CENT_NANO, CENT_NANO)}, {}), terms=None)["m01"]
    assert [bills[side]["kind"] for side in ("received", "sold")] == ["bill", "credit note"]
    assert all((bill["tax_cent"], bill["words"], bill["issuer"]) == (0, [], []) for bill in bills.values())


def test_a_rate_that_changes_within_the_month_parts_the_line_by_day() -> None:
    amounts = {("m01", "2026-07-15"): (333_333_333, 0), ("m01", "2026-07-16"): (666_666_667, 0)}
    bill = bills_of(entries_of(amounts, {}))["m01"]["received"]
    assert [(line["rate_ppm"], line["net_cent"], line["days"]) for line in bill["lines"]] == [
        (200_000, 33, ["2026-07-15", "2026-07-15"]),
        (210_000, 67, ["2026-07-16", "2026-07-16"]),
    ]
    assert (bill["net_cent"], bill["tax_cent"]) == (100, 7 + 14)


@pytest.mark.parametrize("now", [2_000, 0, 1_000])
def test_a_later_run_replaces_only_what_is_no_longer_so(now: int) -> None:
    def run(cents: int) -> list[Entry]:
        return entries_of({("m01", LAST): (cents * CENT_NANO, 0), ("m05", LAST): (700 * CENT_NANO, 0)}, {})

    first = bills_of(run(1_000))
    second = bills_of(run(now), series="2026-07-R1", standing=first)
    if now == 1_000:
        assert second == {}
        return
    assert set(second) == {"m01"}
    bill = second["m01"]["received"]
    assert bill["number"] == "I-2026-07-R1-0001"
    assert bill["replaces"] == {"number": "I-2026-07-M1-0001", "date": "2026-08-07", "gross_cent": 1_210}
    assert bill["due_cent"] == bill["gross_cent"] - 1_210 == now * 121 // 100 - 1_210


nano = st.integers(0, 40 * CENT_NANO) | st.integers(0, 10**15)
months = st.dictionaries(
    st.tuples(
        st.sampled_from(["m01", "m02", "m03", "m04", "Z", "ä"]), st.sampled_from(["2026-07-15", "2026-07-16", LAST])
    ),
    st.tuples(nano, nano),
    max_size=9,
)
fees = st.dictionaries(st.sampled_from(["m01", "m04", "ä"]), nano)


@given(first=months, first_fees=fees, later=months, later_fees=fees)
@settings(relaxed, max_examples=300)
def test_accounts_move_by_what_the_documents_say_and_the_ledger_sums_to_zero(
    first: Amounts, first_fees: Mapping[str, int], later: Amounts, later_fees: Mapping[str, int]
) -> None:
    """Whatever a run M1 and then a run R1 find: the second books the difference and comes to the same as if alone."""
    booked: list[Entry] = []
    standing: Any = {}
    for series, amounts, paid in (("M1", first, first_fees), ("R1", later, later_fees)):
        found = entries_of(amounts, paid)
        # What the first run booked and the second does not know any more comes to zero in it.
        found += entries_of(dict.fromkeys({*first} - {*amounts}, (0, 0)), dict.fromkeys({*first_fees} - {*paid}, 0))
        money = tally_month(found, last_day=LAST)
        new = bill_members(money, terms=TERMS, series=series, day="2026-08-07", current_bills=standing)
        standing = newest_bills(standing, new)
        wanted = target_bills(money, standing)
        booked += fund_entries(wanted, booked, lines=BILL_LINES, day=LAST, run=series, cites="")
        for letter in "IC":
            numbers = sorted(b["number"] for each in new.values() for b in each.values() if b["number"][0] == letter)
            assert numbers == [f"{letter}-{series}-{n:04d}" for n in range(1, len(numbers) + 1)]
    account = balances([*found, *booked])
    taxes: dict[str, int] = defaultdict(int)
    for member in money.members():
        documents = standing.get(member, {})
        owed = documents.get("sold", {}).get("gross_cent", 0) - documents.get("received", {}).get("gross_cent", 0)
        assert account["nano", f"member:{member}:money"] == owed * CENT_NANO
        for side, sign in (("received", 1), ("sold", -1)):
            for tax in documents.get(side, {}).get("taxes", ()):
                taxes[f"tax:{tax['rate_ppm']}"] += 0 if tax["reverse_charge"] else sign * tax["tax_cent"] * CENT_NANO
    assert {name: account.get(("nano", name), 0) for name in taxes} == taxes
    assert abs(account.get(("nano", "rounding"), 0)) < 3 * CENT_NANO
    assert set(trial_balance(balances([*found, *booked])).values()) == {0}
    assert fund_entries(wanted, booked, lines=BILL_LINES, day=LAST, run="again", cites="") == ()


def test_the_table_has_every_line_tax_and_sum() -> None:
    amounts = {("m01", "2026-07-15"): (333_333_333, 0), ("m01", "2026-07-16"): (666_666_667, 0)}
    first = bills_of(entries_of(amounts, {}))
    again = {("m01", "2026-07-15"): (2_000 * CENT_NANO, 0)}
    second = bills_of(entries_of(again, {}), series="2026-07-R1", standing=first)
    rows = [dict(zip(BILL_COLUMNS, row, strict=True)) for row in bill_table(second["m01"].values())[1:]]
    assert [(row["line"], row["rate_ppm"], row["cent"]) for row in rows] == [
        ("received", 200_000, 2_000),
        ("tax by rate", 200_000, 400),
        *[("net", "", 2_000), ("tax", "", 400), ("gross", "", 2_400), ("due", "", 2_400 - 121)],
    ]
    assert {row["replaces"] for row in rows} == {"I-2026-07-M1-0001"}
    lines = [row for row in bill_table(first["m01"].values()) if row[4] == "received"]
    assert [row[5:7] for row in lines] == [("2026-07-15", "2026-07-15"), ("2026-07-16", "2026-07-16")]
