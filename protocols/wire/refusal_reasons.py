"""Why a received message was refused: the short codes that are counted, each with a sentence for people.

Nothing is decided here; the modules that decode messages raise `WireError` with one of these codes.
"""

from __future__ import annotations

from enum import StrEnum

from protocols.errors import CommonwattError


class RefusalReason(StrEnum):
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
        """One sentence for people that contains none of a home's values."""
        return _PLAIN_WORDS[self]

    @property
    def settles_the_number(self) -> bool:
        """True if a genuine message that is next in order may be refused for this, with its number answered.

        The receipt then moves past the number and gives the reason. All other refusals leave the number open,
        because the message may not have come from the agent at all. `GARBAGE` is both: it answers a number if the
        message's head could be read.
        """
        return self in _CONTENT_REFUSALS


_CONTENT_REFUSALS = frozenset(
    {RefusalReason.GARBAGE, RefusalReason.CLOCK_WINDOW, RefusalReason.OUTSIDE_CONSENT, RefusalReason.EXPIRED}
)

_PLAIN_WORDS: dict[RefusalReason, str] = {
    RefusalReason.OVERSIZED: "The message was larger than any agent may send.",
    RefusalReason.GARBAGE: "The message was not in the agreed form and could have more than one meaning.",
    RefusalReason.UNKNOWN_AGENT: "No agent with this name and key is enrolled here.",
    RefusalReason.FOREIGN_TOPIC: "The message was sent under a topic that is not its sender's.",
    RefusalReason.WRONG_COOP: "The message was meant for another co-op.",
    RefusalReason.BAD_SIGNATURE: "The signature does not match the message, its topic and the agent's key.",
    RefusalReason.REPLAYED: "Another message with this number is stored already; the agent's storage may be a copy.",
    RefusalReason.OUT_OF_ORDER: "The message is too far ahead of the last one stored, or of an older epoch.",
    RefusalReason.BROKEN_CHAIN: "The message does not follow the last one stored.",
    RefusalReason.CLOCK_WINDOW: "The message is about a time too far from now; the agent's clock is probably wrong.",
    RefusalReason.OUTSIDE_CONSENT: "The message held something the home has not agreed to share.",
    RefusalReason.REVOKED: "The agent's key was withdrawn.",
    RefusalReason.EXPIRED: "The answer came too late to count.",
}


class WireError(CommonwattError):
    """A message that must not be used. `reason` is counted; `detail` is one line with none of a home's values."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


def garbage(detail: str) -> WireError:
    """The error for bytes that are not in the agreed form."""
    return WireError(RefusalReason.GARBAGE, detail)
