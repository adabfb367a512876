"""The state of the agent's certificate in words: until when it is good, or why nothing is sent and what to do."""

from __future__ import annotations

from datetime import UTC, datetime

from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.certificates import Validity
from protocols.loopback import is_loopback

PLAIN_ELSEWHERE = (
    "it is reached without TLS, which is no longer done except on one computer: ask the co-op for a new invitation and"
    " enrol again"
)


def certificate_trouble(validity: Validity | None, *, now_s: float) -> str | None:
    """Why nothing can be sent with this certificate, and what to do; None if it is valid."""
    clock = _day(now_s)
    if validity is None:
        return "this agent has no certificate that fits its key: it asks the hub for one; measuring goes on"
    if now_s < validity.begins_at:
        return (
            f"this agent's certificate is valid from {_day(validity.begins_at)} on, and this computer's clock says"
            f" {clock}: set the clock, or wait until the network has set it; measuring goes on"
        )
    if now_s >= validity.ends_at:
        return (
            f"this agent's certificate has expired on {_day(validity.ends_at)}, or this computer's clock is wrong"
            f" ({clock}): nothing is sent until the hub has given a new one; check the clock and that the hub can be"
            " reached; measuring goes on"
        )
    return None


def connection_lines(enrolment: EnrolAnswer, validity: Validity | None, *, now_s: float) -> list[str]:
    """The line of `status` about the way to the broker; none where nothing can be wrong with it."""
    if not enrolment.broker_tls:
        host = enrolment.broker_host
        return [] if is_loopback(host) else [f"NOT SENDING: the broker {host}: {PLAIN_ELSEWHERE}; measuring goes on"]
    trouble = certificate_trouble(validity, now_s=now_s)
    if trouble is not None:
        return [f"NOT SENDING: {trouble}"]
    assert validity is not None, "without one there is trouble"
    return [f"certificate valid until {_day(validity.ends_at)}, renewed from {_day(validity.renew_at)} on by itself"]


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
