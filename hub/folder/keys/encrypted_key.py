"""A private key as PEM text that only a passphrase opens, in a form that other programs read: PKCS #8 with scrypt.

The library's own writer stretches a passphrase too little for a key that lies in a safe for years.
Sources: RFC 8018 (PBES2), RFC 7914 section 7 (scrypt in PKCS #8), RFC 8017 (PEM label).
"""

import base64
import os
import re
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from protocols.errors import RequestError

SCRYPT_N: Final = 2**14
"""16 MiB: OpenSSL refuses a file that needs more than 32 MiB to open."""
SCRYPT_R: Final = 8
SCRYPT_P: Final = 5
_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC: Final = bytes.fromhex("060960864801650304012a")
_LABEL: Final = "ENCRYPTED PRIVATE KEY"


_BLOCK: Final = re.compile(rb"-----BEGIN [A-Z ]+-----[^-]*-----END [A-Z ]+-----\n?")
_MAX_BLOCKS: Final = 8
"""Each costs a moment of work before the passphrase is known to be wrong."""


def encrypt_key(key: EllipticCurvePrivateKey | Ed25519PrivateKey, passphrase: bytes) -> bytes:
    """The key in PEM form, encrypted with this passphrase."""
    salt, iv = os.urandom(16), os.urandom(16)
    secret = Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase)
    padder = PKCS7(128).padder()
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    scrypt = _sequence(
        _SCRYPT, _sequence(_octets(salt), _whole(SCRYPT_N), _whole(SCRYPT_R), _whole(SCRYPT_P), _whole(32))
    )
    scheme = _sequence(_PBES2, _sequence(scrypt, _sequence(_AES_256_CBC, _octets(iv))))
    return _pem(_sequence(scheme, _octets(sealed)))


def decrypt_keys(content: bytes, passphrase: bytes) -> list[EllipticCurvePrivateKey]:
    """The root keys in this text, at least one. Raises: RequestError if the passphrase is wrong or there is none."""
    found = [key for key in _keys(content, passphrase) if isinstance(key, EllipticCurvePrivateKey)]
    if found and all(isinstance(key.curve, SECP256R1) for key in found):
        return found
    raise RequestError("there is no root key (ECDSA P-256) in this file, only keys of another kind")


def decrypt_identity(content: bytes, passphrase: bytes) -> Ed25519PrivateKey:
    """The co-op's identity key in this text. Raises: RequestError as `decrypt_keys`."""
    for key in _keys(content, passphrase):
        if isinstance(key, Ed25519PrivateKey):
            return key
    raise RequestError(
        "there is no identity key (Ed25519) in this file: give the newer one from the safe, made by authority export"
    )


def _keys(content: bytes, passphrase: bytes) -> list[object]:
    """Every key in this text; a file for the safe holds two."""
    blocks = _BLOCK.findall(content)
    if not 0 < len(blocks) <= _MAX_BLOCKS:
        raise RequestError(f"this file holds no keys: expected 1 to {_MAX_BLOCKS} encrypted private keys in PEM form")
    try:
        return [load_pem_private_key(block, password=passphrase) for block in blocks]
    except ValueError:
        raise RequestError(
            "the passphrase is wrong, or the key's file is damaged; nothing was changed: compare it and try again"
        ) from None
    except TypeError:
        raise RequestError("the key is not encrypted: this is not a key that commonwatt-hub made") from None


def _pem(content: bytes) -> bytes:
    text = base64.b64encode(content).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {_LABEL}-----", *lines, f"-----END {_LABEL}-----", "")).encode("ascii")


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def _octets(content: bytes) -> bytes:
    return _tagged(0x04, content)


def _whole(value: int) -> bytes:
    return _tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
