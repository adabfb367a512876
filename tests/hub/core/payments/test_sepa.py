"""Bank files: valid by the official schemas, sums recomputed, numbers checked as python-stdnum checks them, bad orders
refused in one line with nothing written."""

import argparse
import json
import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]
from stdnum import bic as stdnum_bic
from stdnum import iban as stdnum_iban
from stdnum.eu import at_02

from hub.commands import bank_file as bank_command
from hub.core.payments.order_document import read_order
from hub.core.payments.sepa import (
    BankFileError,
    Collection,
    CollectionOrder,
    Party,
    Payout,
    PayoutOrder,
    check_payouts,
    is_bic,
    is_creditor_id,
    is_iban,
)
from hub.core.payments.sepa_text import IBAN_LENGTHS, SEPA_CHARS, sepa_text
from hub.exchange.bank_files import COLLECTION_SCHEMA, PAYOUT_SCHEMA, collection_file, payout_file
from protocols.errors import RequestError

# The examples of the IBAN registry (SWIFT) for countries of SEPA.
REGISTRY = [
    "AD1200012030200359100100",
    "AT611904300234573201",
    "BE68539007547034",
    "BG80BNBG96611020345678",
    "CH9300762011623852957",
    "CY17002001280000001200527600",
    "CZ6508000000192000145399",
    "DE89370400440532013000",
    "DK5000400440116243",
    "EE382200221020145685",
    "ES9121000418450200051332",
    "FI2112345600000785",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "GI75NWBK000000007099453",
    "GR1601101250000000012300695",
    "HR1210010051863000160",
    "HU42117730161111101800000000",
    "IE29AIBK93115212345678",
    "IS140159260076545510730339",
    "IT60X0542811101000000123456",
    "LI21088100002324013AA",
    "LT121000011101001000",
    "LU280019400644750000",
    "LV80BANK0000435195001",
    "MC5811222000010123456789030",
    "MT84MALT011000012345MTLCAST001S",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "PL61109010140000071219812874",
    "PT50000201231234567890154",
    "RO49AAAA1B31007593840000",
    "SE4550000000058398257466",
    "SI56191000000123438",
    "SK3112000000198742637541",
    "SM86U0322509800000000270100",
]
PAYER = Party("Genossenschaft Sonnenstraße", "DE89 3704 0044 0532 0130 00")
CREDITOR_ID = "DE98ZZZ09999999999"
NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)


def payout(number: int = 1, **changes: Any) -> Payout:
    return replace(Payout(f"m{number:02d}-2026-10", Party("Household 1", REGISTRY[1]), 1234, "October"), **changes)


def payouts(*items: Payout, **changes: Any) -> PayoutOrder:
    return replace(PayoutOrder("cw-2026-10-M1", NOW, date(2026, 11, 5), PAYER, items or (payout(),)), **changes)


def collection(number: int = 1, **changes: Any) -> Collection:
    made = Collection(f"m{number:02d}", Party("Bo", REGISTRY[2]), 99, "Fee", "MND-1", date(2026, 1, 2))
    return replace(made, **changes)


def collections(*items: Collection, **changes: Any) -> CollectionOrder:
    order = CollectionOrder("cw-2", NOW, date(2026, 11, 5), PAYER, CREDITOR_ID, items or (collection(),))
    return replace(order, **changes)


@cache
def schema(name: str) -> Any:
    return etree.XMLSchema(etree.fromstring(files("sepaxml").joinpath(f"schemas/{name}.xsd").read_bytes()))


def all_text(document: ET.Element, tag: str) -> list[str]:
    return [element.text or "" for element in document.iter() if element.tag.endswith("}" + tag)]


def with_check_digits(country: str, bban: str) -> str:
    number = int("".join(str(int(char, 36)) for char in bban + country + "00"))
    return f"{country}{98 - number % 97:02d}{bban}"


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country = draw(st.sampled_from(sorted(IBAN_LENGTHS)))
    length = IBAN_LENGTHS[country] - 4
    bban = draw(st.text(string.digits + string.ascii_uppercase, min_size=length, max_size=length))
    return with_check_digits(country, bban)


