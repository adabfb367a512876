"""Which hub key signed something, and until when it might: identity key, certificates, overlap and end."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.verify.hub_keys import IDENTITY as IDENTITY_NUMBER
from hub.verify.hub_keys import HubKeys
from tests.hub.verify.certified_keys import DAY_S, certificate_in, changed_certificates, hub_key, signer_of

IDENTITY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
START = 1_780_000_000
TURN = START + 300 * DAY_S
ONE = signer_of(1, IDENTITY, valid_from=START)
TWO = signer_of(2, IDENTITY, valid_from=TURN)
BOTH = tuple(map(certificate_in, (ONE, TWO)))


def keys(*certificates: object) -> HubKeys:
    return HubKeys(IDENTITY.public_key(), certificates or BOTH)  # type: ignore[arg-type]


def test_each_key_is_told_by_its_signature() -> None:
    for number, signer in ((IDENTITY_NUMBER, IDENTITY), (1, ONE), (2, TWO)):
        assert keys().signer_of(b"said", signer.sign(b"said")) == number
        assert keys().signer_of(b"another", signer.sign(b"said")) is None
    assert keys().signer_of(b"said", hub_key(3).sign(b"said")) is None
    assert HubKeys(IDENTITY.public_key()).signer_of(b"said", ONE.sign(b"said")) is None


@pytest.mark.parametrize(
    ("number", "at", "is_over"),
    [
        (1, TURN + 30 * DAY_S, False),
        (1, TURN + 30 * DAY_S + 1, True),
        (2, TURN + 400 * DAY_S, False),
        (2, TURN + 400 * DAY_S + 1, True),
        (2, TURN - 1, False),  # what was made earlier may be signed later
        (IDENTITY_NUMBER, TURN + 4_000 * DAY_S, False),
        (1, None, False),
    ],
)
def test_a_keys_time_ends_with_the_overlap_or_the_certificate(number: int, at: int | None, is_over: bool) -> None:
    said = keys().ended_before(number, at)
    assert (said is not None) == is_over
    assert said is None or said.startswith(f"signed with hub key {number}, whose time was over at 20")


def test_a_stolen_keys_time_ends_at_once() -> None:
    stolen = keys(BOTH[0], certificate_in(signer_of(2, IDENTITY, valid_from=TURN, overlap_days=0)))
    assert stolen.ended_before(1, TURN) is None
    assert stolen.ended_before(1, TURN + 1) is not None


def test_the_order_of_the_certificates_does_not_matter() -> None:
    for certificates in (BOTH, BOTH[::-1]):
        assert keys(*certificates).ended_before(1, TURN + 31 * DAY_S) is not None


def test_a_certificate_that_comes_with_a_document_counts_as_well() -> None:
    known = keys(BOTH[0])
    assert TWO.certificate is not None
    assert known.add(TWO.certificate, coop="sunny") == 2
    assert known.signer_of(b"said", TWO.sign(b"said")) == 2
    assert known.ended_before(1, TURN + 31 * DAY_S) is not None


def test_one_number_is_one_key() -> None:
    other = signer_of(2, IDENTITY, valid_from=TURN, other=7).certificate
    assert other is not None
    with pytest.raises(ValueError, match="there are two hub keys with the number 2"):
        keys().add(other, coop="sunny")
    known = keys()
    with pytest.raises(ValueError, match="two hub keys"):
        known.add(other, coop="sunny")
    assert known.signer_of(b"said", TWO.sign(b"said")) == 2


@pytest.mark.parametrize("name", changed_certificates(TWO.certificate or ""))
def test_a_changed_certificate_is_not_taken_in(name: str) -> None:
    known = keys(BOTH[0])
    with pytest.raises(ValueError, match="hub key certificate"):
        known.add(changed_certificates(TWO.certificate or "")[name], coop="sunny")
    assert known.signer_of(b"said", TWO.sign(b"said")) is None
