"""A day that is kept says to everybody what it said before, and keeps few objects."""

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hub.core.statements.document import state_month
from hub.core.statements.kept_day import KeptEntries, kept_day, state_to_keep
from hub.core.statements.month import StatedDay, gather_month, state_day
from tests.hub.core.statements.statement_street import COOP, HUB_KEY
from tests.hub.core.statements.test_month import DAYS, STREET
from tests.hub.known_seals import SEALS


def stated_days() -> list[StatedDay]:
    return [state_day(COOP, day, key=HUB_KEY, seals=SEALS) for day in STREET.days]


def statement(days: list[StatedDay], member: str) -> dict[str, Any]:
    month = gather_month(COOP, DAYS[0][:7], days=days, missing=(), before=())
    return state_month(month, member, name="A", made_at="2026-04-01T00:00Z")


def test_each_members_statement_is_the_same_from_kept_days() -> None:
    plain, kept = stated_days(), [state_to_keep(COOP, day, key=HUB_KEY, seals=SEALS) for day in STREET.days]
    members = kept[0].source.settled.members
    assert len(members) == 6
    for member in members:
        assert statement(kept, member) == statement(plain, member)
    for day, whole in zip(kept, plain, strict=True):
        assert dict(day.mine) == dict(whole.mine)
        assert (len(day.mine), "nobody" in day.mine) == (len(members), False)
        assert (day.tree, day.root, day.pool) == (whole.tree, whole.root, whole.pool)
        assert day.source.settled.totals_wh == whole.source.settled.totals_wh
        assert day.source.booked == ()


@pytest.mark.parametrize("most_wh", [0, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**52])
def test_energy_of_any_size_stays_what_it_is(most_wh: int) -> None:
    day = stated_days()[0]
    settled = day.source.settled
    surplus_wh = settled.surplus_wh.copy()
    surplus_wh[:] = most_wh // 2
    surplus_wh[3, 1] = most_wh
    large = replace(day, source=replace(day.source, settled=replace(settled, surplus_wh=surplus_wh)))
    kept = kept_day(large).source.settled
    assert kept.surplus_wh.tolist() == surplus_wh.tolist()
    assert kept.totals_wh["surplus"] == tuple(surplus_wh.sum(axis=0, dtype=np.int64).tolist())


def test_kept_entries_are_nothing_that_the_garbage_collector_goes_through() -> None:
    kept = state_to_keep(COOP, STREET.days[0], key=HUB_KEY, seals=SEALS).mine
    # A tuple of plain values is left alone from the first time on, one of such tuples from the second.
    for _ in range(2):
        gc.collect()
    assert isinstance(kept, KeptEntries)
    assert [row for rows in kept._rows.values() for row in (rows, *rows) if gc.is_tracked(row)] == []
