"""Plays a member who keeps every file and page of a street that lives on, and solves for single homes.

The attacker knows which homes are behind each number and combines the numbers: differences of editions, and of the
settlement's sums and the street's totals. A combination that leaves one to four homes would tell about them.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from hub.books.days import settle_day
from hub.books.stored_rules import read_rule
from hub.core.rules.group_size import LEAST_HOMES, GroupRule
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.disclosure import HIDING, changed_homes, hides_each_home
from hub.core.settlement.period import Settlement
from hub.forecasts.street_totals import StreetService
from hub.statements.kept_days import STATEMENT_ACCESS
from hub.statements.months import StatementService
from hub.statements.shown_period import ShownPeriods
from hub.storage.finding_records import NewFinding
from hub.storage.records import Access, NewObjection
from hub.storage.street_records import StreetTotal
from hub.trials.fairness_service import FairnessService
from hub.trials.what_if_service import TrialService
from protocols.hub_keys import HubSigner
from protocols.quantities import Measure
from protocols.slots import slots_of_day, start_of
from tests.hub.forecasts.test_street_totals import MAKERS, pv_wh, send
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY, RULE, Street, one_sun_wh, open_street

MAY, DAY, JUNE = date(2026, 5, 1), date(2026, 5, 31), date(2026, 6, 1)
SLOTS = slots_of_day(DAY, COOP.tz)
EVENTS = ("late", "late", "late", "withdraw", "consent", "object", "join", "join within the day", "silent", "decide")
MOST_ROWS = 7
YESTERDAY = 8

Row = Mapping[tuple[str, str, int], int]
"""A published number: (side, member, value) of each reading in it, with its coefficient."""


@dataclass
class Seen:
    """What the attacker has fetched: editions by the name of their run, and street totals."""

    editions: dict[str, dict[str, Any]] = field(default_factory=dict)
    totals: dict[int, StreetTotal] = field(default_factory=dict)
    own: list[tuple[str, list[Any]]] = field(default_factory=list)
    reports: dict[tuple[str, ...], tuple[object, ...]] = field(default_factory=dict)
    """What the Fairness and the What-if page say to everybody, by the runs that all members see."""


async def fetch(street: Street, seen: Seen, attacker: int, *, now: int) -> None:
    """Everything with slots in it that this member can open: the statement's files and Today."""
    since = range(SLOTS.start - YESTERDAY, SLOTS.stop)
    totals = await StreetService(street.store, tz=COOP.tz).totals(since, now_slot=now)
    for slot, row in totals.by_slot.items():
        assert seen.totals.setdefault(slot, row) == row, "a total that was shown has changed"
    member, home = await street.store.member(f"m{attacker:02d}"), await street.store.home_of(f"m{attacker:02d}")
    assert member is not None
    assert home is not None
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    files = await desk.state(member, home, month=MAY, access=STATEMENT_ACCESS)
    if files is None:
        return
    days: Any = files.pool["days"]
    await fetch_reports(street, seen, member.id, shown=tuple(day["run"] for day in days))
    for day in days:
        seen.editions.setdefault(day["run"], day)
    stated: Any = files.statement["days"]
    seen.own += [(day["run"]["key"], day["received"]) for day in stated]
    for day, pool in zip(stated, days, strict=True):
        for place, (metered, wh) in enumerate(zip(day["surplus"], day["received"], strict=True)):
            by_day = HIDING & set(pool["slots"][place]["withheld"])
            assert metered is None or not wh or not by_day, "the own share tells what the sum would have told"


async def fetch_reports(street: Street, seen: Seen, member: str, *, shown: tuple[str, ...]) -> None:
    """The sums of both pages follow from the runs that everybody sees: a hidden correction changes none of them."""
    periods = ShownPeriods(street.store)
    fair = await FairnessService(street.store, shown=periods, wait_s=60).report(member, year=2026, today=JUNE)
    trials = TrialService(street.store, shown=periods, wait_s=60)
    tried = await trials.try_rule(member, month=MAY, choice="equal", today=JUNE)
    assert fair is not None
    assert tried is not None
    of_all = (
        fair if isinstance(fair, str) else (fair.days, fair.left_out, fair.summary),
        tried if isinstance(tried, str) else (tried.days, tried.left_out, tried.current, tried.alternative),
    )
    assert seen.reports.setdefault(shown, of_all) == of_all, "a sum has changed without a run that all see"


def equip(street: Street, dice: random.Random, *, homes: int) -> None:
    """Gives some homes a turbine, which feeds in by night as well, and some a battery."""
    everybody = range(1, homes + 1)
    turbines = set(dice.sample(everybody, dice.choice((0, 1, 2, 5))))
    batteries = set(dice.sample(everybody, dice.choice((0, 1, 4, 5))))
    for number in sorted(turbines | batteries):
        for slot in range(SLOTS.start - YESTERDAY, SLOTS.stop):
            made = {Measure.PV_PRODUCTION: pv_wh(number, slot)} if number <= MAKERS else {}
            if number in turbines:
                wind = dice.choice((0, 0, dice.randrange(900)))
                made[Measure.WIND_PRODUCTION] = wind
                drawn, given = street.energy(number, slot)
                street.values[number, slot] = (max(0, drawn - given - wind), max(0, given + wind - drawn))
            if number in batteries:
                made |= {Measure.BATTERY_CHARGE: dice.randrange(200), Measure.BATTERY_DISCHARGE: dice.randrange(200)}
            street.made[number, slot] = made


