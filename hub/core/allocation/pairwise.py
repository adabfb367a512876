"""The pairwise method for many slots at once: each producer's surplus, shared by that producer's own coefficients."""

import numpy as np

from hub.core.allocation.rounding import Energy, Presence, share_rows
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey


def pair_rows(
    surplus: Energy, demand: Energy, *, present: Presence | None, key: AllocationKey
) -> tuple[Energy, Energy]:
    """Allocated and sold energy, both [slots, members]; the grid gets absent members' parts and what nobody takes."""
    unmet, sold = demand.copy(), np.zeros_like(surplus)
    for producer, consumers in key.coefficients:
        columns = [column for column, _ in consumers]
        weights = np.zeros((len(demand), len(columns) + 1), dtype=np.int64)
        weights[:, :-1] = [ppm for _, ppm in consumers]
        if present is not None:
            weights[:, :-1] *= present[:, columns]
        weights[:, -1] = GRID_PPM - weights.sum(axis=1)
        offered = surplus[:, producer]
        # The weights of a row add up to a million, so the quotas add up to the producer's surplus.
        quota = share_rows(offered, weights, np.full(len(offered), GRID_PPM, dtype=np.int64))
        taken = np.minimum(quota[:, :-1], unmet[:, columns])
        unmet[:, columns] -= taken
        sold[:, producer] = taken.sum(axis=1, dtype=np.int64)
    return demand - unmet, sold
