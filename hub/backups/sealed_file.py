"""The format of a sealed file: encrypted in numbered chunks, so that no change, cut or exchange of it goes unnoticed.

It knows nothing of hubs: what lies inside are bytes, what stands in front are a few words for people.

A file is MAGIC, the length of its header (4 bytes, big-endian), the header (JSON), then chunks of 64 KiB, each with
16 bytes that prove it (ChaCha20-Poly1305). Every file has a random key of its own, which the header holds, locked with
the backup key or with a passphrase (scrypt). The key of the chunks also depends on all bytes of the header; a chunk's
nonce is its number and whether it is the last.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from protocols.errors import InputError

MAGIC: Final = b"commonwatt sealed file 1\n"
CHUNK_BYTES: Final = 65_536
TAG_BYTES: Final = 16
KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
MAX_HEADER_BYTES: Final = 4096
SCRYPT_LOG_N: Final = 16
MOST_LOG_N: Final = 18
"""A file from elsewhere may not ask for more than 256 MiB of memory."""
_WRAP_LABEL: Final = b"commonwatt sealed file 1: lock of the file's key"
_CHUNKS_LABEL: Final = b"commonwatt sealed file 1: chunks"


class SealedFileError(InputError):
    """The file is not a whole sealed file, or the key does not open it; nothing of it may be used."""


class Lock(Protocol):
    """What a sealed file is locked with."""

    @property
    def kind(self) -> str:
        """The kind of lock, as the header names it."""
        ...

    @property
    def mark(self) -> str:
        """What the header says about which one it is; tells nothing about the secret."""
        ...

    def wrapping_key(self, salt: bytes, *, log_n: int) -> bytes:
        """The key that locks a file's own key. Units: 32 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class KeyLock:
    """A backup key: random bytes, so that no slow derivation is needed."""

    secret: bytes
    kind: str = "key"

    @property
    def mark(self) -> str:
        """A name of the key that says which one it is and does not help to guess it."""
        return sha256(b"commonwatt backup key: name\x00" + self.secret).hexdigest()[:8]

    def wrapping_key(self, salt: bytes, *, log_n: int) -> bytes:
        """The key that locks a file's own key."""
        return _derive(self.secret, salt=salt, label=_WRAP_LABEL)


@dataclass(frozen=True, slots=True)
class PassphraseLock:
    """A passphrase that a person chose."""

    passphrase: bytes
    kind: str = "passphrase"
    mark: str = ""

    def wrapping_key(self, salt: bytes, *, log_n: int) -> bytes:
        """The key that locks a file's own key: scrypt, which takes 64 MiB and a part of a second."""
        return Scrypt(salt=salt, length=KEY_BYTES, n=2**log_n, r=8, p=1).derive(self.passphrase)


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """What stands in front of the chunks, readable without any key; it is proved once the file is opened."""

    words: Mapping[str, str]
    kind: str
    mark: str
    salt: bytes
    log_n: int
    wrapped: bytes
    raw: bytes


class Output(Protocol):
    """Where sealed bytes go."""

    def write(self, content: bytes, /) -> int:
        """Write these bytes."""
        ...


class SealedWriter:
    """Seals what is written to it. The file is whole only after `finish`."""

    def __init__(self, file: Output, lock: Lock, *, words: Mapping[str, str]) -> None:
        file_key, salt = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(SALT_BYTES)
        wrapping = ChaCha20Poly1305(lock.wrapping_key(salt, log_n=SCRYPT_LOG_N))
        header = json.dumps(
            {
                "words": dict(words),
                "lock": {"kind": lock.kind, "mark": lock.mark, "salt": salt.hex(), "log_n": SCRYPT_LOG_N},
                # The wrapping key belongs to this file's salt alone: it is used once, so the nonce may be zero.
                "key": wrapping.encrypt(bytes(12), file_key, None).hex(),
            }
        ).encode("ascii")
        if len(header) > MAX_HEADER_BYTES:
            raise ValueError("the words of a sealed file are too long")
        self._file, self._number, self._waiting = file, 0, bytearray()
        self._cipher = ChaCha20Poly1305(_derive(file_key, salt=sha256(header).digest(), label=_CHUNKS_LABEL))
        self._file.write(MAGIC + len(header).to_bytes(4, "big") + header)

    def write(self, content: bytes | bytearray | memoryview) -> int:
        """Seal these bytes; the last ones wait until more come, or for `finish`."""
        self._waiting += content
        while len(self._waiting) > CHUNK_BYTES:
            self._put(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(content)

    def flush(self) -> None:
        """Nothing: a chunk is written when it is full."""

    def finish(self) -> None:
        """Write the last chunk, which says that it is the last."""
        self._put(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _put(self, content: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, is_last=is_last), content, None))
        self._number += 1


