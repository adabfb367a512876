"""Nets each home's import and export in time, as its legal meter or its grid operator does before anybody is charged.

It shares nothing; the rulebook names the time, and the readings stay as they are.
"""

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import Energy


def net_in_time(surplus_wh: Energy, demand_wh: Energy, *, of: NDArray[np.bool_] | None = None) -> tuple[Energy, Energy]:
    """What is left of each home's surplus and demand in each interval once the lesser is taken off both.

    `of`: the members who are netted; the others keep both as they are. Without it, all are.
    Shape: [intervals, members], both alike; `of` is [members]. Netting what is netted changes nothing.

    >>> left = net_in_time(np.array([[800, 0]]), np.array([[200, 300]]))
    >>> [side.tolist() for side in left]
    [[[600, 0]], [[0, 300]]]
    """
    both_wh = np.minimum(surplus_wh, demand_wh)
    if of is not None:
        both_wh = np.where(of, both_wh, 0)
    return surplus_wh - both_wh, demand_wh - both_wh
