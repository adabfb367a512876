"""Prompts on measured days: they must not make the day's peak higher, whoever answers, and should use the sun."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.core.forecasting.day_grid import wall_slots
from hub.core.forecasting.forecaster import Forecast, History, forecast
from hub.core.forecasting.weather_table import WeatherTable
from hub.core.prompting.prompter import propose
from hub.core.prompting.terms import PromptProposal, PromptRules
from tests.hub.core.forecasting import simbench_series as series
from tests.hub.core.prompting.prompt_street import Machine, members

HOMES = 12
RUN_WH, RUN_SLOTS = 1500, 6
HISTORY_SLOTS = 35 * 96
DAYS = range(60, 190, 4)
Floats = NDArray[np.float64]


@dataclass
class Day:
    issued: int
    net_wh: Floats  # what truly happened in the 24 hours from the issue, every run at its usual time
    proposals: list[PromptProposal]


def machines() -> list[Machine]:
    """Each home runs one 1.5 kWh appliance every evening, between 17 and 21 o'clock."""
    return [
        Machine(
            f"h{home:02}",
            energy_wh=RUN_WH,
            duration_slots=RUN_SLOTS,
            usual_slot_of_day=68 + home % 4 * 4,
            earliest_slot_of_day=28,
            latest_slot_of_day=95,
        )
        for home in range(1, HOMES + 1)
    ]


def with_runs(energy_wh: Floats) -> Floats:
    clock = wall_slots(series.FIRST_SLOT, len(energy_wh), tz=series.TZ) % 96
    for machine in machines():
        place = clock - machine.usual_slot_of_day
        energy_wh = energy_wh + np.where((place >= 0) & (place < RUN_SLOTS), RUN_WH / RUN_SLOTS, 0)
    return energy_wh


@pytest.fixture(scope="module")
def days() -> list[Day]:
    demand = with_runs(series.street(HOMES))
    pv = 4 * series.pv()
    return [one_day(series.midnight(day) + 28, demand, pv) for day in DAYS]


def one_day(issued: int, demand: Floats, pv: Floats) -> Day:
    at = issued - series.FIRST_SLOT
    first = issued - HISTORY_SLOTS

    def made(target: str, energy_wh: Floats, table: WeatherTable) -> Forecast:
        history = History(target, first, energy_wh[at - HISTORY_SLOTS : at])
        return forecast(history, table, 96, issued_slot=issued, tz=series.TZ)

    sky = series.weather(first, HISTORY_SLOTS + 96)
    forecasts = [made("demand", demand, WeatherTable.empty()), made("pv", pv, sky)]
    proposals = propose(forecasts, machines(), members(HOMES), now_slot=issued, tz=series.TZ, rules=PromptRules())
    return Day(issued, (demand - pv)[at : at + 96], proposals)


def after(day: Day, answered: list[PromptProposal]) -> Floats:
    net = day.net_wh.copy()
    for one in answered:
        for slot, sign in ((one.usual_slot, -1), (one.proposed_slot, 1)):
            place = slot - day.issued
            net[place : place + one.duration_slots] += sign * one.energy_wh / one.duration_slots
    return net


@pytest.mark.parametrize(("response", "worse_share_max"), [(0.4, 0.03), (1.0, 0.05)])
def test_the_peak_of_the_day_is_not_raised(days: list[Day], response: float, worse_share_max: float) -> None:
    rng = np.random.default_rng(17)
    before, afterwards = [], []
    for day in days:
        answered = [one for one in day.proposals if rng.random() < response]
        before.append(day.net_wh.max())
        afterwards.append(after(day, answered).max())
    worse = np.mean(np.array(afterwards) > np.array(before) * 1.001)
    assert worse <= worse_share_max
    assert np.mean(afterwards) < np.mean(before)


def test_prompts_save_grid_import(days: list[Day]) -> None:
    asked = sum(len(day.proposals) for day in days)
    assert asked > 2 * len(days)
    saved = sum(np.maximum(day.net_wh, 0).sum() - np.maximum(after(day, day.proposals), 0).sum() for day in days)
    promised = sum(one.relief_wh for day in days for one in day.proposals)
    assert saved > 0.6 * promised > 0


def test_no_more_than_one_prompt_a_member_and_day(days: list[Day]) -> None:
    for day in days:
        asked = [one.member for one in day.proposals]
        assert len(asked) == len(set(asked))
