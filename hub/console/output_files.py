"""Files a command hands to a person: new, for their owner alone, whole or not there; and files read with a limit."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, cast

from hub.commands.members.invitations import CommandError
from hub.core.rules.refusal import Refusal
from hub.core.settlement.case_file import parse_case

MAX_BYTES: Final = 256 * 2**20


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is not there yet. If power fails, or the block raises, nothing of this name is left.

    Raises: CommandError when there is such a file already, or it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        if path.exists():
            raise FileExistsError(path)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise CommandError(f"{path} is there already; choose another name, nothing was written") from None
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_new(path: Path, content: bytes) -> None:
    """A whole new file of these bytes. Raises: CommandError."""
    with new_file(path) as file:
        file.write(content)


def read_file(path: Path) -> bytes:
    """The file's bytes. Raises: CommandError when it cannot be read or is larger than any file of this kind."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise CommandError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return content


def read_json_table(path: Path) -> dict[str, object]:
    """A JSON table. Raises: CommandError for anything else."""
    try:
        document = parse_case(read_file(path))
    except Refusal as refusal:
        raise CommandError(f"{path}: {refusal.detail}") from None
    if not isinstance(document, dict):
        raise CommandError(f"{path}: not a table of names and values, but {json.dumps(document)[:40]}")
    return cast(dict[str, object], document)
