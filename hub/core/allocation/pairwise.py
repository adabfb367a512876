"""The pairwise method for many slots at once: every producer's surplus by that producer's own coefficients."""

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import Energy, share_rows
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey


def pair_rows(
    surplus: Energy, demand: Energy, *, present: NDArray[np.bool_] | None, key: AllocationKey
) -> tuple[Energy, Energy]:
    """Allocated and sold, both [slots, members]; what coefficients leave, and the part of the absent, is the grid's."""
    unmet, sold = demand.copy(), np.zeros_like(surplus)
    for producer, consumers in key.coefficients:
        columns = [column for column, _ in consumers]
        weights = np.zeros((len(demand), len(columns) + 1), dtype=np.int64)
        weights[:, :-1] = [ppm for _, ppm in consumers]
        if present is not None:
            weights[:, :-1] *= present[:, columns]
        weights[:, -1] = GRID_PPM - weights.sum(axis=1)
        offered = surplus[:, producer]
        quota = share_rows(offered, weights, np.full(len(offered), GRID_PPM, dtype=np.int64))
        taken = np.minimum(quota[:, :-1], unmet[:, columns])
        unmet[:, columns] -= taken
        sold[:, producer] = taken.sum(axis=1, dtype=np.int64)
    return demand - unmet, sold
