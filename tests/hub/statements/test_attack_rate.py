"""How often a member who solves everything published finds a neighbour's value, beside one who only guesses.

The guess is the public profile: the street's mean home in that quarter hour. The attacker begins there too, and adds
own values and shares, every edition and every total as linear equations, solved by least squares.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from hub.core.settlement.period import Settlement
from protocols.quantities import Measure
from protocols.slots import SLOT_S
from simulator.world.physics import FLOWS
from simulator.world.street import Street as World
from tests.hub.settled_street import RULE, open_street
from tests.hub.statements.test_attacker import SLOTS, Seen, live, rows_of, runs_of

MADE_AND_STORED = {
    "solar": Measure.PV_PRODUCTION,
    "wind": Measure.WIND_PRODUCTION,
    "charge": Measure.BATTERY_CHARGE,
    "discharge": Measure.BATTERY_DISCHARGE,
}
NEAR, LEAST_WH, STANDARD_ERRORS = 0.1, 10, 2

Place = tuple[str, str]
"""(side, member)."""


@dataclass(frozen=True)
class Hits:
    """On one street, the part of the others' values found within 10 %: by the attacker, and by the guess."""

    attack: float
    guess: float


def solve(prior: np.ndarray, matrix: np.ndarray, told: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The values nearest to the prior, in units of its spread, that agree with what is told; never below 0."""
    scaled = matrix * spread
    return np.maximum(prior + spread * (np.linalg.pinv(scaled) @ (told - matrix @ prior)), 0)


def estimate(seen: Seen, runs: Mapping[str, Settlement], own: str, t: int) -> dict[Place, tuple[float, float, float]]:
    """(true, attacked, guessed) of each other home's demand and export in a slot. Units: Wh."""
    newest = list(runs.values())[-1]
    column = {member: i for i, member in enumerate(newest.members)}
    makers = (newest.surplus_wh > 0).any(axis=0)
    here = [i for i in range(len(newest.members)) if newest.present[t, i]]
    places = [("d", newest.members[i]) for i in here] + [("s", newest.members[i]) for i in here if makers[i]]
    by_side = {"d": newest.demand_wh, "s": newest.surplus_wh}
    true = np.array([by_side[side][t, column[member]] for side, member in places], dtype=float)
    sides = np.array([side for side, _ in places])
    prior = np.array([true[sides == side].mean() for side in sides])
    rows: list[list[float]] = []
    told: list[float] = []
    for row in rows_of(seen, runs, newest, t):
        known = {(side, member): n for (side, member, _), n in row.items()}
        rows.append([known.get(place, 0) for place in places])
        told.append(sum(value * n for (_, _, value), n in row.items()))
    for n, (_, member) in enumerate(places):
        if member == own:
            rows.append([float(n == m) for m in range(len(places))])
            told.append(true[n])
    received = seen.own[-1][1][t]
    taken, drawn = received or 0, newest.demand_wh[t, column[own]]
    if newest.present[t, column[own]] and 0 < taken < drawn:  # a share tells the ratio of surplus to demand
        rows.append([1 if side == "s" else -float(taken / drawn) for side in sides])
        told.append(0)
    attacked = solve(prior, np.array(rows, dtype=float), np.array(told, dtype=float), prior + 1) if rows else prior
    found = zip(places, true.tolist(), attacked.tolist(), prior.tolist(), strict=True)
    return {place: (right, best, guess) for place, right, best, guess in found if place[1] != own}


def hits(values: Iterable[tuple[float, float, float]]) -> Hits:
    true, attacked, guessed = np.array([each for each in values if each[0] >= LEAST_WH]).T
    found = [float((np.abs(each - true) <= NEAR * true).mean()) for each in (attacked, guessed)]
    return Hits(found[0], found[1])


def day_sums(slots: Iterable[Mapping[Place, tuple[float, float, float]]]) -> list[tuple[float, float, float]]:
    sums: dict[Place, Counter[int]] = {}
    for slot in slots:
        for place, values in slot.items():
            sums.setdefault(place, Counter()).update(dict(enumerate(values)))
    return [(found[0], found[1], found[2]) for found in sums.values()]


async def attack(folder: Path, *, homes: int, seed: int) -> tuple[Hits, Hits]:
    """One simulated street and its day, with the same events as in the other attacks: (quarter hours, day sums)."""
    street = await open_street(folder, homes=homes, rule=RULE)
    try:
        first_s = SLOTS.start * SLOT_S
        world = World(seed=seed, homes=homes + 2, first_day=first_s // 86_400 - 1)
        for number, home in enumerate(world.homes, 1):
            counted = world.physics(home.id).counters(first_s, every_s=SLOT_S, count=len(SLOTS) + 1) // 3600
            wh = {flow: np.diff(counted[FLOWS.index(flow)]).tolist() for flow in FLOWS}
            owned = {measure: wh[flow] for flow, measure in MADE_AND_STORED.items() if any(wh[flow])}
            for t, slot in enumerate(SLOTS):
                street.values[number, slot] = (wh["import"][t], wh["export"][t])
                street.made[number, slot] = {measure: values[t] for measure, values in owned.items()}
        dice = Random(seed * 1000 + homes)
        attacker = dice.randrange(1, homes + 1)
        seen = await live(street, dice, homes=homes, attacker=attacker)
        runs = await runs_of(street)
    finally:
        await street.store.close()
    parts = [estimate(seen, runs, f"m{attacker:02d}", t) for t in range(len(SLOTS))]
    return hits(each for part in parts for each in part.values()), hits(day_sums(parts))


async def assert_no_better(folder: Path, cases: Iterable[tuple[int, int]]) -> None:
    """Over streets, which are independent, the attacker may exceed the guess by two standard errors at most."""
    found = []
    for homes, seed in cases:
        place = folder / f"{homes}-{seed}"
        place.mkdir()
        found.append(await attack(place, homes=homes, seed=seed))
    for name, kind in (("quarter hours", [slots for slots, _ in found]), ("day sums", [days for _, days in found])):
        attacked, guessed = (np.array([getattr(each, who) for each in kind]) for who in ("attack", "guess"))
        gain = attacked - guessed
        error = STANDARD_ERRORS * float(gain.std(ddof=1)) / len(gain) ** 0.5
        rates = f"{name}: {attacked.mean():.3f} found, {guessed.mean():.3f} guessed, error {error:.3f}"
        assert gain.mean() <= error, rates


async def test_solving_finds_no_more_values_than_guessing(tmp_path: Path) -> None:
    await assert_no_better(tmp_path, [(6, 1), (8, 2), (12, 3), (12, 4)])


@pytest.mark.campaign
@pytest.mark.parametrize("homes", [5, 6, 8, 12, 17, 24, 40])
async def test_wide_solving_finds_no_more_values_than_guessing(tmp_path: Path, homes: int) -> None:
    await assert_no_better(tmp_path, [(homes, seed) for seed in range(12)])
