"""What a prompt's card says follows from its reasons: own power, busy hours, the co-op's limits with their numbers."""

from dataclasses import replace

from hub.storage.records import PromptRow
from hub.web.frame.translation import Localizer
from hub.web.views.home.prompt_cards import open_prompt

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
    assert for_all == f"About 0.9{NB}kWh less from the grid for the street."
    assert "sees more power of our own then" in because
    assert f"About 5.2{NB}kWh would be to spare" in because
    assert "busiest hours" not in because


def test_a_move_away_from_a_likely_peak_promises_neither_savings_nor_sun() -> None:
    for_all, because = told(PEAK)
    assert for_all == "It keeps the run out of the hours in which the street draws most from the grid."
    assert f"busiest hours in 80{NB}% of the forecast's cases" in because
    assert "sees calmer hours then" in because
    for wrong in ("less from the grid", "power of our own", "to spare", "0.0"):
        assert wrong not in for_all + because, wrong


def test_the_limits_stand_with_the_numbers_that_held() -> None:
    _, because = told(SUNNY)
    assert "The co-op's limit is 2 a week." in because
    assert "The co-op's limit is 1 a day." in because
    assert f"What is worth less than 0.1{NB}kWh to the street is not asked." in because
