"""Encodes and decodes the payload of a chained message by its kind: batch, answer or consent notice."""

from collections.abc import Callable

from protocols.wire.messages import (
    ConsentNotice,
    PromptAnswer,
    decode_answer,
    decode_consent_notice,
    encode_answer,
    encode_consent_notice,
)
from protocols.wire.readings import Batch, decode_batch, encode_batch

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


def encode_payload(message: Batch | PromptAnswer | ConsentNotice) -> bytes:
    """The bytes that are signed and sent. Raises: WireError if the message breaks a rule of its module."""
    if isinstance(message, Batch):
        return encode_batch(message)
    return encode_answer(message) if isinstance(message, PromptAnswer) else encode_consent_notice(message)
