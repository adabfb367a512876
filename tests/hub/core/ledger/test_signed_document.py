"""Canonical bytes, hash and signature of a document: pinned by hand, independent of key order, exact."""

import hashlib
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.signed_document import SIGNED_TAG, canonical_bytes, document_hash, sign_document
from tests.hub.core.ledger.signed_chain import KEY

plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abä"), inner, max_size=3),
    max_leaves=8,
)


def test_the_bytes_are_sorted_compact_utf8() -> None:
    document = {"b": [1, None, True], "ä": {"z": "Ö\n", "a": -5}}
    assert canonical_bytes(document) == '{"b":[1,null,true],"ä":{"a":-5,"z":"Ö\\n"}}'.encode()
    assert document_hash(document) == hashlib.sha256(canonical_bytes(document)).hexdigest()


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.dictionaries(st.sampled_from("abcdeä"), plain))
def test_the_bytes_do_not_depend_on_the_order_and_keep_everything(document: dict[str, Any]) -> None:
    turned = dict(reversed(document.items()))
    assert canonical_bytes(turned) == canonical_bytes(document)
    assert json.loads(canonical_bytes(document)) == document
    assert canonical_bytes(json.loads(canonical_bytes(document))) == canonical_bytes(document)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_bytes({"x": number})


def test_a_signature_covers_the_tag_and_the_document() -> None:
    document = {"day": "2026-05-01", "entries": 3}
    signed = sign_document(document, KEY)
    assert signed["document"] == document
    signature = bytes.fromhex(str(signed["signature"]))
    KEY.public_key().verify(signature, b"commonwatt signed document v1\n" + canonical_bytes(document))
    for other in (canonical_bytes(document), SIGNED_TAG + canonical_bytes({**document, "entries": 4})):
        with pytest.raises(InvalidSignature):
            KEY.public_key().verify(signature, other)
