"""A day taken apart and put together for one member says to that member what the whole day says."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hub.core.statements.document import state_month, takes_part
from hub.core.statements.kept_day import own_part_of_nobody, put_together, read_head, read_sums, take_apart
from hub.core.statements.month import StatedDay, StatementMonth, add_sums, gather_month, state_day
from tests.hub.core.statements.statement_street import COOP, HUB_KEY
from tests.hub.core.statements.test_month import DAYS, STREET
from tests.hub.known_seals import SEALS


def stated_days() -> list[StatedDay]:
    return [state_day(COOP, day, key=HUB_KEY, seals=SEALS) for day in STREET.days]


def put_for(member: str, day: StatedDay) -> StatedDay:
    parts, rule = take_apart(day), day.source.settled.rule
    own = parts.own.get(member, own_part_of_nobody())
    return put_together(read_head(parts.head), own, member, rule=rule, seals=SEALS)


def statement(month: StatementMonth, member: str) -> dict[str, Any]:
    return state_month(month, member, name="A", made_at="2026-04-01T00:00Z")


def test_each_members_statement_is_the_same_from_parts() -> None:
    plain = stated_days()
    whole = gather_month(COOP, DAYS[0][:7], days=plain, missing=(), before=())
    nano = add_sums(read_sums(take_apart(day).sums) for day in plain)
    assert nano == whole.nano
    members = plain[0].source.settled.members
    assert len(members) == 6
    for member in members:
        own = [put_for(member, day) for day in plain]
        month = replace(whole, days=(), nano=nano).seen_by(own, {}, corrects=True)
        assert statement(month, member) == statement(whole, member)
        assert [day.pool.for_members() for day in month.seen] == [day.pool.for_members() for day in whole.seen]
        assert {name for day in own for name in (*day.source.settled.members, *day.mine)} == {member}


def test_a_part_holds_nothing_of_anybody_else() -> None:
    day = stated_days()[0]
    for member in day.source.settled.members:
        own = put_for(member, day)
        others = [name for name in day.source.settled.members if name != member]
        said = json.dumps([each.text for each in own.mine[member]]) + str(own.source.settled.marks)
        assert not any(f"member:{name}:" in said for name in others)
        with pytest.raises(KeyError):
            own.tree.proof(next(each.place for each in day.mine[others[0]]))


def test_who_took_no_part_has_an_empty_day() -> None:
    day = put_for("nobody", stated_days()[0])
    assert (day.source.settled.members, day.mine) == ((), {})
    month = gather_month(COOP, DAYS[0][:7], days=stated_days(), missing=(), before=())
    assert not takes_part(month.seen_by([day], {}, corrects=True), "nobody")


@pytest.mark.parametrize("most_wh", [0, 2**15, 2**31, 2**52])
def test_energy_of_any_size_stays_what_it_is(most_wh: int) -> None:
    day = stated_days()[0]
    settled = day.source.settled
    surplus_wh = settled.surplus_wh.copy()
    surplus_wh[0, 0] = most_wh
    large = replace(day, source=replace(day.source, settled=replace(settled, surplus_wh=surplus_wh)))
    own = put_for(settled.members[0], large).source.settled
    assert own.surplus_wh.dtype == np.int64
    assert own.surplus_wh[:, 0].tolist() == surplus_wh[:, 0].tolist()


@pytest.mark.parametrize("part", [b"", b"x", b"x\x9c"])
def test_other_bytes_are_refused(part: bytes) -> None:
    with pytest.raises(ValueError, match="not a part of a day"):
        read_head(part)
