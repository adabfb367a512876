"""What an agent learns from its enrolment, and the file in which it keeps that. How it is sent: `handshake`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from protocols.consent.text import MAX_TEXT_CHARS, parse_consent
from protocols.enrolment.certificates import MAX_CERTIFICATE_CHARS as MAX_ROOT_CHARS
from protocols.enrolment.certificates import MAX_CHAIN_CHARS, check_root
from protocols.enrolment.json_fields import (
    read_bytes,
    read_flag,
    read_id,
    read_object,
    read_text,
    read_whole,
    to_base64,
    write_object,
)
from protocols.hub_keys import MAX_CERTIFICATE_CHARS, certified_key
from protocols.public_keys import is_sound_key
from protocols.wire.topics import shard_of

VERSION = 3
"""The format of the agent's file."""

ONE_KEY_VERSION = 2
"""The format before hub keys had certificates; it is still read."""

OLD_VERSION = 1
"""The format up to release 0.2.0, of agents that reach their broker without TLS; it is still read."""

MAX_ANSWER_BYTES = 4 * MAX_TEXT_CHARS

CONTENT_KEYS = {
    "coop",
    "home",
    "agent",
    "shard",
    "hub_public_key",
    "hub_certificate",
    "broker_host",
    "broker_port",
    "tz",
    "consent",
    "broker_tls",
    "enrol_port",
    "root",
    "certificate",
}

_LATER: dict[str, Any] = {"hub_certificate": ""}
_OLD_FORMS: dict[int, dict[str, Any]] = {
    OLD_VERSION: _LATER | {"broker_tls": False, "enrol_port": 0, "root": "", "certificate": ""},
    ONE_KEY_VERSION: _LATER,
}
"""What each older form lacks, and what stands in its place."""


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """Everything an agent needs to start working for its home. `consent` is TOML text as in `consent.text`.

    `hub_public_key` is the co-op's lasting identity; `hub_certificate` says which hub key signs for it, and is empty if
    the identity key signs itself.

    With `broker_tls`, `root` is the co-op's root certificate, `certificate` the agent's first one with those that
    issued it (PEM), and `enrol_port` the hub's port for renewals on the broker's host; otherwise all three are empty.
    """

    coop: str
    home: str
    agent: str
    shard: int
    hub_public_key: bytes
    broker_host: str
    broker_port: int
    tz: str
    consent: str
    broker_tls: bool = False
    enrol_port: int = 0
    root: str = ""
    certificate: str = ""
    hub_certificate: str = ""

    @property
    def signing_key(self) -> bytes:
        """The public key whose signature counts at the time of this answer. Raises: ValueError."""
        return certified_key(self.hub_certificate or None, coop=self.coop, identity=self.hub_public_key)


def build_answer(answer: EnrolAnswer) -> str:
    """The text of the agent's file. Raises: ValueError for an answer that no agent would accept."""
    text = write_object({"version": VERSION} | content_fields(answer))
    parse_answer(text)
    return text


def parse_answer(text: str | bytes) -> EnrolAnswer:
    """The inverse of `build_answer`. Raises: ValueError with a one-line message that names the key."""
    what, keys = "enrolment answer", CONTENT_KEYS | {"version"}
    for version, later in _OLD_FORMS.items():
        try:
            fields = read_object(text, keys - set(later), what, version=version, most=MAX_ANSWER_BYTES)
        except ValueError:
            continue
        return read_content(fields | later)
    return read_content(read_object(text, keys, what, version=VERSION, most=MAX_ANSWER_BYTES))


def content_fields(answer: EnrolAnswer) -> dict[str, Any]:
    """The answer as JSON fields, without a version."""
    return {
        "coop": answer.coop,
        "home": answer.home,
        "agent": answer.agent,
        "shard": answer.shard,
        "hub_public_key": to_base64(answer.hub_public_key),
        "hub_certificate": answer.hub_certificate,
        "broker_host": answer.broker_host,
        "broker_port": answer.broker_port,
        "tz": answer.tz,
        "consent": answer.consent,
        "broker_tls": answer.broker_tls,
        "enrol_port": answer.enrol_port,
        "root": answer.root,
        "certificate": answer.certificate,
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
        broker_tls=read_flag(fields, "broker_tls"),
        enrol_port=read_whole(fields, "enrol_port", most=65535),
        root=read_text(fields, "root", most=MAX_ROOT_CHARS),
        certificate=read_text(fields, "certificate", most=MAX_CHAIN_CHARS),
        hub_certificate=read_text(fields, "hub_certificate", most=MAX_CERTIFICATE_CHARS),
    )
    if answer.shard != shard_of(answer.agent):
        raise ValueError("shard: does not match the agent")
    if not is_sound_key(answer.hub_public_key):
        raise ValueError("hub_public_key: not a usable Ed25519 key")
    certified_key(answer.hub_certificate or None, coop=answer.coop, identity=answer.hub_public_key)
    if not answer.broker_port or not answer.broker_host:
        raise ValueError("broker_host, broker_port: expected a host and a port from 1 to 65535")
    _require_zone(answer.tz)
    _require_whole_tls(answer)
    if parse_consent(answer.consent).home != answer.home:
        raise ValueError("consent: home: does not match the home of the answer")
    return answer


def _require_whole_tls(answer: EnrolAnswer) -> None:
    """Either everything that TLS needs is there, or nothing of it."""
    parts = (answer.enrol_port, answer.root, answer.certificate)
    if not answer.broker_tls and any(parts):
        raise ValueError("enrol_port, root, certificate: expected none without broker_tls")
    if answer.broker_tls:
        if not all(parts):
            raise ValueError("broker_tls: expected enrol_port, root and certificate with it")
        check_root(answer.root)


def _require_zone(tz: str) -> None:
    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise ValueError("tz: expected a time zone like Europe/Berlin") from None
