"""Bank orders before they become files: numbers are checked like python-stdnum does, bad orders refused in one line."""

import string
from collections.abc import Callable
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import bic as stdnum_bic
from stdnum import iban as stdnum_iban
from stdnum.eu import at_02

from hub.core.payments.sepa import (
    MAX_TRANSACTIONS,
    BankFileError,
    CollectionOrder,
    Party,
    PayoutOrder,
    check_collections,
    check_payouts,
    compact,
    is_bic,
    is_creditor_id,
    is_iban,
)
from tests.hub.core.payments.bank_orders import CREDITOR_ID, REGISTRY, collection, collections, ibans, payout, payouts


@pytest.mark.parametrize("iban", REGISTRY)
def test_the_registrys_ibans_are_good(iban: str) -> None:
    assert is_iban(iban)
    assert stdnum_iban.is_valid(iban, check_country=False)


@given(ibans(), st.data())
def test_one_wrong_character_of_an_iban_is_found(iban: str, data: st.DataObject) -> None:
    assert is_iban(iban)
    at = data.draw(st.integers(4, len(iban) - 1))
    other = data.draw(st.sampled_from([c for c in string.digits if c != iban[at]]))
    changed = iban[:at] + other + iban[at + 1 :]
    assert is_iban(changed) == (int("".join(str(int(c, 36)) for c in changed[4:] + changed[:4])) % 97 == 1)
    if iban[at].isdigit():
        assert not is_iban(changed)


@pytest.mark.parametrize(
    "iban",
    [
        "",
        "DE",
        "DE89370400440532013001",
        "DE8937040044053201300",
        "XX82WEST12345698765432",
        "BR1800360305000010009795493C1",
        "de89370400440532013000",
        "DE89３70400440532013000",
    ],
)
def test_what_is_no_sepa_iban(iban: str) -> None:
    assert not is_iban(iban)


@given(st.text(string.digits + string.ascii_uppercase, min_size=1, max_size=14), st.integers(0, 99))
def test_creditor_ids_as_stdnum_sees_them(rest: str, digits: int) -> None:
    text = f"DE{digits:02d}ZZZ{rest}"
    if 2 <= digits <= 98:
        assert is_creditor_id(text) == at_02.is_valid(text)
    assert is_creditor_id(CREDITOR_ID)


@given(st.one_of(st.text(string.ascii_uppercase + string.digits, max_size=12), st.just("COBADEFFXXX")))
def test_bics_as_stdnum_sees_them(text: str) -> None:
    assert is_bic(text) or not stdnum_bic.is_valid(text)
    assert not is_bic(text) or (len(text) in (8, 11) and text[4:6].isalpha())


BAD_PAYOUTS: dict[str, tuple[Callable[[], PayoutOrder], str]] = {
    "none": (lambda: payouts(payouts=()), "nothing to pay"),
    "zero": (lambda: payouts(payout(amount_cent=0)), "not between"),
    "negative": (lambda: payouts(payout(amount_cent=-5)), "not between"),
    "too much": (lambda: payouts(payout(amount_cent=10**11)), "not between"),
    "float": (lambda: payouts(payout(amount_cent=1.5)), "whole number of cents"),
    "boolean": (lambda: payouts(payout(amount_cent=True)), "whole number of cents"),
    "iban": (lambda: payouts(payout(to=Party("Household 1", "AT611904300234573202"))), "the IBAN is wrong"),
    "bic": (lambda: payouts(payout(to=Party("Household 1", REGISTRY[1], "DEAD"))), "leave it out"),
    "payer": (lambda: payouts(payer=Party("X", "DE00")), "the payer 'X': the IBAN is wrong"),
    "no name": (lambda: payouts(payout(to=Party(" . ", REGISTRY[1]))), "no name"),
    "no text": (lambda: payouts(payout(text="\u0301")), "no text"),
    "twice": (lambda: payouts(payout(1), payout(1)), "is used 2 times"),
    "slashes": (lambda: payouts(payout(reference="a//b")), "is not 1 to 35"),
    "long reference": (lambda: payouts(payout(reference="a" * 36)), "is not 1 to 35"),
    "long message": (lambda: payouts(message_id="a" * 34), "is not 1 to 33"),
    "past day": (lambda: payouts(pay_on=date(2026, 11, 2)), "2026-11-02 is past: the order was made on 2026-11-03"),
    "unreadable name": (
        lambda: payouts(payout(to=Party("李 A", REGISTRY[1]))),
        "cannot read 李; write the name in Latin",
    ),
    "unknown zone": (lambda: payouts(created_at=datetime(2026, 11, 3)), "time zone"),
}


