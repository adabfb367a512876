"""Whose store this is, told from what its hub has signed in it. It reads a few rows and writes nothing."""

from typing import Final

from hub.core.ledger.signed_document import SIGNED_TAG, Signer
from hub.storage.audit_records import head_bytes
from hub.storage.errors import StoreConflictError
from hub.storage.sql.connection import Connection
from protocols.hub_keys import HubSigner

_DOCUMENTS_SQL: Final = """SELECT document, signature FROM attestation WHERE position IN
((SELECT min(position) FROM attestation), (SELECT max(position) FROM attestation))"""
_HEAD_SQL: Final = "SELECT position, hash, signature FROM row_log_head WHERE length(signature) > 0"


async def refuse_foreign(db: Connection, signer: Signer | None, *, place: str) -> None:
    """Refuse a store in which another hub has signed.

    The first and the last document of the books tell it, and in a store without any the head of the log of rows: one
    that an earlier key of this hub signed is its own, also where a newer key was lost. A store without a co-op, or
    without a signature, is nobody's yet. Raises: StoreConflictError.
    """
    if not isinstance(signer, HubSigner):
        return
    held = list(await db.execute_fetchall("SELECT id FROM coop"))
    if not held:
        return
    rows = list(await db.execute_fetchall(_DOCUMENTS_SQL))
    signed = [(SIGNED_TAG + bytes(document), bytes(signature)) for document, signature in rows]
    if not signed:
        heads = await db.execute_fetchall(_HEAD_SQL)
        signed = [(head_bytes(int(position), bytes(link)), bytes(signature)) for position, link, signature in heads]
    if signed and not any(signer.has_signed(*each) for each in signed):
        raise StoreConflictError(
            f"{place}: another hub signed this store of the co-op {held[0][0]}, with none of the keys in this folder:"
            " give the folder that belongs to it, or restore hub.key and hub-keys from its newest backup"
        )
