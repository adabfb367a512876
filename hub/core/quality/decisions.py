"""Which decisions the board may make on a finding. Nothing is stored here, and no money is moved.

The same people decide as on objections: members of the board, but never on their own home.
"""

from typing import Final

from hub.core.homes.meter_trust import LATE_NOTICE, OTHER_NETTING, UNPROVEN_METER
from hub.core.quality.home_checks import SETTLED
from hub.core.quality.settlement_check import QualityVerdict
from protocols.quantities import Measure

SEEN: Final[frozenset[str]] = frozenset({OTHER_NETTING, LATE_NOTICE})
"""Findings about what a home said: the slot they stand at has no reading in doubt that could be left out."""


def open_verdicts(code: str, measure: Measure | None, *, has_estimates: bool) -> tuple[QualityVerdict, ...]:
    """The possible decisions: none on a gap, and only "accept" (seen) on readings that do not affect credits
    and on what a home said.

    Accepting an unproven meter releases its readings from then on; rejecting it takes that back.

    For the grid meter, and for findings about the home as a whole, readings can also be left out of settlement, or
    estimated if the rule in force has estimates.

    >>> open_verdicts("frozen_value", Measure.GRID_IMPORT, has_estimates=True)
    ('accept', 'reject', 'estimate')
    """
    if code == "gap":
        return ()
    if code == UNPROVEN_METER:
        return ("accept", "reject")
    if code in SEEN or (measure is not None and measure not in SETTLED):
        return ("accept",)
    return ("accept", "reject", "estimate") if has_estimates else ("accept", "reject")
