"""The settlement rules written a second time, slowly and plainly: the oracle for the allocation tests.

Written from the rules page alone; it shares no line with hub/core and takes members by name.
"""

from fractions import Fraction

Amounts = dict[str, int]


def by_bytes(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: name.encode())


def round_shares(exact: dict[str, Fraction], total: int) -> Amounts:
    """Floors, then the units left go to the largest fractional parts, ties to the first id."""
    floors = {name: share.numerator // share.denominator for name, share in exact.items()}
    left = total - sum(floors.values())
    ranked = sorted(exact, key=lambda name: (floors[name] - exact[name], name.encode()))
    for name in ranked[:left]:
        floors[name] += 1
    return floors


def pro_rata(total: int, weights: Amounts) -> Amounts:
    whole = sum(weights.values())
    if whole == 0:
        return dict.fromkeys(weights, 0)
    shares = {name: total * weight // whole for name, weight in weights.items()}
    ranked = sorted(weights, key=lambda name: (-(total * weights[name] % whole), name.encode()))
    for name in ranked[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def exact_level_shares(total: int, demand: Amounts, weights: Amounts) -> dict[str, Fraction]:
    """min(d, L w) by walking the levels at which members are full, lowest first."""
    shares = {name: Fraction(0) for name in demand}
    waiting = sorted(
        (name for name in demand if weights[name] > 0), key=lambda name: Fraction(demand[name], weights[name])
    )
    left = Fraction(min(total, sum(demand[name] for name in waiting)))
    while waiting:
        weight = sum(weights[name] for name in waiting)
        level = left / weight
        name = waiting[0]
        if Fraction(demand[name], weights[name]) > level:
            for other in waiting:
                shares[other] = level * weights[other]
            break
        shares[name] = Fraction(demand[name])
        left -= demand[name]
        waiting.pop(0)
    return shares


def water_fill(total: int, demand: Amounts, weights: Amounts) -> Amounts:
    exact = exact_level_shares(total, demand, weights)
    return round_shares(exact, int(sum(exact.values())))


def static_round(pool: int, unmet: Amounts, weights: Amounts) -> Amounts:
    quota = pro_rata(pool, weights)
    return {name: min(quota[name], unmet[name]) for name in unmet}


def add(*parts: Amounts) -> Amounts:
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def minus(left: Amounts, right: Amounts) -> Amounts:
    return {name: left[name] - right[name] for name in left}


def buyers(method: str, pool: int, demand: Amounts, params: dict) -> Amounts:
    shared = min(pool, sum(demand.values()))
    weights = {name: params.get("weights", {}).get(name, 0) for name in demand}
    ones = dict.fromkeys(demand, 1)
    if method == "proportional":
        return pro_rata(shared, demand)
    if method == "equal":
        return water_fill(shared, demand, ones)
    if method == "weighted":
        return water_fill(shared, demand, weights)
    if method == "static":
        return static_round(pool, demand, weights)
    if method == "static_rounds":
        alloc = dict.fromkeys(demand, 0)
        for _ in range(params["rounds"]):
            alloc = add(alloc, static_round(pool - sum(alloc.values()), minus(demand, alloc), weights))
            weights = {name: weights[name] if alloc[name] < demand[name] else 0 for name in demand}
        return alloc
    if method == "static_then_proportional":
        first = static_round(pool, demand, weights)
        unmet = minus(demand, first)
        return add(first, pro_rata(min(pool - sum(first.values()), sum(unmet.values())), unmet))
    if method == "priority":
        alloc = dict.fromkeys(demand, 0)
        for tier in params["tiers"]:
            wanted = {name: demand[name] for name in tier if name in demand}
            left = pool - sum(alloc.values())
            alloc.update(pro_rata(min(left, sum(wanted.values())), wanted))
        return alloc
    group = {name: demand[name] if name in params["group"] else 0 for name in demand}
    reserve = shared * params["reserve_ppm"] // 1_000_000
    first = water_fill(min(reserve, sum(group.values())), group, ones)
    return add(first, pro_rata(shared - sum(first.values()), minus(demand, first)))


def pair(surplus: Amounts, demand: Amounts, params: dict) -> tuple[Amounts, Amounts]:
    alloc, sold = dict.fromkeys(demand, 0), dict.fromkeys(surplus, 0)
    for producer in by_bytes([name for name in params["coefficients"] if name in surplus]):
        named = {name: ppm for name, ppm in params["coefficients"][producer].items() if name in demand}
        # U+10FFFF sorts after every id a test uses, as the grid must.
        quota = pro_rata(surplus[producer], {**named, "\U0010ffff grid": 1_000_000 - sum(named.values())})
        for consumer in by_bytes(list(named)):
            taken = min(quota[consumer], demand[consumer] - alloc[consumer])
            alloc[consumer] += taken
            sold[producer] += taken
    return alloc, sold


def settle_slot(method: str, params: dict, surplus: Amounts, demand: Amounts) -> tuple[Amounts, Amounts]:
    """Allocated and sold by member; `surplus` and `demand` hold the members present in the slot and nobody else."""
    if method == "pairwise":
        return pair(surplus, demand, params)
    alloc = buyers(method, sum(surplus.values()), demand, params)
    return alloc, pro_rata(sum(alloc.values()), surplus)
