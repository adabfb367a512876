"""Names and texts in SEPA's characters: readable, stable, and never with a character that a bank refuses."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.payments.sepa_text import (
    IBAN_LENGTHS,
    LETTERS,
    REPLACEMENT,
    SEPA_CHARS,
    SIGNS,
    sepa_text,
    unreadable_letters,
)

bounded = settings(deadline=None, derandomize=True, max_examples=200)


@given(st.text(max_size=200))
@bounded
def test_any_text_becomes_the_banks_characters_and_stays_so(text: str) -> None:
    cleaned = sepa_text(text)
    assert set(cleaned) <= SEPA_CHARS
    assert sepa_text(cleaned) == cleaned


@given(st.text(string.ascii_letters + string.digits + "/-?:().,'+", max_size=50))
@bounded
def test_what_banks_accept_is_not_touched(text: str) -> None:
    assert sepa_text(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Jürgen Größe & Søn", "Juergen Groesse + Son"),
        ("Γιώργος Παπαδόπουλος", "Giorgos Papadopoulos"),
        ("Παπαδοπούλου ΟΥ", "Papadopoulou OU"),
        ("Щърбанов Кръстьо", "Shtarbanov Krastyo"),
        ("Олексій Шевченко", "Oleksiy Shevchenko"),
        ("Євген Їжакевич Ґудзь", "Ievgen Izhakevich Gudz"),
        ("Быков Эдуард Ильич", "Bykov Eduard Ilich"),
        ("Ђорђе Љубић Џамоња Ѓорѓи Ќосев", "Djordje Ljubic Dzamonja Gorgi Kosev"),
        ("ÄÖÜ Žižek Łódź", "AeOeUe Zizek Lodz"),
        ("O’Neill “x” – y…", "O'Neill 'x' - y..."),
        ("  a \t\n b ", "a b"),
        ("e\u0301\u200b", "e"),
        ("李 A", ". A"),
        ("5 €; a@b_c", "5 EUR, a(at)b-c"),
    ],
)
def test_texts_stay_readable(text: str, cleaned: str) -> None:
    assert sepa_text(text) == cleaned


@pytest.mark.parametrize(
    ("name", "letters"), [("李小龙", "李小龙"), ("ანა", "ან"), ("Ana 5!", ""), ("Ünal Γ Ж ї", ""), ("日日", "日")]
)
def test_letters_that_no_bank_can_read_are_named(name: str, letters: str) -> None:
    assert unreadable_letters(name) == letters


def test_every_replacement_is_made_of_characters_that_banks_accept() -> None:
    assert all(set(text) <= SEPA_CHARS for text in (*LETTERS.values(), *SIGNS.values(), REPLACEMENT))


def test_lengths_of_ibans_are_those_of_the_registry() -> None:
    assert (min(IBAN_LENGTHS.values()), max(IBAN_LENGTHS.values()), len(IBAN_LENGTHS)) == (15, 31, 42)
    assert {country: IBAN_LENGTHS[country] for country in ("AT", "DE", "NO", "MT")} == {
        "AT": 20, "DE": 22, "NO": 15, "MT": 31,
    }  # fmt: skip
