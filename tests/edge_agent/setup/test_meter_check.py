"""The sign and the factor of a meter, compared with a kettle and with the legal meter."""

from decimal import Decimal

import pytest

from edge_agent.setup.meter_check import factor_verdict, sign_verdict
from edge_agent.setup.progress import MeterReading

START = MeterReading(0, 5_000_000, 100_000, 1_000_000, 50_000)


def later(imported: int, exported: int | None, device_imported: int, device_exported: int | None) -> MeterReading:
    return MeterReading(
        9,
        START.legal_import_wh + imported,
        None if exported is None else 100_000 + exported,
        START.device_import_wh + device_imported,
        None if device_exported is None else 50_000 + device_exported,
    )


@pytest.mark.parametrize(
    ("before_w", "after_w", "verdict"),
    [
        (100, 2100, "rises"),
        (-500, 1500, "rises"),
        (100, -1900, "falls"),
        (100, 399, "unchanged"),
        (None, 5, "unchanged"),
    ],
)
def test_what_a_kettle_shows(before_w: int | None, after_w: int, verdict: str) -> None:
    assert sign_verdict(before_w, after_w) == verdict


@pytest.mark.parametrize(
    ("second", "is_good", "words"),
    [
        (later(2500, 0, 2480, 0), True, "they agree"),
        (later(900, 0, 300, 0), None, "only 0.9 kWh"),
        (later(7500, 0, 2500, 0), False, "ratio is set 3 times too low, or look whether phases are missing"),
        (later(2500, 0, 12_500, 0), False, "ratio is set 5 times too high"),
        (later(2500, 0, 10, 0), False, "does not see this energy"),
        (later(2500, 0, 0, 2510), False, "swapped"),
        (later(100, 3300, 90, 3310), True, "fed in"),
        (later(100, 3300, 3310, 90), False, "swapped"),
        (later(2500, None, 1750, None), False, "a phase is missing"),
        (later(-5, 0, 10, 0), False, "lower than the first"),
        (later(2000, 0, 2900, 0), True, "they agree"),
    ],
)
def test_the_factor_over_a_kilowatt_hour(second: MeterReading, is_good: bool | None, words: str) -> None:
    verdict = factor_verdict(START, second)
    assert (verdict.is_good, words in verdict.text) == (is_good, True), verdict.text


@pytest.mark.parametrize(
    ("second", "times", "may_lack_phases"),
    [
        (later(4100, 0, 103, 0), 40, False),
        (later(40_000, 0, 1030, 0), 40, False),
        (later(2550, 0, 25_300, 0), "0.1", False),
        (later(60_000, 0, 60, 0), 1000, False),
        (later(200, 4100, 20, 2060), 2, True),
        (later(7500, 0, 2500, 0), 3, True),
        (later(2500, 0, 1750, 0), None, False),
        (later(2500, 0, 2480, 0), None, False),
        (later(2500, 0, 10, 0), None, False),
        (later(4400, 0, 100, 0), None, False),
    ],
)
def test_only_a_usual_ratio_is_proposed(second: MeterReading, times: object, may_lack_phases: bool) -> None:
    verdict = factor_verdict(START, second)
    assert (verdict.times, verdict.may_lack_phases) == (None if times is None else Decimal(str(times)), may_lack_phases)


def test_a_display_of_whole_kilowatt_hours_is_too_rough_for_near_ratios() -> None:
    """After 3 kWh it may be anything from 2 to 4; after 30 the ratio is one."""
    assert factor_verdict(START, later(3000, 0, 600, 0)).times is None
    assert "come back after 20 kWh" in factor_verdict(START, later(3000, 0, 600, 0)).text
    assert factor_verdict(START, later(30_000, 0, 6000, 0)).times == 5


@pytest.mark.parametrize(
    ("second", "legal_phases"),
    [
        (later(3000, 2000, 4500, 3500), "netted"),
        (later(3100, 0, 4600, 1490), "netted"),
        (later(4510, 3520, 3000, 2000), "separate"),
        (later(3000, 2000, 6000, 4000), None),
        (later(2000, 2100, 4000, 4100), None),
        (later(3000, 2000, 4500, 2000), None),
        (later(3000, None, 4500, 3500), None),
        (later(30_000, 20_000, 30_500, 20_500), None),
    ],
)
def test_both_directions_off_by_the_same_energy_are_phases_counted_in_another_way(
    second: MeterReading, legal_phases: str | None
) -> None:
    """Neither a factor of current transformers nor a missing phase adds the same to both."""
    verdict = factor_verdict(START, second)
    assert verdict.legal_phases == legal_phases, verdict.text
    assert legal_phases is None or (verdict.times, verdict.is_good) == (None, False)
