"""Where homes' agents enrol with this hub, as the settings have it, and an invitation that says so."""

from hub.folder.settings import HubSettings
from protocols.enrolment.invitation_text import InvitationText, write_invitation
from protocols.loopback import is_loopback


def agents_address(settings: HubSettings) -> str | None:
    """The address over TLS, or on this computer over plain http; None if agents can enrol nowhere."""
    if settings.public is not None:
        return f"https://{_in_url(settings.public.host)}:{settings.public.enrol_port}"
    host = settings.web.host
    return f"http://{_in_url(host)}:{settings.web.port}" if is_loopback(host) else None


def whole_invitation(settings: HubSettings, token: str) -> str | None:
    """The invitation as `commonwatt-agent enrol` takes it; None if no agent could reach the hub with it."""
    address = agents_address(settings)
    return None if address is None else write_invitation(InvitationText(address, settings.coop.id, token))


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
