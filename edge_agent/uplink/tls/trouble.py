"""What is wrong with a TLS connection, in words that say what to do. It opens none."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_HOST = (62, 64)
_OURS_REFUSED = (
    "CERTIFICATE_REQUIRED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "BAD_CERTIFICATE",
    "UNKNOWN_CA",
    "CERTIFICATE_UNKNOWN",
)


def tls_trouble(cause: ssl.SSLError, *, now_s: float) -> str:
    """One line about a failed handshake. `now_s` is what this computer's clock says."""
    clock = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    # Both are missing from errors that Python makes itself.
    code, reason = getattr(cause, "verify_code", None), getattr(cause, "reason", None) or ""
    if code == _NOT_YET_VALID:
        return f"its certificate is not valid yet; this computer's clock says {clock}: set the clock if that is wrong"
    if code == _EXPIRED:
        return (
            f"its certificate has expired; this computer's clock says {clock}: set the clock if that is wrong,"
            " otherwise tell the co-op's board"
        )
    if code in _WRONG_HOST:
        return "its certificate is for another host name: use the address that the co-op gave you"
    if code is not None:
        return "its certificate is not from your co-op's authority: check the address and the network in between"
    if any(word in reason for word in _OURS_REFUSED):
        return "it does not accept this agent's certificate: see `commonwatt-agent status`, or ask the co-op's board"
    if ("PROTOCOL" in reason and "VERSION" in reason) or "UNSUPPORTED_PROTOCOL" in reason:
        return "it offers no TLS 1.3: the co-op's board must update what listens there"
    return "what listens there does not speak TLS as a hub does: check the address and the port"
