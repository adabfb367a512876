"""The yearly fairness report: what each member added to sharing, by Shapley value, and what they received.

A member's Shapley value is what they add to the value of sharing by joining, averaged over all orders in which the
members could have joined. A group's value is the energy its members could share, slot by slot, valued at the
difference between the retail and feed-in prices. The report is a basis for discussion, not a rule: it books nothing.

Source: L. S. Shapley, A value for n-person games, 1953; sampling by permutations: J. Castro, D. Gomez, J. Tejada,
Polynomial calculation of the Shapley value based on sampling, Computers & Operations Research 36, 2009.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import comb, isqrt, lcm
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.settlement.money import CENT_NANO, fitted, nearest_cent, round_to_unit
from hub.core.settlement.period import Settlement
from hub.core.settlement.pool_series import LEAST_HOMES

EXACT_MEMBERS: Final = 10
USUAL_PAIRS: Final = 500
SAFE_SUM: Final = 2**62
CURRENCY_NANO: Final = 1_000_000_000
CLEAR_ERRORS: Final = 2
BANDS_MOST: Final = 4

Whole = NDArray[np.int64]
Stored = NDArray[np.int64] | NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class FairnessShare:
    """One member's row. `error_nano` is the standard error of the sampled value, rounded up; 0 where it is exact."""

    member: str
    value_nano: int
    error_nano: int
    got_nano: int

    @property
    def difference_nano(self) -> int:
        """What the member received beyond what they added."""
        return self.got_nano - self.value_nano

    @property
    def is_clear(self) -> bool:
        """Whether the difference is more than twice the standard error, and so not just due to sampling."""
        return abs(self.difference_nano) > CLEAR_ERRORS * self.error_nano


@dataclass(frozen=True, slots=True)
class FairnessReport:
    """A period's shares, members in byte order. `value_nano` is the most that sharing among all could be worth.

    Of this, members got `got_nano`, the co-op keeps `margin_nano`, and `unshared_nano` is what the rule left to the
    grid; the three add up to the whole. `orders` is how many joining orders were sampled; 0 if all were counted.
    `persons` has one id for the homes of one person, as in GroupRule.
    """

    shares: tuple[FairnessShare, ...]
    orders: int
    value_nano: int
    got_nano: int
    margin_nano: int
    unshared_nano: int
    persons: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def people(self) -> int:
        """How many people's homes took part."""
        return _people(self.shares, self.persons)

    def of_member(self, member: str) -> FairnessShare:
        """The member's own row, for that member only. Raises: KeyError for a member who took no part."""
        return {share.member: share for share in self.shares}[member]


@dataclass(frozen=True)
class FairnessPeriod:
    """What the report needs from a settled part, such as a day: the slots with something to share, and the money.

    `spread` is what a shared Wh is worth, in micro-currency per kWh.
    """

    members: tuple[str, ...]
    surplus: Stored
    demand: Stored
    spread: int
    benefit_nano: tuple[int, ...]
    margin_nano: int


@dataclass(frozen=True, slots=True)
class FairnessBand:
    """Homes of at least five people that added about the same, with the means of what they added and received."""

    homes: int
    value_nano: int
    got_nano: int


@dataclass(frozen=True, slots=True)
class FairnessSummary:
    """What everyone may see of a report, without counts and bands that would concern only one to four people."""

    homes: int
    orders: int
    value_nano: int
    got_nano: int
    margin_nano: int
    unshared_nano: int
    got_more_than_added: int | None
    got_less_than_added: int | None
    bands: tuple[FairnessBand, ...]


@dataclass(frozen=True, slots=True)
class MemberFairness:
    """A report as one member sees it; `own` is None if the member took no part. `seed` is that of the sampling."""

    first_day: str
    last_day: str
    days: int
    left_out: int
    seed: int
    summary: FairnessSummary
    own: FairnessShare | None


def report_fairness(
    settled: Sequence[Settlement],
    *,
    rng: np.random.Generator,
    pairs: int = USUAL_PAIRS,
    persons: Mapping[str, str] | None = None,
) -> FairnessReport:
    """The report over the parts of a period, such as the days of a year.

    With up to ten members every group is counted. With more, `pairs` orders are sampled, each with its reverse, which
    cancels much of the sampling error. Raises: ValueError where a rule has no outside prices, or sums exceed 62 bits.
    """
    return report_periods([extract_period(part) for part in settled], rng=rng, pairs=pairs, persons=persons)


