"""What `commonwatt-agent page pin` prints: a new one-time PIN, and where the page is."""

from __future__ import annotations

from edge_agent.page.guard import PIN_LASTS_S, make_pin
from edge_agent.settings import Settings
from edge_agent.uplink.identity import load_enrolment
from protocols.errors import RequestError


def pin_lines(settings: Settings, *, now_s: float) -> list[str]:
    """Makes a PIN for the running agent to take; an earlier one ends. Raises: RequestError, IdentityError."""
    if settings.page is None:
        raise RequestError(f"{settings.source}: [page] listen is 'off': there is no page to open")
    load_enrolment(settings.data)
    try:
        pin = make_pin(settings.data, now_s=now_s)
    except OSError as cause:
        raise RequestError(f"{settings.data}: cannot be written: {cause.strerror or cause}") from None
    lines = [pin, f"good for {PIN_LASTS_S // 60} minutes, in one browser; the page is at {settings.page.shown}"]
    if settings.page.is_local:
        lines.append("only this computer reaches it, and there it asks for no PIN: [page] listen opens it to others")
    return lines
