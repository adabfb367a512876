"""What the co-op's prompts mean for Home Assistant: the question that is open, and when there is sun to spare. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from edge_agent.local_time import LocalTime
from edge_agent.outbox.view import PromptStatus
from edge_agent.prompt_text import reason_sentences, run_words
from protocols.slots import start_of
from protocols.wire.messages import AnswerChoice, PromptNotice

CHOICES: Final = {"yes": AnswerChoice.YES, "no": AnswerChoice.NO, "never": AnswerChoice.NEVER_APPLIANCE}
NO_QUESTION: Final = "no question"
UNKNOWN: Final = "None"
"""What Home Assistant takes for a value that is not known."""

LEAST_SURPLUS_WH: Final = 50
MAX_STATE_CHARACTERS: Final = 255
MAX_RUNS: Final = 10


@dataclass(frozen=True, slots=True)
class SpareSun:
    """Whether the co-op expects sun to spare: a state, and the times it knows of as Unix seconds."""

    state: str
    runs: tuple[tuple[int, int], ...]


def open_question(found: Sequence[PromptStatus], *, now_s: float) -> PromptNotice | None:
    """The prompt without an answer that can be answered the least long."""
    asked = [each.prompt for each in found if each.choice is None and each.prompt.answer_by > now_s]
    return min(asked, key=lambda prompt: (prompt.answer_by, prompt.prompt_id), default=None)


def question_state(prompt: PromptNotice | None, local: LocalTime) -> str:
    """The question in one line."""
    if prompt is None:
        return NO_QUESTION
    proposed = run_words(prompt.proposed_first_slot, prompt.proposed_last_slot, local)
    usual = run_words(prompt.usual_first_slot, prompt.usual_last_slot, local)
    text = f"{prompt.appliance.replace('_', ' ')}: {proposed} instead of {usual}?"
    return text[:MAX_STATE_CHARACTERS]


def question_details(prompt: PromptNotice | None, local: LocalTime) -> dict[str, Any]:
    """What Home Assistant shows beside the question."""
    if prompt is None:
        return {}
    return {
        "prompt": prompt.prompt_id,
        "appliance": prompt.appliance,
        "energy_kwh": prompt.energy_wh / 1000,
        "proposed_from": _moment(start_of(prompt.proposed_first_slot)),
        "proposed_to": _moment(start_of(prompt.proposed_last_slot + 1)),
        "answer_by": _moment(prompt.answer_by),
        "because": reason_sentences(prompt, local),
    }


def spare_sun(found: Sequence[PromptStatus], *, now_s: float) -> SpareSun:
    """What the prompts say of surplus in the street; nothing is known of the times they do not speak of."""
    runs = {
        (start_of(each.prompt.proposed_first_slot), start_of(each.prompt.proposed_last_slot + 1))
        for each in found
        if dict(each.prompt.reasons).get("expected_surplus_wh", 0) >= LEAST_SURPLUS_WH
    }
    coming = tuple(sorted(run for run in runs if run[1] > now_s))[:MAX_RUNS]
    if not coming:
        return SpareSun(UNKNOWN, ())
    return SpareSun("ON" if coming[0][0] <= now_s else "OFF", coming)


def spare_details(found: SpareSun) -> dict[str, Any]:
    """The times, the next one first."""
    runs = [{"from": _moment(begins), "to": _moment(ends)} for begins, ends in found.runs]
    return {"next_from": runs[0]["from"], "next_to": runs[0]["to"], "times": runs} if runs else {"times": []}


def pressed(payload: bytes) -> tuple[str, AnswerChoice] | None:
    """The prompt and the answer in a button's message, 'yes p-1'; None for anything else."""
    word, _, prompt_id = payload.decode(errors="replace").partition(" ")
    return (prompt_id, CHOICES[word]) if word in CHOICES and prompt_id else None


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()
