"""How small a group may be for its sum, or the difference between two published sums, to be shown to members.

Everything that members can see about the street asks this one rule; nothing is added up here.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Final

LEAST_HOMES: Final = 5


@dataclass(frozen=True, slots=True)
class GroupRule:
    """`open_homes` let the other members see them. `plants` belong to the co-op: nobody lives there.

    >>> rule = GroupRule(open_homes=frozenset({"h1"}), plants=frozenset({"h9"}))
    >>> rule.allows({"h2", "h3", "h4", "h5", "h9"}), rule.allows({"h1", "h9"}), rule.allows({"h2", "h9"})
    (False, True, False)
    """

    open_homes: frozenset[str] = frozenset()
    plants: frozenset[str] = frozenset()

    def allows(self, group: Set[str]) -> bool:
        """Whether a number about exactly these homes may be shown: nobody's, five homes', or only open ones'."""
        homes = group - self.plants
        return not homes or len(homes) >= LEAST_HOMES or homes <= self.open_homes
