"""What the outbox keeps and hands out, as plain records: places in the chain, sealed messages, how far receipts go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.errors import CommonwattError


class OutboxError(CommonwattError):
    """The outbox cannot be used; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """The position of a new message in the chain."""

    epoch: int
    seq: int
    previous: bytes


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """A message as it goes out."""

    kind: str
    topic: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message the hub has not signed for."""

    seq: int
    topic: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class ReceiptState:
    """How far the hub has signed for this epoch. Times are the hub's, 0 for never.

    `signed_at`: of its newest receipt; `reopened_at`: of the last one that withdrew an earlier one.
    """

    through: int
    signed_at: int = 0
    reopened_at: int = 0


SealMessage = Callable[[ChainLink], SealedMessage]
Reseal = Callable[[SealedMessage], SealMessage | None]
"""Gives a stored message's content a new position in the chain; None if it cannot be opened."""
