"""Bank files: valid by the official schemas, with sums that add up, and the same bytes for the same order."""

from dataclasses import replace
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from hub.core.payments.sepa import BankFileError, Collection, Payout
from hub.core.payments.sepa_text import SEPA_CHARS
from hub.exchange.bank_files import COLLECTION_SCHEMA, PAYOUT_SCHEMA, collection_file, payout_file
from tests.hub.core.payments.bank_orders import (
    cents,
    collection,
    collections,
    names,
    parties,
    payment_lists,
    payout,
    payouts,
)


@cache
def schema(name: str) -> Any:
    return etree.XMLSchema(etree.fromstring(files("sepaxml").joinpath(f"schemas/{name}.xsd").read_bytes()))


def all_text(document: ET.Element, tag: str) -> list[str]:
    return [element.text or "" for element in document.iter() if element.tag.endswith("}" + tag)]


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
def test_collections_are_valid_and_add_up(drawn: tuple[Collection, ...], scheme: Any) -> None:
    items = tuple(replace(item, mandate_id=f"{item.mandate_id}-{place}") for place, item in enumerate(drawn))
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


def test_an_order_the_checks_refuse_gives_no_file() -> None:
    with pytest.raises(BankFileError, match="not between"):
        payout_file(payouts(payout(amount_cent=0)))
    with pytest.raises(BankFileError, match="the mandate id"):
        collection_file(collections(collection(mandate_id="")))


def test_an_amount_is_written_in_euros_and_cents() -> None:
    document = ET.fromstring(payout_file(payouts(payout(1, amount_cent=5), payout(2, amount_cent=123_456))))
    assert all_text(document, "InstdAmt") == ["0.05", "1234.56"]
    assert all_text(document, "CreDtTm") == ["2026-11-03T08:00:00Z"]
    assert all_text(document, "PmtInfId") == ["cw-2026-10-M1-1"]


def test_a_debtors_unknown_bank_is_named_as_not_provided() -> None:
    document = ET.fromstring(collection_file(collections(collection())))
    agents = [element for element in document.iter() if element.tag.endswith("}DbtrAgt")]
    assert [[text for text in agent.itertext() if text.strip()] for agent in agents] == [["NOTPROVIDED"]]
