"""Months and days of a home: the sums that are kept with the readings, and never a part shown as the whole."""

from datetime import date

import httpx

from hub.core.homes.periods import PeriodKind, period_of
from hub.storage.records import AcceptedMessage, Access, ReadingRow
from hub.storage.sqlite.store import SqliteStore
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day, start_of
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import COOP, NOW_SLOT

DAY = slots_of_day(date(2026, 6, 10), COOP.tz)
SELF = Access("m02", "self", "self.view")


async def page_of(browser: httpx.AsyncClient, query: str = "") -> str:
    answer = await browser.get(f"/my-home/months{query}")
    assert answer.status_code == 200
    return answer.text


async def test_a_day_shows_what_its_readings_come_to(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    found = await store.home_series("h02", [Measure.GRID_IMPORT], slots=DAY, access=SELF)
    wanted = int(found[Measure.GRID_IMPORT].energy_wh.clip(min=0).sum())
    said = (await browser.get("/my-home/months.json?month=2026-06")).json()["periods"]
    (day,) = [each for each in said if each["period"] == "2026-06-10"]
    assert day["energy_wh"]["grid_import"] == wanted > 0
    assert day["covered_quarter_hours"]["grid_import"] == day["quarter_hours"] == 96
    assert [each["period"] for each in said] == ["2026-06-11", "2026-06-10", "2026-06-09"], "today is not over"
    page = await page_of(browser, "?month=2026-06")
    assert f"{wanted / 1000:,.1f}\xa0kWh" in page
    assert "10 Jun 2026" in page


async def test_a_sum_says_what_is_not_in_it(sign_in: SignIn, store: SqliteStore) -> None:
    may = period_of(PeriodKind.MONTH, NOW_SLOT - 96 * 20, COOP.tz)
    head = (await store.chain_heads())["a-02"]
    rows = tuple(ReadingRow("h02", Measure.GRID_IMPORT, slot, 1, 100, Mark.MEASURED, Gap.NONE) for slot in may[:-1])
    late = AcceptedMessage(
        *("a-02", "h02", head.epoch, head.seq + 1, "batch", bytes(32), b"sealed", start_of(NOW_SLOT), NOW_SLOT),
        *(rows, (), (), None, None, None),
    )
    await store.store_messages([late])
    page = await page_of(await sign_in("m02"))
    assert "May 2026" in page
    assert "297.5\xa0kWh" in page
    assert "1 quarter hour is not in it" in page
    assert 'href="/my-home/months?month=2026-05"' in page


async def test_a_home_without_a_month_is_told_so_and_the_look_is_logged(sign_in: SignIn, store: SqliteStore) -> None:
    page = await page_of(await sign_in("m03"))
    assert "Nothing is over yet" in page
    (line,) = await store.access_rows("h03", limit=1)
    assert (line.actor, line.fields[:7]) == ("m03", "sums of")


async def test_a_month_that_is_none_is_refused(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    for query in ("?month=2026-13", "?month=June", "?month=0000-01"):
        assert (await browser.get(f"/my-home/months{query}")).status_code == 404