def extract_period(settled: Settlement) -> FairnessPeriod:
    """What the report needs from a settled part: a year of this fits in memory, a year of settlements would not.

    Raises: ValueError, like report_fairness.
    """
    prices = settled.rule.prices
    if prices.retail_micro_per_kwh is None or prices.feedin_micro_per_kwh is None:
        raise ValueError("the rule has no retail and feed-in price: sharing has no value to divide")
    cells = max(1, settled.surplus_wh.size)
    top = max(int(settled.surplus_wh.max(initial=0)), int(settled.demand_wh.max(initial=0)))
    if top * cells >= SAFE_SUM:
        raise ValueError("the readings are too large to be sampled in 64 bits")
    rows = settled.surplus_wh.any(axis=1) & settled.demand_wh.any(axis=1)
    surplus, demand = settled.surplus_wh[rows], settled.demand_wh[rows]
    is_small = top < 2**31
    return FairnessPeriod(
        members=settled.members,
        surplus=surplus.astype(np.int32) if is_small else surplus,
        demand=demand.astype(np.int32) if is_small else demand,
        spread=prices.retail_micro_per_kwh - prices.feedin_micro_per_kwh,
        benefit_nano=tuple(settled.money.benefit_nano or ()),
        margin_nano=settled.money.coop_margin_nano,
    )


def report_periods(
    parts: Sequence[FairnessPeriod],
    *,
    rng: np.random.Generator,
    pairs: int = USUAL_PAIRS,
    persons: Mapping[str, str] | None = None,
) -> FairnessReport:
    """Like report_fairness, but for parts that have already been extracted."""
    if pairs < 2:
        raise ValueError("a standard error needs at least two pairs of orders")
    members = sorted({m for part in parts for m in part.members}, key=lambda member: member.encode("utf-8"))
    games = [_game(part, members) for part in parts]
    if len(members) <= EXACT_MEMBERS:
        values, errors, orders = _exact(games, len(members)), [0] * len(members), 0
    else:
        values, errors = _sampled(games, [rng.permutation(len(members)) for _ in range(pairs)])
        orders = 2 * pairs
    got = dict.fromkeys(members, 0)
    for part in parts:
        for member, benefit in zip(part.members, part.benefit_nano, strict=True):
            got[member] += benefit
    whole, received = sum(values), sum(got.values())
    margin = sum(part.margin_nano for part in parts)
    rows = zip(members, values, errors, strict=True)
    return FairnessReport(
        shares=tuple(FairnessShare(member, value, error, got[member]) for member, value, error in rows),
        orders=orders,
        value_nano=whole,
        got_nano=received,
        margin_nano=margin,
        unshared_nano=whole - received - margin,
        persons=persons or {},
    )


def summarise_fairness(report: FairnessReport) -> FairnessSummary:
    """What everyone may see of a report."""
    more = [share for share in report.shares if share.is_clear and share.difference_nano > 0]
    less = [share for share in report.shares if share.is_clear and share.difference_nano < 0]
    is_shown = not any(0 < _people(homes, report.persons) < LEAST_HOMES for homes in (more, less))
    return FairnessSummary(
        homes=len(report.shares),
        orders=report.orders,
        value_nano=report.value_nano,
        got_nano=report.got_nano,
        margin_nano=report.margin_nano,
        unshared_nano=report.unshared_nano,
        got_more_than_added=len(more) if is_shown else None,
        got_less_than_added=len(less) if is_shown else None,
        bands=_bands(report.shares, report.persons),
    )


def _people(shares: Iterable[FairnessShare], persons: Mapping[str, str]) -> int:
    """How many people's homes these are: who has several can subtract them all."""
    return len({persons.get(share.member, share.member) for share in shares})


