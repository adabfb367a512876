"""What an agent refuses of certificates before it keeps them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from protocols.enrolment.certificates import (
    MAX_CHAIN_CHARS,
    Validity,
    check_chain,
    check_root,
    read_validity,
    spki_of,
)
from tests.coop_authority import TestAuthority

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = spki_of(KEY.public_key())
OURS, FOREIGN = TestAuthority("ours"), TestAuthority("ours")
ROOT = OURS.root_pem.decode()
NOW_S = 1_800_000_000


def chain_of(authority: TestAuthority, *, agent: str = "a-1") -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, SHA256())
    return authority.issue_agent(request.public_bytes(Encoding.DER), agent=agent, now_s=NOW_S).decode()


CHAIN = chain_of(OURS)
LEAF, WORKING = (part + "-----END CERTIFICATE-----\n" for part in CHAIN.split("-----END CERTIFICATE-----\n")[:2])


def check(pem: str, *, root: str = ROOT, agent: str = "a-1", public_key: bytes = PUBLIC) -> Validity:
    return check_chain(pem, root_pem=root, agent=agent, public_key=public_key)


def test_an_agents_certificate_is_renewed_after_two_thirds_of_its_life() -> None:
    validity = check(CHAIN)
    assert validity == Validity(NOW_S, NOW_S + 30 * 86400) == read_validity(CHAIN)
    assert validity.renew_at == NOW_S + 20 * 86400


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (chain_of(FOREIGN), "not issued by the co-op's authority"),
        (LEAF, "not issued by the co-op's authority"),
        (WORKING, "for another agent"),
        (LEAF + LEAF, "not issued by the co-op's authority"),
        (LEAF + WORKING * 3, "expected 1 to 3 certificates, found 4"),
        (chain_of(OURS, agent="a-2"), "for another agent"),
        ("", "not in PEM form"),
        ("é", "not in PEM form"),
        (CHAIN.ljust(MAX_CHAIN_CHARS + 1), "larger than"),
    ],
)
def test_what_could_never_work_is_refused_in_one_line(pem: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        check(pem)
    assert "\n" not in str(caught.value)


def test_a_certificate_for_another_key_is_refused() -> None:
    with pytest.raises(ValueError, match="for another key"):
        check(CHAIN, public_key=spki_of(ec.generate_private_key(ec.SECP256R1()).public_key()))
    with pytest.raises(ValueError, match="expected an ECDSA P-256 key"):
        spki_of(ec.generate_private_key(ec.SECP384R1()).public_key())


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (LEAF, "not signed by its own key"),
        (WORKING, "not signed by its own key"),
        (ROOT + ROOT, "expected one certificate, found 2"),
        ("x", "not in PEM form"),
        (ROOT.ljust(5000), "larger than"),
    ],
)
def test_a_root_is_one_authority_of_its_own(pem: str, words: str) -> None:
    check_root(ROOT)
    with pytest.raises(ValueError, match=words):
        check_root(pem)


def test_an_agents_certificate_is_no_authority() -> None:
    """The holder of one home's certificate cannot issue another for a neighbour."""
    other = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a-2")]))
        .issuer_name(x509.load_pem_x509_certificate(LEAF.encode()).subject)
        .public_key(other.public_key())
        .serial_number(1)
        .not_valid_before(x509.load_pem_x509_certificate(LEAF.encode()).not_valid_before_utc)
        .not_valid_after(x509.load_pem_x509_certificate(LEAF.encode()).not_valid_after_utc)
        .sign(KEY, SHA256())
    )
    pem = made.public_bytes(Encoding.PEM).decode() + CHAIN
    with pytest.raises(ValueError, match="not issued by the co-op's authority"):
        check(pem, agent="a-2", public_key=spki_of(other.public_key()))
