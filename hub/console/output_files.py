"""Files a command hands to a person: new, for their owner alone, whole or not there; and files read with a limit."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.case_file import parse_case
from protocols.durable_files import durable_file
from protocols.errors import RequestError

MAX_BYTES: Final = 256 * 2**20


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is not there yet. If power fails, or the block raises, nothing of this name is left.

    Raises: RequestError when there is such a file already, or it cannot be written.
    """
    try:
        with durable_file(path) as file:
            yield file
    except FileExistsError:
        raise RequestError(f"{path} is there already; choose another name, nothing was written") from None
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror or error}") from None


def write_new(path: Path, content: bytes) -> None:
    """A whole new file of these bytes. Raises: RequestError."""
    with new_file(path) as file:
        file.write(content)


def read_file(path: Path) -> bytes:
    """The file's bytes. Raises: RequestError when it cannot be read or is larger than any file of this kind."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise RequestError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return content


def read_json_table(path: Path) -> dict[str, object]:
    """A JSON table. Raises: RequestError for anything else."""
    try:
        document = parse_case(read_file(path))
    except RejectedInputError as refusal:
        raise RequestError(f"{path}: {refusal.detail}") from None
    if not isinstance(document, dict):
        raise RequestError(f"{path}: not a table of names and values, but {json.dumps(document)[:40]}")
    return cast(dict[str, object], document)
