"""Every way a TLS connection fails is one line that says what to do."""

from __future__ import annotations

import ssl

import pytest

from edge_agent.uplink.tls.trouble import tls_trouble


def failed(reason: str, *, code: int | None = None) -> ssl.SSLError:
    cause = ssl.SSLError() if code is None else ssl.SSLCertVerificationError()
    cause.reason = reason
    if isinstance(cause, ssl.SSLCertVerificationError) and code is not None:
        cause.verify_code = code
    return cause


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (failed("", code=9), "not valid yet; this computer's clock says 2027-01-15 08:00 UTC: set the clock"),
        (failed("", code=10), "has expired; this computer's clock says 2027-01-15 08:00 UTC: set the clock"),
        (failed("", code=62), "another host name"),
        (failed("", code=64), "another host name"),
        (failed("", code=20), "not from your co-op's authority"),
        (failed("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "does not accept this agent's certificate"),
        (failed("SSLV3_ALERT_CERTIFICATE_EXPIRED"), "does not accept this agent's certificate"),
        (failed("TLSV1_ALERT_PROTOCOL_VERSION"), "offers no TLS 1.3"),
        (failed("UNSUPPORTED_PROTOCOL"), "offers no TLS 1.3"),
        (failed("WRONG_VERSION_NUMBER"), "does not speak TLS as a hub does"),
        (ssl.SSLError(), "does not speak TLS as a hub does"),
    ],
)
def test_the_line_names_the_trouble(cause: ssl.SSLError, words: str) -> None:
    line = tls_trouble(cause, now_s=1_800_000_000)
    assert words in line
    assert "\n" not in line
