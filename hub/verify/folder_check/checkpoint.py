"""How far a verification has come and what it found to hold, signed by the hub: the next one goes on from there.

It says nothing of rows in which something was wrong: those are checked from the beginning each time. Whoever has the
hub's key and its store can make another checkpoint of the hub's own, but none that somebody else has kept.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from hub.console.output_files import read_file
from hub.core.ledger.signed_document import SIGNED_TAG, Signer, canonical_bytes, sign_document
from hub.verify.homes.checkpoints import HomeCheckpoint
from hub.verify.hub_keys import HubKeys
from protocols.durable_files import write_durably
from protocols.errors import RequestError

FORMAT: Final = "commonwatt-verified-1"
LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999, the last that a date can name."""
WHOLE: Final = "check everything with verify --whole"


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found to hold, of each part how far; `made_at` in unix seconds.

    `log` is the log of rows: how many lines, and the chain's hash behind the last. `days` name the settlement runs that
    were computed again with the same result. `program` made it, and found `wrong` contradictions elsewhere.
    """

    format: str
    coop: str
    program: str
    made_at: Annotated[int, msgspec.Meta(ge=0, le=LAST_SECOND)]
    wrong: int
    log: tuple[int, str]
    homes: dict[str, HomeCheckpoint]
    days: dict[str, str]

    @property
    def said_at(self) -> str:
        """When it was made, for people."""
        return datetime.fromtimestamp(self.made_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    document: msgspec.Raw
    signature: str
    certificate: str | None = None


class RefusedCheckpointError(RequestError):
    """A file that is not a checkpoint of this hub, or was changed. `why` leaves out the file's name and what to do."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}: {WHOLE}")
        self.why = why


def read_checkpoint(path: Path, *, coop: str, keys: HubKeys, now_s: float) -> Checkpoint:
    """The checkpoint in this file. Raises: RefusedCheckpointError with one line if it is not this hub's, or was
    changed, RequestError if the file cannot be read.
    """
    raw = read_file(path)
    try:
        signed = msgspec.json.decode(raw, type=_Signed)
        document = msgspec.json.decode(signed.document)
        found = msgspec.convert(document, Checkpoint)
        signature = bytes.fromhex(signed.signature)
        if found.format != FORMAT:
            raise ValueError(f"its form is {found.format[:40]}, not {FORMAT}")
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        raise RefusedCheckpointError(path, f"not a whole checkpoint of a verification ({error})") from None
    if found.coop != coop:
        raise RefusedCheckpointError(path, f"a checkpoint of {found.coop[:40]}, not of {coop}")
    signer = keys.signer_of(SIGNED_TAG + canonical_bytes(document), signature)
    if signer is None:
        raise RefusedCheckpointError(path, f"{keys.unsigned} this checkpoint")
    if ended := keys.ended_before(signer, found.made_at):
        raise RefusedCheckpointError(path, f"a checkpoint {ended}")
    if found.made_at > now_s:
        raise RefusedCheckpointError(path, f"a checkpoint of {found.said_at}, which is not yet")
    return found


def checkpoint_bytes(checkpoint: Checkpoint, key: Signer) -> bytes:
    """The file's content: the checkpoint, signed."""
    document: Mapping[str, object] = msgspec.to_builtins(checkpoint)
    return canonical_bytes(sign_document(document, key)) + b"\n"


def write_checkpoint(path: Path, content: bytes) -> None:
    """Put it in the place of the former one; if it cannot be written, that one stays. Raises: RequestError."""
    try:
        write_durably(path, content, replace=True)
    except OSError as error:
        raise RequestError(f"{path}: the checkpoint cannot be written: {error.strerror}") from None
