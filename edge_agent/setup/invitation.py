"""What a household gives to enrol: a token alone, or the whole invitation as its QR code holds it. It reads no file."""

from __future__ import annotations

from edge_agent.settings import Settings, is_url
from protocols.enrolment.invitation_text import InvitationText, is_invitation, read_invitation
from protocols.enrolment.token import parse_token
from protocols.errors import RequestError

EXAMPLE = "commonwatt:?hub=https://hub.example:8443&coop=sunny-street&token=..."
LEAST_TOKEN_CHARS = 16
"""A mistyped token, which has digits among its letters, is told what is wrong with it; anything else is none."""


def read_given(text: str, settings: Settings, *, coop: str | None) -> InvitationText:
    """Hub, co-op and token from this text and the settings. `coop` is what was said on the command line.

    Raises: RequestError if something is missing, or if the two name different hubs or co-ops; nothing was sent.
    """
    coop = coop or settings.coop
    if not is_invitation(text):
        _require_token(text)
        if settings.hub_url is None:
            raise RequestError(f"{settings.source}: hub: url: missing, expected the hub's address (or the invitation)")
        if coop is None:
            raise RequestError(f"{settings.source}: hub: coop: missing, expected the co-op's id (or give --coop)")
        return InvitationText(settings.hub_url, coop, text)
    try:
        found = read_invitation(text)
    except ValueError as cause:
        raise RequestError(str(cause)) from None
    if not is_url(found.hub_url):
        raise RequestError("invitation: hub: expected an address like https://hub.example:8443")
    for name, ours, theirs in (("url", settings.hub_url, found.hub_url.rstrip("/")), ("coop", coop, found.coop)):
        if ours not in (None, theirs):
            raise RequestError(
                f"the invitation is for {theirs[:80]!r}, {settings.source} says {str(ours)[:80]!r}: correct or remove"
                f" hub.{name}; nothing was sent"
            )
    return InvitationText(found.hub_url.rstrip("/"), found.coop, found.token)


def _require_token(text: str) -> None:
    """Raises: RequestError for a text that cannot have been meant as a token."""
    try:
        parse_token(text)
    except ValueError as complaint:
        letters = "".join(text.split()).replace("-", "")
        if (
            len(letters) >= LEAST_TOKEN_CHARS
            and letters.isalnum()
            and 8 * sum(map(str.isdecimal, letters)) >= len(letters)
        ):
            raise RequestError(str(complaint)) from None
        shown = "nothing was given" if not text.strip() else "that is not an invitation"
        raise RequestError(f"{shown}: an invitation is one line such as {EXAMPLE}, copied or scanned whole") from None