@pytest.mark.parametrize("name", BAD_PAYOUTS)
def test_bad_payouts_are_refused_in_one_line(name: str) -> None:
    make, reason = BAD_PAYOUTS[name]
    with pytest.raises(BankFileError, match=reason) as refused:
        check_payouts(make())
    assert "\n" not in str(refused.value)
    assert "AT61" not in str(refused.value), "no account number in a message"


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (collections(creditor_id="DE99ZZZ09999999999"), "creditor identifier"),
        (collections(scheme="COR2"), "neither CORE nor B2B"),
        (collections(collection(sequence="LAST")), "not one of FRST"),
        (collections(collection(mandate_id="")), "the mandate id"),
        (collections(collection(mandate_signed_on=date(2026, 12, 1))), "after the day of collection"),
        (collections(collect_on=date(2026, 11, 2)), "2026-11-02 is past"),
        (
            collections(collection(1, sequence="OOFF"), collection(2, sequence="OOFF")),
            "'MND-1' is used 2 times, but OOFF",
        ),
        (collections(collection(1), collection(2, sequence="OOFF")), "is used 2 times, but OOFF allows one use"),
        (collections(collection(1, sequence="FRST"), collection(2)), "is used 2 times, but FRST allows one use"),
        (
            collections(collection(1), collection(2, debtor=Party("Cy", REGISTRY[1]))),
            "from different accounts",
        ),
    ],
)
def test_bad_collections_are_refused_in_one_line(order: CollectionOrder, reason: str) -> None:
    with pytest.raises(BankFileError, match=reason) as refused:
        check_collections(order)
    assert "\n" not in str(refused.value)


def test_an_invisible_character_pasted_with_an_iban_is_left_out() -> None:
    for invisible in ("\u200b", "\u00a0", "\ufeff", "\u2060", "\t"):
        order = check_payouts(payouts(payout(to=Party("A", f"AT61 1904 3002 3457 3201{invisible}"))))
        assert order.payouts[0].to.iban == "AT611904300234573201"


def test_a_recurring_mandate_may_be_used_twice_in_an_order() -> None:
    assert check_collections(collections(collection(1), collection(2))).total_cent == 198


def test_checking_cleans_names_and_numbers() -> None:
    order = check_payouts(payouts(payout(to=Party("Zoë  Ĝ", "at61 1904 3002 3457 3201", " cobadeff "))))
    assert order.payouts[0].to == Party("Zoe G", "AT611904300234573201", "COBADEFF")
    assert order.payer.name == "Genossenschaft Sonnenstrasse"


def test_checking_a_collection_cleans_it_and_its_day_may_be_the_mandates() -> None:
    signed = date(2026, 11, 5)
    order = check_collections(collections(collection(mandate_signed_on=signed), creditor_id=" de98 zzz 09999999999"))
    assert (order.creditor_id, order.collections[0].mandate_signed_on) == (CREDITOR_ID, signed)
    assert order.total_cent == 99


def test_totals_and_the_most_payments_of_a_file() -> None:
    assert payouts(payout(1), payout(2, amount_cent=66)).total_cent == 1300
    many = payouts(payouts=(payout(),) * (MAX_TRANSACTIONS + 1))
    with pytest.raises(BankFileError, match="100001 payments are too many for one file"):
        check_payouts(many)


def test_numbers_are_compacted() -> None:
    assert compact(" de89 3704\t0044 ") == "DE8937040044"
