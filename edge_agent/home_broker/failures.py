"""Why there is no connection to the household's broker, in words that say what to do. Pure."""

from __future__ import annotations

import ssl
from typing import Final

from edge_agent.home_broker.address import HomeBroker

_EXPIRED: Final = "its certificate has expired: renew it, or set this computer's clock"
_CERTIFICATES: Final = {
    9: "its certificate is not valid yet: set this computer's clock",
    10: _EXPIRED,
    62: "its certificate is for another name than {host}: write the name that it is for",
    64: "its certificate is for another address than {host}: write the name that it is for",
}
"""By OpenSSL's codes of X509_verify_cert_error_string(3)."""


def failure_words(error: BaseException | None, address: HomeBroker) -> str:
    """Why connecting failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = _CERTIFICATES.get(error.verify_code, "its certificate is not trusted: ca_file?")
        return words.format(host=address.host)
    if address.is_tls and isinstance(error, ssl.SSLError | ConnectionResetError):
        return "speaks no TLS at this port: mqtt:// or another port?"
    return "cannot be reached"


def closed_words(reason: str, address: HomeBroker, *, has_answered: bool) -> str:
    """Why a connection ended; `has_answered`: whether the broker ever spoke MQTT with us."""
    if not has_answered and not address.is_tls:
        return "closes the connection without an answer: mqtts:// or another port?"
    return f"closed the connection ({reason})"
