"""How small or uneven a group may be for its sum, or the difference of two published sums, to be shown to members.

Everything that members can see about the street asks this one rule.
"""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final

LEAST_HOMES: Final = 5
NEAR_PERCENT: Final = 10
"""A sum may not tell the largest home's part to within this: the second largest could subtract its own part."""

LEAST_WH: Final = 10
"""Smaller sums are below what many meters count, and are shown."""


@dataclass(frozen=True, slots=True)
class GroupRule:
    """`open_homes` let the other members see them. `plants` belong to the co-op: nobody lives there.

    `persons` has one id for homes that somebody knows together: they count as one, as that person can subtract all.

    >>> rule = GroupRule(open_homes=frozenset({"h1"}), plants=frozenset({"h9"}))
    >>> rule.allows({"h2", "h3", "h4", "h5", "h9"}), rule.allows({"h1", "h9"}), rule.allows({"h2", "h9"})
    (False, True, False)
    >>> GroupRule(persons={"h2": "m1", "h3": "m1"}).allows({"h1", "h2", "h3", "h4", "h5"})
    False
    """

    open_homes: frozenset[str] = frozenset()
    plants: frozenset[str] = frozenset()
    persons: Mapping[str, str] = field(default_factory=dict, hash=False)

    def allows(self, group: Set[str]) -> bool:
        """Whether a number about exactly these homes may be shown: nobody's, five homes', or only open ones'."""
        homes = group - self.plants
        people = {self.persons.get(home, home) for home in homes}
        return not homes or len(people) >= LEAST_HOMES or homes <= self.open_homes

    def is_uneven(self, parts_wh: Mapping[str, int]) -> bool:
        """Whether one home's part of this sum could be told to within 10 percent by whoever knows the second largest.

        This is the p-percent rule of statistical offices. What plants and open homes add hides nobody.

        >>> rule = GroupRule(plants=frozenset({"h9"}))
        >>> rule.is_uneven({"h1": 900, "h2": 50, "h3": 89, "h9": 500}), rule.is_uneven({"h1": 900, "h2": 92, "h3": 91})
        (True, False)
        """
        of_person: Counter[str] = Counter()
        seen = self.plants | self.open_homes
        for home, wh in parts_wh.items():
            if home not in seen:
                of_person[self.persons.get(home, home)] += abs(wh)
        parts = sorted(of_person.values())
        if sum(parts) < LEAST_WH:
            return False
        return 100 * sum(parts[:-2]) < NEAR_PERCENT * parts[-1]
