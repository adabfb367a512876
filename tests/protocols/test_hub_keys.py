"""Certificates of hub keys: what the identity key has signed reads back, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.hub_keys import (
    MAX_CERTIFICATE_CHARS,
    MAX_NUMBER,
    MAX_VALID_S,
    HubKeyCertificate,
    HubSigner,
    certified_key,
    open_certificate,
    seal_certificate,
)

DAY_S = 86_400
IDENTITY = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
IDENTITY_PUBLIC = IDENTITY.public_key().public_bytes_raw()
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
FIRST = HubKeyCertificate("sol", 1, KEY.public_key().public_bytes_raw(), 1_000, 1_000 + 400 * DAY_S, 1_000 + 30 * DAY_S)
TEXT = seal_certificate(FIRST, IDENTITY)


def opened(text: str, *, coop: str = "sol", identity: bytes = IDENTITY_PUBLIC) -> HubKeyCertificate:
    return open_certificate(text, coop=coop, identity=identity)


@given(
    coop=st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True),
    number=st.integers(1, MAX_NUMBER),
    secret=st.binary(min_size=32, max_size=32),
    times=st.tuples(st.integers(0, 2**39), st.integers(1, MAX_VALID_S), st.floats(0, 1)),
)
def test_a_certificate_reads_back(coop: str, number: int, secret: bytes, times: tuple[int, int, float]) -> None:
    begins, lasts, overlap = times
    public_key = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    made = HubKeyCertificate(coop, number, public_key, begins, begins + lasts, begins + int(lasts * overlap))
    text = seal_certificate(made, IDENTITY)
    assert opened(text, coop=coop) == made
    assert text == seal_certificate(made, IDENTITY)
    assert certified_key(text, coop=coop, identity=IDENTITY_PUBLIC) == public_key


@given(st.integers(0, len(TEXT) - 1), st.characters(codec="ascii"))
def test_a_changed_character_is_refused(at: int, letter: str) -> None:
    changed = TEXT[:at] + letter + TEXT[at + 1 :]
    if changed != TEXT:
        with pytest.raises(ValueError, match="hub key certificate"):
            opened(changed)


@given(st.text(max_size=2 * MAX_CERTIFICATE_CHARS))
def test_any_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^hub key certificate: [^\n]*$"):
        opened(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT.ljust(MAX_CERTIFICATE_CHARS + 1), "larger than"),
        ("[" * 1000, "not JSON"),
        ("[]", "exactly document and signature"),
        (TEXT.replace(",", ", "), "canonical"),
        (TEXT.replace('"number":1', '"number":1,"number":1'), "canonical"),
        (TEXT.replace('"number":1', '"number":true'), "number: expected a whole number"),
        (TEXT.replace('"number":1', '"number":1.0'), "number: expected a whole number"),
        (TEXT.replace('"coop":"sol"', '"coop":["sol"]'), "coop: expected"),
        (TEXT.replace('"coop":"sol"', '"coop":"sol","more":1'), "document: expected exactly"),
        (json.dumps(json.loads(TEXT) | {"signature": None}, sort_keys=True, separators=(",", ":")), "signature"),
    ],
)
def test_another_form_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        opened(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"number": 0}, "number"),
        ({"number": MAX_NUMBER + 1}, "number"),
        ({"coop": "Sol"}, "coop"),
        ({"valid_from": -1}, "valid_from"),
        ({"valid_until": FIRST.valid_from}, "valid_until"),
        ({"valid_until": FIRST.valid_from + MAX_VALID_S + 1}, "within 400 days"),
        ({"previous_until": FIRST.valid_from - 1}, "previous_until"),
        ({"previous_until": FIRST.valid_until + 1}, "previous_until"),
        ({"public_key": bytes(32)}, "public_key"),
    ],
)
def test_a_certificate_that_nobody_would_accept_is_not_made(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        seal_certificate(replace(FIRST, **changes), IDENTITY)


def test_only_the_identity_key_vouches() -> None:
    with pytest.raises(ValueError, match="not signed by the co-op's identity key"):
        opened(seal_certificate(FIRST, KEY))
    with pytest.raises(ValueError, match="not signed by the co-op's identity key"):
        opened(TEXT, identity=KEY.public_key().public_bytes_raw())
    with pytest.raises(ValueError, match="not signed by the co-op's identity key"):
        opened(TEXT, identity=bytes(32))
    with pytest.raises(ValueError, match="it is of 'sol', expected 'mond'"):
        opened(TEXT, coop="mond")


def test_without_a_certificate_the_identity_is_the_hub_key() -> None:
    assert certified_key(None, coop="sol", identity=IDENTITY_PUBLIC) == IDENTITY_PUBLIC
    signer = HubSigner.of_one_key(IDENTITY)
    assert (signer.identity, signer.public_key, signer.certificate) == (IDENTITY_PUBLIC, IDENTITY_PUBLIC, None)
    IDENTITY.public_key().verify(signer.sign(b"what it signs"), b"what it signs")
    assert "PrivateKey" not in repr(signer)
