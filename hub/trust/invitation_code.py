"""An invitation as one text with its QR code, for a terminal and as a picture. All of it is as secret as the token."""

import io

import segno

from hub.folder.settings import HubSettings
from protocols.enrolment.invitation_text import InvitationText, write_invitation
from protocols.loopback import is_loopback

_QUIET_ZONE = 4
"""Light modules around the code: ISO/IEC 18004, 5.3.8."""


def hub_address(settings: HubSettings) -> str | None:
    """Where a home's agent enrols: over TLS, or on this computer over plain http; None if it can nowhere."""
    host = settings.web.host
    return f"http://{_in_url(host)}:{settings.web.port}" if is_loopback(host) else None


def invitation_text(settings: HubSettings, token: str) -> str | None:
    """What the QR code holds and `commonwatt-agent enrol` takes; None if no agent could reach the hub with it."""
    address = hub_address(settings)
    return None if address is None else write_invitation(InvitationText(address, settings.coop.id, token))


def terminal_code(text: str) -> str:
    """The QR code as lines of block characters for a dark terminal."""
    lines = io.StringIO()
    segno.make_qr(text, error="m").terminal(lines, border=_QUIET_ZONE, compact=True)
    return lines.getvalue()


def svg_code(text: str) -> bytes:
    """The QR code as an SVG picture, black on white."""
    picture = io.BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="svg", scale=6, border=_QUIET_ZONE, light="white", svgclass=None)
    return picture.getvalue()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
