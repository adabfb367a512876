"""Tries any rule on a past period's accepted readings: what each member would gain or lose, and what everyone may see.

It books nothing. Only the member sees their own change; the summary is for everyone and shows nothing about fewer than
five homes. The electricity contract outside the co-op (retail and feed-in price) stays as it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub.core.allocation.rounding import largest_remainder
from hub.core.rules.allocation_key import GRID_PPM
from hub.core.rules.group_size import GroupRule
from hub.core.rules.rulebook import Prices, Rule, require_mapping, require_sequence
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.pool_series import LEAST_HOMES
from hub.core.settlement.prepared_readings import Readings

PPM: Final = 1_000_000
USUAL_ROUNDS: Final = 3
USUAL_RESERVE_PPM: Final = 200_000


@dataclass(frozen=True, slots=True)
class PeriodOutcome:
    """One member's energy and cost in a period. `alone_nano` is the cost without neighbours, `cost_nano` with them."""

    surplus_wh: int = 0
    demand_wh: int = 0
    received_wh: int = 0
    sold_wh: int = 0
    alone_nano: int = 0
    cost_nano: int = 0

    @property
    def benefit_nano(self) -> int:
        """What the member gains by sharing; negative where the member would be better off alone."""
        return self.alone_nano - self.cost_nano

    def plus(self, other: "PeriodOutcome") -> "PeriodOutcome":
        """The sum of both periods."""
        return PeriodOutcome(
            self.surplus_wh + other.surplus_wh,
            self.demand_wh + other.demand_wh,
            self.received_wh + other.received_wh,
            self.sold_wh + other.sold_wh,
            self.alone_nano + other.alone_nano,
            self.cost_nano + other.cost_nano,
        )


@dataclass(frozen=True, slots=True)
class MemberComparison:
    """One member's outcomes under the rule then in force and under the one tried; shown to that member only."""

    member: str
    current: PeriodOutcome
    alternative: PeriodOutcome

    @property
    def gain_nano(self) -> int:
        """How much more the member would have gained by sharing under the rule tried."""
        return self.alternative.benefit_nano - self.current.benefit_nano


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """What everyone may see of a trial. Ratios are in ppm, rounded down.

    A number is None where it is not defined or concerns too few homes. `gain_of_gainers_nano` and `gain_of_losers_nano`
    are means, shown only if neither group has one to four members.
    """

    method: str
    version: str
    homes: int
    shared_wh: int | None
    self_consumption_ppm: int | None
    coverage_ppm: int | None
    gini_received_ppm: int | None
    gini_benefit_ppm: int | None
    worse_off_than_alone: int | None
    gainers: int | None
    losers: int | None
    gain_of_gainers_nano: int | None
    gain_of_losers_nano: int | None
    margin_nano: int | None


@dataclass(frozen=True, slots=True)
class MemberTrial:
    """A trial as one member sees it: what everyone may see, and `own`, their own change (None if they took no part)."""

    days: int
    left_out: int
    current: TrialSummary
    alternative: TrialSummary
    own: MemberComparison | None


@dataclass(frozen=True)
class Trial:
    """A trial of a rule: the settlements it would have made, and every member's change, sorted by id in byte order."""

    rule: Rule
    settled: tuple[Settlement, ...]
    changes: tuple[MemberComparison, ...]

    def of_member(self, member: str) -> MemberComparison:
        """The member's own change. Raises: KeyError for a member who took no part in the period."""
        return {change.member: change for change in self.changes}[member]

    @property
    def worse_off(self) -> tuple[str, ...]:
        """The ids of members who would be better off alone: for the board only."""
        return tuple(change.member for change in self.changes if change.alternative.benefit_nano < 0)


