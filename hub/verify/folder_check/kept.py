"""The checkpoint in a hub's folder: found for the next verification, and put in the place of the former one."""

from dataclasses import replace
from pathlib import Path

from hub.console.output_files import write_new
from hub.folder.keys.signer import load_signer
from hub.folder.last_verification import note_refused_checkpoint, read_last_verification, write_last_verification
from hub.folder.paths import CHECKPOINT_NAME, REFUSED_CHECKPOINT_NAME, SALT_NAME
from hub.folder.settings import load_settings
from hub.verify.folder_check.checking import Verified, hub_keys_of
from hub.verify.folder_check.checkpoint import (
    Checkpoint,
    RefusedCheckpointError,
    checkpoint_bytes,
    read_checkpoint,
    write_checkpoint,
)
from protocols.errors import RequestError
from protocols.timeline import Clock


def find_checkpoint(folder: Path, given: Path | None, *, clock: Clock) -> Checkpoint | None:
    """The checkpoint that was given, or the folder's own; None if there is none yet. Raises: RequestError."""
    path = folder / CHECKPOINT_NAME if given is None else given
    if given is None and not path.exists():
        return None
    return read_checkpoint(path, coop=load_settings(folder).coop.id, keys=hub_keys_of(folder), now_s=clock.now())


def own_checkpoint(folder: Path, *, clock: Clock) -> Checkpoint | None:
    """The folder's own, for a verification that nobody watches; None if there is none, or none that can be used.

    One that cannot be used is noted for the board and put aside, so that everything is checked from the beginning.
    Raises: RequestError if it cannot be noted or put aside.
    """
    try:
        return find_checkpoint(folder, None, clock=clock)
    except RequestError as error:
        why = error.why if isinstance(error, RefusedCheckpointError) else str(error)
    try:
        # If power fails between the two, the next verification finds the same and notes it again.
        note_refused_checkpoint(folder, at=int(clock.now()), why=why)
        (folder / CHECKPOINT_NAME).replace(folder / REFUSED_CHECKPOINT_NAME)
    except OSError as error:
        raise RequestError(f"{folder / CHECKPOINT_NAME}: {why}, and it cannot be put aside: {error.strerror}") from None
    return None


def require_checked(folder: Path, verified: Verified) -> None:
    """That all parts were checked, so that there is a checkpoint to keep. Raises: RequestError, with the reason."""
    if verified.checkpoint is None:
        raise RequestError(verified.not_begun or f"{folder}: without {SALT_NAME} there is no checkpoint to go on from")


def keep_checkpoint(folder: Path, verified: Verified, *, copy: Path | None = None) -> None:
    """Put the new checkpoint in the place of the folder's own, and into the file `copy`. Raises: RequestError."""
    if verified.checkpoint is None:
        return
    content = checkpoint_bytes(verified.checkpoint, load_signer(folder))
    write_checkpoint(folder / CHECKPOINT_NAME, content)
    made = verified.checkpoint
    last = replace(read_last_verification(folder), checked_at=made.made_at, wrong=made.wrong)
    try:
        write_last_verification(folder, last)
    except OSError as error:
        raise RequestError(f"{folder}: cannot note that it was verified: {error.strerror}") from None
    if copy is not None:
        write_new(copy, content)
