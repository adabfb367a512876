"""What the board may decide on a finding. It stores nothing and moves no money.

The same people decide as on objections: members of the board, but nobody on their own home.
"""

from hub.core.quality.home_checks import SETTLED
from hub.core.quality.settlement_check import QualityVerdict
from protocols.quantities import Measure


def open_verdicts(code: str, measure: Measure | None, *, has_estimates: bool) -> tuple[QualityVerdict, ...]:
    """The decisions that are possible: none on a gap, and "accept" (seen) on readings that do not affect credits.

    Readings of the grid meter, and findings about the home as a whole, can also be left out of settlement, or estimated
    if the rule in force has estimates.

    >>> open_verdicts("frozen_value", Measure.GRID_IMPORT, has_estimates=True)
    ('accept', 'reject', 'estimate')
    """
    if code == "gap":
        return ()
    if measure is not None and measure not in SETTLED:
        return ("accept",)
    return ("accept", "reject", "estimate") if has_estimates else ("accept", "reject")
