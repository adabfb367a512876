"""A home with a wrong factor, on a hub whose settings say nothing of connections: it takes nobody's credits."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.quality.connections import home_limits, unstated_connections
from hub.quality.findings import check_days_quality
from hub.storage.finding_records import ConnectionAgreement
from hub.verify.books import check_books
from protocols.slots import slots_of_day
from tests.hub.books.test_runs import night
from tests.hub.quality.test_findings import decide, findings, job_on
from tests.hub.settled_street import COOP, KEY, RULE, Street, balances_by_day, energy_wh, open_street

DAY = date(2026, 5, 30)
NEXT = DAY + timedelta(days=1)
SLOTS = slots_of_day(DAY, COOP.tz)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=6, rule=replace(RULE, connection_w=0))
    yield opened
    await opened.store.close()


def scale(street: Street, factor: int) -> None:
    """Home 2 reports this many times its energy in both directions."""
    street.values |= {(2, slot): tuple(factor * wh for wh in energy_wh(2, slot)) for slot in SLOTS}  # type: ignore[misc]


async def shared(street: Street) -> dict[str, int]:
    """What each member gave or received on the day."""
    found: dict[str, int] = {}
    for (_, member, line, account), wh in (await balances_by_day(street.store)).items():
        if account == f"member:{member}:energy" and line in ("received", "given", "sold"):
            found[member] = found.get(member, 0) + wh
    return found


async def test_a_home_wrong_by_a_thousand_is_held_before_money_moves(street: Street) -> None:
    scale(street, 1000)
    await street.arrive_days([DAY])
    await job_on(street.store)(night(NEXT))
    held = [row for row in await findings(street.store) if row.is_waiting]
    assert {row.found.home for row in held} == {"h02"}
    (whole,) = [row for row in held if row.found.code in ("out_of_proportion", "impossible")]
    assert whole.found.code == "out_of_proportion", "the day once, and not its quarter hours beside it"
    assert (whole.found.first_slot, whole.found.slots) == (SLOTS.start, len(SLOTS))
    moved = await shared(street)
    assert "m02" not in moved
    assert len(moved) >= 4, "the neighbours share with each other as always"
    assert (await check_books(street.store, KEY.public_key())).wrong == 0


async def test_what_the_board_accepts_counts(street: Street) -> None:
    scale(street, 1000)
    await street.arrive_days([DAY])
    await job_on(street.store)(night(NEXT))
    for row in await findings(street.store):
        await decide(street.store, row.id, "accept")
    await job_on(street.store)(night(NEXT))
    assert "m02" in await shared(street)


async def test_the_boards_figure_counts_from_its_day_on(street: Street) -> None:
    peak_w = 4 * max(max(energy_wh(2, slot)) for slot in SLOTS)
    for since, limit in ((SLOTS.start, peak_w * 3 // 4), (SLOTS.stop, peak_w // 2)):
        await street.store.add_connection_agreement(ConnectionAgreement("h02", limit, since, "m01", 1))
    await street.arrive_days([DAY])
    await job_on(street.store)(night(NEXT))
    found = {row.found.numbers for row in await findings(street.store) if row.found.code == "impossible"}
    assert {dict(numbers)["most_wh"] for numbers in found} == {peak_w * 3 // 4 * 102 // 400}
    assert {row.found.home for row in await findings(street.store) if row.found.code == "impossible"} == {"h02"}


@pytest.mark.campaign
async def test_a_meter_that_counts_half_as_much_again_is_said_once(street: Street) -> None:
    days = [DAY - timedelta(days=back) for back in range(46, -1, -1)]
    for day in days[-3:]:
        for slot in slots_of_day(day, COOP.tz):
            street.values[2, slot] = tuple(wh * 3 // 2 for wh in energy_wh(2, slot))  # type: ignore[assignment]
    await street.arrive_days(days)
    for day in days[-2:]:
        await check_days_quality(street.store, [day], place_deg=None, nameplates={}, at=night(NEXT))
    said = [row for row in await findings(street.store) if row.found.code == "scale_change"]
    assert [(row.found.home, row.found.severity) for row in said] == [("h02", "check")]
    assert not said[0].is_waiting, "nothing is held for it"


async def test_homes_without_an_agreement_are_named(street: Street) -> None:
    limits = await home_limits(street.store, slot=SLOTS.start)
    assert {limit.source for limit in limits.values()} == {"country"}
    line = unstated_connections(limits)
    assert line is not None
    assert line.startswith("no connection agreement is entered for 6 of 6 homes (h01, h02, h03, h04, h05 ...): up to")
    for home in limits:
        await street.store.add_connection_agreement(ConnectionAgreement(home, 9000, SLOTS.start, "m01", 1))
    assert unstated_connections(await home_limits(street.store, slot=SLOTS.start)) is None
