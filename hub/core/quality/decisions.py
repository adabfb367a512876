"""What the board may decide on a finding, and what a decision means. It stores nothing and moves no money.

Who may decide is the same as for objections: a member of the board, and not in the member's own matter.
"""

from hub.core.quality.home_checks import SETTLED
from hub.core.quality.settlement_check import QualityVerdict
from protocols.quantities import Measure


def open_verdicts(code: str, measure: Measure | None, *, has_estimates: bool) -> tuple[QualityVerdict, ...]:
    """What may be decided: nothing on a gap, and on what does not touch credits only that it was seen.

    What is about the grid meter or the home as a whole can be left out of settlement, or be estimated where the rule in
    force estimates.
    """
    if code == "gap":
        return ()
    if measure is not None and measure not in SETTLED:
        return ("accept",)
    return ("accept", "reject", "estimate") if has_estimates else ("accept", "reject")
