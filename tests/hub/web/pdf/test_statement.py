"""The statement as PDF: another program reads the signed values from it, and its bytes are the same every time."""

import io
import re
import sys
from dataclasses import fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest
from pypdf import PdfReader

from hub.core.ledger.signed_document import document_hash, sign_document
from hub.core.payments.payable import payable_amounts
from hub.core.payments.tax_terms import TaxRates, TaxStatus, TaxTerms
from hub.core.statements.document import StatementFiles, state_month
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.translation import Localizer
from hub.web.pdf.statement import PdfRenderError, draw_pdf
from hub.web.views.settlement.statement import statement_page
from hub.web.views.settlement.statement_sheet import DAY_COLUMNS, Sheet, statement_sheet
from tests.hub.core.statements.statement_street import (
    COOP,
    HUB_KEY,
    HUB_KEY_HEX,
    Street,
    bills_of,
    make_readings,
    make_rule,
    make_street,
    street_members,
)
from tests.hub.web.conftest import SignIn

MONTH = "/credits/statement/2026-06"
NAME = "Household Ñúñż äöüß €"
DAYS = tuple(f"2026-10-{day:02d}" for day in range(1, 32))
TERMS = TaxTerms(
    ("Sunny Street eG", "Sonnengasse 1"),
    (TaxRates("2026-01-01", 200_000, 130_000, 100_000), TaxRates("2026-10-15", 190_500, 130_000, 100_000)),
    (TaxStatus("a", "2026-01-01", "reverse_charge", tax_number="ATU1234"),),
    {"self_billing": "Gutschrift", "reverse_charge": "Übergang der Steuerschuld"},
)
WAITING = (("", "credit", 1_800_000_000), ("2026-10-20", "received", 1_799_000_000))
WORDS = Localizer("en", COOP.tz, COOP.currency)


def month_of(seed: int) -> Street:
    members = street_members(7)
    readings = {day: make_readings(members, day, seed=seed + n, gaps=0.01) for n, day in enumerate(DAYS)}
    return make_street(readings, make_rule("proportional", members, seed=1), missing=(), fee_nano=2_500_000_000)


@pytest.fixture(scope="module")
def statement() -> dict[str, Any]:
    before, street = month_of(2), month_of(1)
    standing = {"a": {"received": bills_of(before, "a", TERMS)[0]}}
    bills = bills_of(street, "a", TERMS, series="R1", standing=standing)
    last = state_month(before.month, "a", name=NAME, made_at="2026-11-07T10:00Z")
    return state_month(street.month, "a", name=NAME, made_at="2026-11-07T10:00Z", bills=bills, last=last)


def sheet_of(statement: dict[str, Any]) -> Sheet:
    payment = payable_amounts(statement, WAITING)
    signed = {**sign_document(statement, HUB_KEY), "payment": sign_document(payment, HUB_KEY)}
    files = StatementFiles(signed, {"member": "a"}, (), {}, HUB_KEY_HEX)
    return statement_sheet(files, statement_page(files, WORDS), WORDS)


@pytest.fixture(scope="module")
def drawn(statement: dict[str, Any]) -> bytes:
    return draw_pdf(sheet_of(statement))


@pytest.fixture(scope="module")
def rows(drawn: bytes) -> list[str]:
    """The lines of text as another program reads them, with ordinary spaces."""
    text = "\n".join(page.extract_text(extraction_mode="layout") for page in PdfReader(io.BytesIO(drawn)).pages)
    return [" ".join(line.replace("\N{NO-BREAK SPACE}", " ").split()) for line in text.splitlines() if line.strip()]


def units(text: str, scale: int) -> int:
    """A written amount as a whole number of 1/scale."""
    return int(Decimal(text.replace(",", "")) * scale)


def row(rows: list[str], beginning: str, *, nth: int = 0) -> list[str]:
    """The amounts on the nth line with this beginning."""
    found = [line for line in rows if line.startswith(beginning)]
    return re.findall(r"-?\d[\d,]*\.\d+", found[nth].removeprefix(beginning))


