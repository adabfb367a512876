"""Whether energy that an agent derived counts in settlement, and how far it may be off for that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hub.core.rules.input_checks import RejectedInputError, require_integer

MOST_WITHIN_WH: Final = 10_000
MOST_WITHIN_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class DerivedRule:
    """Derived energy counts if its agent states an error of at most `within_wh` and `within_percent`; 0: none counts.

    The larger of the two bounds what the agent tells, in percent of import and export together. Units: Wh.

    """

    within_wh: int = 0
    within_percent: int = 0

    @property
    def is_off(self) -> bool:
        """Whether nothing derived counts."""
        return self.within_wh == 0

    def lets_count(self, error: tuple[int, int]) -> bool:
        """Whether derived energy with this stated error, in Wh and percent, counts; (0, 0) states none.

        >>> DerivedRule(50, 10).lets_count((50, 10)), DerivedRule(50, 10).lets_count((0, 0))
        (True, False)
        """
        within_wh, percent = error
        return 0 < within_wh <= self.within_wh and percent <= self.within_percent


NO_DERIVED: Final = DerivedRule()


def require_derived(base: DerivedRule, changes: Mapping[str, object]) -> DerivedRule:
    """The rule `base` with the keys `derived_wh` and `derived_percent` of `changes`.

    Raises: RejectedInputError for an amount out of range, or for one of the two without the other.
    """
    within_wh = require_integer(changes.get("derived_wh", base.within_wh), "derived_wh")
    percent = require_integer(changes.get("derived_percent", base.within_percent), "derived_percent")
    if within_wh > MOST_WITHIN_WH or percent > MOST_WITHIN_PERCENT:
        most = f"derived_wh is from 0 to {MOST_WITHIN_WH}, derived_percent from 0 to {MOST_WITHIN_PERCENT}"
        raise RejectedInputError("out_of_range", most)
    if (within_wh == 0) != (percent == 0):
        raise RejectedInputError("malformed", "derived_wh and derived_percent go together: both 0, or neither")
    return DerivedRule(within_wh, percent)
