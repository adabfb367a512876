"""The checkpoint in a hub's folder: found for the next verification, and put in the place of the former one."""

from pathlib import Path

from hub.console.output_files import write_new
from hub.folder.keys.signer import load_signer
from hub.folder.last_verification import LastVerification, write_last_verification
from hub.folder.paths import CHECKPOINT_NAME, SALT_NAME
from hub.folder.settings import load_settings
from hub.verify.folder_check.checking import Verified, hub_keys_of
from hub.verify.folder_check.checkpoint import Checkpoint, checkpoint_bytes, read_checkpoint, write_checkpoint
from protocols.errors import RequestError
from protocols.timeline import Clock


def find_checkpoint(folder: Path, given: Path | None, *, clock: Clock) -> Checkpoint | None:
    """The checkpoint that was given, or the folder's own; None if there is none yet. Raises: RequestError."""
    path = folder / CHECKPOINT_NAME if given is None else given
    if given is None and not path.exists():
        return None
    return read_checkpoint(path, coop=load_settings(folder).coop.id, keys=hub_keys_of(folder), now_s=clock.now())


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
    last = LastVerification(verified.checkpoint.made_at, verified.checkpoint.wrong)
    try:
        write_last_verification(folder, last)
    except OSError as error:
        raise RequestError(f"{folder}: cannot note that it was verified: {error.strerror}") from None
    if copy is not None:
        write_new(copy, content)
