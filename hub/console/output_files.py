"""Writes files for a person: always new, for the owner alone, complete or absent. Reads files up to a size limit."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from hub.core.rules.input_checks import RejectedInputError
from protocols.durable_files import durable_file
from protocols.errors import RequestError

MAX_BYTES: Final = 256 * 2**20


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a new file. If power fails or the block raises an error, there is no file with this name.

    Raises: RequestError if the file exists or cannot be written.
    """
    try:
        with durable_file(path) as file:
            yield file
    except FileExistsError:
        raise RequestError(f"{path} already exists; nothing written, choose another name") from None
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror or error}") from None


def write_new(path: Path, content: bytes) -> None:
    """Write these bytes to a new file, all or nothing. Raises: RequestError."""
    with new_file(path) as file:
        file.write(content)


def read_file(path: Path) -> bytes:
    """The file's bytes. Raises: RequestError if it cannot be read or is larger than MAX_BYTES."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise RequestError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return content


def read_json_table(path: Path) -> dict[str, object]:
    """The JSON object in this file. Raises: RequestError for anything else."""
    from hub.core.settlement.case_file import parse_case  # noqa: PLC0415 - loads numpy

    try:
        document = parse_case(read_file(path))
    except RejectedInputError as refusal:
        raise RequestError(f"{path}: {refusal.detail}") from None
    if not isinstance(document, dict):
        raise RequestError(f"{path}: not a table of names and values, but {json.dumps(document)[:40]}")
    return dict(document)
