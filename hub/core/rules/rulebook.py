"""The rulebook as data: method, parameters and prices, checked against the members, named by the hash of its bytes.

It says how to share; it does not share, and it knows nothing of who is a member from when to when.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Final, cast

from hub.core.rules.allocation_key import GRID_PPM, AllocationKey
from hub.core.rules.estimates import EstimateRule
from hub.core.rules.input_checks import RejectedInputError, one_line, require_integer, require_member_id

VERSION_TAG: Final = b"commonwatt rulebook v1\n"
AGGREGATES: Final = (1, 4)
MISSING_POLICIES: Final = ("exclude", "refuse")
NO_ESTIMATES: Final = EstimateRule()


@dataclass(frozen=True, slots=True)
class Prices:
    """Units: micro-currency per kWh. Without `retail` and `feedin` there is no stand-alone comparison."""

    buy_micro_per_kwh: int = 0
    sell_micro_per_kwh: int = 0
    retail_micro_per_kwh: int | None = 0
    feedin_micro_per_kwh: int | None = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of the rulebook. `participation_percent` holds only members below 100.

    `connection_w` is what a home's grid connection carries at most, 0 where nobody has said: then no amount of energy
    is impossible. `estimate` says how missing readings are filled. Units: W.
    """

    method: str
    params: Mapping[str, object] = field(default_factory=dict)
    aggregate: int = 1
    participation_percent: Mapping[str, int] = field(default_factory=dict)
    missing: str = "exclude"
    prices: Prices = Prices()
    connection_w: int = 0
    estimate: EstimateRule = NO_ESTIMATES

    def canonical(self) -> bytes:
        """The bytes two equal rules share, whatever order their tables were written in.

        A rule that says nothing of connections and estimates has the bytes it had before it could.
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
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=dict)
        return text.encode("utf-8")

    def version(self) -> str:
        """SHA-256 of the canonical bytes, in hexadecimal."""
        return hashlib.sha256(VERSION_TAG + self.canonical()).hexdigest()


def sort_members(members: Sequence[object]) -> tuple[str, ...]:
    """The members in the byte order of their ids; refuses none, doubles and ids that are no ids."""
    ids = [require_member_id(member, f"members[{i}]") for i, member in enumerate(members)]
    if not ids:
        raise RejectedInputError("no_members", "members is empty")
    ordered = sorted(ids, key=lambda member: member.encode("utf-8"))
    for left, right in pairwise(ordered):
        if left == right:
            raise RejectedInputError("duplicate_member", f"member {one_line(left)} stands twice")
    return tuple(ordered)


def check_rule(rule: Rule, members: Sequence[str]) -> AllocationKey:
    """The rule's key by column, for members already in byte order; refuses whatever section 9 lists."""
    if not isinstance(rule.method, str) or rule.method not in METHODS:
        raise RejectedInputError("method", f"method {one_line(rule.method)} is none of {', '.join(METHODS)}")
    if isinstance(rule.aggregate, bool) or rule.aggregate not in AGGREGATES:
        raise RejectedInputError("malformed", f"aggregate {one_line(rule.aggregate)} is neither 1 nor 4")
    if rule.missing not in MISSING_POLICIES:
        raise RejectedInputError("malformed", f"missing {one_line(rule.missing)} is neither exclude nor refuse")
    columns = {member: column for column, member in enumerate(members)}
    _check_participation(rule.participation_percent, columns)
    key = METHODS[rule.method](rule.method, require_mapping(rule.params, "params"), columns)
    check_prices(rule.prices)
    require_integer(rule.connection_w, "connection_w")
    return key


def check_prices(prices: Prices) -> None:
    """Refuses prices that are no amounts, and a sell price over the buy price."""
    buy = require_integer(prices.buy_micro_per_kwh, "prices.buy")
    sell = require_integer(prices.sell_micro_per_kwh, "prices.sell")
    for name, price in (("retail", prices.retail_micro_per_kwh), ("feedin", prices.feedin_micro_per_kwh)):
        if price is not None:
            require_integer(price, f"prices.{name}")
    if sell > buy:
        raise RejectedInputError(
            "sell_over_buy", f"prices.sell {sell} is over prices.buy {buy}: the co-op would pay for it"
        )


def require_mapping(value: object, where: str) -> Mapping[str, object]:
    """The table itself, or a refusal that names the place."""
    if not isinstance(value, Mapping):
        raise RejectedInputError("malformed", f"{where} is not a table")
    return cast(Mapping[str, object], value)


def require_sequence(value: object, where: str) -> Sequence[object]:
    """The list itself, or a refusal that names the place."""
    if not isinstance(value, (list, tuple)):
        raise RejectedInputError("malformed", f"{where} is not a list")
    return value


def _check_participation(percents: object, columns: Mapping[str, int]) -> None:
    for member, percent in require_mapping(percents, "participation").items():
        if member not in columns:
            raise RejectedInputError("unknown_member", f"participation names {one_line(member)}, who is not a member")
        where = f"participation.{one_line(member)}"
        if not 1 <= require_integer(percent, where) <= 100:
            raise RejectedInputError("out_of_range", f"{where} is not a whole percent from 1 to 100")


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
    named = [member for tier in listed for member in tier]
    if not _names_once(named, columns) or len(named) != len(columns):
        raise RejectedInputError("tiers_members", "params.tiers must name every member exactly once and nobody else")
    tiers = tuple(tuple(sorted(columns[cast(str, member)] for member in tier)) for tier in listed)
    return AllocationKey(method, tiers=tiers)


def _group_key(method: str, params: Mapping[str, object], columns: Mapping[str, int]) -> AllocationKey:
    group = _listed(params, "group", "group_members")
    if not group or not _names_once(group, columns):
        raise RejectedInputError("group_members", "params.group must name members, at least one and each once")
    reserve = params.get("reserve_ppm")
    if isinstance(reserve, bool) or not isinstance(reserve, int) or not 0 <= reserve <= GRID_PPM:
        raise RejectedInputError("reserve_ppm", "params.reserve_ppm is not an integer from 0 to 1000000")
    return AllocationKey(
        method, group=tuple(sorted(columns[cast(str, member)] for member in group)), reserve_ppm=reserve
    )


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


def _names_once(named: Sequence[object], columns: Mapping[str, int]) -> bool:
    known = all(isinstance(member, str) and member in columns for member in named)
    return known and len(set(named)) == len(named)


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
