"""An agent's state as text for people and as JSON for programs: what waits, and what limits each reading."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from edge_agent.devices.limits import RoleLimit, limit_lines
from edge_agent.outbox.view import OutboxOverview


def status_text(agent: str, home: str, found: OutboxOverview | None, limits: Sequence[RoleLimit]) -> str:
    """The agent, what waits (None before its first run), and what limits each reading."""
    if found is None:
        return "\n".join([f"agent {agent} of home {home} has not run yet", *limit_lines(limits)])
    head = f"agent {agent} of home {home}: {found.messages} messages, {found.waiting} waiting, {found.refused} refused"
    revoked = [] if found.revoked is None else [f"REVOKED: {found.revoked.cause.plain_words}"]
    return "\n".join([head, *revoked, *limit_lines(limits)])


def status_record(agent: str, home: str, found: OutboxOverview | None, limits: Sequence[RoleLimit]) -> str:
    """The same for programs."""
    counts = None
    if found is not None:
        counts = {"messages": found.messages, "waiting": found.waiting, "refused": found.refused}
    record = {
        "agent": agent,
        "home": home,
        "outbox": counts,
        "revoked": found is not None and found.revoked is not None,
        "limits": [asdict(limit) for limit in limits],
    }
    return json.dumps(record, indent=2)
