"""thin slice"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation_key import AllocationKey
from hub.core.exact_rows import allocate_row

Energy = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Allocation:
    """What each member was given and what each sold, per slot. Units: Wh. Shape: both [slots, members]."""

    alloc_wh: Energy
    sold_wh: Energy


def allocate(
    surplus_wh: Energy, demand_wh: Energy, *, key: AllocationKey, present: NDArray[np.bool_] | None = None
) -> Allocation:
    alloc, sold = np.zeros_like(demand_wh), np.zeros_like(surplus_wh)
    for t in range(len(alloc)):
        here = present[t].tolist() if present is not None else [True] * alloc.shape[1]
        alloc[t], sold[t] = allocate_row(surplus_wh[t].tolist(), demand_wh[t].tolist(), here, key=key)
    return Allocation(alloc, sold)