async def live(street: Street, dice: random.Random, *, homes: int, attacker: int) -> Seen:
    """A day of the street: readings, consents, late and new homes, objections, decided findings, settlements."""
    seen, everybody = Seen(), list(range(1, homes + 1))
    noon, others = SLOTS.start + 48, [n for n in everybody if n != attacker]
    events = dice.sample(EVENTS, 4)
    late = dice.sample(everybody, dice.choice((1, 1, 2, 3))) if "late" in events else []
    shy = dice.sample(others, dice.choice((0, 1, 2)))
    await send(street, everybody, range(SLOTS.start - YESTERDAY, SLOTS.start), sharing=True)
    if "silent" in events:  # a home that sent until yesterday and never again
        everybody.remove(dice.choice([number for number in others if number not in late]))
        shy = [number for number in shy if number in everybody]
    await send(street, [n for n in everybody if n not in shy], range(SLOTS.start, noon), sharing=True)
    await send(street, shy, range(SLOTS.start, noon), sharing=False)
    await fetch(street, seen, attacker, now=noon)
    if "withdraw" in events:
        await send(street, dice.sample(others, 1), range(noon, noon + 1), sharing=False)
    if "consent" in events:
        await send(street, shy, range(noon + 1, noon + 2), sharing=True)
    on_time = [n for n in everybody if n not in late]
    await send(street, on_time, range(noon, SLOTS.stop))
    await send(street, late, range(noon + dice.randrange(8, 40), SLOTS.stop))
    await fetch(street, seen, attacker, now=SLOTS.stop)
    await settle_day(street.store, day=DAY, made_at=1, key=KEY)
    await fetch(street, seen, attacker, now=SLOTS.stop + 8)
    for number in late:
        await send(street, [number], range(noon, SLOTS.stop))
        await settle_day(street.store, day=DAY, made_at=2, key=KEY)
        await fetch(street, seen, attacker, now=SLOTS.stop + 12)
    if "decide" in events:
        suspect = dice.choice([number for number in everybody if number not in (1, attacker)])
        await reject(street, suspect, range(noon, noon + dice.randrange(1, 24)))
        await settle_day(street.store, day=DAY, made_at=2, key=KEY)
        await fetch(street, seen, attacker, now=SLOTS.stop + 13)
    joins = [at for name, at in (("join", SLOTS.start), ("join within the day", noon + 8)) if name in events]
    for number, since in enumerate(joins, homes + 1):  # the membership is entered later than it begins
        await street.join(number, joined_at=start_of(since))
        await send(street, [number], range(since, SLOTS.stop))
        await settle_day(street.store, day=DAY, made_at=3, key=KEY)
        await fetch(street, seen, attacker, now=SLOTS.stop + 14)
    if "object" in events:
        line = NewObjection("m02", "2026-05", DAY.isoformat(), "sold", 1, "x", "no", 5, 90)
        await street.store.add_objection(line)
        await fetch(street, seen, attacker, now=SLOTS.stop + 16)
    return seen


async def reject(street: Street, number: int, slots: range) -> None:
    """The board rejects these readings of the home."""
    doubt = NewFinding(
        f"h{number:02d}", "impossible_value", Measure.GRID_IMPORT, slots.start, len(slots), "hold", (), "Too much."
    )
    await street.store.put_findings(DAY.isoformat(), [doubt], closing="", at=1, message_position=0)
    access = Access(actor="m01", role="board", purpose="settle.share", reason="a test")
    (row,) = await street.store.findings(access=access, home=doubt.home)
    said = await street.store.decide_finding(row.id, board_member="m01", verdict="reject", reason="No.", at=2, after=0)
    assert said is None


async def runs_of(street: Street) -> dict[str, Settlement]:
    rules = {rule.hash: rule.canonical for rule in await street.store.journal_rules()}
    rows = await street.store.runs(days=(DAY.isoformat(), DAY.isoformat()))
    return {SEALS.run(row.run_key): read_record(row.allocation, read_rule(rules[row.rule_hash])) for row in rows}


def side(settled: Settlement, t: int, name: str, *, of_makers: bool) -> Row:
    values = settled.surplus_wh if of_makers else settled.demand_wh
    makers = (settled.surplus_wh > 0).any(axis=0)
    return {
        (name, member, int(values[t, i])): 1
        for i, member in enumerate(settled.members)
        if settled.present[t, i] and (makers[i] or not of_makers)
    }


