"""Puts a new root in the place of the co-op's authority, without any home enrolling again.

The identity key signs the new root, and a home that trusts the old one asks for it when it no longer gets through. The
new authority is made whole beside the old one; two renames then put it in its place.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.keys.encrypted_key import encrypt_key
from hub.folder.keys.rotation import identity_file
from hub.trust.authority import Authority, AuthorityError
from hub.trust.authority_files import FOLDER_NAME, MAKE_ANEW, NEXT_NAME, load_authority, make_authority, read_root
from hub.trust.certificates import EARLIER_S, begins_at
from protocols.durable_files import sync_folder, write_durably
from protocols.enrolment.trust_root import MAX_ROOT_BYTES, seal_root
from protocols.errors import RequestError
from protocols.hub_keys import HubSigner

BEFORE_NAME: Final = f"{FOLDER_NAME}.before"
DOCUMENT_NAME: Final = "root.json"


def replace_root(folder: Path, *, coop: str, identity: Ed25519PrivateKey, passphrase: bytes, now_s: int) -> Authority:
    """Make a new root, with a working certificate, and put them in the old one's place; the hub must not run.

    Its key and the identity key are then on the hub, encrypted, to be exported together. Raises: AuthorityError,
    RequestError; the old authority is then in its place still.
    """
    old = read_root(folder)
    place, following, before = folder / FOLDER_NAME, folder / NEXT_NAME, folder / BEFORE_NAME
    try:
        for each in (following, before):
            if each.exists():
                shutil.rmtree(each)
        made_at = begins_at(old) + EARLIER_S
        if now_s < made_at:
            raise RequestError(
                "the root certificate in use was made later than now: set this computer's clock; if it is right, it was"
                f" ahead then: {MAKE_ANEW}"
            )
        # Homes take a later root only, so one of the old root's own second begins in the next.
        now_s = max(now_s, made_at + 1)
        made = make_authority(folder, coop=coop, passphrase=passphrase, now_s=now_s, name=NEXT_NAME)
        document = seal_root(coop, root_pem=made.root_pem.decode("ascii"), signer=HubSigner.of_one_key(identity))
        write_durably(following / DOCUMENT_NAME, document.encode("ascii"))
        write_durably(identity_file(folder), encrypt_key(identity, passphrase), replace=True)
        place.rename(before)
        # If power fails here, whoever loads the authority next does the second rename.
        following.rename(place)
        sync_folder(folder)
        shutil.rmtree(before)
    except OSError as error:
        raise AuthorityError(f"{folder}: cannot put the new root in its place: {error.strerror}") from None
    loaded = load_authority(folder)
    assert loaded is not None, "it was renamed just now"
    return loaded


def root_document(folder: Path, *, coop: str, signer: HubSigner) -> bytes:
    """The answer to GET /api/authority: as the identity key signed it, or signed now. Raises: AuthorityError."""
    with suppress(FileNotFoundError), (folder / FOLDER_NAME / DOCUMENT_NAME).open("rb") as file:
        return file.read(MAX_ROOT_BYTES)
    authority = load_authority(folder)
    if authority is None:
        raise AuthorityError(f"{folder / FOLDER_NAME}: the co-op's authority is gone: restore it from a backup")
    return seal_root(coop, root_pem=authority.root_pem.decode("ascii"), signer=signer).encode("ascii")
