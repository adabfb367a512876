"""By what a device's powers and counters are multiplied: the key `factor` of a [[device]].

For current transformers whose ratio the device does not know, and for counters that are off by a power of ten.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from protocols.maps.fields import TomlFields

LEAST_FACTOR: Final = Decimal("0.001")
MOST_FACTOR: Final = Decimal(10_000)
PLACES: Final = 6
NONE: Final = Decimal(1)


def parse_factor(fields: TomlFields) -> Decimal:
    """The factor; 1 if none is given. Raises MapError."""
    if not fields.has("factor"):
        return NONE
    found = fields.raw("factor")
    factor = Decimal(str(found)) if isinstance(found, int | float) and not isinstance(found, bool) else Decimal("NaN")
    if factor.is_nan() or not LEAST_FACTOR <= factor <= MOST_FACTOR or factor != round(factor, PLACES):
        raise fields.wrong("factor", f"a number from {LEAST_FACTOR} to {MOST_FACTOR}", found)
    return factor


def factor_words(factor: Decimal) -> str:
    """A few words where a household looks at the device; empty without a factor."""
    return "" if factor == NONE else f"all its values are multiplied by {factor.normalize():f} (factor in agent.toml)"
