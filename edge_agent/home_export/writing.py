"""Writes an export into a new folder that only its owner can read. An existing folder is never touched."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from edge_agent.home_export.tables import (
    MINUTES,
    QUARTERS,
    SENT,
    TOTALS,
    ExportTable,
    Row,
    data_package,
    minute_rows,
    quarter_rows,
    sent_rows,
    total_rows,
)
from edge_agent.home_store.contents import KeptRowError
from edge_agent.home_store.view import read_minutes, read_quarters
from edge_agent.outbox.opening import FILE_NAME as OUTBOX_NAME
from edge_agent.outbox.view import read_sent
from protocols.errors import RequestError

PACKAGE_NAME = "datapackage.json"


def write_export(
    folder: Path, data: Path, slots: range, *, home: str, now_s: float, tell: Callable[[str], None]
) -> dict[str, int]:
    """Write what the home keeps of these slots; returns how many rows each file got.

    Raises: RequestError; then no folder is left behind. HomeStoreError, OutboxError.
    """
    if folder.exists():
        raise RequestError(f"{folder} is there already: choose a folder that is not")
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    except OSError as cause:
        raise RequestError(f"{folder}: cannot be written: {cause.strerror or cause}") from None
    try:
        written = [(table, *_write(part / table.path, table, rows, tell=tell)) for table, rows in _tables(data, slots)]
        described = [(table, size, digest) for table, _, size, digest in written]
        _private(part / PACKAGE_NAME).write_text(data_package(described, home=home, created_s=now_s), encoding="utf-8")
        part.rename(folder)
    except OSError as cause:
        raise RequestError(f"{folder}: cannot be written: {cause.strerror or cause}") from None
    except KeptRowError as cause:
        raise RequestError(f"the home's own history is damaged: {cause}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {table.path: rows for table, rows, _, _ in written}


def _tables(data: Path, slots: range) -> Iterator[tuple[ExportTable, Iterable[Row]]]:
    yield QUARTERS, quarter_rows(read_quarters(data, slots))
    yield TOTALS, total_rows(read_quarters(data, slots))
    yield MINUTES, minute_rows(read_minutes(data, slots))
    yield SENT, sent_rows(read_sent(data, slots) if (data / OUTBOX_NAME).exists() else [])


def _write(path: Path, table: ExportTable, rows: Iterable[Row], *, tell: Callable[[str], None]) -> tuple[int, int, str]:
    """Rows, bytes and SHA-256 of the file."""
    tell(f"writing {table.path} ...")
    count = 0
    with _private(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")  # as RFC 4180 has it
        writer.writerow(table.header)
        for row in rows:
            writer.writerow(row)
            count += 1
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return count, path.stat().st_size, digest


def _private(path: Path) -> Path:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return path
