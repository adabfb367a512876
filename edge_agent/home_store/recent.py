"""The newest quarter hours, appended to a small log file until they are moved into the history, once a day.

A quarter hour so costs the SD card one short append. A torn or damaged end, as after a power cut, is left out.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cbor2

from edge_agent.home_store.contents import (
    KeptQuarter,
    KeptRowError,
    decode_minutes,
    decode_quarter,
    encode_minutes,
    encode_quarter,
)
from protocols.slots import Slot

FILE_NAME = "history.recent"
MAX_BYTES = 4 << 20
_HEAD = struct.Struct(">IIQ")
"""Length and checksum of what follows, and the slot."""


def append_recent(folder: Path, quarters: Sequence[KeptQuarter]) -> None:
    """Add quarter hours in one write. Raises: OSError."""
    parts = []
    for quarter in quarters:
        content = cbor2.dumps([encode_quarter(quarter), encode_minutes(quarter.minutes)])
        parts.append(_HEAD.pack(len(content), _checksum(quarter.slot, content), quarter.slot) + content)
    descriptor = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # If power fails here or in the half minute after, the last quarter hour may be missing in the home's own
        # history; the outbox has what counts.
        content, before = b"".join(parts), os.fstat(descriptor).st_size
        if os.write(descriptor, content) < len(content):
            # Behind a torn record nothing would be read any more.
            os.ftruncate(descriptor, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def read_recent(folder: Path) -> dict[Slot, KeptQuarter]:
    """What is in the log, the newest of each slot. Raises: OSError."""
    return _parsed(_content(folder))[0]


def is_torn(folder: Path) -> bool:
    """Whether the log's end is damaged, so that nothing may be added behind it. Raises: OSError."""
    content = _content(folder)
    return _parsed(content)[1] < len(content)


def _content(folder: Path) -> bytes:
    try:
        return (folder / FILE_NAME).read_bytes()[:MAX_BYTES]
    except FileNotFoundError:
        return b""


def _parsed(content: bytes) -> tuple[dict[Slot, KeptQuarter], int]:
    """The quarter hours, and how many bytes of the log are sound."""
    found: dict[Slot, KeptQuarter] = {}
    at = 0
    while at + _HEAD.size <= len(content):
        length, checksum, slot = _HEAD.unpack_from(content, at)
        record = content[at + _HEAD.size : at + _HEAD.size + length]
        if len(record) < length or checksum != _checksum(slot, record):
            break
        try:
            energies, minutes = cbor2.loads(record)
            values = decode_quarter(slot, energies)
            found[slot] = KeptQuarter(slot, values.values, values.totals, decode_minutes(slot, minutes))
        except (cbor2.CBORDecodeError, KeptRowError, TypeError, ValueError):
            break
        at += _HEAD.size + length
    return found, at


def drop_recent(folder: Path) -> None:
    """Empty the log, when its content is in the history. Raises: OSError."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def _checksum(slot: Slot, content: bytes) -> int:
    return zlib.crc32(content, slot & 0xFFFFFFFF)