class SealedReader:
    """Opens a sealed file; every byte it gives out was proved. Raises: SealedFileError."""

    def __init__(self, file: BinaryIO, lock: Lock, *, name: str) -> None:
        self._file, self._name, self._number, self._opened = file, name, 0, bytearray()
        self.header = read_header(file, name=name)
        self._cipher = ChaCha20Poly1305(
            _derive(self._file_key(lock), salt=sha256(self.header.raw).digest(), label=_CHUNKS_LABEL)
        )
        self._next = file.read(CHUNK_BYTES + TAG_BYTES)
        self._is_done = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` proved bytes, all that are left without a size; empty only at the end of a whole file."""
        while not self._is_done and (size < 0 or len(self._opened) < size):
            self._open_next()
        wanted = len(self._opened) if size < 0 else size
        given = bytes(self._opened[:wanted])
        del self._opened[:wanted]
        return given

    def _open_next(self) -> None:
        chunk, self._next = self._next, self._file.read(CHUNK_BYTES + TAG_BYTES)
        is_last = not self._next
        try:
            self._opened += self._cipher.decrypt(_nonce(self._number, is_last=is_last), chunk, None)
        except (InvalidTag, ValueError):
            raise SealedFileError(self._what_is_wrong(chunk, is_last=is_last)) from None
        self._number += 1
        self._is_done = is_last

    def _what_is_wrong(self, chunk: bytes, *, is_last: bool) -> str:
        is_short = is_last and len(chunk) < CHUNK_BYTES + TAG_BYTES
        if is_last and (is_short or self._fits(chunk, is_last=False)):
            return f"{self._name}: cut off or damaged at its end: use another backup"
        return f"{self._name}: damaged in its part {self._number + 1}, or joined from several files: use another backup"

    def _fits(self, chunk: bytes, *, is_last: bool) -> bool:
        try:
            self._cipher.decrypt(_nonce(self._number, is_last=is_last), chunk, None)
        except InvalidTag:
            return False
        return True

    def _file_key(self, lock: Lock) -> bytes:
        header = self.header
        if header.kind != lock.kind:
            raise SealedFileError(
                f"{self._name}: sealed with a {header.kind}, not with a {lock.kind}: give its {header.kind}"
            )
        if header.mark != lock.mark:
            raise SealedFileError(
                f"{self._name}: sealed with backup key {header.mark}, and this is backup key {lock.mark}: give the"
                " key that was in use when the backup was made"
            )
        try:
            wrapping = ChaCha20Poly1305(lock.wrapping_key(header.salt, log_n=header.log_n))
            return wrapping.decrypt(bytes(12), header.wrapped, None)
        except InvalidTag:
            raise SealedFileError(
                f"{self._name}: the {header.kind} does not open it: wrong {header.kind}, or a damaged header"
            ) from None


def read_header(file: BinaryIO, *, name: str) -> SealedHeader:
    """The header of a sealed file; the file is then at its first chunk. Raises: SealedFileError."""
    if file.read(len(MAGIC)) != MAGIC:
        raise SealedFileError(f"{name}: not a backup of Commonwatt")
    size = int.from_bytes(file.read(4), "big")
    raw = file.read(size) if 0 < size <= MAX_HEADER_BYTES else b""
    if not raw or len(raw) < size:
        raise SealedFileError(f"{name}: cut off or damaged at its beginning: use another backup")
    try:
        return _header(json.loads(raw), raw)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SealedFileError(f"{name}: its header is damaged, or from a newer version: use another backup") from None


def _header(document: Any, raw: bytes) -> SealedHeader:
    lock, words = document["lock"], {str(key): str(value) for key, value in document["words"].items()}
    salt, wrapped, log_n = bytes.fromhex(lock["salt"]), bytes.fromhex(document["key"]), lock["log_n"]
    is_sane = type(log_n) is int and 1 <= log_n <= MOST_LOG_N
    if not is_sane or len(salt) != SALT_BYTES or len(wrapped) != KEY_BYTES + TAG_BYTES:
        raise ValueError("sizes")
    kind, mark = str(lock["kind"]), str(lock["mark"])
    if kind not in ("key", "passphrase") or len(mark) > 16 or not all(text.isprintable() for text in words.values()):
        raise ValueError("kind")
    return SealedHeader(words, kind, mark, salt, log_n, wrapped, raw)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _derive(secret: bytes, *, salt: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=label).derive(secret)
