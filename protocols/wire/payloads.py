"""Encodes and decodes the payload of a chained message by its kind: batch, answer or consent notice."""

from collections.abc import Callable

from protocols.wire import strict_cbor
from protocols.wire.chain import Header, read_header
from protocols.wire.messages import (
    ConsentNotice,
    PromptAnswer,
    decode_answer,
    decode_consent_notice,
    encode_answer,
    encode_consent_notice,
)
from protocols.wire.readings import Batch, decode_batch, encode_batch
from protocols.wire.refusal_reasons import RefusalReason, WireError

_DECODERS: dict[str, Callable[[bytes], Batch | PromptAnswer | ConsentNotice]] = {
    "batch": decode_batch,
    "answer": decode_answer,
    "consent": decode_consent_notice,
}


def decode_payload(kind: str, payload: bytes) -> Batch | PromptAnswer | ConsentNotice:
    """The message of this kind (`batch`, `answer` or `consent`, the last part of its topic).

    Raises: WireError for a payload that is not one; KeyError for a kind that no agent sends.
    """
    return _DECODERS[kind](payload)


def head_of_payload(payload: bytes) -> Header:
    """The head of a chained message of any kind and version, even if nothing after it can be understood.

    Raises: WireError(GARBAGE).
    """
    fields = strict_cbor.decode(payload)
    if type(fields) is not dict or tuple(fields)[:5] != (1, 2, 3, 4, 5) or type(fields[1]) is not int:
        raise WireError(RefusalReason.GARBAGE, "not a message with a head")
    return read_header(fields)


def encode_payload(message: Batch | PromptAnswer | ConsentNotice) -> bytes:
    """The bytes that are signed and sent. Raises: WireError if the message breaks a rule of its module."""
    if isinstance(message, Batch):
        return encode_batch(message)
    return encode_answer(message) if isinstance(message, PromptAnswer) else encode_consent_notice(message)
