"""A prompt's card is made from its reasons: own power, busy hours, and the co-op's limits."""

from dataclasses import replace

from hub.storage.records import PromptRow
from hub.web.frame.translation import Localizer
from hub.web.views.home.prompt_cards import open_prompt, past_prompt

NB = "\N{NO-BREAK SPACE}"
WORDS = Localizer("en", "Europe/Berlin", "EUR")
LIMITS = (("asks_per_week_max", 2), ("asks_per_day_max", 1), ("relief_min_wh", 100))
SUNNY = PromptRow(
    id="p-1", home="h02", member="m02", appliance="dishwasher", energy_wh=1150, usual_slot=1977000,
    proposed_slot=1976972, duration_slots=6, relief_wh=940, issued_slot=1976948, answer_by_slot=1976971,
    reasons=(("forecast_issued_slot", 1976948), ("expected_surplus_wh", 5200), ("peak_risk_per_100", 0), *LIMITS),
    answer=None, answered_at=None, measured_wh=None,
)  # fmt: skip
PEAK = replace(
    SUNNY,
    relief_wh=-12,
    reasons=(("forecast_issued_slot", 1976948), ("expected_surplus_wh", 0), ("peak_risk_per_100", 80), *LIMITS),
)


def told(row: PromptRow) -> tuple[str, str]:
    card = open_prompt(row, WORDS, asked_this_week=1)
    return card.for_all, " ".join(card.because)


def test_a_move_into_own_power_says_how_much_the_grid_gives_less() -> None:
    for_all, because = told(SUNNY)
    assert for_all == f"The street would take about 0.9{NB}kWh less from the grid."
    assert "expects more power of our own then" in because
    assert f"About 5.2{NB}kWh would be spare" in because
    assert "busiest hours" not in because


def test_a_move_away_from_a_likely_peak_promises_neither_savings_nor_sun() -> None:
    for_all, because = told(PEAK)
    assert for_all == "It avoids the hours in which the street takes most from the grid."
    assert f"In 80{NB}% of the forecast's cases the usual time is in the street's busiest hours." in because
    assert "expects less load then" in because
    for wrong in ("less from the grid", "power of our own", "spare", "0.0"):
        assert wrong not in for_all + because, wrong


def test_the_limits_have_the_numbers_of_that_time() -> None:
    _, because = told(SUNNY)
    assert "The co-op allows 2 prompts a week." in because
    assert "The co-op allows 1 prompt a day." in because
    assert f"We only ask if it saves the street at least 0.1{NB}kWh." in because


def happened(*, measured_wh: int, uncertainty_wh: int | None) -> str:
    row = replace(SUNNY, answer="yes", measured_wh=measured_wh, measured_uncertainty_wh=uncertainty_wh)
    return past_prompt(row, WORDS, now_s=2e9).happened


def test_a_shift_within_the_homes_usual_ups_and_downs_is_not_called_moved() -> None:
    clear = happened(measured_wh=1200, uncertainty_wh=400)
    assert clear == (f"According to your meter, 1.2{NB}kWh moved to another time (between 0.8{NB}kWh and 1.6{NB}kWh).")
    for uncertainty_wh in (1200, 5000):
        unproven = happened(measured_wh=1200, uncertainty_wh=uncertainty_wh)
        assert "one prompt alone proves nothing" in unproven
        assert "moved" not in unproven
    assert "moved" not in happened(measured_wh=1200, uncertainty_wh=None)
    assert happened(measured_wh=-3, uncertainty_wh=0) == "The meter shows no shift."
