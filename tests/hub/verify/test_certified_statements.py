"""Statements signed with hub keys: the script a member runs checks each key through its certificate."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from hub.core.ledger.signed_document import Signer, sign_document
from hub.core.payments.payable import payable_amounts
from hub.core.statements.document import state_month
from protocols.hub_keys import HubSigner
from tests.hub.core.statements.statement_street import (
    HUB_KEY,
    Street,
    make_readings,
    make_rule,
    make_street,
    street_members,
)
from tests.hub.verify.certified_keys import STRANGER, changed_certificates, hub_key, signer_of
from tests.hub.verify.test_statement import run_script

IDENTITY: Final = HUB_KEY  # the script is given its public half with --hub-key
DAYS: Final = ("2026-03-31",)
MADE: Final = int(datetime(2026, 4, 8, 8, tzinfo=UTC).timestamp())
ONE: Final = signer_of(1, IDENTITY, valid_from=MADE - 300 * 86_400)
TWO: Final = signer_of(2, IDENTITY, valid_from=MADE - 86_400)


@cache
def street() -> Street:
    members = street_members(12)
    readings = {day: make_readings(members, day, seed=n) for n, day in enumerate(DAYS)}
    return make_street(readings, make_rule("equal", members, seed=2))


@cache
def statement() -> Any:
    return json.loads(json.dumps(state_month(street().month, "a", name="Ann", made_at="2026-04-08T08:00Z")))


def signed_by(roots: Signer, key: Signer, payment: Signer | None = None) -> Any:
    """The member's file: day roots signed with one key, the statement with another; the payment as the roots or so."""
    document = copy.deepcopy(statement())
    for day in document["days"]:
        day["root"] = sign_document(day["root"]["document"], roots)
    amounts = payable_amounts(document, [])
    return {**sign_document(document, key), "payment": sign_document(amounts, payment or roots)}


def check(folder: Path, file: Any, **more: Any) -> tuple[int, str]:
    return run_script(folder, file, street().own("a"), street().pool(), **more)


def test_documents_of_both_keys_verify_after_a_rotation(tmp_path: Path) -> None:
    code, said = check(tmp_path, signed_by(ONE, TWO), alone=True, before=signed_by(ONE, ONE))
    assert (code, said.split(":")[0]) == (0, "2026-03 of a"), said


def test_documents_of_before_the_first_certificate_still_verify(tmp_path: Path) -> None:
    assert check(tmp_path, signed_by(IDENTITY, ONE), before=signed_by(IDENTITY, IDENTITY))[0] == 0


def with_certificate(file: Any, text: str | None) -> Any:
    """The file with another certificate beside the statement's signature; with None, without one."""
    file = {**file, "certificate": text}
    return file if text is not None else {name: part for name, part in file.items() if name != "certificate"}


def only_until(days: int) -> HubSigner:
    """Key 2, with a certificate that ended that many days before the statement was made."""
    return signer_of(2, IDENTITY, valid_from=MADE - (days + 10) * 86_400, days=10, overlap_days=0)


NOT_VOUCHED = "the certificate of its hub key is not signed by the key given with --hub-key"
NOT_SIGNED = "not signed by the hub's key, or changed since"
REFUSED: Final[dict[str, tuple[Callable[[], Any], str]]] = {
    "a certificate that somebody else signed": (
        lambda: signed_by(ONE, signer_of(2, IDENTITY, valid_from=MADE, vouched_by=STRANGER)),
        f"statement signature: {NOT_VOUCHED}",
    ),
    "a certificate that the hub key signed": (
        lambda: signed_by(ONE, signer_of(2, IDENTITY, valid_from=MADE, vouched_by=hub_key(1))),
        f"statement signature: {NOT_VOUCHED}",
    ),
    "a certificate of another co-op": (
        lambda: signed_by(ONE, signer_of(2, IDENTITY, valid_from=MADE - 1, coop="other")),
        'statement signature certificate\'s co-op: "other" is stated, "sunny" is right',
    ),
    "a key without a certificate": (lambda: signed_by(ONE, hub_key(2)), f"statement signature: {NOT_SIGNED}"),
    "a certificate taken away": (
        lambda: with_certificate(signed_by(ONE, TWO), None), f"statement signature: {NOT_SIGNED}",
    ),
    "the certificate of another key": (
        lambda: with_certificate(signed_by(ONE, STRANGER), TWO.certificate), f"statement signature: {NOT_SIGNED}",
    ),
    "two keys with one number": (
        lambda: signed_by(TWO, signer_of(2, IDENTITY, valid_from=MADE - 1, other=7)),
        "statement signature: there are two keys with the number 2",
    ),
    "a certificate that had ended": (
        lambda: signed_by(ONE, only_until(1)),
        "statement signature: it is of 2026-04-08T08:00Z, and the certificate of hub key 2 ended at 2026-04-07T08:00Z",
    ),
    "a payment by a key without a certificate": (lambda: signed_by(ONE, TWO, hub_key(3)), f"payment: {NOT_SIGNED}"),
    "a root under a certificate that had ended": (
        lambda: signed_by(only_until(2), TWO),
        "day 2026-03-31 root: it is of 2026-04-08T08:00Z, and the certificate of hub key 2 ended at 2026-04-06T08:00Z",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_certified_key_has_signed_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    make, said = REFUSED[case]
    assert check(tmp_path, make()) == (1, said)


def test_two_keys_with_one_number_are_found_in_an_earlier_statement_too(tmp_path: Path) -> None:
    other = signer_of(2, IDENTITY, valid_from=MADE - 1, other=7)
    code, said = check(tmp_path, signed_by(ONE, TWO), before=signed_by(ONE, other))
    assert (code, said) == (1, "statement signature: there are two keys with the number 2")


def test_an_earlier_statement_counts_by_the_time_it_was_made(tmp_path: Path) -> None:
    """A file that the member kept: its key's certificate has ended since."""
    ended = signer_of(1, IDENTITY, valid_from=MADE - 20 * 86_400, days=10, overlap_days=0)
    before = signed_by(ONE, ended)
    before["document"]["made_at"] = "2026-03-29T08:00Z"
    before = {**sign_document(before["document"], ended), "payment": before["payment"]}
    assert check(tmp_path, signed_by(ONE, TWO), before=before)[0] == 0


assert TWO.certificate is not None
CHANGED = changed_certificates(TWO.certificate)


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_certificate_is_refused(name: str, tmp_path: Path) -> None:
    file = with_certificate(signed_by(ONE, TWO), CHANGED[name])
    assert check(tmp_path, file) == (1, f"statement signature: {NOT_VOUCHED}")