def _bands(shares: Sequence[FairnessShare], persons: Mapping[str, str]) -> tuple[FairnessBand, ...]:
    """The homes in up to BANDS_MOST bands of five or more people, those that added least first."""
    ranked = sorted(shares, key=lambda share: (share.value_nano, share.member.encode("utf-8")))
    for count in range(min(BANDS_MOST, len(ranked) // LEAST_HOMES), 0, -1):
        ends = [band * len(ranked) // count for band in range(count + 1)]
        bands = [ranked[first:end] for first, end in pairwise(ends)]
        if all(_people(homes, persons) >= LEAST_HOMES for homes in bands):
            return tuple(_band(homes) for homes in bands)
    return ()


def _band(homes: Sequence[FairnessShare]) -> FairnessBand:
    value, got = sum(share.value_nano for share in homes), sum(share.got_nano for share in homes)
    return FairnessBand(len(homes), value // len(homes), got // len(homes))


def whole_cents(value_nano: int, parts_nano: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """What sharing was worth and how it was divided, in cents that add up: see FairnessSummary."""
    value_cent = nearest_cent(value_nano)
    return value_cent, fitted(parts_nano, value_cent)


def explain_share(share: FairnessShare, *, currency: str) -> str:
    """The member's row in plain words."""
    added, got = _amount(share.value_nano, currency), _amount(share.got_nano, currency)
    most_off = _amount(CLEAR_ERRORS * share.error_nano, currency)
    error = f" (estimated from a sample; could be off by {most_off})" if share.error_nano else ""
    first = (
        f"You added {added} to what sharing was worth to all, averaged over every order in which members could have"
        f" joined{error}. You gained {got} under the rule."
    )
    if not share.is_clear:
        return f"{first} By this measure you got what you added."
    size_cent = abs(nearest_cent(share.got_nano) - nearest_cent(share.value_nano))
    size = _amount(size_cent * CENT_NANO, currency)
    return f"{first} By this measure you got {size} {'more' if share.difference_nano > 0 else 'less'} than you added."


@dataclass(frozen=True)
class _Game:
    """A part with each column's place among all members."""

    surplus: Stored
    demand: Stored
    places: Whole
    spread: int


def _game(part: FairnessPeriod, members: Sequence[str]) -> _Game:
    index = {member: place for place, member in enumerate(members)}
    places = np.array([index[member] for member in part.members], dtype=np.int64)
    return _Game(part.surplus, part.demand, places, part.spread)


def _exact(games: Sequence[_Game], count: int) -> list[int]:
    """Shapley values over all groups, in whole nano that add up to the value of the whole group."""
    worth = [0] * (1 << count)
    for game in games:
        for group in range(1, 1 << count):
            here = (group >> game.places & 1).astype(np.bool_)
            pool, wanted = (each[:, here].sum(axis=1, dtype=np.int64) for each in (game.surplus, game.demand))
            worth[group] += int(np.minimum(pool, wanted).sum()) * game.spread
    values = [Fraction(0)] * count
    for group, value in enumerate(worth):
        others = group.bit_count()
        for place in range(count):
            if not group >> place & 1:
                added = worth[group | 1 << place] - value
                values[place] += Fraction(added, count * comb(count - 1, others))
    denominator = lcm(*(exact.denominator for exact in values))
    return list(round_to_unit([int(exact * denominator) for exact in values], denominator))


def _sampled(games: Sequence[_Game], orders: Sequence[Whole]) -> tuple[list[int], list[int]]:
    """Values and standard errors from these orders and their reverses; the values add up to that of the whole group."""
    pairs, count = len(orders), len(orders[0])
    by_spread: dict[int, Whole] = defaultdict(lambda: np.zeros((pairs, count), dtype=np.int64))
    ranks = np.empty((pairs, count), dtype=np.int64)
    for pair, order in enumerate(orders):
        ranks[pair, order] = np.arange(count)
    for game in games:
        added = by_spread[game.spread]
        for pair in range(pairs):
            columns = np.argsort(ranks[pair, game.places])
            added[pair, game.places[columns]] += _added_wh(game.surplus[:, columns], game.demand[:, columns])
    values, errors = [], []
    for place in range(count):
        sums = [0] * pairs
        for spread, added in by_spread.items():
            sums = [total + wh * spread for total, wh in zip(sums, added[:, place].tolist(), strict=True)]
        whole, squares = sum(sums), sum(total * total for total in sums)
        values.append(whole)
        # Variance of the mean of pair means, in integers: (n * sum x^2 - (sum x)^2) / (n^2 (n - 1)), x being half sums.
        errors.append(_root_up(pairs * squares - whole * whole, 4 * pairs * pairs * (pairs - 1)))
    return list(round_to_unit(values, 2 * pairs)), errors


def _added_wh(surplus: Stored, demand: Stored) -> Whole:
    """What each column adds to the shared energy by joining in this order, plus what it adds in the reverse order."""
    pool, wanted = (np.cumsum(each, axis=1, dtype=np.int64) for each in (surplus, demand))
    forward = np.minimum(pool, wanted).sum(axis=0)
    # The members from a column on: those who have joined when the reverse order reaches that column.
    after_pool, after_wanted = pool[:, -1:] - pool + surplus, wanted[:, -1:] - wanted + demand
    backward = np.minimum(after_pool, after_wanted).sum(axis=0)
    added: Whole = np.diff(forward, prepend=0) - np.diff(backward, append=0)
    return added


def _root_up(numerator: int, denominator: int) -> int:
    """The square root of a non-negative fraction, rounded up."""
    floor = isqrt(numerator // denominator)
    return floor if floor * floor * denominator >= numerator else floor + 1


def _amount(nano: int, currency: str) -> str:
    """An amount rounded to the nearest hundredth of the currency."""
    hundredths = (abs(nano) * 100 + CURRENCY_NANO // 2) // CURRENCY_NANO
    return f"{'-' if nano < 0 and hundredths else ''}{hundredths // 100}.{hundredths % 100:02d} {currency}"
