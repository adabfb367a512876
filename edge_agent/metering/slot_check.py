"""A closed slot's counters against the power seen in it: what differs is no measurement, whichever of the two is wrong.

Pure. The reading by reading check is in `reference`; this one finds what each reading hides, such as a power that is
a third too low all the time.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_agent.metering.counters import CounterMeter
from edge_agent.metering.reference import UNSEEN_STEP_WH
from protocols.quantities import Measure

DOUBT_PER_SLOT = 5
"""Four slots that differ leave a counter without its witness; see `CounterReference.contradict_power`."""


def drifting(meters: Mapping[Measure, CounterMeter | None]) -> tuple[Measure, ...]:
    """The measures of one place whose slot differs from its power by more than both can err.

    Import and export may both be more than the power says, by the same energy: a meter that counts each phase has
    both at once, and power that changes its sign between two readings hides both.
    """
    over = {measure: _over_wh(meter) for measure, meter in meters.items() if meter is not None}
    found = []
    for measure, mine in over.items():
        if mine is None:
            continue
        over_wh, below_wh, allowed_wh = mine
        others_wh = sum(max(0.0, other[0]) for key, other in over.items() if key is not measure and other)
        meter = meters[measure]
        # A flow that began and ended inside the slot and moved no counter: neither of the two is sure.
        slept = meter is not None and meter.slept_through and -over_wh > meter.limits.step_wh + UNSEEN_STEP_WH
        if slept or over_wh < -below_wh or over_wh > allowed_wh + others_wh:
            found.append(measure)
            if meter is not None and meter.slot_evidence is not None and meter.slot_evidence[1].is_whole:
                meter.known.contradict_power(DOUBT_PER_SLOT)
    return tuple(found)


def _over_wh(meter: CounterMeter) -> tuple[float, float, float] | None:
    """How far the slot just closed is above its power, and how far it may be below and above.

    None if the power did not see it all. Where answers only repeat an old one, either may be wrong: no measurement too.
    """
    if meter.slot_evidence is None:
        return None
    energy_wh, found = meter.slot_evidence
    if found.unseen_s > 1.0:
        return None
    step_wh = meter.limits.step_wh
    return energy_wh - found.energy_wh, found.least_loose_wh(step_wh), found.loose_wh(step_wh)
