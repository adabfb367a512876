"""The outbox and the prompts as text for people and as JSON for programs. Formats only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from edge_agent.outbox_view import Message, Overview
from edge_agent.text_table import table
from protocols.messages import PromptNotice
from protocols.slots import iso


def outbox_table(found: Overview) -> str:
    """What left and what waits, newest first."""
    head = (
        f"{found.messages} messages, {found.bytes} bytes: {found.messages - found.waiting} receipted by the hub, "
        f"{found.waiting} waiting, {found.refused} refused, {found.dropped} deleted early for want of room"
    )
    rows = [("number", "kind", "bytes", "sealed", "left", "receipt")]
    rows += [
        (
            f"{each.epoch}/{each.seq}",
            each.kind,
            str(each.bytes),
            _moment(each.made_at),
            _moment(each.published_at),
            _receipt(each),
        )
        for each in found.newest
    ]
    return "\n".join([head, *(table(rows) if found.newest else [])])


def outbox_record(found: Overview) -> str:
    """The same for programs."""
    return json.dumps(asdict(found), indent=2)


def prompts_table(found: Sequence[tuple[PromptNotice, str | None]]) -> str:
    """The hub's prompts with what was answered here."""
    if not found:
        return "no prompts yet"
    rows = [("prompt", "appliance", "usual", "proposed", "energy", "answer by", "answer")]
    rows += [
        (
            prompt.prompt_id,
            prompt.appliance,
            iso(prompt.usual_first_slot),
            iso(prompt.proposed_first_slot),
            f"{prompt.energy_wh} Wh",
            _moment(prompt.answer_by),
            f"{choice} (to be sent)" if choice else "-",
        )
        for prompt, choice in found
    ]
    return "\n".join(table(rows))


def prompts_record(found: Sequence[tuple[PromptNotice, str | None]]) -> str:
    """The same for programs."""
    return json.dumps([asdict(prompt) | {"answer_to_be_sent": choice} for prompt, choice in found], indent=2)


def _receipt(message: Message) -> str:
    if message.refused:
        return f"refused: {message.refused}"
    return _moment(message.receipted_at)


def _moment(at_s: int | None) -> str:
    return "-" if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