def test_every_sum_is_the_one_that_is_signed(statement: dict[str, Any], rows: list[str]) -> None:
    labels = {
        "demand": "Drawn at your connection", "received": "Received from neighbours",
        "imported": "Bought from the grid", "surplus": "Fed in at your connection",
        "sold": "Given to neighbours", "exported": "Sold to the grid",
    }  # fmt: skip
    for name, label in labels.items():
        assert units(row(rows, label)[0], 1000) == statement["totals"][name], label
    money = {"debit": "To pay for energy from neighbours", "credit": "To receive for energy given to neighbours"}
    for name, label in money.items():
        assert units(row(rows, label)[0], 100) == statement["money"][f"{name}_cent"], label
    compared = {"alone": "Cost without sharing", "cost": "Cost with sharing", "benefit": "Gained by"}
    cents = {name: units(row(rows, label)[0], 100) for name, label in compared.items()}
    for name, most in {"alone": 5_000_000, "cost": 10_000_000, "benefit": 5_000_000}.items():
        assert abs(cents[name] * 10_000_000 - statement["money"][f"{name}_nano"]) <= most, name
    assert cents["alone"] - cents["cost"] == cents["benefit"], "the difference is the one on the page"


def without_letters(value: Any) -> Any:
    """The same sheet with a digit for every letter."""
    if isinstance(value, str):
        return re.sub(r"[^\W\d_]", "1", value)
    if isinstance(value, tuple):
        return tuple(without_letters(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: without_letters(getattr(value, each.name)) for each in fields(value)})
    return value


def test_the_template_has_no_words_of_its_own(statement: dict[str, Any]) -> None:
    """So that everything on the sheet is translated: it all comes through the sheet."""
    sheet = replace(without_letters(sheet_of(statement)), language="en")
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(draw_pdf(sheet))).pages)
    assert len(text) > 1000
    assert re.findall(r"[^\W\d_]+", text) == []


def test_every_day_is_the_one_that_is_signed(statement: dict[str, Any], rows: list[str]) -> None:
    for day in statement["days"]:
        name = WORDS.short_day(date.fromisoformat(day["day"]))
        energy = [units(text, 1000) for text in row(rows, f"{name} ")]
        assert energy == [day["totals"][column] for column in DAY_COLUMNS], name
        money = [units(text, 10**9) for text in row(rows, f"{name} ", nth=1)[:3]]
        assert money == [day["money"][f"{side}_nano"] for side in ("debit", "credit", "benefit")], name
        assert any(line.startswith(name) and line.endswith(day["root"]["document"]["root"][:16]) for line in rows)


def test_taxes_changes_and_hashes_are_those_that_are_signed(statement: dict[str, Any], rows: list[str]) -> None:
    invoice, note = statement["tax"]
    assert (len(invoice["lines"]), len(invoice["taxes"])) == (3, 3)
    for bill, label in ((invoice, "To pay"), (note, "To receive")):
        at = next(n for n, line in enumerate(rows) if line.endswith(f" {bill['number']}"))
        amounts = [units(text, 100) for line in rows[at : at + 12] for text in re.findall(r"€([\d,]+\.\d\d)", line)]
        stated = [line["net_cent"] for line in bill["lines"]]
        for tax in bill["taxes"]:
            stated += [tax["tax_cent"]] if tax["reverse_charge"] else [tax["net_cent"], tax["tax_cent"]]
            assert any(f"{tax['rate_ppm'] / 10_000:.2f} %" in line for line in rows[at : at + 12])
        assert amounts[: len(stated)] == stated
        assert units(row(rows[at:], f"{label} €")[0], 100) == bill["due_cent"], label
    at = next(n for n, line in enumerate(rows) if line.endswith(f" {invoice['number']}"))
    assert units(row(rows[at:], "Total ")[0], 100) == invoice["gross_cent"]
    payment = payable_amounts(statement, WAITING)
    now = cast(int, payment["now_cent"])
    assert units(row(rows, "To receive now €" if now >= 0 else "To pay now €")[0], 100) == abs(now)
    waiting = [line for line in rows if line.startswith("On hold, decision due by")]
    cents = [bill["waiting_cent"] for bill in cast(list[dict[str, int]], payment["bills"]) if bill["waiting_cent"]]
    assert [units(re.findall(r"€([\d,]+\.\d\d)", line)[0], 100) for line in waiting] == cents
    assert f"replaces {invoice['replaces']['number']} of 7 April 2026" in "\n".join(rows)
    for sentence in ("Gutschrift", "Übergang der Steuerschuld", "Sunny Street eG, Sonnengasse 1", "ATU1234"):
        assert any(sentence in line for line in rows), sentence
    changes = statement["changes"]["month"]
    before, now = row(rows, "To pay for energy from neighbours", nth=1)
    assert [units(before, 100), units(now, 100)] == changes["debit_cent"]
    text = "\n".join(rows)
    for digits in (document_hash(statement), HUB_KEY_HEX, *statement["rules"]):
        assert digits in text
    assert "python verify_statement.py statement.json readings.json pool.json" in text


