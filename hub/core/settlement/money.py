"""Energy turned into money for one period: exact nano-currency, whole units for statements; no tax, no fees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.core.rules.rulebook import Prices

MICRO_NANO: Final = 1_000
CENT_NANO: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class RoundedMoney:
    """Debits and credits in whole statement units, member by member, and what is left to the co-op."""

    debit: tuple[int, ...]
    credit: tuple[int, ...]
    coop_margin: int


@dataclass(frozen=True, slots=True)
class Money:
    """One period's money by member; `benefit_nano` is None where the rule names no retail price."""

    debit_nano: tuple[int, ...]
    credit_nano: tuple[int, ...]
    benefit_nano: tuple[int, ...] | None

    @property
    def coop_margin_nano(self) -> int:
        """What buyers pay and sellers do not get."""
        return sum(self.debit_nano) - sum(self.credit_nano)

    def in_units_of(self, unit_nano: int) -> RoundedMoney:
        """Buyers and sellers each rounded to their own total by largest remainder; the margin is the difference."""
        debit, credit = round_to_unit(self.debit_nano, unit_nano), round_to_unit(self.credit_nano, unit_nano)
        return RoundedMoney(debit, credit, sum(debit) - sum(credit))


def price_energy(alloc_wh: Sequence[int], sold_wh: Sequence[int], *, prices: Prices) -> Money:
    """The money of a period's totals by member. Wh x micro per kWh is nano, so nothing is rounded here."""
    buy, sell = prices.buy_micro_per_kwh, prices.sell_micro_per_kwh
    retail, feedin = prices.retail_micro_per_kwh, prices.feedin_micro_per_kwh
    benefit = None
    if retail is not None and feedin is not None:
        traded = zip(alloc_wh, sold_wh, strict=True)
        benefit = tuple(bought * (retail - buy) + sold * (sell - feedin) for bought, sold in traded)
    return Money(tuple(wh * buy for wh in alloc_wh), tuple(wh * sell for wh in sold_wh), benefit)


def round_to_unit(amounts_nano: Sequence[int], unit_nano: int) -> tuple[int, ...]:
    """Whole units that add up to floor(sum / unit), by largest remainder of each amount."""
    units = [amount // unit_nano for amount in amounts_nano]
    fractions = [amount % unit_nano for amount in amounts_nano]
    left = sum(fractions) // unit_nano
    for column in sorted(range(len(units)), key=lambda i: (-fractions[i], i))[:left]:
        units[column] += 1
    return tuple(units)
