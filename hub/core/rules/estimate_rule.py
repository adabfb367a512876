"""How the rulebook fills gaps, as data; estimates.py computes what it says."""

from dataclasses import dataclass
from typing import Final, Literal

Method = Literal["none", "straight_line", "same_time_of_week"]
METHODS_OF_ESTIMATE: Final[dict[str, Method]] = {
    "none": "none",
    "straight_line": "straight_line",
    "same_time_of_week": "same_time_of_week",
}
MOST_WEEKS: Final = 8


@dataclass(frozen=True, slots=True)
class EstimateRule:
    """How the rulebook fills gaps of up to `longest` slots; longer gaps stay gaps.

    `none`: all gaps stay. `straight_line`: values on a line between those before and after the gap.
    `same_time_of_week`: the median of the same quarter hour in the last `weeks` weeks, if it is known in at least
    `least` of them.
    """

    method: Method = "none"
    longest: int = 4
    weeks: int = 4
    least: int = 2

    def __post_init__(self) -> None:
        if self.method not in METHODS_OF_ESTIMATE:
            raise ValueError(f"{self.method} is not a way to estimate: use one of {', '.join(METHODS_OF_ESTIMATE)}")
        if self.longest < 1 or not 1 <= self.least <= self.weeks <= MOST_WEEKS:
            raise ValueError(f"an estimate needs a longest gap of 1 or more, and 1 <= least <= weeks <= {MOST_WEEKS}")