def test_it_is_a_document_for_every_reader(drawn: bytes, rows: list[str]) -> None:
    reader = PdfReader(io.BytesIO(drawn))
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert reader.metadata is not None
    assert reader.metadata.title == f"Statement of October 2026, {NAME}, Sunny Street"
    assert str(reader.metadata.creation_date).startswith("2026-11-07")
    assert {tuple(round(float(edge)) for edge in page.mediabox.upper_right) for page in reader.pages} == {(595, 842)}
    count = len(reader.pages)
    assert [line for line in rows if f"page {count} of {count}" in line]
    assert any(NAME in line for line in rows), "letters beyond ASCII are text, not pictures"
    fonts: list[Any] = [
        font["/DescendantFonts"][0]["/FontDescriptor"]
        for page in reader.pages
        for font in (each.get_object() for each in page["/Resources"]["/Font"].values())  # type: ignore[index]
    ]
    assert fonts
    assert all("/FontFile2" in font or "/FontFile3" in font for font in fonts), "a font is not inside"


def test_the_same_statement_is_the_same_bytes_and_words_are_only_words(statement: dict[str, Any], drawn: bytes) -> None:
    assert draw_pdf(sheet_of(statement)) == drawn
    hostile = '#eval("1+1") $x$ *b* \\ #read("/etc/passwd") @a <b> "'
    named = statement | {"member": {"id": "a", "name": hostile}}
    text = PdfReader(io.BytesIO(draw_pdf(sheet_of(named)))).pages[0].extract_text()
    assert hostile[:30] in text


def test_a_letter_that_no_font_inside_has_is_one_exception_that_repeats_nothing(statement: dict[str, Any]) -> None:
    with pytest.raises(PdfRenderError) as caught:
        draw_pdf(sheet_of(statement | {"member": {"id": "a", "name": "Household 山"}}))
    assert "山" not in str(caught.value)


async def test_the_page_says_so_in_one_sentence(sign_in: SignIn, store: SqliteStore) -> None:
    async def rename(db: Any) -> None:
        await db.execute("UPDATE member SET name = 'Household 山' WHERE id = 'm03'")

    browser = await sign_in("m03")
    await store.write(rename)
    answer = await browser.get(f"{MONTH}.pdf")
    assert answer.status_code == 409
    assert "This statement cannot be made as PDF, perhaps because its fonts lack a letter of a name" in answer.text
    assert (await browser.get(MONTH)).status_code == 200


async def test_the_page_hands_it_out_to_the_member_alone(sign_in: SignIn) -> None:
    browser = await sign_in("m03")
    page = (await browser.get(MONTH)).text
    assert f'href="{MONTH}.pdf"' in page
    answer = await browser.get(f"{MONTH}.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    text = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    assert "Household Dreißig" in text
    assert "not a bill" in text.lower()
    browser.cookies.clear()
    assert (await browser.get(f"{MONTH}.pdf")).status_code in (303, 401)
    assert (await (await sign_in("m03")).get("/credits/statement/2020-01.pdf")).status_code == 404


async def test_without_the_extra_there_is_no_link_and_one_sentence(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    browser = await sign_in("m03")
    assert f"{MONTH}.pdf" not in (await browser.get(MONTH)).text
    answer = await browser.get(f"{MONTH}.pdf")
    assert answer.status_code == 404
    assert "This hub cannot make PDF files. Print the statement" in answer.text
