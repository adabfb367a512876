"""Nets each home's import and export in time, as its legal meter or its grid operator does before anybody is charged.

It shares nothing; the rulebook names the time, and the readings stay as they are.
"""

import numpy as np

from hub.core.allocation.rounding import Energy


def net_in_time(surplus_wh: Energy, demand_wh: Energy) -> tuple[Energy, Energy]:
    """What is left of each home's surplus and demand in each interval once the lesser is taken off both.

    Shape: [intervals, members], both alike. Netting what is netted changes nothing.

    >>> left = net_in_time(np.array([[800, 0]]), np.array([[200, 300]]))
    >>> [side.tolist() for side in left]
    [[[600, 0]], [[0, 300]]]
    """
    both_wh = np.minimum(surplus_wh, demand_wh)
    return surplus_wh - both_wh, demand_wh - both_wh


def net_known(surplus_wh: Energy, demand_wh: Energy) -> tuple[Energy, Energy]:
    """The same where both are known; where one of them is missing (below 0), both stay as they are.

    >>> left = net_known(np.array([[800, 500]]), np.array([[200, -1]]))
    >>> [side.tolist() for side in left]
    [[[600, 500]], [[0, -1]]]
    """
    known = (surplus_wh >= 0) & (demand_wh >= 0)
    netted = net_in_time(surplus_wh, demand_wh)
    return np.where(known, netted[0], surplus_wh), np.where(known, netted[1], demand_wh)
