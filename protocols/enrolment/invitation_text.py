"""An invitation as one text for a QR code: where the hub is, the co-op's name, and the one-time token."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from protocols.enrolment.token import parse_token

SCHEME = "commonwatt:"
MAX_TEXT_CHARS = 600
_HUB = re.compile(r"https?://[A-Za-z0-9:/._~\[\]-]{1,300}")
_TEXT = re.compile(rf"\?hub=({_HUB.pattern})&coop=([a-z0-9-]{{1,32}})&token=([0-9A-Za-z-]{{1,80}})")


@dataclass(frozen=True, slots=True)
class InvitationText:
    """What a household needs to enrol. The token is secret and appears in no error message."""

    hub_url: str
    coop: str
    token: str = field(repr=False)


def write_invitation(invitation: InvitationText) -> str:
    """The text in the QR code. Raises: ValueError if the hub's address has letters that it cannot hold.

    >>> write_invitation(InvitationText("https://hub.example:8443", "sunny-street", "0004-1061"))
    'commonwatt:?hub=https://hub.example:8443&coop=sunny-street&token=0004-1061'
    """
    if not _HUB.fullmatch(invitation.hub_url):
        raise ValueError("the hub's address: expected http:// or https:// and letters of ASCII")
    return f"{SCHEME}?hub={invitation.hub_url}&coop={invitation.coop}&token={invitation.token}"


def is_invitation(text: str) -> bool:
    """Whether the text is meant as a whole invitation rather than a token alone."""
    return text[: len(SCHEME)].lower() == SCHEME


def read_invitation(text: str) -> InvitationText:
    """The inverse of `write_invitation`; the address of the hub is checked by whoever uses it.

    Blanks and line breaks, which mail programs put into long lines, do not matter.

    Raises: ValueError with a one-line message that never has the token.
    """
    found = _TEXT.fullmatch("".join(text[len(SCHEME) :].split())) if len(text) <= MAX_TEXT_CHARS else None
    if found is None:
        raise ValueError(f"invitation: expected {SCHEME}?hub=...&coop=...&token=..., scanned or copied as a whole")
    hub_url, coop, token = found.groups()
    parse_token(token)
    return InvitationText(hub_url, coop, token)
