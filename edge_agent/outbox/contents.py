"""What one sealed message says, in words: the household reads here what has left its home. Formats only."""

from __future__ import annotations

from edge_agent.local_time import LocalTime
from protocols.consent.rules import decode_consent
from protocols.consent.text import consent_toml
from protocols.quantities import Mark
from protocols.slots import SLOT_S, Slot, start_of
from protocols.wire.envelope import payload_of
from protocols.wire.messages import decode_answer, decode_consent_notice
from protocols.wire.readings import Batch, Column, decode_batch


def message_text(kind: str, sealed: bytes, tz: str) -> str:
    """The whole content of a stored message, times in local time. Raises: WireError if it cannot be read."""
    payload, local = payload_of(sealed), LocalTime(tz)
    if kind == "batch":
        return "\n".join(_batch_lines(decode_batch(payload), local))
    if kind == "consent":
        consent = decode_consent(decode_consent_notice(payload).consent)
        return (
            f"the consent, version {consent.version}, in force for every message after it:\n\n{consent_toml(consent)}"
        )
    answer = decode_answer(payload)
    return f"answer to prompt {answer.prompt_id}: {answer.choice.value}, given {local.moment(answer.at)}"


def _batch_lines(batch: Batch, local: LocalTime) -> list[str]:
    lines = [f"quarter hour {_span(batch.slot, 1, local)}, under version {batch.consent_version} of your consent"]
    lines += [f"  {_column_words(column, batch.slot, local)}" for column in batch.columns]
    lines += [
        f"  {total.measure.label}: {total.energy_wh} Wh in all, {_span(total.first_slot, total.slots, local)}"
        for total in batch.long_intervals
    ]
    lines += [
        f"  device {device.name}: {device.state.value}, last heard {device.age_s} s before" for device in batch.devices
    ]
    if len(lines) == 1:
        lines.append("  no values and no devices")
    lines.append(f"  made {local.moment(batch.made_at)}; the agent's start number {batch.boot}")
    lines.append(f"  trust in the clock: {batch.clock.name.lower()}")
    return lines


def _column_words(column: Column, slot: Slot, local: LocalTime) -> str:
    over = "" if column.span == 1 else f" ({_span(slot + 1 - column.span, column.span, local)})"
    if column.energy_wh is None:
        return f"{column.measure.label}{over}: no value, {column.gap.label}"
    why = f", {column.gap.label}" if column.mark is Mark.PARTIAL else ""
    return f"{column.measure.label}{over}: {column.energy_wh} Wh, {column.mark.label}{why}"


def _span(first: Slot, slots: int, local: LocalTime) -> str:
    begin_s = start_of(first)
    end_s = begin_s + slots * SLOT_S
    return f"{local.moment(begin_s)} to {local.clock(end_s) if slots * SLOT_S < 86400 else local.moment(end_s)}"
