"""The rulebook as data: method, parameters and prices, checked against the members and named by the hash of its bytes.

It says how to share but shares nothing, and it does not know when anyone is a member.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Final

from hub.core.rules.allocation_key import GRID_PPM, AllocationKey
from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule
from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.input_checks import RejectedInputError, one_line, require_integer, require_member_id
from hub.core.rules.part_months import FULL_MONTH, PART_MONTHS

VERSION_TAG: Final = b"commonwatt rulebook v1\n"
AGGREGATES: Final = (1, 4)
MISSING_POLICIES: Final = ("exclude", "refuse")
NO_NETTING: Final = "none"
NETTING_TIMES: Final = (NO_NETTING, "15min", "60min")
NO_ESTIMATES: Final = EstimateRule()


@dataclass(frozen=True, slots=True)
class Prices:
    """Units: micro-currency per kWh. Unless `retail` and `feedin` are set, nothing is compared with not taking part."""

    buy_micro_per_kwh: int = 0
    sell_micro_per_kwh: int = 0
    retail_micro_per_kwh: int | None = 0
    feedin_micro_per_kwh: int | None = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of the rulebook. `participation_percent` holds only members below 100.

    `connection_w` is the most power that a home's grid connection can carry; if 0 (not stated), the usual
    connection of the country counts. `estimate` says how missing readings are filled,
    `part_month_fee` what of the monthly fee is due from who joins or leaves within the month, `netting` within which
    time each home's import and export are netted before anything is shared, `netting_of` the same for members whose
    grid operator does otherwise, `derived` whether energy that an agent derived counts. Units: W.

    >>> Rule("proportional", prices=Prices(160_000, 150_000)).version()[:16]
    '902656e9eb8e9e5b'
    """

    method: str
    params: Mapping[str, object] = field(default_factory=dict)
    aggregate: int = 1
    participation_percent: Mapping[str, int] = field(default_factory=dict)
    missing: str = "exclude"
    prices: Prices = Prices()
    connection_w: int = 0
    estimate: EstimateRule = NO_ESTIMATES
    part_month_fee: str = FULL_MONTH
    netting: str = NO_NETTING
    derived: DerivedRule = NO_DERIVED
    netting_of: Mapping[str, str] = field(default_factory=dict)

    def netting_at(self, member: str) -> str:
        """Within which time this member's import and export are netted."""
        return self.netting_of.get(member, self.netting)

    def canonical(self) -> bytes:
        """The bytes of this rule; equal rules have the same bytes, in whatever order their tables were written.

        What came later (connection, estimate, part_month_fee, netting, derived, netting_of) is left out if not set, so
        that older rules keep their bytes: without part_month_fee, the whole fee is due for a part of a month.
        """
        prices = self.prices
        document: dict[str, object] = {
            "method": self.method,
            "params": self.params,
            "aggregate": self.aggregate,
            "participation_percent": self.participation_percent,
            "missing": self.missing,
            "prices": {
                "buy": prices.buy_micro_per_kwh,
                "sell": prices.sell_micro_per_kwh,
                "retail": prices.retail_micro_per_kwh,
                "feedin": prices.feedin_micro_per_kwh,
            },
        }
        if self.connection_w:
            document["connection_w"] = self.connection_w
        if self.estimate.method != "none":
            document["estimate"] = asdict(self.estimate)
        if self.part_month_fee != FULL_MONTH:
            document["part_month_fee"] = self.part_month_fee
        if self.netting != NO_NETTING:
            document["netting"] = self.netting
        if not self.derived.is_off:
            document["derived"] = asdict(self.derived)
        if self.netting_of:
            document["netting_of"] = self.netting_of
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=dict)
        return text.encode("utf-8")

    def version(self) -> str:
        """SHA-256 of the canonical bytes, in hexadecimal."""
        return hashlib.sha256(VERSION_TAG + self.canonical()).hexdigest()


def sort_members(members: Sequence[object]) -> tuple[str, ...]:
    """The members in the byte order of their ids.

    Raises: RejectedInputError for an empty list, an id that occurs twice or something that is not an id.
    """
    ids = [require_member_id(member, f"members[{i}]") for i, member in enumerate(members)]
    if not ids:
        raise RejectedInputError("no_members", "members is empty")
    ordered = sorted(ids, key=lambda member: member.encode("utf-8"))
    for left, right in pairwise(ordered):
        if left == right:
            raise RejectedInputError("duplicate_member", f"member {one_line(left)} is listed twice")
    return tuple(ordered)


def check_rule(rule: Rule, members: Sequence[str]) -> AllocationKey:
    """The rule's allocation key by column, for members already in byte order.

    Raises: RejectedInputError with the code that the settlement rules (section 9) give for the problem.
    """
    method = require_method(rule.method)
    require_aggregate(rule.aggregate)
    require_missing_policy(rule.missing)
    require_percents(rule.participation_percent, members)
    columns = {member: column for column, member in enumerate(members)}
    key = METHODS[method](method, require_mapping(rule.params, "params"), columns)
    check_prices(rule.prices)
    require_integer(rule.connection_w, "connection_w")
    require_part_month(rule.part_month_fee)
    require_netting(rule.netting, aggregate=rule.aggregate)
    require_netting_of(rule.netting_of, rule.netting_of, aggregate=rule.aggregate)
    return key


