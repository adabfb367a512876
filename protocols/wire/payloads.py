"""A chained message's payload by its kind: batch, answer or consent notice, to bytes and back."""

from protocols.wire.messages import (
    ConsentNotice,
    PromptAnswer,
    decode_answer,
    decode_consent_notice,
    encode_answer,
    encode_consent_notice,
)
from protocols.wire.readings import Batch, decode_batch, encode_batch


def decode_payload(kind: str, payload: bytes) -> Batch | PromptAnswer | ConsentNotice:
    """The message of this kind (`batch`, `answer` or `consent`, the last part of its topic). Raises: WireError."""
    if kind == "batch":
        return decode_batch(payload)
    return decode_answer(payload) if kind == "answer" else decode_consent_notice(payload)


def encode_payload(message: Batch | PromptAnswer | ConsentNotice) -> bytes:
    """The bytes that are signed and sent."""
    if isinstance(message, Batch):
        return encode_batch(message)
    return encode_answer(message) if isinstance(message, PromptAnswer) else encode_consent_notice(message)