names = st.one_of(
    st.sampled_from(["Ünal Çelik", "Γιώργος", "Щърбанов & Co", "O'Neill–Núñez", "李 A", "<b>Eve</b>"]),
    st.text(st.characters(exclude_categories=[]), max_size=90).map(lambda text: "A" + text),
)
parties = st.builds(Party, names, ibans(), st.sampled_from([None, "COBADEFFXXX", "ABNANL2A"]))
cents = st.integers(1, 99_999_999_999)


def payment_lists(payment: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    numbered = st.lists(payment, min_size=1, max_size=6)
    return numbered.map(lambda items: tuple(replace(item, reference=f"r-{i}") for i, item in enumerate(items)))


@settings(max_examples=40, deadline=None)
@given(payment_lists(st.builds(Payout, st.just("x"), parties, cents, names)))
def test_payouts_are_valid_and_add_up(items: tuple[Payout, ...]) -> None:
    order = payouts(*items)
    written = payout_file(order)
    schema(PAYOUT_SCHEMA).assertValid(etree.fromstring(written))
    document = ET.fromstring(written)
    check_sums(document, [item.amount_cent for item in items])
    assert all_text(document, "EndToEndId") == [item.reference for item in items]
    assert all_text(document, "MsgId") == ["cw-2026-10-M1"]
    assert all(set(name) <= SEPA_CHARS for name in all_text(document, "Nm"))
    assert written == payout_file(order), "the same order, the same bytes: the bank can see a file sent twice"


@settings(max_examples=40, deadline=None)
@given(
    payment_lists(
        st.builds(
            Collection,
            st.just("x"),
            parties,
            cents,
            names,
            st.sampled_from(["MND-1", "2026/17", "A.b"]),
            st.dates(date(2009, 11, 1), date(2026, 11, 5)),
            st.sampled_from(["FRST", "RCUR", "OOFF", "FNAL"]),
        )
    ),
    st.sampled_from(["CORE", "B2B"]),
)
def test_collections_are_valid_and_add_up(items: tuple[Collection, ...], scheme: Any) -> None:
    written = collection_file(collections(*items, scheme=scheme))
    schema(COLLECTION_SCHEMA).assertValid(etree.fromstring(written))
    document = ET.fromstring(written)
    check_sums(document, [item.amount_cent for item in items])
    assert sorted(all_text(document, "EndToEndId")) == sorted(item.reference for item in items)
    assert set(all_text(document, "SeqTp")) == {item.sequence for item in items}
    blocks = all_text(document, "PmtInfId")
    assert len(set(blocks)) == len(blocks) == len({item.sequence for item in items})


def check_sums(document: ET.Element, amounts: list[int]) -> None:
    written = [int(text.replace(".", "")) for text in all_text(document, "InstdAmt")]
    assert sorted(written) == sorted(amounts)
    header, *blocks = all_text(document, "CtrlSum")
    assert int(header.replace(".", "")) == sum(int(block.replace(".", "")) for block in blocks) == sum(amounts)
    header, *blocks = all_text(document, "NbOfTxs")
    assert int(header) == sum(map(int, blocks)) == len(amounts)


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


@given(st.text(max_size=200))
def test_any_text_becomes_the_banks_characters_and_stays_so(text: str) -> None:
    cleaned = sepa_text(text)
    assert set(cleaned) <= SEPA_CHARS
    assert sepa_text(cleaned) == cleaned


def test_names_stay_readable() -> None:
    assert sepa_text("Jürgen Größe & Søn") == "Juergen Groesse + Son"
    assert sepa_text("Γιώργος Παπαδόπουλος") == "Giorgos Papadopoulos"
    assert sepa_text("Щърбанов") == "Shtarbanov"
    assert sepa_text("ÄÖÜ Žižek Łódź") == "AeOeUe Zizek Lodz"


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
    "twice": (lambda: payouts(payout(1), payout(1)), "stands 2 times"),
    "slashes": (lambda: payouts(payout(reference="a//b")), "is not 1 to 35"),
    "long reference": (lambda: payouts(payout(reference="a" * 36)), "is not 1 to 35"),
    "long message": (lambda: payouts(message_id="a" * 34), "is not 1 to 33"),
    "unknown zone": (lambda: payouts(created_at=datetime(2026, 11, 3)), "time zone"),
}


