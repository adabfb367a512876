"""What the grid-file tests share: series on slots around any day, and how a grid operator would write them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

from hub.core.grid.files import MISSING, NO_VALUE, QuarterHours
from protocols.slots import Slot, slots_of_day, start_of

VIENNA = "Europe/Vienna"
SPRING, AUTUMN, PLAIN = date(2026, 3, 29), date(2026, 10, 25), date(2026, 6, 1)
POINTS = tuple(f"AT00100000000{i:020d}" for i in range(1, 6))
days = st.sampled_from([SPRING, AUTUMN, PLAIN, date(2026, 3, 28), date(2026, 10, 24)])


def local(slot: Slot, tz: str = VIENNA) -> datetime:
    """The slot's local time by plain conversion from UTC."""
    return datetime.fromtimestamp(start_of(slot), UTC).astimezone(ZoneInfo(tz))


def kwh(micro: int) -> Decimal:
    """Micro-kWh as a decimal number of kWh."""
    return Decimal(micro).scaleb(-6)


@st.composite
def series(draw: st.DrawFn, point: str = POINTS[0], code: str = "total", day: date | None = None) -> QuarterHours:
    """A whole local day of one point with gaps anywhere but at its ends."""
    slots = slots_of_day(day or draw(days), VIENNA)
    size = len(slots)
    seed = draw(st.integers(0, 2**32 - 1))
    chance = np.random.default_rng(seed)
    energy = chance.integers(0, 4_000_000, size)
    quality = chance.choice([1, 1, 1, 2, 3], size).astype(np.int8)
    gaps = chance.random(size) < draw(st.sampled_from([0.0, 0.1]))
    gaps[0] = gaps[-1] = False
    energy[gaps], quality[gaps] = MISSING, NO_VALUE
    return QuarterHours(point, "consumption", slots[0], energy.astype(np.int64), quality, code)


def same(left: QuarterHours, right: QuarterHours) -> bool:
    """Whether two series say the same."""
    alike = left.key == right.key and left.slots == right.slots
    return alike and bool(
        (left.energy_micro_kwh == right.energy_micro_kwh).all() and (left.quality == right.quality).all()
    )
