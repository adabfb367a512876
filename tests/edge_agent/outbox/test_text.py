"""What the household reads in a terminal: prompts with times of its own place and reasons, the outbox in 80 columns."""

import json

from edge_agent.outbox.text import outbox_table
from edge_agent.outbox.view import OutboxMessage, OutboxOverview, PromptStatus
from edge_agent.prompt_text import prompts_record, prompts_text
from protocols.slots import parse_slot, start_of
from protocols.wire.messages import PromptNotice
from protocols.wire.refusal_reasons import RefusalReason

NOON = parse_slot("2026-06-01T10:00Z")
TZ = "Europe/Berlin"
REASONS = (
    ("forecast_issued_slot", NOON - 8),
    ("expected_surplus_wh", 1900),
    ("relief_wh", 12),
    ("peak_risk_per_100", 0),
    ("asked_this_week", 1),
    ("asks_per_week_max", 2),
    ("asks_per_day_max", 1),
    ("relief_min_wh", 100),
    ("moon_phase", 3),
)
PROMPT = PromptNotice(
    "p-7", "washing_machine", NOON + 28, NOON + 31, NOON, NOON + 3, 900, REASONS, start_of(NOON) - 900
)


def test_a_prompt_is_told_in_local_time_with_its_reasons() -> None:
    assert prompts_text([PromptStatus(PROMPT)], TZ).splitlines() == [
        "p-7  washing machine, 0.9 kWh",
        "  usually   2026-06-01 19:00 to 20:00",
        "  proposed  2026-06-01 12:00 to 13:00",
        "  because   according to the forecast of 2026-06-01 10:00",
        "  because   the street expects about 1.9 kWh of its own power to spare then",
        "  because   you were asked once in the last seven days",
        "  because   the co-op's limit is 2 a week",
        "  because   the co-op's limit is 1 a day",
        "  because   we only ask when it saves the street at least 0.1 kWh",
        "  because   moon phase: 3",
        "  answer    none yet; please answer by 2026-06-01 11:45",
    ]


def test_an_answer_is_told_with_how_far_it_came() -> None:
    given_at = start_of(NOON) - 3600

    def answer(asked: PromptStatus) -> str:
        return prompts_text([asked], TZ).splitlines()[-1]

    given = "  answer    yes, given 2026-06-01 11:00; "
    assert answer(PromptStatus(PROMPT, "yes", given_at, "given")) == given + "waiting for the agent to send it"
    assert answer(PromptStatus(PROMPT, "yes", given_at, "sent")) == given + "sent, no receipt from the hub yet"
    assert answer(PromptStatus(PROMPT, "yes", given_at, "receipted")) == given + "received by the hub"
    late = answer(PromptStatus(PROMPT, "never_appliance", given_at, "refused", "expired"))
    assert late.endswith("the hub refused it: The answer came too late to count.")
    (record,) = json.loads(prompts_record([PromptStatus(PROMPT, "no", given_at, "sent")]))
    assert (record["prompt_id"], record["answer"], record["answer_is"]) == ("p-7", "no", "sent")
    assert prompts_text([], TZ) == "no prompts yet"


def test_the_outbox_fits_a_terminal_whatever_is_in_it() -> None:
    at = start_of(NOON)
    messages = (
        OutboxMessage(1_790_000_000, 123_456, "consent", 65_536, at, at + 5, at + 9, None),
        OutboxMessage(1_790_000_000, 123_455, "batch", 512, at, at + 90_000, None, None),
        OutboxMessage(1_790_000_000, 123_454, "answer", 256, at, at + 5, at + 9, RefusalReason.EXPIRED.value),
        OutboxMessage(1_790_000_000, 123_453, "batch", 512, at, None, None, None),
    )
    text = outbox_table(
        OutboxOverview(123_456, 99_999, 12_345, 54_321, 67_108_864, messages), "America/Argentina/Buenos_Aires"
    )
    assert max(map(len, text.splitlines()[:-1])) <= 80
    assert "1790000000/123456  consent  65536  2026-06-01 07:00  07:00:05     07:00:09" in text
    assert "2026-06-01 07:00  06-02 08:00  -" in text
    assert text.endswith("/123454 refused: The answer came too late to count.")
