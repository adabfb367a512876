"""What the agent keeps: whether its messages get receipts, and whether the household's consent file can be used."""

from __future__ import annotations

from edge_agent.checkup.results import Diagnosis, note, ok, wrong
from edge_agent.outbox.view import OutboxOverview
from edge_agent.status_text import span_words

MANY_WAITING = 12
FULL_SHARE = 0.8


def check_outbox(found: OutboxOverview, *, max_mb: int, oldest_waiting_s: float | None) -> list[Diagnosis]:
    """Whether messages get their receipts, and whether there is room. `oldest_waiting_s`: its age."""
    results = []
    if found.revoked is not None:
        results.append(wrong("receipts", f"REVOKED: {found.revoked.cause.plain_words}", "ask the co-op's board"))
    if found.waiting > MANY_WAITING:
        age = "" if oldest_waiting_s is None else f", the oldest for {span_words(oldest_waiting_s)}"
        advice = "see `hub` and `broker` above; nothing is lost, all of it is sent when the hub answers"
        results.append(wrong("receipts", f"{found.waiting} messages wait for their receipt{age}", advice))
    else:
        results.append(
            ok("receipts", f"{found.messages - found.waiting} of {found.messages} kept messages have theirs")
        )
    if found.refused:
        advice = "`commonwatt-agent outbox` says which and why; tell the board if it goes on"
        results.append(note("receipts", f"the hub refused {found.refused} messages", advice))
    if found.bytes > FULL_SHARE * (max_mb << 20):
        advice = "if it does not shrink when the hub answers, raise max_mb under [outbox]"
        results.append(wrong("outbox", f"it holds {found.bytes >> 20} of {max_mb} MB", advice))
    if found.dropped:
        results.append(note("outbox", f"{found.dropped} old messages were deleted early to make room"))
    return results