@pytest.mark.parametrize("name", BAD_PAYOUTS)
def test_bad_payouts_are_refused_in_one_line(name: str) -> None:
    make, reason = BAD_PAYOUTS[name]
    with pytest.raises(BankFileError, match=reason) as refused:
        payout_file(make())
    assert "\n" not in str(refused.value)
    assert "AT61" not in str(refused.value), "no account number in a message"


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (collections(creditor_id="DE99ZZZ09999999999"), "creditor identifier"),
        (collections(scheme="COR2"), "neither CORE nor B2B"),
        (collections(collection(sequence="LAST")), "none of FRST"),
        (collections(collection(mandate_id="")), "the mandate id"),
        (collections(collection(mandate_signed_on=date(2026, 12, 1))), "after the day of collection"),
    ],
)
def test_bad_collections_are_refused_in_one_line(order: CollectionOrder, reason: str) -> None:
    with pytest.raises(BankFileError, match=reason) as refused:
        collection_file(order)
    assert "\n" not in str(refused.value)


def test_checking_cleans_names_and_numbers() -> None:
    order = check_payouts(payouts(payout(to=Party("Zoë  Ĝ", "at61 1904 3002 3457 3201", " cobadeff "))))
    assert order.payouts[0].to == Party("Zoe G", "AT611904300234573201", "COBADEFF")
    assert order.payer.name == "Genossenschaft Sonnenstrasse"


def document(**changes: Any) -> dict[str, Any]:
    payment = {"reference": "m01", "name": "Household 1", "iban": REGISTRY[1], "amount_cent": 1234, "text": "October"}
    account = {"name": PAYER.name, "iban": PAYER.iban}
    head = {"kind": "payouts", "message_id": "cw-1", "date": "2026-11-05", "account": account, "payments": [payment]}
    return {**head, **changes}


def ran(tmp_path: Path, content: bytes) -> Path:
    order, out = tmp_path / "order.json", tmp_path / "bank.xml"
    order.write_bytes(content)
    parser = argparse.ArgumentParser()
    bank_command.add_arguments(parser)
    parser.set_defaults(clock=None)
    assert bank_command.run(parser.parse_args([str(order), "--out", str(out)])) == 0
    return out


def test_the_command_writes_the_file_for_its_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(tmp_path, json.dumps(document()).encode())
    schema(PAYOUT_SCHEMA).assertValid(etree.fromstring(out.read_bytes()))
    assert out.stat().st_mode & 0o077 == 0
    assert "1 payouts, 12.34 EUR" in capsys.readouterr().out
    with pytest.raises(RequestError, match="is there already"):
        ran(tmp_path, json.dumps(document()).encode())


def test_the_command_writes_collections(tmp_path: Path) -> None:
    payment = {**document()["payments"][0], "mandate_id": "M1", "mandate_signed_on": "2026-01-02"}
    order = document(kind="collections", creditor_id=CREDITOR_ID, payments=[payment])
    schema(COLLECTION_SCHEMA).assertValid(etree.fromstring(ran(tmp_path, json.dumps(order).encode()).read_bytes()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{" * 100_000,
        b'{"kind": "payouts", "kind": "collections"}',
        json.dumps(document(kind="gifts")).encode(),
        json.dumps(document(payments={})).encode(),
        json.dumps(document(payments=[None])).encode(),
        json.dumps(document(account=[])).encode(),
        json.dumps(document(date="soon")).encode(),
        json.dumps(document(created_at=5)).encode(),
        json.dumps(document(extra=1)).encode(),
        json.dumps(document(message_id=7)).encode(),
        json.dumps(document(payments=[{**document()["payments"][0], "amount_cent": "12.34"}])).encode(),
        json.dumps(document(payments=[{**document()["payments"][0], "amount_cent": 12.34}])).encode(),
        json.dumps(document(payments=[{**document()["payments"][0], "name": "\ud800"}])).encode(),
    ],
)
def test_the_command_refuses_in_one_line_and_writes_nothing(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RequestError) as refused:
        ran(tmp_path, content)
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["order.json"]


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*document(), "x"]), inner)),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*document(), "creditor_id", "scheme", "x"]), json_values))
def test_any_document_is_an_order_or_refused(changes: dict[str, Any]) -> None:
    refused = None
    try:
        read_order({**document(), **changes}, now=NOW)
    except BankFileError as refusal:
        refused = str(refusal)
    assert refused is None or "\n" not in refused
