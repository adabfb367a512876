"""tax.toml: the board's entries apply by date and member; every mistake is one line."""

from pathlib import Path

import pytest

from hub.core.payments.tax_terms import TaxTreatment
from hub.folder.tax_settings import FILE_NAME, load_tax_terms, parse_tax_terms
from protocols.errors import SettingsError

TEXT = """
[issuer]
lines = ["Sunny Street eG", "Sonnengasse 1", "ATU00000000"]
[words]
self_billing = "Gutschrift"
reverse_charge = "Reverse charge"
small_business = "No VAT"
[[rates]]
from = 2026-01-01
small_business = true
sold_ppm = 130000
[[rates]]
from = "2026-07-01"
bought_ppm = 200000
sold_ppm = 130000
fees_ppm = 0
[[member]]
id = "m02"
from = "2026-01-01"
sells = "standard"
tax_number = "ATU1"
[[member]]
id = "m02"
from = "2026-09-01"
sells = "small_business"
"""
RATES = '[[rates]]\nfrom = "2026-01-01"\nbought_ppm = 1\nsold_ppm = 1\nfees_ppm = 1\n'


def test_entries_apply_from_their_day_on() -> None:
    terms = parse_tax_terms(TEXT.encode(), name="tax.toml")
    assert terms.treatment("m01", "bought", "2025-12-31") == TaxTreatment()
    assert terms.treatment("m01", "bought", "2026-06-30") == TaxTreatment(note_key="small_business")
    assert terms.treatment("m01", "bought", "2026-07-01") == TaxTreatment(200_000)
    assert terms.treatment("m02", "sold", "2026-06-30") == TaxTreatment(130_000)
    assert terms.treatment("m02", "sold", "2026-09-01") == TaxTreatment(note_key="small_business")
    assert terms.treatment("m01", "sold", "2026-09-01") == TaxTreatment(note_key="private")
    assert terms.tax_status("m02", "2026-08-31").tax_number == "ATU1"
    assert terms.issuer[0] == "Sunny Street eG"


def test_without_a_file_there_is_no_tax(tmp_path: Path) -> None:
    assert load_tax_terms(tmp_path) is None
    (tmp_path / FILE_NAME).write_text(TEXT)
    assert load_tax_terms(tmp_path) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rates: expected at least one"),
        ("rates = 3", "rates: expected tables written"),
        ("[[rates]]\n", "rates 1.bought_ppm: expected a whole number"),
        (RATES.replace("bought_ppm = 1", "bought_ppm = 0.2"), "rates 1.bought_ppm: expected a whole number"),
        (RATES.replace("bought_ppm = 1", "bought_ppm = 1000001"), "200000 is 20 percent"),
        (RATES.replace("2026-01-01", "January"), "rates 1.from: expected a day"),
        (RATES + "vat = 1", "rates 1.vat: expected one of from"),
        (RATES + RATES, "two tables have the same from"),
        (RATES + "[wrong]", "wrong: expected one of issuer"),
        (RATES + '[[member]]\nfrom = "2026-01-01"', "member 1.id: expected a member's id"),
        (
            RATES + '[[member]]\nid = "m"\nfrom = "2026-01-01"\nsells = "much"',
            "member 1.sells: expected one of private",
        ),
        (RATES + '[[member]]\nid = "m"\nfrom = "2026-01-01"\nsells = "standard"', "words.self_billing: expected"),
        (RATES + '[words]\nself_billing = "a\\nb"', "words.self_billing: expected printable"),
        (RATES + "[issuer]\nlines = [1]", "issuer.lines: expected printable"),
        ("rates = [", "not a TOML file"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_tax_terms(text.encode(), name="tax.toml")
    assert said in str(error.value)
    assert str(error.value).startswith("tax.toml: ")
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_changes_nothing() -> None:
    with_mark = parse_tax_terms(b"\xef\xbb\xbf" + TEXT.encode(), name="tax.toml")
    assert with_mark == parse_tax_terms(TEXT.encode(), name="tax.toml")
