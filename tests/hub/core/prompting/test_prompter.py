"""Whom the prompter may ask and when: caps, consent, quiet hours, windows, reasons, determinism, no new peak."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.forecasting.day_grid import wall_slots
from hub.core.forecasting.scenarios import net_paths
from hub.core.prompting.prompter import propose, response_chances
from hub.core.prompting.terms import REASON_CODES, MemberHistory, PromptProposal, PromptRules
from tests.hub.core.prompting.prompt_street import NOW, TZ, Machine, PastAsk, machines, made, members, sunny_day

RULES = PromptRules()


def ask(
    who: list[MemberHistory], what: list[Machine], *, now_slot: int = NOW, rules: PromptRules = RULES
) -> list[PromptProposal]:
    return propose(sunny_day(now_slot), what, who, now_slot=now_slot, tz=TZ, rules=rules)


def test_a_run_moves_from_the_evening_into_the_sun_and_says_why() -> None:
    (one,) = ask(members(1), machines(1))
    assert (one.member, one.home, one.appliance, one.energy_wh) == ("m01", "h01", "dishwasher", 1200)
    assert wall_slots(one.usual_slot, 1, tz=TZ)[0] % 96 == 76
    assert 36 <= wall_slots(one.proposed_slot, 1, tz=TZ)[0] % 96 <= 66
    assert one.relief_wh > 1000
    assert one.issued_slot == NOW < one.answer_by_slot < min(one.usual_slot, one.proposed_slot)
    reasons = dict(one.reasons)
    assert tuple(reasons) == REASON_CODES
    assert reasons["expected_surplus_wh"] > 1200
    assert reasons["forecast_issued_slot"] == NOW
    assert reasons["asks_per_week_max"] == 2
    assert reasons["peak_risk_per_100"] > 50
    assert all(len(code) <= 32 for code in reasons)
    assert len(one.reasons) <= 8


def test_the_same_inputs_give_the_same_list_in_any_order() -> None:
    who, what = members(9), machines(9)
    first = ask(who, what)
    assert len(first) == 9
    assert first == ask(who, what) == ask(who[::-1], what[::-1])


def test_nobody_is_asked_without_consent_or_about_what_was_refused_for_good() -> None:
    unwilling = [replace(one, is_willing=False) for one in members(3)]
    assert ask(unwilling, machines(3)) == []
    never = [replace(members(1)[0], earlier_prompts=(PastAsk(NOW - 2000, "never_appliance"),))]
    assert ask(never, machines(1)) == []
    assert len(ask(never, [Machine("h01", kind="washing_machine")])) == 1
    assert ask(members(1), [replace(Machine("h01"), is_asked=False)]) == []
    assert ask([], machines(3)) == []


@pytest.mark.parametrize("local_slot", [84, 90, 0, 20, 27])
def test_nobody_is_asked_in_quiet_hours(local_slot: int) -> None:
    midnight = NOW - 32
    assert ask(members(2), machines(2), now_slot=midnight + local_slot) == []
    assert len(ask(members(2), machines(2), now_slot=midnight + 28)) == 2


def test_a_member_is_asked_once_a_day_and_twice_a_week() -> None:
    two_runs = [Machine("h01"), Machine("h01", kind="washing_machine", usual_slot_of_day=80)]
    assert len(ask(members(1), two_runs)) == 1
    today = [replace(members(1)[0], earlier_prompts=(PastAsk(NOW - 4, "no", appliance="ev"),))]
    assert ask(today, two_runs) == []
    week = [replace(members(1)[0], earlier_prompts=(PastAsk(NOW - 200, "no"), PastAsk(NOW - 400, "no")))]
    assert ask(week, two_runs) == []
    earlier = [replace(members(1)[0], earlier_prompts=(PastAsk(NOW - 672, "no"), PastAsk(NOW - 400, "no")))]
    assert len(ask(earlier, two_runs)) == 1


@settings(max_examples=40, deadline=None)
@given(
    per_day=st.integers(0, 2),
    per_week=st.integers(0, 4),
    asked=st.lists(st.lists(st.integers(0, 900), max_size=4), min_size=4, max_size=4),
    hour=st.integers(0, 15),
)
def test_caps_hold_whatever_was_asked_before(per_day: int, per_week: int, asked: list[list[int]], hour: int) -> None:
    now_slot = NOW + 4 * hour
    who = [
        replace(one, earlier_prompts=tuple(PastAsk(now_slot - back, "no", appliance="ev") for back in backs))
        for one, backs in zip(members(4), asked, strict=True)
    ]
    rules = replace(RULES, asks_per_day_max=per_day, asks_per_week_max=per_week, relief_min_wh=1.0)
    what = [*machines(4), *(Machine(f"h0{n}", kind="dryer", usual_slot_of_day=79) for n in range(1, 5))]
    proposals = ask(who, what, now_slot=now_slot, rules=rules)
    today = int(wall_slots(now_slot, 1, tz=TZ)[0]) // 96
    for one, backs in zip(who, asked, strict=True):
        given_now = sum(proposal.member == one.member for proposal in proposals)
        slots = [now_slot - back for back in backs]
        on_day = sum(int(wall_slots(slot, 1, tz=TZ)[0]) // 96 == today for slot in slots)
        in_week = sum(slot > now_slot - 672 for slot in slots)
        assert given_now == 0 or on_day + given_now <= per_day
        assert given_now == 0 or in_week + given_now <= per_week


def test_a_run_stays_within_the_households_own_window() -> None:
    what = [Machine("h01", earliest_slot_of_day=60, latest_slot_of_day=90)]
    (one,) = ask(members(1), what)
    start = int(wall_slots(one.proposed_slot, 1, tz=TZ)[0]) % 96
    assert 60 <= start <= start + 5 <= 90
    assert ask(members(1), [Machine("h01", earliest_slot_of_day=74, latest_slot_of_day=81)]) == []


def test_a_window_may_reach_over_midnight() -> None:
    car = Machine("h01", "ev", 8000, 12, usual_slot_of_day=74, earliest_slot_of_day=72, latest_slot_of_day=28)
    (one,) = ask(members(1), [car])
    start = int(wall_slots(one.proposed_slot, 1, tz=TZ)[0])
    assert start % 96 >= 84 or start % 96 + 11 <= 28
    assert one.peak_relief_wh > 0


def test_runs_spread_because_each_prompt_counts_for_the_next() -> None:
    proposals = ask(members(40), machines(40))
    starts = {one.proposed_slot for one in proposals}
    assert len(proposals) > 20
    assert len(starts) > 3


def test_asking_stops_when_nothing_is_left_to_gain() -> None:
    flat = [made("demand", np.full(192, 1000.0))]
    assert propose(flat, machines(5), members(5), now_slot=NOW, tz=TZ, rules=RULES) == []
    assert ask(members(3), machines(3), rules=replace(RULES, relief_min_wh=1e6)) == []
    assert len(ask(members(9), machines(9), rules=replace(RULES, prompts_max=2))) == 2


def test_an_uncertain_gain_is_not_worth_a_prompt() -> None:
    clock = (np.arange(NOW, NOW + 192) + 8) % 96
    demand = np.where((clock > 87) & (clock < 92), 3000.0, 1000.0)
    sun = np.where((clock > 40) & (clock < 60), 1010.0, 0.0)
    rare = made("pv", sun, noise=0.0)
    doubtful = replace(rare, error_history_wh=np.where(np.arange(30)[:, None] < 3, 4000.0, -sun) * (sun > 0))
    forecasts = [made("demand", demand, noise=0.0), doubtful]
    rules = replace(RULES, peak_weight=0.0, relief_min_wh=10.0)
    assert propose(forecasts, machines(1), members(1), now_slot=NOW, tz=TZ, rules=rules) == []
    trusting = replace(rules, robust_share_min=0.0)
    assert len(propose(forecasts, machines(1), members(1), now_slot=NOW, tz=TZ, rules=trusting)) == 1


@settings(max_examples=25, deadline=None)
@given(homes=st.integers(1, 60), noise=st.floats(0.01, 0.3), energy=st.integers(300, 9000))
def test_no_target_slot_can_pass_the_limit_even_if_everybody_says_yes(homes: int, noise: float, energy: int) -> None:
    forecasts = sunny_day(noise=noise)
    what = [replace(one, energy_wh=energy) for one in machines(homes)]
    proposals = propose(forecasts, what, members(homes), now_slot=NOW, tz=TZ, rules=replace(RULES, limit_wh=1500.0))
    arriving = np.zeros(192)
    for one in proposals:
        at = one.proposed_slot - NOW
        arriving[at : at + one.duration_slots] += one.energy_wh / one.duration_slots
    high = np.quantile(net_paths(forecasts[0], forecasts[1:]), 0.9, axis=0)
    assert np.all((high + arriving)[arriving > 0] <= 1500.0 + 1e-6)


def test_open_asks_keep_their_place_in_the_plan() -> None:
    alone = ask(members(1), machines(1))[0]
    took = PastAsk(
        NOW - 400, "yes", energy_wh=30_000, usual_slot=NOW + 60, proposed_slot=alone.proposed_slot, duration_slots=6
    )
    who = [*members(1), MemberHistory("m99", "h99", True, earlier_prompts=(took,))]
    (after,) = ask(who, machines(1))
    assert abs(after.proposed_slot - alone.proposed_slot) >= 5


def test_the_same_run_is_not_asked_about_twice() -> None:
    first = ask(members(1), machines(1))[0]
    pending = PastAsk(NOW - 100, None, usual_slot=first.usual_slot, proposed_slot=first.proposed_slot)
    again = ask([replace(members(1)[0], earlier_prompts=(pending,))], machines(1))
    assert all(one.usual_slot != first.usual_slot for one in again)


def test_chances_are_drawn_to_the_group() -> None:
    eager = MemberHistory("a", "h1", True, tuple(PastAsk(NOW - n, "yes") for n in range(8)))
    deaf = MemberHistory("b", "h2", True, tuple(PastAsk(NOW - n, None) for n in range(8)))
    fresh = MemberHistory("c", "h3", True)
    chances = response_chances([eager, deaf, fresh], RULES)
    assert 0 < chances["b"] < chances["c"] < chances["a"] < 1
    assert response_chances([fresh], RULES)["c"] == pytest.approx(0.4)


def test_asks_are_shared_out_over_a_month() -> None:
    often = replace(members(1)[0], earlier_prompts=tuple(PastAsk(NOW - 700 - 96 * n, "yes") for n in range(4)))
    rare = replace(members(2)[1], earlier_prompts=(PastAsk(NOW - 1900, "yes"),))
    rules = replace(RULES, prompts_max=1, response_prior_asks=1e6)
    (one,) = ask([often, rare], machines(2), rules=rules)
    assert one.member == "m02"


def test_a_forecast_of_demand_is_needed_and_all_cover_the_same_slots() -> None:
    with pytest.raises(ValueError, match="exactly one forecast of demand"):
        propose(sunny_day()[1:], [], [], now_slot=NOW, tz=TZ, rules=RULES)
    with pytest.raises(ValueError, match="same slots"):
        propose([sunny_day()[0], sunny_day(slots=96)[1]], machines(1), members(1), now_slot=NOW, tz=TZ, rules=RULES)
