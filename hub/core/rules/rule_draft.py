"""A new version of the rulebook from the one before it: with a table of changes, with a country's preset, or both.

What neither names stays as it is. The result is checked against the members.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hub.core.rules.derived_energy import require_derived
from hub.core.rules.estimate_rule import METHODS_OF_ESTIMATE, EstimateRule
from hub.core.rules.input_checks import RejectedInputError, one_line, require_integer
from hub.core.rules.preset_form import Preset
from hub.core.rules.rulebook import (
    Prices,
    Rule,
    check_rule,
    require_aggregate,
    require_known,
    require_method,
    require_missing_policy,
    require_netting,
    require_netting_of,
    require_params,
    require_part_month,
    require_percents,
    sort_members,
)

MOST: Final = 10**9
MOST_ESTIMATED: Final = 96
PRICES: Final = ("buy_micro_per_kwh", "sell_micro_per_kwh", "retail_micro_per_kwh", "feedin_micro_per_kwh")
KEYS: Final = (
    "method", *PRICES, "connection_w", "estimate", "estimate_longest", "part_month_fee",
    "params", "aggregate", "participation_percent", "missing", "netting", "netting_of", "derived_wh",
    "derived_percent",
)  # fmt: skip
"""The keys of [rules] in hub.toml, and what only a later version can say."""


def draft_rule(
    base: Rule, changes: Mapping[str, object], *, members: Sequence[str], preset: Preset | None = None
) -> Rule:
    """The rule `base` with these changes; `preset` gives method and step.

    Raises: RejectedInputError for an unknown key, a wrong value, or a value that the preset needs and nobody gave.

    >>> draft_rule(Rule("equal"), {"buy_micro_per_kwh": 7}, members=["ann"]).prices.buy_micro_per_kwh
    7
    """
    require_known(changes, KEYS, "the rule")
    members = sort_members(members)
    if preset is not None:
        _refuse_preset_keys(changes, preset)
        changes = _with_preset(changes, preset, members)
    method = require_method(changes.get("method", base.method))
    params = changes.get("params", base.params if method == base.method else {})
    aggregate = require_aggregate(changes.get("aggregate", base.aggregate))
    rule = replace(
        base,
        method=method,
        params=require_params(method, params),
        aggregate=aggregate,
        netting=require_netting(changes.get("netting", base.netting), aggregate=aggregate),
        netting_of=require_netting_of(changes.get("netting_of", base.netting_of), members, aggregate=aggregate),
        missing=require_missing_policy(changes.get("missing", base.missing)),
        participation_percent=_percents(changes.get("participation_percent", base.participation_percent), members),
        prices=_prices(base.prices, changes),
        connection_w=_bounded(changes.get("connection_w", base.connection_w), "connection_w"),
        estimate=_estimate(base.estimate, changes),
        part_month_fee=require_part_month(changes.get("part_month_fee", base.part_month_fee)),
        derived=require_derived(base.derived, changes),
    )
    check_rule(rule, members)
    return rule


def _refuse_preset_keys(changes: Mapping[str, object], preset: Preset) -> None:
    for name in ("method", "aggregate", "netting"):
        if name in changes:
            raise RejectedInputError("malformed", f"{name} comes from the preset {preset.id}: leave it out of the file")


def _with_preset(changes: Mapping[str, object], preset: Preset, members: Sequence[str]) -> Mapping[str, object]:
    params = changes.get("params", {})
    if preset.equal_weights and "params" not in changes:
        params = {"weights": dict.fromkeys(members, 1)}
    for parameter in preset.must_fill:
        name = parameter.place.removeprefix("params.")
        if not isinstance(params, Mapping) or name not in params:
            raise RejectedInputError(
                "malformed", f"the preset {preset.id} needs {parameter.place} in a file: {parameter.meaning}"
            )
    given = {"method": preset.method, "aggregate": preset.aggregate, "netting": preset.netting, "params": params}
    return {**changes, **given}


def _percents(value: object, members: Sequence[str]) -> dict[str, int]:
    """Whoever takes part in full is left out, as everywhere in the rulebook."""
    return {member: percent for member, percent in require_percents(value, members).items() if percent < 100}


def _prices(base: Prices, changes: Mapping[str, object]) -> Prices:
    given = {name: _price(changes[name], name) for name in PRICES if name in changes}
    return replace(base, **given)


def _estimate(base: EstimateRule, changes: Mapping[str, object]) -> EstimateRule:
    name = changes.get("estimate", base.method)
    if not isinstance(name, str) or name not in METHODS_OF_ESTIMATE:
        raise RejectedInputError(
            "malformed", f"estimate {one_line(name)} is not one of {', '.join(METHODS_OF_ESTIMATE)}"
        )
    longest = require_integer(changes.get("estimate_longest", base.longest), "estimate_longest")
    if not 1 <= longest <= MOST_ESTIMATED:
        raise RejectedInputError("out_of_range", f"estimate_longest is not from 1 to {MOST_ESTIMATED}")
    return replace(base, method=METHODS_OF_ESTIMATE[name], longest=longest)


def _price(value: object, where: str) -> int:
    if isinstance(value, float):
        raise RejectedInputError(
            "not_integer", f"{where} is in millionths of the currency per kWh, without a decimal point: 160000 for 0.16"
        )
    return _bounded(value, where)


def _bounded(value: object, where: str) -> int:
    number = require_integer(value, where)
    if number > MOST:
        raise RejectedInputError("out_of_range", f"{where} is greater than {MOST}")
    return number
