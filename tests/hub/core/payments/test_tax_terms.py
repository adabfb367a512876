"""Tax terms: the rate of the day, each member's status of the day, and the sentences that documents need."""

import json

import pytest

from hub.core.payments.tax_terms import (
    BOUGHT,
    FEES,
    PRIVATE,
    REVERSE_CHARGE,
    SMALL_BUSINESS,
    SOLD,
    STANDARD,
    TaxRates,
    TaxStatus,
    TaxTerms,
    TaxTreatment,
)

EARLY, LATE = TaxRates("2026-01-01", 200_000, 130_000, 100_000), TaxRates("2026-07-16", 210_000, 140_000, 110_000)
STATUSES = (
    TaxStatus("m02", "2026-01-01", STANDARD, tax_number="ATU2"),
    TaxStatus("m03", "2026-01-01", SMALL_BUSINESS),
    TaxStatus("m04", "2026-01-01", REVERSE_CHARGE, REVERSE_CHARGE),
    TaxStatus("m02", "2026-07-01", PRIVATE),
)
TERMS = TaxTerms(("Sunny Street eG",), (LATE, EARLY), STATUSES, {"private": "Private sale"})


@pytest.mark.parametrize(
    ("member", "kind", "day", "treatment"),
    [
        ("m01", BOUGHT, "2025-12-31", TaxTreatment()),
        ("m01", BOUGHT, "2026-01-01", TaxTreatment(200_000)),
        ("m01", BOUGHT, "2026-07-15", TaxTreatment(200_000)),
        ("m01", BOUGHT, "2026-07-16", TaxTreatment(210_000)),
        ("m01", FEES, "2026-07-16", TaxTreatment(110_000)),
        ("m01", SOLD, "2026-07-16", TaxTreatment(0, False, PRIVATE)),
        ("m02", SOLD, "2026-06-30", TaxTreatment(130_000)),
        ("m02", SOLD, "2026-07-01", TaxTreatment(0, False, PRIVATE)),
        ("m03", SOLD, "2026-06-30", TaxTreatment(0, False, SMALL_BUSINESS)),
        ("m03", BOUGHT, "2026-06-30", TaxTreatment(200_000)),
        ("m04", SOLD, "2026-06-30", TaxTreatment(130_000, True, REVERSE_CHARGE)),
        ("m04", BOUGHT, "2026-06-30", TaxTreatment(200_000, True, REVERSE_CHARGE)),
        ("m04", FEES, "2026-06-30", TaxTreatment(100_000, True, REVERSE_CHARGE)),
    ],
)
def test_each_amount_is_taxed_by_the_rates_and_the_status_of_its_day(
    member: str, kind: str, day: str, treatment: TaxTreatment
) -> None:
    assert TERMS.treatment(member, kind, day) == treatment


def test_a_small_business_charges_no_tax_but_its_members_sales_keep_theirs() -> None:
    terms = TaxTerms((), (TaxRates("2026-01-01", 200_000, 130_000, 100_000, small_business=True),), STATUSES)
    for kind in (BOUGHT, FEES):
        assert terms.treatment("m04", kind, "2026-06-30") == TaxTreatment(note_key=SMALL_BUSINESS)
    assert terms.treatment("m02", SOLD, "2026-06-30") == TaxTreatment(130_000)


def test_the_status_is_the_newest_that_has_begun() -> None:
    assert TERMS.tax_status("m02", "2026-06-30").tax_number == "ATU2"
    assert TERMS.tax_status("m02", "2026-07-01").sells == PRIVATE
    assert TERMS.tax_status("m09", "2026-07-01") == TaxStatus("m09", "", PRIVATE, STANDARD)
    assert TERMS.tax_status("m02", "2025-12-31").from_day == ""


def test_sentences_that_some_document_needs() -> None:
    assert TERMS.needed_words() == ("self_billing", "reverse_charge", "small_business")
    assert TaxTerms((), (EARLY,), (TaxStatus("m01", "2026-01-01"),)).needed_words() == ()
    assert TaxTerms((), (EARLY,), (TaxStatus("m01", "2026-01-01", buys=REVERSE_CHARGE),)).needed_words() == (
        "reverse_charge",
    )
    small = TaxRates("2026-01-01", 0, 0, 0, small_business=True)
    assert TaxTerms((), (EARLY, small)).needed_words() == ("small_business",)


def test_terms_are_a_plain_table() -> None:
    table = json.loads(json.dumps(TERMS.plain()))
    assert table["issuer"] == ["Sunny Street eG"]
    assert [rate["from_day"] for rate in table["rates"]] == ["2026-07-16", "2026-01-01"]
    assert table["statuses"][0]["tax_number"] == "ATU2"
