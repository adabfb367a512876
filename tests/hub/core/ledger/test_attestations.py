"""Signed documents in a chain: their bytes by hand, what follows what, and bytes that are not attestations."""

import hashlib
import json
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.attestations import (
    DAY_ROOT,
    FIRST_PREVIOUS,
    FORMAT,
    attest,
    day_root_content,
    document_digest,
    read_attestation,
    run_columns,
)
from hub.core.ledger.merkle import build_tree
from hub.core.ledger.signed_document import SIGNED_TAG
from hub.storage.records import RunRow
from tests.hub.core.ledger.signed_chain import KEY

RUN = RunRow("key", "D", "2026-05-01", "rule", "inputs", "result", "complete", b"record", 123, 4)
CONTENT = {"member": "m01", "at": 5}
BYTES = (
    '{"content":{"at":5,"member":"m01"},"coop":"sunny","format":"commonwatt-attestation-1","kind":"approval",'
    f'"number":1,"previous":"{bytes(32).hex()}","run":"run-a","subject":"2026-05"}}'
).encode()


def test_the_bytes_of_a_document_are_these() -> None:
    signed = attest(
        CONTENT, kind="approval", subject="2026-05", run_key="run-a", coop="sunny", head=(0, FIRST_PREVIOUS), key=KEY
    )
    assert signed.document == BYTES
    KEY.public_key().verify(signed.signature, SIGNED_TAG + BYTES)
    assert signed.head == (1, hashlib.sha256(BYTES).digest())
    read = read_attestation(BYTES)
    assert (read.number, read.previous, read.coop, read.kind) == (1, bytes(32).hex(), "sunny", "approval")
    assert (read.subject, read.run_key, read.content) == ("2026-05", "run-a", CONTENT)


def test_each_document_has_the_number_and_hash_of_the_one_before() -> None:
    first = attest(CONTENT, kind="a", subject="", run_key="", coop="c", head=(0, FIRST_PREVIOUS), key=KEY)
    second = attest(CONTENT, kind="a", subject="", run_key="", coop="c", head=first.head, key=KEY)
    assert read_attestation(second.document).number == 2
    assert read_attestation(second.document).previous == document_digest(first.document).hex()


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.booleans() | st.none()),
    st.integers(1, 2**70),
)
def test_what_is_signed_is_read_back(content: dict[str, object], number: int) -> None:
    signed = attest(content, kind="k", subject="s", run_key="r", coop="c", head=(number - 1, bytes(32)), key=KEY)
    read = read_attestation(signed.document)
    assert (read.number, read.content) == (number, content)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'["\xff"]',
        b"[" * 100_000,
        BYTES[:-1],
        BYTES.replace(FORMAT.encode(), b"commonwatt-attestation-2"),
        BYTES.replace(b'"number":1', b'"number":"1"'),
        BYTES.replace(b'"number":1', b'"number":1.0'),
        BYTES.replace(b'"number":1', b'"number":true'),
        BYTES.replace(b'{"at":5,"member":"m01"}', b"[]"),
        BYTES.replace(b'"kind":"approval"', b'"kind":null'),
        BYTES.replace(b'"subject":"2026-05"', b'"subjects":"2026-05"'),
    ],
)
def test_bytes_that_are_not_an_attestation_are_refused(broken: bytes) -> None:
    assert broken != BYTES
    with pytest.raises(ValueError, match="not an attestation: "):
        read_attestation(broken)


@pytest.mark.parametrize(
    "other",
    [
        BYTES.replace(b'":', b'": ', 1),
        BYTES + b"\n",
        BYTES.replace(b"sunny", b"\\u0073unny"),
        b'{"coop":"sunny",' + BYTES[1:],
    ],
)
def test_other_bytes_for_the_same_document_are_refused(other: bytes) -> None:
    assert json.loads(other) == json.loads(BYTES)
    with pytest.raises(ValueError, match="not an attestation in canonical form"):
        read_attestation(other)


class _Names(msgspec.Struct):
    member: str


def test_content_is_read_in_the_form_of_its_kind() -> None:
    document = read_attestation(BYTES)
    assert document.content_as(_Names).member == "m01"
    with pytest.raises(ValueError, match=r"attestation 1 is not a valid approval: Expected `int`, got `str`"):
        document.content_as(dict[str, int])


def test_a_day_root_covers_the_entries_the_ledger_and_every_column_of_the_run() -> None:
    leaves = [b"first", b"second", b"third"]
    content = day_root_content(RUN, leaves, ledger=(9, b"\x01" * 32), log=(40, b"\x02" * 32), looks=17)
    assert content == {
        "version": 2,
        "log": [40, "02" * 32],
        "root": build_tree(leaves).root.hex(),
        "entries": 3,
        "ledger": [9, "01" * 32],
        "looks": 17,
        "run": {
            "key": "key",
            "kind": "D",
            "day": "2026-05-01",
            "rule": "rule",
            "inputs": "inputs",
            "result": "result",
            "state": "complete",
            "made_at": 123,
            "entries": 4,
        },
    }
    assert DAY_ROOT == "day-root"


@pytest.mark.parametrize(
    "change",
    [
        *({name: "other"} for name in ("run_key", "kind", "day", "rule_hash", "input_digest", "result_hash", "state")),
        {"made_at": 124},
        {"entries": 5},
    ],
)
def test_a_change_to_any_column_of_a_run_shows(change: dict[str, object]) -> None:
    assert run_columns(replace(RUN, **change)) != run_columns(RUN)  # type: ignore[arg-type]
