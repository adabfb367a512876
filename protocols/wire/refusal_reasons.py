"""Why a message from the wire was refused: the short codes that are counted and their plain words for people.

No function here decides anything; the modules that read the wire raise `WireError` with one of these codes.
"""

from __future__ import annotations

from enum import StrEnum

from protocols.errors import CommonwattError


class Refusal(StrEnum):
    """One reason for refusing a message; the value is what is stored, counted and sent in a receipt."""

    OVERSIZED = "oversized"
    GARBAGE = "garbage"
    UNKNOWN_AGENT = "unknown_agent"
    FOREIGN_TOPIC = "foreign_topic"
    WRONG_COOP = "wrong_coop"
    BAD_SIGNATURE = "bad_signature"
    REPLAYED = "replayed"
    OUT_OF_ORDER = "out_of_order"
    BROKEN_CHAIN = "broken_chain"
    CLOCK_WINDOW = "clock_window"
    OUTSIDE_CONSENT = "outside_consent"
    REVOKED = "revoked"
    EXPIRED = "expired"

    @property
    def plain_words(self) -> str:
        """One sentence for the Fleet page, without any value of a home in it."""
        return _PLAIN_WORDS[self]

    @property
    def settles_the_number(self) -> bool:
        """True when the message itself was genuine and in its place, and only its content was refused.

        Such a number counts as answered: the receipt passes over it and names the reason. All other
        refusals leave the number open, because what was refused may not have come from the agent at all.
        """
        return self in _CONTENT_REFUSALS


_CONTENT_REFUSALS = frozenset({Refusal.CLOCK_WINDOW, Refusal.OUTSIDE_CONSENT, Refusal.EXPIRED})

_PLAIN_WORDS: dict[Refusal, str] = {
    Refusal.OVERSIZED: "The message was larger than any agent may send.",
    Refusal.GARBAGE: "The message was not in the agreed form and could have more than one meaning.",
    Refusal.UNKNOWN_AGENT: "No agent with this name and key is enrolled here.",
    Refusal.FOREIGN_TOPIC: "The message came under a topic that is not its sender's own.",
    Refusal.WRONG_COOP: "The message was meant for another co-op.",
    Refusal.BAD_SIGNATURE: "The signature does not fit the message, its topic and the agent's key.",
    Refusal.REPLAYED: "Another message with this number is stored already; the agent's storage may be a copy.",
    Refusal.OUT_OF_ORDER: "The message is too far ahead of the last one stored, or of an older epoch.",
    Refusal.BROKEN_CHAIN: "The message does not follow the last one stored.",
    Refusal.CLOCK_WINDOW: "The message speaks of a time too far ahead; the agent's clock is probably wrong.",
    Refusal.OUTSIDE_CONSENT: "The message held something the home has not agreed to share.",
    Refusal.REVOKED: "The agent's key was withdrawn.",
    Refusal.EXPIRED: "The answer came after the prompt had ended.",
}


class WireError(CommonwattError):
    """A message that must not be used. `reason` is counted; `detail` is one line without a home's values."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
