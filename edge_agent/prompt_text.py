"""The hub's prompts as text for the household and as JSON for programs. Formats only; the sentences are the agent's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from edge_agent.local_time import LocalTime
from edge_agent.outbox.text import refusal_words
from edge_agent.outbox.view import PromptStatus
from protocols.slots import start_of
from protocols.wire.messages import PromptNotice

_CHOICES = {"yes": "yes", "no": "no", "never_appliance": "never for this appliance"}
_WAYS = {
    "given": "waiting for the agent to send it",
    "sent": "sent, no receipt from the hub yet",
    "receipted": "received by the hub",
    "refused": "the hub refused it: ",
}
_MIN_SHOWN_WH = 50


def prompts_text(found: Sequence[PromptStatus], tz: str) -> str:
    """Each prompt with its local times, its reasons and the state of the answer."""
    if not found:
        return "no prompts yet"
    return "\n\n".join(_one(asked, LocalTime(tz)) for asked in found)


def prompts_record(found: Sequence[PromptStatus]) -> str:
    """The same for programs; times are slots and Unix seconds."""
    return json.dumps(
        [
            asdict(asked.prompt) | {"answer": asked.choice, "given_at": asked.given_at, "answer_is": asked.way}
            for asked in found
        ],
        indent=2,
    )


def _one(asked: PromptStatus, local: LocalTime) -> str:
    prompt = asked.prompt
    lines = [
        f"{prompt.prompt_id}  {prompt.appliance.replace('_', ' ')}, {_kwh(prompt.energy_wh)}",
        f"  usually   {run_words(prompt.usual_first_slot, prompt.usual_last_slot, local)}",
        f"  proposed  {run_words(prompt.proposed_first_slot, prompt.proposed_last_slot, local)}",
        *(f"  because   {sentence}" for sentence in reason_sentences(prompt, local)),
        f"  answer    {_answer(asked, local)}",
    ]
    return "\n".join(lines)


def run_words(first: int, last: int, local: LocalTime) -> str:
    """A run of slots in local time: '2026-11-22 14:00 to 15:30'."""
    return f"{local.moment(start_of(first))} to {local.clock(start_of(last + 1))}"


def _answer(asked: PromptStatus, local: LocalTime) -> str:
    if asked.choice is None or asked.given_at is None:
        return f"none yet; please answer by {local.moment(asked.prompt.answer_by)}"
    way = _WAYS[asked.way or "given"]
    if asked.refused is not None:
        way += refusal_words(asked.refused)
    return f"{_CHOICES.get(asked.choice, asked.choice)}, given {local.moment(asked.given_at)}; {way}"


def reason_sentences(prompt: PromptNotice, local: LocalTime) -> list[str]:
    """A sentence for each reason; a code this agent does not know is shown as it is."""
    sentences = []
    for code, number in prompt.reasons:
        sentence = _sentence(code, number, local)
        if sentence:
            sentences.append(sentence)
    return sentences


def _sentence(code: str, number: int, local: LocalTime) -> str:
    """Empty for a number that means nothing to a household, such as a saving that rounds to zero."""
    if code in ("expected_surplus_wh", "relief_wh", "peak_risk_per_100") and number < _least(code):
        return ""
    sentences = {
        "forecast_issued_slot": lambda: f"according to the forecast of {local.moment(start_of(number))}",
        "expected_surplus_wh": lambda: f"the street expects about {_kwh(number)} of its own power to spare then",
        "relief_wh": lambda: f"the street would take about {_kwh(number)} less from the grid",
        "peak_risk_per_100": lambda: f"the usual time is among the busiest in {number} % of the forecast scenarios",
        "asked_this_week": lambda: f"you were asked {_times(number)} in the last seven days",
        "asks_per_week_max": lambda: f"the co-op's limit is {number} a week",
        "asks_per_day_max": lambda: f"the co-op's limit is {number} a day",
        "relief_min_wh": lambda: f"we only ask when it saves the street at least {_kwh(number)}",
    }
    return sentences[code]() if code in sentences else f"{code.replace('_', ' ')}: {number}"


def _least(code: str) -> int:
    return 1 if code == "peak_risk_per_100" else _MIN_SHOWN_WH


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _kwh(energy_wh: int) -> str:
    return f"{energy_wh / 1000:.1f} kWh"
