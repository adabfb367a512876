"""The outbox as text for people, no wider than 80 columns, and as JSON for programs. Formats only."""

from __future__ import annotations

import json
from dataclasses import asdict

from edge_agent.local_time import LocalTime
from edge_agent.outbox.view import OutboxMessage, OutboxOverview
from protocols.text_table import format_table
from protocols.wire.refusal_reasons import RefusalReason


def outbox_table(found: OutboxOverview, tz: str) -> str:
    """What has left and what is waiting, newest first, in local time."""
    local = LocalTime(tz)
    head = [
        f"{found.messages} messages, {found.bytes} bytes; times of {tz}",
        f"{found.messages - found.waiting} receipted by the hub, {found.waiting} waiting, {found.refused} refused,",
        f"{found.dropped} deleted early to make room",
    ]
    if found.revoked is not None:
        head += [
            f"REVOKED at {local.moment(found.revoked.at)}: {found.revoked.cause.plain_words};",
            "nothing more is accepted: switch this agent off, or ask for a new invitation",
        ]
    rows = [("number", "kind", "bytes", "sealed", "left", "receipt")]
    rows += [
        (
            f"{each.epoch}/{each.seq}",
            each.kind,
            str(each.bytes),
            local.moment(each.made_at),
            _after(each.published_at, each, local),
            "refused" if each.refused else _after(each.receipted_at, each, local),
        )
        for each in found.newest
    ]
    refused = [
        f"{each.epoch}/{each.seq} refused: {refusal_words(each.refused)}" for each in found.newest if each.refused
    ]
    return "\n".join([*head, *(format_table(rows) if found.newest else []), *refused])


def outbox_record(found: OutboxOverview) -> str:
    """The same for programs."""
    return json.dumps(asdict(found), indent=2)


def _after(at_s: int | None, message: OutboxMessage, local: LocalTime) -> str:
    return "-" if at_s is None else local.after(at_s, message.made_at)


def refusal_words(refused: str) -> str:
    """The hub's refusal reason in words; a code this agent does not know is shown as it is."""
    return RefusalReason(refused).plain_words if refused in set(RefusalReason) else refused
