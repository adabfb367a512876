"""What must hold of any settled period: the slow reference's integers, and the bounds that need no reference."""

import numpy as np

from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings
from tests.hub.core.settlement.settlement_worlds import WORK_CONSERVING
from tests.hub.core.settlement.slow_period import settle_slowly


def check_against_slow_period(readings: Readings, rule: Rule) -> int:
    """Every interval of the period has the integers the slow reference gives; returns how many there were."""
    settled = settle(readings, rule)
    check_bounds(settled)
    tables = {
        "alloc": settled.alloc_wh.tolist(),
        "sold": settled.sold_wh.tolist(),
        "drawn": settled.import_wh.tolist(),
        "fed": settled.export_wh.tolist(),
    }
    present, provisional = settled.present.tolist(), settled.provisional.tolist()
    slow = settle_slowly(readings, rule)
    assert [each.slot for each in slow] == list(settled.slots)
    for row, expected in enumerate(slow):
        where = f"{rule.method}, slot {expected.slot}"
        assert present[row] == [member in expected.alloc for member in settled.members], where
        assert provisional[row] == expected.is_provisional, where
        for name, table in tables.items():
            amounts = getattr(expected, name)
            assert table[row] == [amounts.get(member, 0) for member in settled.members], f"{where}: {name}"
    return len(slow)


def check_bounds(settled: Settlement) -> None:
    """Sums and bounds of every slot, in Python integers."""
    percent = np.array([settled.rule.participation_percent.get(name, 100) for name in settled.members], dtype=object)
    offered = np.where(settled.present, settled.surplus_wh, 0).astype(object) * percent // 100
    wanted = np.where(settled.present, settled.demand_wh, 0).astype(object) * percent // 100
    alloc, sold = settled.alloc_wh.astype(object), settled.sold_wh.astype(object)
    pool = np.minimum(offered.sum(axis=1), wanted.sum(axis=1))
    assert (alloc.sum(axis=1) == sold.sum(axis=1)).all()
    assert (alloc.sum(axis=1) <= pool).all()
    assert ((alloc >= 0) & (alloc <= wanted)).all()
    assert ((sold >= 0) & (sold <= offered)).all()
    if settled.rule.method in WORK_CONSERVING:
        assert (alloc.sum(axis=1) == pool).all()
