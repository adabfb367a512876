"""What an agent learns from its enrolment, and the file in which it keeps that. How it is sent: `handshake`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from protocols.consent.text import MAX_TEXT_CHARS, parse_consent
from protocols.enrolment.json_fields import (
    read_bytes,
    read_id,
    read_object,
    read_text,
    read_whole,
    to_base64,
    write_object,
)
from protocols.enrolment.public_keys import is_sound_key
from protocols.wire.topics import shard_of

VERSION = 1
"""The format of the agent's file; it is the same since release 0.1.0."""

MAX_ANSWER_BYTES = 4 * MAX_TEXT_CHARS

CONTENT_KEYS = {
    "coop",
    "home",
    "agent",
    "shard",
    "hub_public_key",
    "broker_host",
    "broker_port",
    "tz",
    "consent",
}


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """Everything an agent needs to start working for its home. `consent` is TOML text as in `consent.text`."""

    coop: str
    home: str
    agent: str
    shard: int
    hub_public_key: bytes
    broker_host: str
    broker_port: int
    tz: str
    consent: str


def build_answer(answer: EnrolAnswer) -> str:
    """The text of the agent's file. Raises: ValueError for an answer that no agent would accept."""
    text = write_object({"version": VERSION} | content_fields(answer))
    parse_answer(text)
    return text


def parse_answer(text: str | bytes) -> EnrolAnswer:
    """The inverse of `build_answer`. Raises: ValueError with a one-line message that names the key."""
    keys = CONTENT_KEYS | {"version"}
    return read_content(read_object(text, keys, "enrolment answer", version=VERSION, most=MAX_ANSWER_BYTES))


def content_fields(answer: EnrolAnswer) -> dict[str, Any]:
    """The answer as JSON fields, without a version."""
    return {
        "coop": answer.coop,
        "home": answer.home,
        "agent": answer.agent,
        "shard": answer.shard,
        "hub_public_key": to_base64(answer.hub_public_key),
        "broker_host": answer.broker_host,
        "broker_port": answer.broker_port,
        "tz": answer.tz,
        "consent": answer.consent,
    }


def read_content(fields: dict[str, Any]) -> EnrolAnswer:
    """The answer in JSON fields. Raises: ValueError with a one-line message that names the key."""
    answer = EnrolAnswer(
        coop=read_id(fields, "coop"),
        home=read_id(fields, "home"),
        agent=read_id(fields, "agent"),
        shard=read_whole(fields, "shard", most=63),
        hub_public_key=read_bytes(fields, "hub_public_key", size=32),
        broker_host=read_text(fields, "broker_host", most=253),
        broker_port=read_whole(fields, "broker_port", most=65535),
        tz=read_text(fields, "tz", most=64),
        consent=read_text(fields, "consent", most=MAX_TEXT_CHARS),
    )
    if answer.shard != shard_of(answer.agent):
        raise ValueError("shard: does not match the agent")
    if not is_sound_key(answer.hub_public_key):
        raise ValueError("hub_public_key: not a usable Ed25519 key")
    if not answer.broker_port or not answer.broker_host:
        raise ValueError("broker_host, broker_port: expected a host and a port from 1 to 65535")
    _require_zone(answer.tz)
    if parse_consent(answer.consent).home != answer.home:
        raise ValueError("consent: home: does not match the home of the answer")
    return answer


def _require_zone(tz: str) -> None:
    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise ValueError("tz: expected a time zone like Europe/Berlin") from None