def try_rule(
    parts: Sequence[Readings], rule: Rule, *, stood: Sequence[Settlement], fees_nano: Mapping[str, int] | None = None
) -> Trial:
    """Tries the rule on the readings of each part (such as a day) and compares it with the real settlements in `stood`.

    A rule that names members who are not in a part is tried there without them. `fees_nano` is what each member paid
    the co-op for the period; fees are a cost under either rule, but not for a member without neighbours.
    Raises: RejectedInputError where a part does not fit the rule, ValueError where a real settlement has no outside
    prices.
    """
    settled = tuple(settle(readings, fit_rule(rule, readings.members)) for readings in parts)
    before, after = _outcomes(stood, stood), _outcomes(settled, stood)
    for member, fee in (fees_nano or {}).items():
        for outcomes in (before, after):
            outcomes[member] = outcomes.get(member, PeriodOutcome()).plus(PeriodOutcome(cost_nano=fee))
    members = sorted({*before, *after}, key=lambda member: member.encode("utf-8"))
    changes = tuple(
        MemberComparison(member, before.get(member, PeriodOutcome()), after.get(member, PeriodOutcome()))
        for member in members
    )
    return Trial(rule, settled, changes)


def summarise(trial: Trial, *, group: GroupRule | None = None) -> TrialSummary:
    """What everyone may see of a trial; with `group`, also nothing that is about one to four makers, or mostly one."""
    changes = trial.changes
    tried = [change.alternative for change in changes]
    shared = sum(outcome.received_wh for outcome in tried)
    gains = [change.gain_nano for change in changes]
    gainers, losers = [gain for gain in gains if gain > 0], [gain for gain in gains if gain < 0]
    enough = len(changes) >= LEAST_HOMES and (group is None or _is_safe(changes, group))
    means_shown = enough and not any(0 < len(group) < LEAST_HOMES for group in (gainers, losers))
    return TrialSummary(
        method=trial.rule.method,
        version=trial.rule.version(),
        homes=len(changes),
        shared_wh=shared if enough else None,
        self_consumption_ppm=_ratio(shared, sum(outcome.surplus_wh for outcome in tried)) if enough else None,
        coverage_ppm=_ratio(shared, sum(outcome.demand_wh for outcome in tried)) if enough else None,
        gini_received_ppm=gini_ppm([outcome.received_wh for outcome in tried]) if enough else None,
        gini_benefit_ppm=gini_ppm([outcome.benefit_nano for outcome in tried]) if enough else None,
        worse_off_than_alone=len(trial.worse_off) if enough else None,
        gainers=len(gainers) if enough else None,
        losers=len(losers) if enough else None,
        gain_of_gainers_nano=sum(gainers) // len(gainers) if means_shown and gainers else None,
        gain_of_losers_nano=sum(losers) // len(losers) if means_shown and losers else None,
        margin_nano=sum(settled.money.coop_margin_nano for settled in trial.settled) if enough else None,
    )


def _is_safe(changes: Sequence[MemberComparison], group: GroupRule) -> bool:
    given = {change.member: change.alternative.surplus_wh for change in changes if change.alternative.surplus_wh}
    drawn = {change.member: change.alternative.demand_wh for change in changes}
    return group.allows(given.keys()) and not group.is_uneven(given) and not group.is_uneven(drawn)


def usual_params(method: str, parts: Iterable[Readings]) -> dict[str, object]:
    """Parameters that favour nobody and reveal nothing about a single home.

    Weights are equal. Homes without a surplus of their own form the first tier, and also the group, for which a fifth
    is reserved. Every producer's surplus goes to all others in equal parts.
    """
    parts = tuple(parts)
    members = sorted({m for readings in parts for m in readings.members}, key=lambda member: member.encode("utf-8"))
    makers = {
        member
        for readings in parts
        for member, best in zip(readings.members, readings.surplus_wh.max(axis=0, initial=0).tolist(), strict=True)
        if best > 0
    }
    takers = [member for member in members if member not in makers]
    if method in {"weighted", "static", "static_rounds", "static_then_proportional"}:
        rounds: dict[str, object] = {"rounds": USUAL_ROUNDS} if method == "static_rounds" else {}
        return {"weights": dict.fromkeys(members, 1), **rounds}
    if method == "priority":
        return {"tiers": [takers, [member for member in members if member in makers]]}
    if method == "solidarity":
        return {"group": takers or members, "reserve_ppm": USUAL_RESERVE_PPM}
    if method == "pairwise":
        return {"coefficients": {member: _equal_parts(member, members) for member in members if member in makers}}
    return {}


