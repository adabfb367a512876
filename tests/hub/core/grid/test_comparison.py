"""Two sources side by side: every difference is told once, agreement is silent, a late clock is called by its name."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.grid.comparison import SourceFinding, compare_sources
from hub.core.grid.files import MISSING, QuarterHours, quarter_hours
from tests.hub.core.grid.grid_oracle import series


def own(values: list[int], first_slot: int = 100) -> QuarterHours:
    return quarter_hours("p", "consumption", first_slot=first_slot, energy_wh=values)


def kinds(findings: tuple[SourceFinding, ...]) -> list[tuple[str, int, int]]:
    return [(one.kind, one.first_slot, one.slots) for one in findings]


@settings(max_examples=50, deadline=None)
@given(series())
def test_a_source_agrees_with_itself(one: QuarterHours) -> None:
    found = compare_sources([one], [one], tolerance_wh=0)
    assert {finding.kind for finding in found} <= {"not_measured"}
    assert sum(finding.slots for finding in found) == int((one.quality > 1).sum())


@settings(max_examples=50, deadline=None)
@given(series(), st.integers(0, 3000), st.integers(0, 2**32 - 1))
def test_every_slot_is_told_by_the_rule_and_once(one: QuarterHours, tolerance_wh: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    size = len(one.energy_micro_kwh)
    changed = chance.integers(0, 4_000_000, size)
    other = replace(one, energy_micro_kwh=np.where(chance.random(size) < 0.2, MISSING, changed))
    told: dict[int, str] = {}
    for finding in compare_sources([other], [one], tolerance_wh=tolerance_wh):
        assert finding.kind != "shifted"
        for slot in range(finding.first_slot, finding.first_slot + finding.slots):
            assert slot not in told
            told[slot] = finding.kind
    for place, slot in enumerate(one.slots):
        mine, theirs = int(other.energy_micro_kwh[place]), int(one.energy_micro_kwh[place])
        expected = None
        if MISSING not in (mine, theirs) and abs(mine - theirs) > tolerance_wh * 1000:
            expected = "differs"
        elif (mine == MISSING) != (theirs == MISSING):
            expected = "only_grid" if mine == MISSING else "only_own"
        elif theirs != MISSING and one.quality[place] > 1:
            expected = "not_measured"
        assert told.get(slot) == expected


def test_neighbouring_slots_are_one_finding_with_their_sums() -> None:
    found = compare_sources([own([10, 20, 30, 40])], [own([10, 22, 33, 40])], tolerance_wh=1)
    assert kinds(found) == [("differs", 101, 2)]
    assert (found[0].own_micro_kwh, found[0].grid_micro_kwh) == (50_000, 55_000)
    assert found[0].line() == (
        "p consumption, 2 quarter hours from 1970-01-02T01:15Z: the two differ; "
        "ours 0.050000 kWh, the grid operator's 0.055000 kWh"
    )


def test_what_lies_outside_the_file_is_no_finding() -> None:
    assert compare_sources([own(list(range(50)), 90)], [own(list(range(10, 20)))], tolerance_wh=0) == ()


@pytest.mark.parametrize("late", [-8, -4, -1, 1, 4, 8])
def test_a_clock_that_is_late_is_called_so(late: int) -> None:
    values = np.random.default_rng(7).integers(0, 900, 96).tolist()
    found = compare_sources([own(values, 100 + late)], [own(values)], tolerance_wh=5)
    shifted = [finding for finding in found if finding.kind == "shifted"]
    assert [(one.shift_slots, one.first_slot, one.slots) for one in shifted] == [(late, 100, 96)]
    assert ("late" if late > 0 else "early") in shifted[0].line()
    assert {finding.kind for finding in found} == {"shifted", "only_grid"}


def test_an_even_line_is_not_called_shifted() -> None:
    assert compare_sources([own([100] * 40)], [own([100] * 40)], tolerance_wh=0) == ()
    found = compare_sources([own([100] * 40)], [own([130] * 40)], tolerance_wh=5)
    assert kinds(found) == [("differs", 100, 40)]


def test_a_point_only_one_of_them_knows() -> None:
    other = quarter_hours("q", "generation", first_slot=5, energy_wh=[1, 2])
    found = compare_sources([own([1])], [other], tolerance_wh=0)
    assert kinds(found) == [("no_grid_series", 100, 1), ("no_own_series", 5, 2)]


def test_the_same_point_twice_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="two series of p consumption"):
        compare_sources([own([1]), own([2])], [], tolerance_wh=0)


def test_what_was_derived_may_be_off_by_what_its_agent_states_and_no_more() -> None:
    error = np.array([0, 50_000, 50_000, 0], dtype=np.int64)
    ours = replace(own([100, 100, 100, 100]), error_micro_kwh=error)
    found = compare_sources([ours], [own([101, 151, 152, 102])], tolerance_wh=1)
    assert kinds(found) == [("beyond_error", 102, 1), ("differs", 103, 1)]
    assert "what the agent derived is off by more than it states" in found[0].line()


def test_a_late_clock_is_seen_beside_derived_values() -> None:
    values = [7 * place % 90 for place in range(60)]
    error = np.zeros(60, dtype=np.int64)
    error[10:20] = 5_000
    noisy = [value + 4 * (10 <= place < 20) for place, value in enumerate(values)]
    ours = replace(own(noisy, first_slot=101), error_micro_kwh=error)
    (found, *_) = compare_sources([ours], [own(values)], tolerance_wh=1)
    assert (found.kind, found.shift_slots) == ("shifted", 1)
