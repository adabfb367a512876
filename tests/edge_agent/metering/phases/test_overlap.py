"""Netted energy from separate counters and the other way round: bounded by the counters, within the stated error."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.metering.phases.overlap import ConnectionEnergy, Counted, net_phases, separate_phases, together
from edge_agent.metering.witness import FlowEvidence, PowerWitness, WitnessMark
from tests.edge_agent.metering.phases.three_phase_home import SLOT_S, Totals, powers

energies = st.integers(0, 5000)
doubts = st.floats(0, 3000)
evidence = st.builds(FlowEvidence, doubts, doubts, doubts, doubts, st.just(0.0), st.just(0.0), st.just(0.0))


@given(energies, energies, evidence, evidence)
def test_netted_energy_is_never_more_than_was_counted_and_keeps_the_difference(
    taken: int, given_wh: int, above: FlowEvidence, below: FlowEvidence
) -> None:
    found = net_phases(Counted(taken, given_wh), above, below)
    assert 0 <= found.import_wh <= taken
    assert 0 <= found.export_wh <= given_wh
    assert found.import_wh - found.export_wh == taken - given_wh
    assert found.error_wh <= min(taken, given_wh), "the counters alone bound the error"


@given(energies, energies, evidence, evidence)
def test_separate_energy_is_never_less_than_was_counted_and_keeps_the_difference(
    taken: int, given_wh: int, above: FlowEvidence, below: FlowEvidence
) -> None:
    found = separate_phases(Counted(taken, given_wh), above, below)
    assert found.import_wh >= taken
    assert found.export_wh >= given_wh
    assert found.import_wh - found.export_wh == taken - given_wh


@given(st.lists(st.tuples(st.integers(-8000, 8000), st.integers(1, 60)), min_size=2, max_size=40), st.integers(0, 1))
def test_the_trapezoid_errs_by_at_most_half_an_interval_times_the_variation(
    steps: list[tuple[int, int]], half: int
) -> None:
    """Power that goes straight from one sample to the next in any order of time: the bound that the module states."""
    witness, at_s, late_ws, early_ws = PowerWitness(), 0, 0.0, 0.0
    sign = 1 if half == 0 else -1
    witness.add(0, steps[0][0])
    for (before, _), (after, length_s) in pairwise(steps):
        at_s += length_s
        witness.add(at_s, after)
        early_ws += max(0, sign * after) * length_s
        late_ws += max(0, sign * before) * length_s
    found = witness.since(WitnessMark(), half, elapsed_s=at_s)
    for jumped_ws in (early_ws, late_ws):
        assert abs(jumped_ws / 3600 - found.energy_wh) <= found.spread_wh + 1e-6


def sampled(seed: int, every_s: int, sun_w: int) -> tuple[Totals, list[FlowEvidence], list[FlowEvidence]]:
    total, phases, truth = PowerWitness(), [PowerWitness() for _ in range(3)], Totals()
    for second, now in enumerate(powers(seed, seconds=SLOT_S + 1, sun_w=sun_w)):
        if second % every_s == 0:
            total.add(second, sum(now))
            for witness, power_w in zip(phases, now, strict=True):
                witness.add(second, power_w)
        if second < SLOT_S:
            truth.add(now)
    start = WitnessMark()
    mine = [total.since(start, half, elapsed_s=SLOT_S) for half in (0, 1)]
    each = [together(tuple(one.since(start, half, elapsed_s=SLOT_S) for one in phases)) for half in (0, 1)]
    return truth, mine, each


@pytest.mark.parametrize("every_s", [10, 60])
@pytest.mark.parametrize("sun_w", [600, 4000])
def test_a_home_of_switching_loads_stays_within_the_stated_error(every_s: int, sun_w: int) -> None:
    """Loads that switch faster than the samples: no error is beyond its bound, and derived is better than counted."""
    off_wh = wrong_wh = 0.0
    for seed in range(25):
        truth, total, phases = sampled(seed, every_s, sun_w)
        separate = Counted(truth.separate_import // 3600, truth.separate_export // 3600)
        netted = Counted(truth.netted_import // 3600, truth.netted_export // 3600)
        for found, taken, given_ in (
            (net_phases(separate, total[0], total[1]), truth.netted_import, truth.netted_export),
            (separate_phases(netted, phases[0], phases[1]), truth.separate_import, truth.separate_export),
        ):
            assert abs(found.import_wh - taken / 3600) <= found.error_wh + 1
            assert abs(found.export_wh - given_ / 3600) <= found.error_wh + 1
        off_wh += abs(net_phases(separate, total[0], total[1]).export_wh - truth.netted_export / 3600)
        wrong_wh += separate.export_wh - truth.netted_export / 3600
    assert off_wh < wrong_wh / 5


def test_a_kettle_between_two_samples_is_seen_in_what_the_counters_say_more() -> None:
    """The samples show steady export; the counters' difference says that a load ran: the error grows by it."""
    still = FlowEvidence(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    steady = FlowEvidence(500.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    found = net_phases(Counted(140, 600), still, steady)
    assert found == ConnectionEnergy(0, 460, 42)


@settings(max_examples=20)
@given(st.integers(0, 300))
def test_an_uncertain_slot_is_not_sure(error_wh: int) -> None:
    assert ConnectionEnergy(0, 400, error_wh).is_sure == (error_wh <= 50)
    assert ConnectionEnergy(1000, 400, error_wh).is_sure == (error_wh <= 140)