def require_method(value: object) -> str:
    """The name of a method. Raises: RejectedInputError for anything else."""
    if not isinstance(value, str) or value not in METHODS:
        raise RejectedInputError("method", f"method {one_line(value)} is not one of {', '.join(METHODS)}")
    return value


def require_aggregate(value: object) -> int:
    """How many slots are shared as one: 1 or 4. Raises: RejectedInputError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in AGGREGATES:
        raise RejectedInputError("malformed", f"aggregate {one_line(value)} is neither 1 nor 4")
    return value


def require_missing_policy(value: object) -> str:
    """What a rule does about missing readings. Raises: RejectedInputError for anything but a known policy."""
    if not isinstance(value, str) or value not in MISSING_POLICIES:
        raise RejectedInputError("malformed", f"missing {one_line(value)} is neither exclude nor refuse")
    return value


def require_part_month(value: object) -> str:
    """What is due for a part of a month. Raises: RejectedInputError for anything but a known way."""
    if not isinstance(value, str) or value not in PART_MONTHS:
        ways = ", ".join(PART_MONTHS)
        raise RejectedInputError("malformed", f"part_month_fee {one_line(value)} is not one of {ways}")
    return value


def require_netting(value: object, *, aggregate: int, where: str = "netting") -> str:
    """Within which time import and export are netted. Raises: RejectedInputError for anything but a known time.

    The hour can be netted only where hours are shared: a quarter hour of a netted hour is not known.
    """
    if not isinstance(value, str) or value not in NETTING_TIMES:
        raise RejectedInputError("malformed", f"{where} {one_line(value)} is not one of {', '.join(NETTING_TIMES)}")
    if value == "60min" and aggregate != 4:
        raise RejectedInputError("malformed", f"{where} 60min needs aggregate 4: energy shared by the hour")
    return value


def require_netting_of(value: object, members: Collection[str], *, aggregate: int) -> dict[str, str]:
    """The netting of members whose grid operator nets otherwise. Raises: RejectedInputError as `require_netting`."""
    known, times = frozenset(members), {}
    for member, time in require_mapping(value, "netting_of").items():
        if member not in known:
            raise RejectedInputError("unknown_member", f"netting_of names {one_line(member)}, who is not a member")
        times[member] = require_netting(time, aggregate=aggregate, where=f"netting_of.{one_line(member)}")
    return times


def require_percents(value: object, members: Sequence[str]) -> dict[str, int]:
    """Participation in whole percent, by member.

    Raises: RejectedInputError for anyone who is not a member and for any percentage outside 1 to 100.
    """
    known, percents = frozenset(members), {}
    for member, percent in require_mapping(value, "participation").items():
        if member not in known:
            raise RejectedInputError("unknown_member", f"participation names {one_line(member)}, who is not a member")
        where = f"participation.{one_line(member)}"
        percents[member] = require_integer(percent, where)
        if not 1 <= percents[member] <= 100:
            raise RejectedInputError("out_of_range", f"{where} is not a whole percent from 1 to 100")
    return percents


def check_prices(prices: Prices) -> None:
    """Raises: RejectedInputError for prices that are not amounts, and for a sell price above the buy price."""
    buy = require_integer(prices.buy_micro_per_kwh, "prices.buy")
    sell = require_integer(prices.sell_micro_per_kwh, "prices.sell")
    for name, price in (("retail", prices.retail_micro_per_kwh), ("feedin", prices.feedin_micro_per_kwh)):
        if price is not None:
            require_integer(price, f"prices.{name}")
    if sell > buy:
        raise RejectedInputError(
            "sell_over_buy", f"prices.sell {sell} is above prices.buy {buy}: the co-op would pay the difference"
        )


def require_mapping(value: object, where: str) -> Mapping[str, object]:
    """The table itself. Raises: RejectedInputError, naming the place."""
    if not isinstance(value, Mapping):
        raise RejectedInputError("malformed", f"{where} is not a table")
    return value


def require_known(table: Mapping[str, object], known: Collection[str], where: str) -> None:
    """Raises: RejectedInputError, naming the first key of the table that means nothing here."""
    for name in table:
        if name not in known:
            keys = ", ".join(known) or "none"
            raise RejectedInputError("malformed", f"{where} has no key {one_line(name)}; its keys are {keys}")


def require_params(method: str, value: object) -> Mapping[str, object]:
    """A method's parameters. Raises: RejectedInputError for a key that the method has no parameter for.

    >>> require_params("weighted", {"weights": {"ann": 1}})
    {'weights': {'ann': 1}}
    """
    params = require_mapping(value, "params")
    require_known(params, PARAMS.get(method, ()), f"params of {method}")
    return params


def require_sequence(value: object, where: str) -> Sequence[object]:
    """The list itself. Raises: RejectedInputError, naming the place."""
    if not isinstance(value, (list, tuple)):
        raise RejectedInputError("malformed", f"{where} is not a list")
    return value


def _plain_key(method: str, _params: Mapping[str, object], _columns: Mapping[str, int]) -> AllocationKey:
    return AllocationKey(method)


def _weights_key(method: str, params: Mapping[str, object], columns: Mapping[str, int]) -> AllocationKey:
    weights = params.get("weights")
    if not isinstance(weights, Mapping) or set(weights) != set(columns):
        raise RejectedInputError("weights_members", "params.weights must name every member and nobody else")
    by_column = tuple(require_integer(weights[name], f"params.weights.{one_line(name)}") for name in columns)
    if not any(by_column):
        raise RejectedInputError("weights_zero", "params.weights are all zero")
    rounds = 1
    if method == "static_rounds":
        rounds = require_integer(params.get("rounds"), "params.rounds")
        if rounds == 0:
            raise RejectedInputError("out_of_range", "params.rounds is zero")
    return AllocationKey(method, weights=by_column, rounds=rounds)


def _tiers_key(method: str, params: Mapping[str, object], columns: Mapping[str, int]) -> AllocationKey:
    tiers_given = _listed(params, "tiers", "tiers_members")
    listed = [require_sequence(tier, "a tier in params.tiers") for tier in tiers_given]
    tiers = tuple(_known_columns(tier, columns) for tier in listed)
    if sorted(column for tier in tiers for column in tier) != list(columns.values()) or _count(listed) != len(columns):
        raise RejectedInputError("tiers_members", "params.tiers must name every member exactly once and nobody else")
    return AllocationKey(method, tiers=tiers)


def _group_key(method: str, params: Mapping[str, object], columns: Mapping[str, int]) -> AllocationKey:
    group = _listed(params, "group", "group_members")
    by_column = _known_columns(group, columns)
    if not group or len({*by_column}) != len(group):
        raise RejectedInputError("group_members", "params.group must name members, at least one and each once")
    reserve = params.get("reserve_ppm")
    if isinstance(reserve, bool) or not isinstance(reserve, int) or not 0 <= reserve <= GRID_PPM:
        raise RejectedInputError("reserve_ppm", "params.reserve_ppm is not an integer from 0 to 1000000")
    return AllocationKey(method, group=by_column, reserve_ppm=reserve)


def _coefficients_key(method: str, params: Mapping[str, object], columns: Mapping[str, int]) -> AllocationKey:
    table = require_mapping(params.get("coefficients"), "params.coefficients")
    rows = []
    for producer, shares in table.items():
        where = f"params.coefficients.{one_line(producer)}"
        row = []
        for consumer, ppm in require_mapping(shares, where).items():
            share = require_integer(ppm, f"{where}.{one_line(consumer)}")
            row.append((_column(consumer, columns, where), share))
        if sum(ppm for _, ppm in row) > GRID_PPM:
            raise RejectedInputError("coefficients_over_one", f"{where} adds up to more than 1000000 ppm")
        rows.append((_column(producer, columns, "params.coefficients"), tuple(sorted(row))))
    return AllocationKey(method, coefficients=tuple(sorted(rows)))


def _listed(params: Mapping[str, object], name: str, code: str) -> Sequence[object]:
    value = params.get(name)
    if not isinstance(value, (list, tuple)):
        raise RejectedInputError(code, f"params.{name} is not a list")
    return value


def _known_columns(named: Sequence[object], columns: Mapping[str, int]) -> tuple[int, ...]:
    """The columns of the members among these names, ascending; names that no member has are left out."""
    return tuple(sorted(columns[name] for name in named if isinstance(name, str) and name in columns))


def _count(listed: Sequence[Sequence[object]]) -> int:
    return sum(len(names) for names in listed)


def _column(member: object, columns: Mapping[str, int], where: str) -> int:
    if not isinstance(member, str) or member not in columns:
        raise RejectedInputError("unknown_member", f"{where} names {one_line(member)}, who is not a member")
    return columns[member]


METHODS: Final[Mapping[str, Callable[[str, Mapping[str, object], Mapping[str, int]], AllocationKey]]] = {
    "proportional": _plain_key,
    "equal": _plain_key,
    "weighted": _weights_key,
    "static": _weights_key,
    "static_rounds": _weights_key,
    "static_then_proportional": _weights_key,
    "priority": _tiers_key,
    "solidarity": _group_key,
    "pairwise": _coefficients_key,
}
PARAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "weighted": ("weights",),
    "static": ("weights",),
    "static_rounds": ("weights", "rounds"),
    "priority": ("tiers",),
    "static_then_proportional": ("weights",),
    "solidarity": ("group", "reserve_ppm"),
    "pairwise": ("coefficients",),
}
