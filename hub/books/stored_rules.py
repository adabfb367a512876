"""Reads a rule as the rulebook in the store keeps it. It loads no numbers: the process that runs the others asks it."""

import msgspec

from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule
from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.part_months import FULL_MONTH
from hub.core.rules.rulebook import NO_NETTING, Prices, Rule


class _PricesDocument(msgspec.Struct, frozen=True):
    buy: int
    sell: int
    retail: int | None
    feedin: int | None


class _RuleDocument(msgspec.Struct, frozen=True):
    """A rule in the form of its canonical bytes: see Rule.canonical."""

    method: str
    params: dict[str, object]
    aggregate: int
    participation_percent: dict[str, int]
    missing: str
    prices: _PricesDocument
    connection_w: int = 0
    estimate: EstimateRule = EstimateRule()
    part_month_fee: str = FULL_MONTH
    netting: str = NO_NETTING
    derived: DerivedRule = NO_DERIVED
    netting_of: dict[str, str] = {}


def read_rule(canonical: bytes) -> Rule:
    """The rule in these canonical bytes, which is how the rulebook in the store keeps it. Raises: ValueError."""
    document = msgspec.json.decode(canonical, type=_RuleDocument)
    prices = document.prices
    return Rule(
        method=document.method,
        params=document.params,
        aggregate=document.aggregate,
        participation_percent=document.participation_percent,
        missing=document.missing,
        prices=Prices(prices.buy, prices.sell, prices.retail, prices.feedin),
        connection_w=document.connection_w,
        estimate=document.estimate,
        part_month_fee=document.part_month_fee,
        netting=document.netting,
        derived=document.derived,
        netting_of=document.netting_of,
    )