def rows_of(seen: Seen, runs: Mapping[str, Settlement], newest: Settlement, t: int) -> list[Row]:
    """The different numbers of one slot as sums over homes; each is compared with what was really published."""
    rows: list[Row] = []
    for name, day in seen.editions.items():
        slot, settled = day["slots"][t], runs[name]
        if slot["buy"] is None:
            continue
        demand, surplus = (side(settled, t, "d", of_makers=False), side(settled, t, "s", of_makers=True))
        assert slot["demand"] == sum(value for _, _, value in demand)
        assert slot["sell"][1] == sum(value for _, _, value in surplus)
        rows += [row for row in (demand, surplus) if any(value for _, _, value in row) and row not in rows]
    total = seen.totals.get(SLOTS[t])
    if total is not None:
        here = [f"m{home[1:]}" for home in total.homes]
        column = {member: i for i, member in enumerate(newest.members)}
        drawn = {("d", member, int(newest.demand_wh[t, column[member]])): 1 for member in here}
        net = drawn | {("s", member, int(newest.surplus_wh[t, column[member]])): -1 for member in here}
        # Where five batteries or more are counted, what they take and give is between the totals and the meters.
        if total.used_wh - total.sun_wh - total.wind_wh == sum(n * value for (_, _, value), n in net.items()):
            rows.append(net)
    return rows[:MOST_ROWS]


def isolated(rows: Iterable[Row]) -> list[set[str]]:
    """The homes that each combination of these numbers leaves, where that is one to four of them."""
    known, found = list(rows), []
    for factors in product((-1, 0, 1), repeat=len(known)):
        left: Counter[tuple[str, str, int]] = Counter()
        for factor, row in zip(factors, known, strict=True):
            for reading, coefficient in row.items():
                left[reading] += factor * coefficient
        homes = {member for (_, member, value), count in left.items() if count and value}
        behind = {member for (_, member, _), count in left.items() if count}
        if homes and len(behind) < LEAST_HOMES:
            found.append(homes)
        sums: Counter[str] = Counter()
        for (_, member, value), count in left.items():
            sums[member] += count * value
        one_side = len({name for (name, _, _), count in left.items() if count}) == 1
        if one_side and len(behind) >= LEAST_HOMES and GroupRule().is_uneven(sums):
            found.append({max(sums, key=lambda member: abs(sums[member]))})
    return found


async def attack(folder: Path, *, homes: int, seed: int) -> tuple[Seen, list[set[str]], int]:
    """What the attacker isolates, and what the same attack finds in the runs themselves (the control)."""
    dice = random.Random(seed * 1000 + homes)
    street = await open_street(folder, homes=homes, rule=RULE, energy=one_sun_wh)
    try:
        attacker = dice.randrange(1, homes + 1)
        equip(street, dice, homes=homes)
        seen = await live(street, dice, homes=homes, attacker=attacker)
        runs = await runs_of(street)
    finally:
        await street.store.close()
    for (name, received), (later, again) in pairwise(seen.own):
        if received != again:  # own shares before and after would tell what others drew in between
            alone = changed_homes(runs[name], runs[later]) == {f"m{attacker:02d}"}
            assert alone or hides_each_home(runs[name], runs[later], GroupRule())
    newest = list(runs.values())[-1]
    found, control = [], 0
    for t in range(len(SLOTS)):
        found += isolated(rows_of(seen, runs, newest, t))
        editions = [side(each, t, "d", of_makers=False) for each in runs.values()]
        control += len(isolated([row for i, row in enumerate(editions) if row not in editions[:i]]))
    return seen, found, control


async def run_attacks(folder: Path, cases: Iterable[tuple[int, int]]) -> int:
    """Attacks streets of these (homes, seed); how many combinations the runs themselves would have given."""
    control = 0
    for homes, seed in cases:
        place = folder / f"{homes}-{seed}"
        place.mkdir()
        seen, found, gave = await attack(place, homes=homes, seed=seed)
        assert not found, (homes, seed, found[:3])
        assert seen.reports
        control += gave
    return control


async def test_no_combination_of_published_numbers_leaves_fewer_than_five_homes(tmp_path: Path) -> None:
    control = await run_attacks(tmp_path, [(5, 1), (8, 2), (12, 3), (12, 4), (17, 5)])
    assert control > 0, "the same attack on the runs themselves finds homes, so it is one"


@pytest.mark.campaign
@pytest.mark.parametrize("homes", [*range(5, 21), 24, 28, 33, 40])
async def test_wide_attacks(tmp_path: Path, homes: int) -> None:
    await run_attacks(tmp_path, [(homes, seed) for seed in range(6)])


async def test_a_street_of_twelve_with_six_makers_still_shows_nearly_everything(tmp_path: Path) -> None:
    street = await open_street(tmp_path, homes=12, energy=one_sun_wh)
    seen = Seen()
    try:
        await send(street, range(1, 13), SLOTS, sharing=True)
        await fetch(street, seen, 5, now=SLOTS.stop)
        await settle_day(street.store, day=DAY, made_at=1, key=KEY)
        await fetch(street, seen, 5, now=SLOTS.stop + 8)
    finally:
        await street.store.close()
    (edition,) = seen.editions.values()
    names = ("demand", "buy", "sell")
    shown = sum(slot[name] is not None for slot in edition["slots"] for name in names) + len(seen.totals)
    assert shown >= 0.95 * (len(names) + 1) * len(SLOTS)
