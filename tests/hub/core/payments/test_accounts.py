"""Accounts as people type them: what is wrong is named without the number, and what is shown hides the number."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.payments.accounts import CoopAccount, clean_holder, iban_length, iban_problem, is_mandate_id, masked
from hub.core.payments.sepa_text import IBAN_LENGTHS

AUSTRIAN = "AT611904300234573201"
bounded = settings(deadline=None, derandomize=True, max_examples=200)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (AUSTRIAN, None),
        ("at61 1904 3002 3457 3201", None),
        ("AT611904300234573202", "check_digits"),
        ("AT161904300234573201", "check_digits"),
        ("AT61190430023457320", "length"),
        ("AT6119043002345732011", "length"),
        ("BR1800360305000010009795493C1", "country"),
        ("", "country"),
    ],
)
def test_what_is_wrong_with_an_iban(text: str, problem: str | None) -> None:
    assert iban_problem(text) == problem


@given(st.text("0123456789ABCatde \t", max_size=24))
@bounded
def test_any_text_is_good_or_has_one_of_three_problems_in_this_order(text: str) -> None:
    plain = "".join(text.split()).upper()
    problem = iban_problem(text)
    assert (problem == "country") == (plain[:2] not in IBAN_LENGTHS)
    if problem != "country":
        assert (problem == "length") == (len(plain) != iban_length(text))


def test_each_country_has_its_length() -> None:
    assert (iban_length("at"), iban_length("NO93"), iban_length(" M T84")) == (20, 15, 31)


def test_a_shown_iban_keeps_the_country_and_four_characters_only() -> None:
    assert masked(AUSTRIAN) == "AT •••• 3201"
    assert not set("6119043002345") & set(masked("AT619999999999998888")) - {"8"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Ada \t Lovelace\n", "Ada Lovelace"),
        ("Γιώργος", "Γιώργος"),
        ("x" * 70, "x" * 70),
        ("x" * 71, None),
        ("", None),
        (" . - ", None),
        ("李", None),
        ("Eve\u202eda", None),
    ],
)
def test_a_holder_is_a_name_that_a_bank_can_read(text: str, name: str | None) -> None:
    assert clean_holder(text) == name


@pytest.mark.parametrize("text", ["MND-1", "2026/17", "A", "x" * 33])
def test_mandate_ids_that_banks_accept(text: str) -> None:
    assert is_mandate_id(text)


@pytest.mark.parametrize("text", ["", " ", " MND-1", "MND-1 ", "x" * 34, "ä", "a_b", "a\n"])
def test_mandate_ids_that_banks_refuse(text: str) -> None:
    assert not is_mandate_id(text)


def test_the_coops_account_does_not_show_its_number() -> None:
    assert AUSTRIAN not in repr(CoopAccount("The Street", AUSTRIAN))
