"""The files of the co-op's certificate authority, in `authority/` of the hub's data folder: made, read and replaced.

A certificate and its key are in one file, so that no power cut leaves a pair that does not belong together. An
authority exists as soon as its last file does, `working.pem`; until then making it again starts from the beginning.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hub.folder.keys.encrypted_key import decrypt_keys, encrypt_key
from hub.folder.keys.ending import hub_key_certificate, hub_key_warning
from hub.trust.authority import Authority, AuthorityError
from hub.trust.certificates import DAY_S, Key, begins_at, ends_at, key_pem, make_root, make_working, new_key, pem_of
from protocols.durable_files import make_private_folder, write_durably
from protocols.errors import RequestError

FOLDER_NAME: Final = "authority"
NEXT_NAME: Final = f"{FOLDER_NAME}.next"
ROOT_NAME: Final = "root.pem"
ROOT_KEY_NAME: Final = "root.key"
WORKING_NAME: Final = "working.pem"
SERVER_NAME: Final = "server.pem"
MAX_FILE_BYTES: Final = 65_536
WARN_S: Final = 30 * DAY_S
WARN_SERVER_S: Final = 14 * DAY_S
"""The hub itself renews a server's certificate 30 days before its end: later than that, something keeps it from it."""
MAKE_ANEW: Final = (
    f"stop the hub, move its folder {FOLDER_NAME} elsewhere, make a new one with commonwatt-hub authority make, and"
    " invite every home again"
)
"""For a root that no home can follow from: no later one can be made before it begins."""


def make_authority(folder: Path, *, coop: str, passphrase: bytes, now_s: int, name: str = FOLDER_NAME) -> Authority:
    """Make the co-op's authority in a hub's data folder, in a folder of this name; the root's key is only encrypted.

    Raises: RequestError if there is one already, AuthorityError if it cannot be written.
    """
    place = folder / name
    if (place / WORKING_NAME).exists():
        raise RequestError(
            f"{place}: the co-op has a certificate authority already; for a new working certificate use"
            " commonwatt-hub authority renew"
        )
    root_key, key = new_key(), new_key()
    root = make_root(coop, root_key, now_s=now_s)
    working = make_working(root, root_key, coop=coop, public=key.public_key(), now_s=now_s)
    try:
        make_private_folder(place)
        write_durably(place / ROOT_KEY_NAME, encrypt_key(root_key, passphrase), replace=True)
        write_durably(place / ROOT_NAME, pem_of(root), replace=True)
        write_durably(place / WORKING_NAME, pem_of(working) + key_pem(key), replace=True)
    except OSError as error:
        raise AuthorityError(f"{place}: cannot write the co-op's authority: {error.strerror}") from None
    return Authority(root, working, key)


def load_authority(folder: Path) -> Authority | None:
    """The authority of the hub in this folder; None if it has none. Raises: AuthorityError."""
    place = folder / FOLDER_NAME
    if not place.exists():
        _finish_change(folder)
    if not (place / WORKING_NAME).exists():
        return None
    working, key = _read_pair(place / WORKING_NAME)
    root = read_root(folder)
    try:
        working.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        raise AuthorityError(
            f"{place / WORKING_NAME}: not issued by {ROOT_NAME} beside it: restore the whole folder from one backup"
        ) from None
    return Authority(root, working, key)


def _finish_change(folder: Path) -> None:
    """A change of the root was cut off between its two renames: the new authority is whole, and takes its place."""
    if (folder / NEXT_NAME / WORKING_NAME).exists():
        with suppress(FileNotFoundError):
            (folder / NEXT_NAME).rename(folder / FOLDER_NAME)


class FolderAuthority:
    """The authority as its files are at each use, so that a renewed working certificate counts at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def root_pem(self) -> bytes:
        """The co-op's root certificate. Raises: AuthorityError."""
        return self._now().root_pem

    @property
    def chain_pem(self) -> bytes:
        """The working certificate. Raises: AuthorityError."""
        return self._now().chain_pem

    def issue_agent(self, csr_der: bytes, *, agent: str, now_s: int) -> bytes:
        """See Authority.issue_agent. Raises: AuthorityError."""
        return self._now().issue_agent(csr_der, agent=agent, now_s=now_s)

    def _now(self) -> Authority:
        authority = load_authority(self._folder)
        if authority is None:
            raise AuthorityError(
                f"{self._folder / FOLDER_NAME}: the co-op's authority is gone: restore it from a backup"
            )
        return authority


def read_root(folder: Path) -> x509.Certificate:
    """The co-op's root certificate. Raises: AuthorityError."""
    path = folder / FOLDER_NAME / ROOT_NAME
    try:
        return x509.load_pem_x509_certificate(read_private(path))
    except ValueError:
        raise AuthorityError(f"{path}: expected a certificate in PEM form: restore it from a backup") from None


