"""Random communities for the settlement tests: members, a rule that fits them, and slots with ties and gaps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.prepared_readings import MISSING_WH, Readings

METHODS = (
    "proportional",
    "equal",
    "weighted",
    "static",
    "static_rounds",
    "static_then_proportional",
    "priority",
    "solidarity",
    "pairwise",
)
WORK_CONSERVING = ("proportional", "equal", "static_then_proportional", "priority", "solidarity")
NAMES = ("Z", "a", "m10", "m2", "ä", "ß", "Ω", "名前", "🏡", "b:money", "p 1", 'quote"d', "é", "e\u0301")


@dataclass(frozen=True)
class World:
    """`members` in byte order, which is the order of the columns."""

    members: tuple[str, ...]
    params: dict[str, Any]
    surplus_wh: np.ndarray
    demand_wh: np.ndarray
    present: np.ndarray


def params_of(method: str, members: list[str], rng: np.random.Generator, *, weight_max: int = 6) -> dict[str, Any]:
    if method in {"weighted", "static", "static_rounds", "static_then_proportional"}:
        weights = {
            name: int(weight) for name, weight in zip(members, rng.integers(0, weight_max, len(members)), strict=True)
        }
        weights[members[int(rng.integers(len(members)))]] = 1 + int(rng.integers(weight_max))
        rounds = {"rounds": int(rng.integers(1, 6))} if method == "static_rounds" else {}
        return {"weights": weights, **rounds}
    shuffled = [members[i] for i in rng.permutation(len(members))]
    if method == "priority":
        cuts = np.sort(rng.integers(0, len(members) + 1, 2))
        return {"tiers": [shuffled[: cuts[0]], shuffled[cuts[0] : cuts[1]], shuffled[cuts[1] :]]}
    if method == "solidarity":
        group = shuffled[: int(rng.integers(1, len(members) + 1))]
        return {"group": group, "reserve_ppm": int(rng.choice([0, 1, 333_333, 500_000, 1_000_000]))}
    if method == "pairwise":
        producers = shuffled[: int(rng.integers(0, len(members) + 1))]
        return {"coefficients": {name: _coefficients(members, rng) for name in producers}}
    return {}


def _coefficients(members: list[str], rng: np.random.Generator) -> dict[str, int]:
    chosen = [name for name in members if rng.random() < 0.7]
    if not chosen:
        return {}
    cuts = np.sort(rng.integers(0, 1_000_001, len(chosen)))
    return {name: int(ppm) for name, ppm in zip(chosen, np.diff(cuts, prepend=0), strict=True)}


def make_world(method: str, *, seed: int, count: int, highest_wh: int, slots: int) -> World:
    rng = np.random.default_rng(seed)
    members = sorted(rng.permutation(np.array(NAMES))[:count].tolist(), key=str.encode)
    params = params_of(method, members, rng, weight_max=6 if rng.random() < 0.7 else 2**53 - 1)
    shape = (slots, count)
    surplus = rng.integers(0, highest_wh, shape, endpoint=True) * (rng.random(shape) < 0.5)
    # Whole rows scaled down by powers of two make scarce slots, plentiful ones and many ties.
    surplus >>= rng.integers(0, 6, (slots, 1))
    demand = rng.integers(0, highest_wh, shape, endpoint=True) * (rng.random(shape) < 0.8)
    demand >>= rng.integers(0, 4, (slots, 1))
    same = rng.random(slots) < 0.2
    demand[same] = demand[same, :1]
    present = (rng.random(shape) < 0.9) | (rng.random((slots, 1)) < 0.5)
    return World(tuple(members), params, surplus, demand, present)


PRICES = Prices(165_432, 158_765, 301_999, 71_003)
FIRST_SLOT = 100


def make_period(
    method: str, *, seed: int, intervals: int, highest_wh: int = 3_000, count: int | None = None
) -> tuple[Readings, Rule]:
    """A period of so many settled intervals: quarter hours or hours, gaps, windows and participation as it falls."""
    rng = np.random.default_rng([seed, 1])
    aggregate = 1 + 3 * int(rng.integers(2))
    slots = intervals * aggregate
    world = make_world(method, seed=seed, count=count or 2 + seed % 8, highest_wh=highest_wh, slots=slots)
    members, gaps = world.members, rng.random(world.demand_wh.shape) < 0.03
    surplus = np.where(gaps & (rng.random(gaps.shape) < 0.5), MISSING_WH, world.surplus_wh)
    demand = np.where(gaps, MISSING_WH, world.demand_wh)
    windows = {members[0]: (FIRST_SLOT + slots // 10, None), members[-1]: (FIRST_SLOT, FIRST_SLOT + slots * 7 // 8)}
    taking_part = {name: int(rng.integers(1, 100)) for name in members if rng.random() < 0.3}
    names = tuple(range(FIRST_SLOT, FIRST_SLOT + slots))
    rule = Rule(method, world.params, aggregate=aggregate, participation_percent=taking_part, prices=PRICES)
    return Readings(members, names, surplus, demand, windows), rule


HIGHEST = (1, 7, 60, 4_000, 90_000_000, 2**40, 2**53 - 1)


def worlds(method: str, *, slots: int = 60, highest: tuple[int, ...] = HIGHEST) -> st.SearchStrategy[World]:
    return st.builds(
        make_world,
        st.just(method),
        seed=st.integers(0, 2**32),
        count=st.integers(1, len(NAMES)),
        highest_wh=st.sampled_from(highest),
        slots=st.just(slots),
    )
