"""Where homes' agents enrol with this hub, as the settings have it."""

from hub.folder.settings import HubSettings
from protocols.loopback import is_loopback


def agents_address(settings: HubSettings) -> str | None:
    """The address over TLS, or on this computer over plain http; None if agents can enrol nowhere."""
    host = settings.web.host
    return f"http://{_in_url(host)}:{settings.web.port}" if is_loopback(host) else None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
