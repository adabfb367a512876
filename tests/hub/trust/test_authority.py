"""The co-op's authority: OpenSSL, which shares no code with it, accepts what it issues for its use and nothing else."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.folder.keys.encrypted_key import decrypt_keys
from hub.trust.authority import Authority, AuthorityError
from hub.trust.authority_files import (
    certificate_ends_at,
    certificate_warnings,
    load_authority,
    make_authority,
    open_root_key,
    renew_working,
)
from hub.trust.certificates import ends_at
from protocols.errors import RequestError

PASSPHRASE = b"five words for the safe"
NOW_S = int(time.time())
DAY_S = 86_400
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hub")
    make_authority(made, coop="sunny", passphrase=PASSPHRASE, now_s=NOW_S)
    return made


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    loaded = load_authority(folder)
    assert loaded is not None
    return loaded


def request_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody-else")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    built = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return built.sign(key, algorithm).public_bytes(Encoding.DER)


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def openssl_accepts(folder: Path, chain_pem: bytes, *options: str) -> bool:
    leaf, rest = folder / "leaf.pem", folder / "chain.pem"
    leaf.write_bytes(chain_pem)
    rest.write_bytes(chain_pem)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(folder / "authority" / "root.pem")]
    done = subprocess.run(
        [*command, "-untrusted", str(rest), *options, str(leaf)], capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


@needs_openssl
def test_openssl_accepts_an_agents_certificate_for_connecting_and_for_nothing_else(
    folder: Path, authority: Authority
) -> None:
    issued = authority.issue_agent(request_of(p256()), agent="a-x", now_s=NOW_S)
    assert openssl_accepts(folder, issued, "-purpose", "sslclient")
    assert not openssl_accepts(folder, issued, "-purpose", "sslserver")
    assert not openssl_accepts(folder, issued, "-purpose", "sslclient", "-attime", str(NOW_S + 31 * DAY_S))


@needs_openssl
def test_openssl_accepts_a_servers_certificate_under_its_names_only(folder: Path, authority: Authority) -> None:
    made = authority.issue_server(["hub.example.org", "192.0.2.7", "2001:db8::7"], now_s=NOW_S)
    server = ("-purpose", "sslserver")
    for good in (("-verify_hostname", "hub.example.org"), ("-verify_ip", "192.0.2.7"), ("-verify_ip", "2001:db8::7")):
        assert openssl_accepts(folder, made.chain_pem, *server, *good)
    assert not openssl_accepts(folder, made.chain_pem, *server, "-verify_hostname", "example.org")
    assert not openssl_accepts(folder, made.chain_pem, "-purpose", "sslclient")
    assert not openssl_accepts(folder, made.chain_pem, *server, "-attime", str(NOW_S + 91 * DAY_S))


@needs_openssl
def test_openssl_opens_the_root_key_with_its_passphrase_alone(folder: Path) -> None:
    command = ["openssl", "pkey", "-in", str(folder / "authority" / "root.key"), "-noout", "-passin", "stdin"]
    for passphrase, is_right in ((PASSPHRASE, True), (b"five words for the sofa", False)):
        done = subprocess.run(command, input=passphrase + b"\n", capture_output=True, timeout=60, check=False)
        assert (done.returncode == 0) is is_right


def test_what_is_issued_has_the_name_the_use_and_the_end_of_the_contract(authority: Authority) -> None:
    leaf, working = x509.load_pem_x509_certificates(authority.issue_agent(request_of(p256()), agent="a-x", now_s=NOW_S))
    assert leaf.subject.rfc4514_string() == "CN=a-x", "the subject of the request is ignored"
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert ends_at(leaf) == NOW_S + 30 * DAY_S
    assert working.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    root = x509.load_pem_x509_certificate(authority.root_pem)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1
    assert (ends_at(root) - NOW_S, ends_at(working) - NOW_S) == (20 * 365 * DAY_S, 3 * 365 * DAY_S)


def test_nothing_outlives_its_issuer_and_an_ended_one_issues_nothing(authority: Authority) -> None:
    end_s = ends_at(authority.working)
    last_days = end_s - 3 * DAY_S
    assert authority.issue_server(["hub.example.org"], now_s=last_days).not_after_s == end_s
    issued = authority.issue_agent(request_of(p256()), agent="a-x", now_s=last_days)
    assert ends_at(x509.load_pem_x509_certificate(issued)) == end_s
    with pytest.raises(AuthorityError, match="has ended: make a new one with commonwatt-hub authority renew"):
        authority.issue_server(["hub.example.org"], now_s=end_s)


def test_a_bad_request_gets_a_sentence(authority: Authority) -> None:
    good = request_of(p256())
    forged = good[:-1] + bytes((good[-1] ^ 1,))
    bad = {
        "expected a PKCS #10 request": b"\x30\x03\x02\x01\x00",
        "larger than 2048 bytes": good + bytes(2048),
        "expected an ECDSA P-256 key": request_of(ed25519.Ed25519PrivateKey.generate()),
        "not signed by its own key": forged,
    }
    for words, content in bad.items():
        with pytest.raises(AuthorityError, match=words):
            authority.issue_agent(content, agent="a-x", now_s=NOW_S)
    others = (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048))
    for key in others:
        with pytest.raises(AuthorityError, match="expected an ECDSA P-256 key"):
            authority.issue_agent(request_of(key), agent="a-x", now_s=NOW_S)
    with pytest.raises(AuthorityError, match="expected an agent's id"):
        authority.issue_agent(good, agent="Not An Id", now_s=NOW_S)
    for names in ([], ["hub example"], ["300.1.2.3"], ["*.example.org"], ["fe80::1%eth0"]):
        with pytest.raises(AuthorityError, match="host names or addresses"):
            authority.issue_server(names, now_s=NOW_S)


@needs_openssl
def test_a_renewed_working_certificate_leaves_issued_ones_valid(tmp_path: Path) -> None:
    first = make_authority(tmp_path, coop="sunny", passphrase=PASSPHRASE, now_s=NOW_S)
    issued = first.issue_agent(request_of(p256()), agent="a-x", now_s=NOW_S)
    key_file = tmp_path / "authority" / "root.key"
    before = (tmp_path / "authority" / "working.pem").read_bytes()
    with pytest.raises(RequestError, match="passphrase is wrong"):
        open_root_key(key_file, first.root, b"not these words")
    assert (tmp_path / "authority" / "working.pem").read_bytes() == before
    root_key = open_root_key(key_file, first.root, PASSPHRASE)
    renew_working(tmp_path, coop="sunny", root_key=root_key, now_s=NOW_S + 100)
    second = load_authority(tmp_path)
    assert second is not None
    assert second.root_pem == first.root_pem
    assert second.chain_pem != first.chain_pem
    assert openssl_accepts(tmp_path, issued, "-purpose", "sslclient")
    assert openssl_accepts(tmp_path, second.issue_agent(request_of(p256()), agent="a-x", now_s=NOW_S))


def test_only_its_owner_can_read_the_authority_and_a_foreign_one_is_refused(tmp_path: Path) -> None:
    make_authority(tmp_path, coop="sunny", passphrase=PASSPHRASE, now_s=NOW_S)
    place = tmp_path / "authority"
    assert place.stat().st_mode & 0o777 == 0o700
    assert {each.name: each.stat().st_mode & 0o777 for each in place.iterdir()} == dict.fromkeys(
        ("root.key", "root.pem", "working.pem"), 0o600
    )
    assert decrypt_keys((place / "root.key").read_bytes(), PASSPHRASE)[0].curve.name == "secp256r1"
    with pytest.raises(RequestError, match="has a certificate authority already"):
        make_authority(tmp_path, coop="sunny", passphrase=PASSPHRASE, now_s=NOW_S)
    (place / "working.pem").chmod(0o640)
    with pytest.raises(AuthorityError, match="chmod 600"):
        load_authority(tmp_path)
    (place / "working.pem").chmod(0o600)
    other = tmp_path / "other"
    make_authority(other, coop="sunny", passphrase=PASSPHRASE, now_s=NOW_S)
    (place / "root.pem").write_bytes((other / "authority" / "root.pem").read_bytes())
    with pytest.raises(AuthorityError, match=r"not issued by root\.pem"):
        load_authority(tmp_path)
    (place / "working.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(AuthorityError, match="restore it from a backup"):
        load_authority(tmp_path)


def test_the_board_is_warned_30_days_before_an_end(folder: Path, authority: Authority, tmp_path: Path) -> None:
    end_s = ends_at(authority.working)
    assert certificate_ends_at(folder) == end_s
    assert certificate_warnings(folder, now_s=end_s - 31 * DAY_S) == ()
    soon = certificate_warnings(folder, now_s=end_s - 29 * DAY_S)
    assert soon == ("the co-op's working certificate ends in 29 days: renew it with commonwatt-hub authority renew",)
    assert "has ended" in certificate_warnings(folder, now_s=end_s)[0]
    assert (certificate_ends_at(tmp_path), certificate_warnings(tmp_path, now_s=NOW_S)) == (None, ())
