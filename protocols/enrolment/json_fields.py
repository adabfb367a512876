"""Strict reading of the JSON objects of enrolment: UTF-8, each key exactly once, one spelling of every value."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from protocols.wire.topics import is_id


def write_object(fields: dict[str, Any]) -> str:
    """The fields as JSON in ASCII on one line."""
    return json.dumps(fields, ensure_ascii=True, indent=None)


def read_object(text: str | bytes, keys: set[str], what: str, *, version: int, most: int) -> dict[str, Any]:
    """The fields of an object that has exactly these keys. Raises: ValueError with a one-line message."""
    if len(text) > most:
        raise ValueError(f"{what}: larger than {most} bytes")
    try:
        # Decoded here, because the JSON reader would guess other encodings than UTF-8.
        fields = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise ValueError(f"{what}: not JSON: not in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: not JSON: {str(error)[:80]}") from None
    if isinstance(fields, dict) and type(fields.get("version")) is int and fields["version"] != version:
        raise ValueError(
            f"version: {fields['version'] if abs(fields['version']) < 10**6 else '?'}, expected {version}:"
            " agent and hub must be of releases that fit together"
        )
    if not isinstance(fields, dict) or set(fields) != keys or type(fields["version"]) is not int:
        raise ValueError(f"{what}: expected an object with exactly {', '.join(sorted(keys))}")
    return fields


def read_text(fields: dict[str, Any], key: str, *, most: int) -> str:
    """A text of at most `most` characters. Raises: ValueError."""
    value = fields[key]
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{key}: expected a text of at most {most} characters")
    return value


def read_id(fields: dict[str, Any], key: str) -> str:
    """A name as in topics. Raises: ValueError."""
    value = fields[key]
    if not isinstance(value, str) or not is_id(value):
        raise ValueError(f"{key}: expected 1 to 32 of a-z, 0-9 and -")
    return value


def read_whole(fields: dict[str, Any], key: str, *, most: int) -> int:
    """A whole number from 0 to `most`. Raises: ValueError."""
    value = fields[key]
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{key}: expected a whole number from 0 to {most}")
    return value


def read_flag(fields: dict[str, Any], key: str) -> bool:
    """True or false. Raises: ValueError."""
    value = fields[key]
    if not isinstance(value, bool):
        raise ValueError(f"{key}: expected true or false")
    return value


def to_base64(raw: bytes) -> str:
    """Bytes in base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def read_bytes(fields: dict[str, Any], key: str, *, size: int) -> bytes:
    """Exactly `size` bytes in base64url without padding. Raises: ValueError."""
    raw = _from_base64(read_text(fields, key, most=200))
    if raw is None or len(raw) != size:
        raise ValueError(f"{key}: expected {size} bytes in base64url without padding")
    return raw


def read_any_bytes(fields: dict[str, Any], key: str, *, most: int) -> bytes:
    """At most `most` bytes in base64url without padding. Raises: ValueError."""
    raw = _from_base64(read_text(fields, key, most=most * 4 // 3 + 3))
    if raw is None or len(raw) > most:
        raise ValueError(f"{key}: expected at most {most} bytes in base64url without padding")
    return raw


def _from_base64(text: str) -> bytes | None:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
    # Only the canonical form is accepted: base64 decoders tolerate stray characters and trailing bits.
    return raw if to_base64(raw) == text else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key appears twice")
    return fields