def renew_working(folder: Path, *, coop: str, root_key: Key, now_s: int) -> Authority:
    """Replace the working certificate and its key by new ones, signed with the root's key.

    Certificates issued under the earlier one stay valid until their own end. Raises: AuthorityError.
    """
    root = read_root(folder)
    if now_s >= ends_at(root):
        raise AuthorityError("the co-op's root certificate has ended: make a new one with --new-root")
    key, path = new_key(), folder / FOLDER_NAME / WORKING_NAME
    working = make_working(root, root_key, coop=coop, public=key.public_key(), now_s=now_s)
    try:
        write_durably(path, pem_of(working) + key_pem(key), replace=True)
    except OSError as error:
        raise AuthorityError(f"{path}: cannot be written: {error.strerror}") from None
    return Authority(root, working, key)


def open_root_key(path: Path, root: x509.Certificate, passphrase: bytes) -> Key:
    """The root's key from this file. Raises: as `read_key_file` and `root_key_in`."""
    return root_key_in(read_key_file(path), root, passphrase, where=str(path))


def root_key_in(content: bytes, root: x509.Certificate, passphrase: bytes, *, where: str) -> Key:
    """The root's key, from the content of the files that `where` names.

    Raises: RequestError if it is not there, does not open, or is another root's.
    """
    for key in decrypt_keys(content, passphrase):
        if key.public_key() == root.public_key():
            return key
    raise RequestError(f"{where}: the key of another root certificate; nothing was changed")


def read_key_file(path: Path) -> bytes:
    """A file of encrypted keys: on a memory stick everybody may read every file. Raises: AuthorityError."""
    return _read(path)[0]


def server_file(folder: Path) -> Path:
    """The file with the certificate of the hub's servers, its chain and its key."""
    return folder / FOLDER_NAME / SERVER_NAME


def root_file(folder: Path) -> Path:
    """The file with the co-op's root certificate."""
    return folder / FOLDER_NAME / ROOT_NAME


def certificate_ends_at(folder: Path) -> int | None:
    """The first end (Unix time) of the authority's certificates, its servers' and the hub key's; None without one.

    Raises: AuthorityError, IdentityError.
    """
    authority = load_authority(folder)
    if authority is None:
        return None
    ends = [ends_at(authority.root), ends_at(authority.working)]
    server, hub_key = read_server(folder), hub_key_certificate(folder)
    if server is not None:
        ends.append(ends_at(server))
    return min(ends if hub_key is None else [*ends, hub_key.valid_until])


def certificate_warnings(folder: Path, *, now_s: int) -> tuple[str, ...]:
    """What the board has to do about certificates that end soon, or have ended.

    Raises: AuthorityError, IdentityError.
    """
    authority = load_authority(folder)
    if authority is None:
        return ()
    server = read_server(folder)
    found = [
        ("root certificate", authority.root, WARN_S, "make a new one with commonwatt-hub authority renew --new-root"),
        ("working certificate", authority.working, WARN_S, "renew it with commonwatt-hub authority renew"),
    ]
    if server is not None:
        found.append(("certificate of the hub's servers", server, WARN_SERVER_S, "the hub's log says why it stays old"))
    early = tuple(
        f"the co-op's {what} is not valid yet: set this computer's clock; if the clock is right, it was ahead when the"
        f" certificate was made: {MAKE_ANEW if certificate is authority.root else advice}"
        for what, certificate, _, advice in found
        if begins_at(certificate) > now_s
    )
    late = tuple(
        f"the co-op's {what} {_ends(ends_at(certificate) - now_s)}: {advice}"
        for what, certificate, warn_s, advice in found
        if ends_at(certificate) - now_s < warn_s
    )
    hub_key = hub_key_warning(folder, now_s=now_s)
    return early + late + (() if hub_key is None else (hub_key,))


def read_server(folder: Path) -> x509.Certificate | None:
    """The certificate of the hub's servers; None if it has not been issued yet. Raises: AuthorityError."""
    path = server_file(folder)
    return _read_pair(path)[0] if path.exists() else None


def read_private(path: Path) -> bytes:
    """The bytes of a small file that only its owner may read. Raises: AuthorityError."""
    content, mode = _read(path)
    if mode & 0o077:
        raise AuthorityError(f"{path}: other users can read it; fix it with: chmod 600 {path}")
    return content


def _read(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES), os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise AuthorityError(f"{path}: missing: restore it from a backup, or from the safe") from None
    except OSError as error:
        raise AuthorityError(f"{path}: cannot be read: {error.strerror}") from None


def _read_pair(path: Path) -> tuple[x509.Certificate, Key]:
    content = read_private(path)
    try:
        certificate = x509.load_pem_x509_certificate(content)
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        raise AuthorityError(
            f"{path}: expected a certificate and its key in PEM form: restore it from a backup"
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise AuthorityError(f"{path}: the key does not belong to the certificate: restore it from a backup")
    return certificate, key


def _ends(left_s: int) -> str:
    if left_s <= 0:
        return "has ended"
    return f"ends in {left_s // DAY_S} days"
