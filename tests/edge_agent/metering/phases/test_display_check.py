"""The legal meter's display, read twice, tells how it counts; where both ways fit, nothing is claimed."""

from __future__ import annotations

import pytest

from edge_agent.metering.phases.display_check import BothWays, DisplayVerdict, DisplayWatch, compare_display
from edge_agent.metering.phases.overlap import ConnectionEnergy, Counted
from tests.edge_agent.metering.phases.three_phase_home import Totals, powers

HOUR_S = 3600


def watched(device: str, *, seconds: int = HOUR_S) -> tuple[DisplayWatch, Totals]:
    watch = DisplayWatch("separate" if device == "separate" else "netted")
    truth = Totals()
    for second, now in enumerate(powers(8, seconds=seconds + 1)):
        if second % 5 == 0:
            pair = truth.separate_import, truth.separate_export
            pair = pair if device == "separate" else (truth.netted_import, truth.netted_export)
            watch.add(second, import_wh=pair[0] // 3600, export_wh=pair[1] // 3600, power_w=sum(now), phases_w=now)
        if second < seconds:
            truth.add(now)
    return watch, truth


@pytest.mark.parametrize("device", ["separate", "netted"])
@pytest.mark.parametrize("legal", ["separate", "netted"])
def test_the_display_tells_how_it_counts(device: str, legal: str) -> None:
    watch, truth = watched(device)
    ways = watch.ways()
    assert ways is not None
    pair = (truth.separate_import, truth.separate_export)
    pair = pair if legal == "separate" else (truth.netted_import, truth.netted_export)
    shown = Counted(pair[0] // 3600, pair[1] // 3600, step_wh=10)
    assert compare_display(shown, ways) == legal


def test_a_display_in_whole_kilowatt_hours_needs_longer() -> None:
    watch, truth = watched("separate", seconds=600)
    ways = watch.ways()
    assert ways is not None
    shown = Counted(truth.netted_import // 3_600_000 * 1000, truth.netted_export // 3_600_000 * 1000, step_wh=1000)
    assert compare_display(shown, ways) == "either"


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        (Counted(2000, 100, 10), "neither"),
        (Counted(50, 1000, 10), "neither"),
        (Counted(100, 2000, 10), "netted"),
    ],
)
def test_swapped_wires_and_a_wrong_factor_are_neither(shown: Counted, verdict: DisplayVerdict) -> None:
    ways = BothWays(ConnectionEnergy(100, 2000, 5), ConnectionEnergy(900, 2800, 2))
    assert compare_display(shown, ways) == verdict


def test_without_the_phases_only_the_counted_way_is_known() -> None:
    ways = BothWays(ConnectionEnergy(100, 2000, 5), None)
    assert compare_display(Counted(100, 2000, 10), ways) == "netted"
    assert compare_display(Counted(900, 2800, 10), ways) == "neither"


def test_one_reading_says_nothing() -> None:
    watch = DisplayWatch("separate")
    assert watch.ways() is None
    watch.add(0, import_wh=1, export_wh=1, power_w=0)
    assert watch.ways() is None
