"""The terms of prompting: stored rows fit the protocols as they are, and the reasons have fixed codes."""

from dataclasses import FrozenInstanceError, replace

import pytest

from hub.core.prompting.prompter import propose
from hub.core.prompting.terms import REASON_CODES, MemberHistory, PromptRules
from hub.prompts.job import prompt_row
from hub.storage.records import Appliance
from tests.hub.core.prompting.prompt_street import NOW, TZ, sunny_day

DISHWASHER = Appliance(
    home="h01",
    kind="dishwasher",
    energy_wh=1200,
    duration_slots=6,
    usual_slot_of_day=76,
    earliest_slot_of_day=24,
    latest_slot_of_day=95,
    is_asked=True,
)


def test_stored_rows_can_be_passed_in_as_they_are() -> None:
    """An appliance from the store is asked about; its stored prompt then keeps it from being asked about again."""
    member = MemberHistory("m01", "h01", is_willing=True)
    (first,) = propose(sunny_day(), [DISHWASHER], [member], now_slot=NOW, tz=TZ, rules=PromptRules())
    known = replace(member, earlier_prompts=(prompt_row(first),))
    assert propose(sunny_day(), [DISHWASHER], [known], now_slot=NOW, tz=TZ, rules=PromptRules()) == []
    generous = PromptRules(asks_per_day_max=9, asks_per_week_max=9)
    again = propose(sunny_day(), [DISHWASHER], [known], now_slot=NOW, tz=TZ, rules=generous)
    assert first.usual_slot not in [one.usual_slot for one in again]


def test_every_prompt_has_each_reason_once_in_the_order_of_the_codes() -> None:
    member = MemberHistory("m01", "h01", is_willing=True)
    (one,) = propose(sunny_day(), [DISHWASHER], [member], now_slot=NOW, tz=TZ, rules=PromptRules())
    assert tuple(code for code, _ in one.reasons) == REASON_CODES
    assert len(set(REASON_CODES)) == len(REASON_CODES)
    assert all(isinstance(number, int) for _, number in one.reasons)


def test_nobody_is_asked_more_than_once_a_day_and_twice_a_week_or_at_night_unless_the_co_op_says_so() -> None:
    rules = PromptRules()
    assert (rules.asks_per_day_max, rules.asks_per_week_max) == (1, 2)
    assert (rules.quiet_from_slot_of_day, rules.quiet_until_slot_of_day) == (21 * 4, 7 * 4)
    assert rules.notice_slots * 15 == 60
    assert rules.lookahead_slots == 36 * 4
    assert rules.limit_wh is None
    assert 0 < rules.response_prior < 1
    assert 0 < rules.fairness_per_ask < 1


def test_terms_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        PromptRules().asks_per_day_max = 9  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        MemberHistory("m01", "h01", is_willing=True).is_willing = False  # type: ignore[misc]