def fit_rule(rule: Rule, members: Sequence[str]) -> Rule:
    """The rule without any members who are not in `members`; the same object if it names nobody else."""
    here = set(members)
    params = dict(require_mapping(rule.params, "params"))
    if "weights" in params:
        params["weights"] = _only(params["weights"], here, "params.weights")
    if "tiers" in params:
        tiers = [require_sequence(tier, "a tier") for tier in require_sequence(params["tiers"], "params.tiers")]
        params["tiers"] = [[member for member in tier if member in here] for tier in tiers]
    if "group" in params:
        group = require_sequence(params["group"], "params.group")
        params["group"] = [member for member in group if member in here]
    if "coefficients" in params:
        table = _only(params["coefficients"], here, "params.coefficients")
        params["coefficients"] = {producer: _only(row, here, producer) for producer, row in table.items()}
    percents = {member: percent for member, percent in rule.participation_percent.items() if member in here}
    fitted = replace(rule, params=params, participation_percent=percents)
    return rule if fitted.canonical() == rule.canonical() else fitted


def gini_ppm(amounts: Sequence[int]) -> int | None:
    """The Gini coefficient in ppm, rounded down; None where all amounts are zero or one is negative.

    Source: the sum of |x - y| over all ordered pairs, divided by 2 n times the total.

    >>> gini_ppm([5, 5, 5, 5]), gini_ppm([0, 0, 0, 1]), gini_ppm([0, 0])
    (0, 750000, None)
    """
    total, count = sum(amounts), len(amounts)
    if total <= 0 or min(amounts) < 0:
        return None
    ranked = sum((2 * place - count - 1) * amount for place, amount in enumerate(sorted(amounts), start=1))
    return ranked * PPM // (count * total)


def _outcomes(settled: Sequence[Settlement], stood: Sequence[Settlement]) -> dict[str, PeriodOutcome]:
    """Every member's outcome over the parts, at the outside prices of the real settlements."""
    outcomes: dict[str, PeriodOutcome] = {}
    for part, contract in zip(settled, stood, strict=True):
        prices = contract.rule.prices
        for column, member in enumerate(part.members):
            outcome = _outcome(part, column, outside=prices)
            outcomes[member] = outcomes.get(member, PeriodOutcome()).plus(outcome)
    return outcomes


def _outcome(part: Settlement, column: int, *, outside: Prices) -> PeriodOutcome:
    retail, feedin = outside.retail_micro_per_kwh, outside.feedin_micro_per_kwh
    if retail is None or feedin is None:
        raise ValueError("the rule in force then has no retail and feed-in price: there is nothing to compare with")
    totals = {name: amounts[column] for name, amounts in part.totals_wh.items()}
    paid = part.money.debit_nano[column] - part.money.credit_nano[column]
    return PeriodOutcome(
        surplus_wh=totals["surplus"],
        demand_wh=totals["demand"],
        received_wh=totals["alloc"],
        sold_wh=totals["sold"],
        alone_nano=totals["demand"] * retail - totals["surplus"] * feedin,
        cost_nano=totals["import"] * retail - totals["export"] * feedin + paid,
    )


def _equal_parts(producer: str, members: Sequence[str]) -> dict[str, int]:
    others = [member for member in members if member != producer]
    return dict(zip(others, largest_remainder(GRID_PPM, [1] * len(others)), strict=True))


def _only(table: object, here: set[str], where: str) -> dict[str, object]:
    return {name: value for name, value in require_mapping(table, where).items() if name in here}


def _ratio(part: int, whole: int) -> int | None:
    return part * PPM // whole if whole else None
