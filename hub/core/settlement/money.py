"""Prices one period's energy in exact nano-currency, and in whole units for statements. Tax and fees are left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.core.rules.rulebook import Prices

MICRO_NANO: Final = 1_000
CENT_NANO: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class RoundedMoney:
    """Debits and credits by member in whole statement units, and what remains for the co-op."""

    debit: tuple[int, ...]
    credit: tuple[int, ...]
    coop_margin: int


@dataclass(frozen=True, slots=True)
class Money:
    """One period's money by member; `benefit_nano` is None if the rule has no retail or feed-in price."""

    debit_nano: tuple[int, ...]
    credit_nano: tuple[int, ...]
    benefit_nano: tuple[int, ...] | None

    @property
    def coop_margin_nano(self) -> int:
        """What buyers pay beyond what sellers get."""
        return sum(self.debit_nano) - sum(self.credit_nano)

    def in_units_of(self, unit_nano: int) -> RoundedMoney:
        """Debits and credits each rounded to their own total by largest remainder; the margin is the difference."""
        debit, credit = round_to_unit(self.debit_nano, unit_nano), round_to_unit(self.credit_nano, unit_nano)
        return RoundedMoney(debit, credit, sum(debit) - sum(credit))


def price_energy(alloc_wh: Sequence[int], sold_wh: Sequence[int], *, prices: Prices) -> Money:
    """The money for a period's totals, by member. Wh times micro per kWh is nano, so nothing is rounded here.

    >>> money = price_energy([1_500, 0], [0, 1_500], prices=Prices(160_000, 150_000))
    >>> money.debit_nano, money.credit_nano, money.coop_margin_nano
    ((240000000, 0), (0, 225000000), 15000000)
    """
    buy, sell = prices.buy_micro_per_kwh, prices.sell_micro_per_kwh
    retail, feedin = prices.retail_micro_per_kwh, prices.feedin_micro_per_kwh
    benefit = None
    if retail is not None and feedin is not None:
        traded = zip(alloc_wh, sold_wh, strict=True)
        benefit = tuple(bought * (retail - buy) + sold * (sell - feedin) for bought, sold in traded)
    return Money(tuple(wh * buy for wh in alloc_wh), tuple(wh * sell for wh in sold_wh), benefit)


def round_to_unit(amounts_nano: Sequence[int], unit_nano: int) -> tuple[int, ...]:
    """Whole units that add up to floor(sum / unit), by largest remainder.

    >>> round_to_unit([16_000_000, 17_000_000, 9_000_000], CENT_NANO)
    (1, 2, 1)
    """
    units = [amount // unit_nano for amount in amounts_nano]
    fractions = [amount % unit_nano for amount in amounts_nano]
    left = sum(fractions) // unit_nano
    for column in sorted(range(len(units)), key=lambda i: (-fractions[i], i))[:left]:
        units[column] += 1
    return tuple(units)


def nearest_cent(nano: int) -> int:
    """The nearest whole cent; half a cent is rounded up.

    >>> nearest_cent(4_035_000_000), nearest_cent(-4_035_000_001), nearest_cent(-4_999_999)
    (404, -404, 0)
    """
    return (2 * nano + CENT_NANO) // (2 * CENT_NANO)


def fitted(parts: Sequence[int], total: int, *, unit: int = CENT_NANO) -> tuple[int, ...]:
    """The parts in whole units that add up to `total` units, by largest remainder; the first of equal ones first.

    >>> fitted([16_000_000, 17_000_000, 9_000_000], 4), fitted([-5, 15], 1, unit=10)
    ((1, 2, 1), (0, 1))
    """
    units = [part // unit for part in parts]
    if not units:
        return ()
    every, left = divmod(total - sum(units), len(units))
    largest_first = sorted(range(len(units)), key=lambda at: (-(parts[at] % unit), at))
    for place, at in enumerate(largest_first):
        units[at] += every + (place < left)
    return tuple(units)
