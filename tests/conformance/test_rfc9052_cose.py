"""The envelope against RFC 9052 and the COSE working group's published Ed25519 example."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.wire import envelope, topics

# Source: cose-wg/Examples, eddsa-examples/eddsa-sig-01.json ("EdDSA-01: EdDSA - 25519 - sign0"): output.cbor,
# signed with the key of RFC 8032 section 7.1, TEST 1.
EXAMPLE = bytes.fromhex(
    "D28445A201270300A10442313154546869732069732074686520636F6E74656E742E58407142FD2FF96D56DB85BEE905A76BA1D0"
    "B7321A95C8C4D3607C5781932B7AFB8711497DFA751BF40B58B3BCC32300B1487F3DB34085EEF013BF08F4A44D6FEF0D"
)
# Source: RFC 9052 section 4.4: [context, body_protected, external_aad, payload], for that example.
TO_BE_SIGNED = bytes.fromhex("846A5369676E61747572653145A2012703004054546869732069732074686520636F6E74656E742E")
KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
# Source: cose-wg/Examples at c125a99, eddsa-examples/eddsa-sig-02.json (Ed448): intermediates.ToBeSign_hex.
TO_BE_SIGNED_448 = bytes.fromhex("846A5369676E61747572653143A101274054546869732069732074686520636F6E74656E742E")


def parts_of_the_example() -> tuple[bytes, bytes, bytes]:
    tagged = cbor2.loads(EXAMPLE)
    assert tagged.tag == 18
    protected, unprotected, payload, signature = tagged.value
    assert cbor2.loads(protected) == {1: -8, 3: 0}
    assert unprotected == {4: b"11"}
    return protected, payload, signature


def test_our_sig_structure_is_the_published_one() -> None:
    protected, payload, _ = parts_of_the_example()
    assert envelope.sig_structure(protected, b"", payload) == TO_BE_SIGNED
    assert envelope.sig_structure(bytes.fromhex("a10127"), b"", payload) == TO_BE_SIGNED_448


def test_the_published_signature_covers_it() -> None:
    protected, payload, signature = parts_of_the_example()
    to_verify = envelope.sig_structure(protected, b"", payload)
    KEY.public_key().verify(signature, to_verify)
    assert KEY.sign(to_verify) == signature
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(signature, envelope.sig_structure(protected, b"x", payload))


def test_our_envelope_is_a_cose_sign1_to_any_cbor_reader() -> None:
    topic = topics.uplink_topic("sunny-street", "a-4k2f9c1d", kind="batch")
    sealed = envelope.seal(KEY, topic, b"This is the content.")
    tagged = cbor2.loads(sealed)
    assert tagged.tag == 18
    protected, unprotected, payload, signature = tagged.value
    assert cbor2.loads(protected) == {1: -19, 4: envelope.key_id(KEY.public_key())}
    assert not unprotected
    assert payload == b"This is the content."
    structure = cbor2.dumps(["Signature1", protected, b"commonwatt/1\x00" + topic.encode(), payload])
    KEY.public_key().verify(signature, structure)
    assert cbor2.dumps(tagged) == sealed


def test_the_published_example_is_not_one_of_our_messages() -> None:
    """It is valid COSE, but our messages have one form only: other headers are refused, not interpreted."""
    with pytest.raises(envelope.WireError) as caught:
        envelope.open_sealed(EXAMPLE, "", KEY.public_key())
    assert caught.value.reason is envelope.RefusalReason.GARBAGE
