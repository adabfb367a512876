"""The hub's signed word to an agent where its broker is, and how an agent asks for it over HTTPS. Encodes and decodes.

It comes under `down/broker`, or as the answer to a question where the broker is out of reach; sealed alike in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protocols.enrolment.json_fields import read_any_bytes, read_id, read_object, read_text, to_base64, write_object
from protocols.hub_keys import MAX_CERTIFICATE_CHARS
from protocols.wire.envelope import MAX_SEALED_BYTES
from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import garbage

VERSION = 1
MAX_HOST_CHARS = 253
MAX_QUESTION_BYTES = 200
MAX_ANSWER_BYTES = 2 * (MAX_SEALED_BYTES + MAX_CERTIFICATE_CHARS)

_HOST = re.compile(rf"[A-Za-z0-9.:-]{{1,{MAX_HOST_CHARS}}}", re.ASCII)
_QUESTION_KEYS = {"version", "agent"}
_ANSWER_KEYS = {"version", "hub_certificate", "sealed"}


@dataclass(frozen=True, slots=True)
class BrokerNotice:
    """At `at` (Unix seconds) this agent's broker is reached at this host and port, with TLS."""

    agent: str
    at: int
    host: str
    port: int


def encode_broker(notice: BrokerNotice) -> bytes:
    """The payload of the notice, padded. Raises: WireError if it breaks a rule of this module."""
    _check(notice)
    return encode_padded({1: VERSION, 2: notice.agent, 3: notice.at, 4: notice.host, 5: notice.port})


def decode_broker(data: bytes) -> BrokerNotice:
    """The exact inverse of `encode_broker`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, 5, PAD_KEY), "a broker's place", version=VERSION)
    notice = BrokerNotice(fields[2], fields[3], fields[4], fields[5])
    _check(notice)
    return notice


def build_question(agent: str) -> str:
    """The JSON text of POST /api/broker: which agent asks."""
    return write_object({"version": VERSION, "agent": agent})


def parse_question(text: bytes) -> str:
    """The agent that asks. Raises: ValueError with a one-line message."""
    fields = read_object(text, _QUESTION_KEYS, "question for the broker", version=VERSION, most=MAX_QUESTION_BYTES)
    return read_id(fields, "agent")


def build_place(sealed: bytes, *, hub_certificate: str) -> str:
    """The answer: the sealed notice, and what vouches for the hub key that sealed it (empty: the identity key did)."""
    return write_object({"version": VERSION, "hub_certificate": hub_certificate, "sealed": to_base64(sealed)})


def parse_place(text: bytes) -> tuple[bytes, str]:
    """The sealed notice and the hub key's certificate, neither of them checked. Raises: ValueError."""
    fields = read_object(text, _ANSWER_KEYS, "the broker's place", version=VERSION, most=MAX_ANSWER_BYTES)
    certificate = read_text(fields, "hub_certificate", most=MAX_CERTIFICATE_CHARS)
    return read_any_bytes(fields, "sealed", most=MAX_SEALED_BYTES), certificate


def _check(notice: BrokerNotice) -> None:
    require_id(notice.agent, "the agent's")
    require_number(notice.at, "the time in Unix seconds", most=MAX_SECONDS)
    if type(notice.host) is not str or not _HOST.fullmatch(notice.host):
        raise garbage("the host is not 1 to 253 of letters, digits, '.', ':' and '-'")
    require_number(notice.port, "the port", least=1, most=65535)
