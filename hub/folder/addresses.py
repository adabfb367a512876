"""The address of the hub's pages: as seen from this computer, and as members reach them."""

from pathlib import Path
from urllib.parse import urlsplit

from hub.folder.paths import web_address
from hub.folder.settings import HubSettings


def pages_address(folder: Path, settings: HubSettings) -> str:
    """The address of the pages as seen from this computer; the running hub's if one runs."""
    host = "127.0.0.1" if settings.web.host in ("0.0.0.0", "::") else settings.web.host  # noqa: S104 - compared
    return web_address(folder, default=f"http://{host}:{settings.web.port}")


def members_address(folder: Path, settings: HubSettings) -> str:
    """The address for links to members: under the first of `web.names`, or as seen from this computer."""
    own = pages_address(folder, settings)
    if not settings.web.names:
        return own
    if settings.web.https:
        return f"https://{settings.web.names[0]}"
    return f"http://{settings.web.names[0]}:{urlsplit(own).port or settings.web.port}"
