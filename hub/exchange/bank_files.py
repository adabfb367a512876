"""Writes checked payments as the banks' XML, pain.001.001.09 and pain.008.001.08, with the library sepaxml.

The library invents message ids and uses the current time. Both are replaced by the order's own values, so that the
same order always gives the same bytes. The result is added up again and checked against the official schema.
"""

from datetime import UTC
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Final
from xml.etree import ElementTree as ET

from sepaxml import SepaDD, SepaTransfer  # type: ignore[import-untyped]
from xmlschema import XMLSchema

from hub.core.payments.sepa import BankFileError, CollectionOrder, Party, PayoutOrder, check_collections, check_payouts

PAYOUT_SCHEMA: Final = "pain.001.001.09"
COLLECTION_SCHEMA: Final = "pain.008.001.08"
CURRENCY: Final = "EUR"
NOT_PROVIDED: Final = "NOTPROVIDED"


def payout_file(order: PayoutOrder) -> bytes:
    """The file of payouts, ready for the bank. Raises: BankFileError if the bank would refuse it."""
    order = check_payouts(order)
    writer = SepaTransfer({**_account(order.payer), "batch": True}, schema=PAYOUT_SCHEMA, clean=False)
    for payout in order.payouts:
        payment = {
            **_payee(payout.to),
            "amount": payout.amount_cent,
            "description": payout.text,
            "endtoend_id": payout.reference,
            "execution_date": order.pay_on,
        }
        writer.add_payment(payment)
    return _checked_document(writer, order, schema=PAYOUT_SCHEMA, root="CstmrCdtTrfInitn", count=len(order.payouts))


def collection_file(order: CollectionOrder) -> bytes:
    """The file of collections, ready for the bank. Raises: BankFileError if the bank would refuse it."""
    order = check_collections(order)
    account = {**_account(order.creditor), "batch": True, "creditor_id": order.creditor_id, "instrument": order.scheme}
    writer = SepaDD(account, schema=COLLECTION_SCHEMA, clean=False)
    for collection in order.collections:
        payment = {
            **_payee(collection.debtor),
            "amount": collection.amount_cent,
            "description": collection.text,
            "endtoend_id": collection.reference,
            "type": collection.sequence,
            "collection_date": order.collect_on,
            "mandate_id": collection.mandate_id,
            "mandate_date": collection.mandate_signed_on,
        }
        writer.add_payment(payment)
    return _checked_document(
        writer, order, schema=COLLECTION_SCHEMA, root="CstmrDrctDbtInitn", count=len(order.collections)
    )


def _account(party: Party) -> dict[str, object]:
    return {**_payee(party), "currency": CURRENCY}


def _payee(party: Party) -> dict[str, object]:
    named: dict[str, object] = {"name": party.name, "IBAN": party.iban}
    return named if party.bic is None else {**named, "BIC": party.bic}


def _checked_document(
    writer: Any,
    order: PayoutOrder | CollectionOrder,
    *,
    schema: str,
    root: str,
    count: int,
) -> bytes:
    """The library's document with the order's own ids and time, once its sums and schema have been checked."""
    exported: bytes = writer.export(validate=False)
    document = ET.fromstring(exported)  # noqa: S314 - our own bytes
    space = f"{{urn:iso:std:iso:20022:tech:xsd:{schema}}}"
    message = _found(document, space + root)
    header = _found(message, space + "GrpHdr")
    _found(header, space + "MsgId").text = order.message_id
    _found(header, space + "CreDtTm").text = order.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    blocks = message.findall(space + "PmtInf")
    for number, block in enumerate(blocks, start=1):
        _found(block, space + "PmtInfId").text = f"{order.message_id}-{number}"
        _name_unknown_bank(block, space=space)
    _check_sums(header, blocks, space=space, count=count, total_cent=order.total_cent)
    ET.register_namespace("", space[1:-1])
    written: bytes = ET.tostring(document, encoding="UTF-8", xml_declaration=True)
    for error in _official_schema(schema).iter_errors(written.decode("utf-8")):
        reason = str(error.reason or "not valid").splitlines()[0]
        raise BankFileError(f"this order does not fit the bank's schema {schema}: {reason[:200]}")
    return written


@cache
def _official_schema(name: str) -> XMLSchema:
    """The official schema; it comes with the library."""
    with as_file(files("sepaxml").joinpath(f"schemas/{name}.xsd")) as path:
        return XMLSchema(str(path))


def _name_unknown_bank(block: ET.Element, *, space: str) -> None:
    """Write NOTPROVIDED where the library leaves an empty element for a debtor's bank without a BIC."""
    agent = block.find(f"{space}DbtrAgt/{space}FinInstnId")
    if agent is not None and not len(agent):
        other = ET.SubElement(agent, space + "Othr")
        ET.SubElement(other, space + "Id").text = NOT_PROVIDED


def _check_sums(header: ET.Element, blocks: list[ET.Element], *, space: str, count: int, total_cent: int) -> None:
    """Add up what was written. Raises: RuntimeError if the file differs from the order."""
    in_header = _count_and_sum(header, space)
    in_blocks = [_count_and_sum(block, space) for block in blocks]
    amounts = [_cents(amount.text) for block in blocks for amount in block.iter(space + "InstdAmt")]
    sums = (sum(c for c, _ in in_blocks), sum(s for _, s in in_blocks))
    if not (in_header == sums == (len(amounts), sum(amounts)) == (count, total_cent)):
        raise RuntimeError("the written file does not add up to the order")


def _count_and_sum(element: ET.Element, space: str) -> tuple[int, int]:
    return int(_found(element, space + "NbOfTxs").text or ""), _cents(_found(element, space + "CtrlSum").text)


def _cents(amount: str | None) -> int:
    whole, _, cents = (amount or "").partition(".")
    if len(cents) != 2:
        raise RuntimeError("an amount was written without its cents")
    return int(whole) * 100 + int(cents)


def _found(element: ET.Element, name: str) -> ET.Element:
    child = element.find(name)
    if child is None:
        raise RuntimeError(f"the written file has no {name.rpartition('}')[2]}")
    return child
