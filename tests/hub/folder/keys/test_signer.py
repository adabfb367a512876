"""What a hub signs with: the one key of an old folder, or the hub key that a certificate in the folder vouches for."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.keys.hub_key import make_key
from hub.folder.keys.signer import load_certificates, load_identity, load_signer
from protocols.errors import IdentityError
from protocols.hub_keys import HubKeyCertificate, seal_certificate

IDENTITY = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
IDENTITY_PUBLIC = IDENTITY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32).public_key().public_bytes_raw()


def certificate(public_key: bytes, number: int = 1, *, coop: str = "sol", by: Ed25519PrivateKey = IDENTITY) -> str:
    return seal_certificate(HubKeyCertificate(coop, number, public_key, 1_000, 2_000, 1_500), by)


def write(folder: Path, name: str, text: str) -> None:
    (folder / "hub-keys").mkdir(exist_ok=True)
    (folder / "hub-keys" / name).write_text(text + "\n")


def write_identity(folder: Path, public_key: bytes = IDENTITY_PUBLIC) -> None:
    write(folder, "identity.json", json.dumps({"coop": "sol", "public_key": public_key.hex()}))


def test_an_old_folder_has_one_key(tmp_path: Path) -> None:
    key = make_key(tmp_path / "hub.key")
    signer = load_signer(tmp_path)
    assert signer.public_key == signer.identity == key.public_key().public_bytes_raw()
    assert signer.certificate is None
    assert load_identity(tmp_path) is None
    assert load_certificates(tmp_path) == []


def test_the_certificate_of_the_hub_key_is_found_among_all(tmp_path: Path) -> None:
    public_key = make_key(tmp_path / "hub.key").public_key().public_bytes_raw()
    write_identity(tmp_path)
    write(tmp_path, "9.json", certificate(OTHER, 9))
    write(tmp_path, "10.json", certificate(public_key, 10))
    write(tmp_path, "11.json", certificate(OTHER, 11))
    signer = load_signer(tmp_path)
    assert (signer.public_key, signer.identity) == (public_key, IDENTITY_PUBLIC)
    assert signer.certificate == certificate(public_key, 10)
    assert [each.number for _, each in load_certificates(tmp_path)] == [9, 10, 11]


def test_a_hub_key_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "hub.key")
    write_identity(tmp_path)
    write(tmp_path, "1.json", certificate(OTHER))
    with pytest.raises(IdentityError, match=r"no certificate .* is of this key: restore"):
        load_signer(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("1.json", certificate(OTHER, by=Ed25519PrivateKey.from_private_bytes(b"x" * 32)), "not signed by the co-op's"),
        ("1.json", certificate(OTHER, coop="mond"), "it is of 'mond', expected 'sol'"),
        ("2.json", certificate(OTHER), "expected the certificate of hub key 2, found 1"),
        ("1.json", "x" * 5000, "expected at most"),
        ("1.json", "ü", "ASCII"),
        ("1a.json", certificate(OTHER), "expected a number as its name"),
        ("identity.json", "{}", "expected the co-op's id and its identity's public key"),
        ("identity.json", json.dumps({"coop": "sol", "public_key": bytes(32).hex()}), "identity's public key"),
        ("identity.json", json.dumps({"coop": 1, "public_key": OTHER.hex()}), "identity's public key"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    make_key(tmp_path / "hub.key")
    write_identity(tmp_path)
    write(tmp_path, name, text)
    with pytest.raises(IdentityError, match=words) as refused:
        load_signer(tmp_path)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
