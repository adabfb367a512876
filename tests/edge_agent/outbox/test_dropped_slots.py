"""Slots without room: every one is told as a gap, and the totals hold all energy that was known."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.metering.home_meter import ClosedSlot
from edge_agent.outbox.dropped_slots import MAX_REPORTED_SLOTS, DroppedSlots
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.wire.readings import MAX_LONG_INTERVALS, LongInterval

FIRST = 2_000_000
UNKNOWN = SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)
VALUES = st.one_of(st.none(), st.integers(0, 4000))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=60))
def test_no_energy_is_lost_and_no_slot_is_silent(known: list[tuple[int | None, int | None]]) -> None:
    left_out = DroppedSlots()
    for at, (sun, wind) in enumerate(known):
        values = {
            measure: UNKNOWN if energy is None else SlotValue(energy, Mark.MEASURED)
            for measure, energy in ((Measure.PV_PRODUCTION, sun), (Measure.WIND_PRODUCTION, wind))
        }
        left_out.add(ClosedSlot(FIRST + at, values, ()))
    told = list(left_out.slots())
    assert [each.slot for each in told] == list(range(FIRST, FIRST + len(known)))
    assert {value.gap for each in told for value in each.values.values()} == {Gap.NOT_KEPT}
    assert not any(each.long_intervals for each in told[:-1])
    totals = told[-1].long_intervals
    assert list(totals) == sorted(totals, key=lambda each: (each.measure, each.first_slot))
    assert len(totals) <= MAX_LONG_INTERVALS
    for which, measure in enumerate((Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION)):
        mine = [total for total in totals if total.measure is measure]
        covered = [slot for total in mine for slot in range(total.first_slot, total.first_slot + total.slots)]
        assert len(covered) == len(set(covered)), "no slot twice"
        energy_wh = sum(total.energy_wh for total in mine)
        assert energy_wh == sum(known[slot - FIRST][which] or 0 for slot in covered)
        if len(totals) < MAX_LONG_INTERVALS:
            assert covered == [FIRST + at for at, each in enumerate(known) if each[which] is not None]


def test_a_total_over_an_outage_goes_on_and_only_a_week_is_told_slot_by_slot() -> None:
    left_out = DroppedSlots()
    outage = LongInterval(Measure.GRID_IMPORT, FIRST - 4, 5, 70)
    left_out.add(ClosedSlot(FIRST, {Measure.GRID_IMPORT: UNKNOWN}, (outage,)))
    for at in range(1, 1000):
        left_out.add(ClosedSlot(FIRST + at, {Measure.GRID_IMPORT: SlotValue(1, Mark.MEASURED)}, ()))
    told = list(left_out.slots())
    assert (len(left_out), len(told)) == (1000, MAX_REPORTED_SLOTS)
    assert told[-1].long_intervals == (LongInterval(Measure.GRID_IMPORT, FIRST - 4, 1004, 70 + 999),)
