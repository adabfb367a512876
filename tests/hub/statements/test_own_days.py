"""What a home's agent is told of settled days: the numbers of the member's statement, and no correction of another."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.statements.credit_notices import ACCESS
from hub.statements.kept_days import STATEMENT_ACCESS
from hub.statements.months import StatementService
from hub.statements.own_days import FIELDS, OwnDays
from protocols.hub_keys import HubSigner
from protocols.slots import slots_of_day
from protocols.wire.credits.notices import CreditDay
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY, Arrival, Street, arrivals_of, one_sun_wh, open_street

MAY = date(2026, 5, 1)
DAYS = (date(2026, 5, 30), date(2026, 5, 31))
HOMES = 12
MEMBERS = tuple(f"m{number:02d}" for number in range(1, HOMES + 1))


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES, energy=one_sun_wh)
    yield opened
    await opened.store.close()


async def told(street: Street) -> dict[str, tuple[CreditDay, ...]]:
    return await OwnDays(street.store).read(DAYS, access=ACCESS)


async def stated(street: Street, desk: StatementService, member_id: str) -> tuple[CreditDay, ...]:
    """The days of the member's statement, in the form in which an agent is told them."""
    member, home = await street.store.member(member_id), await street.store.home_of(member_id)
    assert member is not None
    assert home is not None
    files = await desk.state(member, home, month=MAY, access=STATEMENT_ACCESS)
    if files is None:
        return ()
    days: Any = files.statement["days"]
    found = []
    for day in days:
        if day["entries"]:
            slots, sums = slots_of_day(date.fromisoformat(day["day"]), COOP.tz), day["totals"]
            energies = (sums["received"], sums["sold"], sums["imported"], sums["exported"])
            found.append(CreditDay(slots.start, len(slots), bool(files.statement["billed"]), *energies))
    return tuple(found)


async def as_stated(street: Street) -> dict[str, tuple[CreditDay, ...]]:
    """What is told, after a look that it is what each member's statement says."""
    found, desk = await told(street), StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    for member in MEMBERS:
        assert found.get(member, ()) == await stated(street, desk, member), member
    return found


async def settle(street: Street, *, made_at: int) -> None:
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=made_at, key=KEY)


async def publish(street: Street, kind: str) -> None:
    run = await settle_month(street.store, month=MAY, kind=kind, made_at=1_781_000_000, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(street.store, run=run.run_key, member=member, at=1_781_000_100, key=KEY)
    await publish_run(street.store, run=run.run_key, member="m01", at=1_781_000_200, key=KEY, terms=None)


def late_of(*numbers: int) -> list[Arrival]:
    return [each for each in arrivals_of(DAYS[1], HOMES) if each[0] in numbers and 40 <= each[1] % 96 < 48]


async def test_every_home_is_told_what_its_statement_says_before_and_after_the_month_is_published(
    street: Street,
) -> None:
    assert await told(street) == {}, "nothing is settled yet"
    await street.arrive_days(DAYS)
    await settle(street, made_at=1)
    before = await as_stated(street)
    assert set(before) == set(MEMBERS)
    assert {len(days) for days in before.values()} == {2}
    assert all(day.received_wh + day.imported_wh > 0 and not day.is_settled for days in before.values() for day in days)
    assert any(day.given_wh for day in before["m01"])
    await publish(street, "M1")
    after = await as_stated(street)
    assert after == {member: tuple(replace(day, is_settled=True) for day in days) for member, days in before.items()}


async def test_a_late_home_is_told_its_correction_and_nobody_else_any_of_it(street: Street) -> None:
    late = late_of(3)
    await street.arrive_days(DAYS, without=late)
    await settle(street, made_at=1)
    before = await as_stated(street)
    await street.arrive(late)
    await settle(street, made_at=2)
    after = await as_stated(street)
    assert after["m03"] != before["m03"]
    assert {member: days for member, days in after.items() if member != "m03"} == {
        member: days for member, days in before.items() if member != "m03"
    }


async def test_a_correction_of_many_replaces_what_was_told(street: Street) -> None:
    late = late_of(*range(1, HOMES + 1))
    await street.arrive_days(DAYS, without=late)
    await settle(street, made_at=1)
    before = await as_stated(street)
    await street.arrive(late)
    await settle(street, made_at=2)
    after = await as_stated(street)
    assert all(after[member][0] == before[member][0] for member in MEMBERS), "the day before is as it was"
    assert all(after[member][1] != before[member][1] for member in MEMBERS)


async def test_each_look_stands_in_every_homes_log_before_it_is_taken(street: Street) -> None:
    await street.arrive_days(DAYS)
    await settle(street, made_at=1)
    await told(street)
    for number in range(1, HOMES + 1):
        rows = await street.store.access_rows(f"h{number:02d}", limit=5)
        assert (rows[0].actor, rows[0].fields, rows[0].purpose) == ("job:credits", FIELDS, "settle.share")
