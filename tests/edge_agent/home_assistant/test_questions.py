"""The co-op's prompts as Home Assistant sees them: the open question, and when there is sun to spare."""

from edge_agent.home_assistant.questions import (
    MAX_STATE_CHARACTERS,
    NO_QUESTION,
    SpareSun,
    open_question,
    pressed,
    question_details,
    question_state,
    spare_details,
    spare_sun,
)
from edge_agent.local_time import LocalTime
from edge_agent.outbox.view import PromptStatus
from protocols.slots import parse_slot, start_of
from protocols.wire.messages import AnswerChoice, PromptNotice

NOON = parse_slot("2026-06-11T12:00Z")
NOW_S = start_of(NOON) - 7200.0


def asked(name: str, *, at: int = 0, answer_in_s: int = 3600, surplus_wh: int = 800) -> PromptStatus:
    reasons = (("expected_surplus_wh", surplus_wh), ("asked_this_week", 1))
    first = NOON + at
    return PromptStatus(
        PromptNotice(name, "washing_machine", NOON + 28, NOON + 31, first, first + 3, 900, reasons,
                     int(NOW_S) + answer_in_s)
    )  # fmt: skip


def answered(status: PromptStatus) -> PromptStatus:
    return PromptStatus(status.prompt, "yes", int(NOW_S), "sent")


def test_the_open_question_is_the_one_with_the_least_time() -> None:
    late, soon, over = asked("p-1"), asked("p-2", answer_in_s=60), asked("p-3", answer_in_s=0)
    assert open_question([late, soon, over], now_s=NOW_S) == soon.prompt
    assert open_question([late, answered(soon), over], now_s=NOW_S) == late.prompt
    assert open_question([answered(late), over], now_s=NOW_S) is None


def test_the_question_in_words_and_with_its_reasons() -> None:
    local = LocalTime("Europe/Berlin")
    prompt = asked("p-1").prompt
    words = "washing machine: 2026-06-11 14:00 to 15:00 instead of 2026-06-11 21:00 to 22:00?"
    assert question_state(prompt, local) == words
    details = question_details(prompt, local)
    assert (details["proposed_from"], details["proposed_to"]) == (
        "2026-06-11T12:00:00+00:00",
        "2026-06-11T13:00:00+00:00",
    )
    assert details["energy_kwh"] == 0.9
    assert details["because"][0] == "the street expects about 0.8 kWh of its own power to spare then"
    assert (question_state(None, local), question_details(None, local)) == (NO_QUESTION, {})
    assert len(question_state(prompt, local)) <= MAX_STATE_CHARACTERS


def test_sun_to_spare_is_on_in_the_times_the_coop_names_and_unknown_without_any() -> None:
    first, second = asked("p-1"), answered(asked("p-2", at=8))
    runs = ((start_of(NOON), start_of(NOON + 4)), (start_of(NOON + 8), start_of(NOON + 12)))
    assert spare_sun([second, first], now_s=NOW_S) == SpareSun("OFF", runs)
    assert spare_sun([second, first], now_s=start_of(NOON)).state == "ON"
    assert spare_sun([second, first], now_s=start_of(NOON + 4)) == SpareSun("OFF", runs[1:])
    assert spare_sun([second, first], now_s=start_of(NOON + 12)) == SpareSun("None", ())
    assert spare_sun([asked("p-1", surplus_wh=49)], now_s=NOW_S) == SpareSun("None", ())
    assert spare_details(spare_sun([second], now_s=NOW_S))["next_from"] == "2026-06-11T14:00:00+00:00"
    assert spare_details(SpareSun("None", ())) == {"times": []}


def test_a_press_names_its_prompt() -> None:
    assert pressed(b"yes p-1") == ("p-1", AnswerChoice.YES)
    assert pressed(b"never p-1") == ("p-1", AnswerChoice.NEVER_APPLIANCE)
    for other in (b"", b"yes", b"yes ", b"perhaps p-1", b"\xff\xfe"):
        assert pressed(other) is None
