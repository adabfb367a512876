"""The yearly fairness report: only one's own figures, averages of at least five homes, repeatable."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.core.trials.fairness import FairnessReport, FairnessShare, MemberFairness, summarise_fairness
from hub.statements.shown_period import ShownPeriods
from hub.storage.sqlite.store import SqliteStore
from hub.trials.fairness_service import FAIRNESS_ACCESS, FEW_MAKERS, FairnessService
from hub.web.frame.translation import Localizer
from hub.web.views.fairness import FairnessPage, fairness_page
from tests.hub.web.conftest import M1_DUE, Come, SignIn
from tests.hub.web.page_street import TODAY, build_street, settle_street

WORDS = Localizer("en", "Europe/Berlin", "EUR")
JULY = TODAY.replace(month=7, day=8)
PRIVATE = ("value_nano", "error_nano", "got_nano")


async def report(come: Come, member: str = "m02") -> Any:
    answer = await (await come(member)).get("/fairness.json?year=2026")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_before_a_month_is_over_there_is_no_report(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    assert "There is no complete month with settled days yet" in (await browser.get("/fairness")).text
    assert (await browser.get("/fairness.json")).json() == {"year": None, "years": []}
    assert (await browser.get("/fairness?year=2026")).status_code == 404
    assert not any(row.actor == "job:fairness" for row in await store.access_rows("h03", limit=100))


async def test_a_member_sees_the_own_row_and_what_all_may_see(come: Come) -> None:
    mine, others = await report(come), await report(come, "m05")
    assert mine.pop("own") != others.pop("own")
    assert mine == others, "the rest is the same for all"
    assert (mine["homes"], mine["days"], mine["last_day"]) == (12, 3, "2026-06-11")
    assert mine["value_nano"] == mine["got_nano"] + mine["margin_nano"] + mine["unshared_nano"]
    assert [band["homes"] for band in mine["bands"]] == [6, 6]
    page = (await (await come("m02", at=M1_DUE + 60)).get("/fairness")).text
    assert str(mine["seed"]) in page
    assert "The year so far: 9 Jun 2026 to 11 Jun 2026, 12 homes." in page
    assert not any(name in page for name in ("m03", "m05", "Household", "Lane 3"))


async def test_the_seed_comes_from_the_readings_so_a_second_hub_finds_the_same(come: Come, store: SqliteStore) -> None:
    first = await report(come)
    desk = FairnessService(store, shown=ShownPeriods(store), wait_s=60)
    again = await desk.report("m02", year=2026, today=JULY)
    assert not isinstance(again, str)
    assert again is not None
    assert again.own is not None
    assert (again.seed, again.own.value_nano) == (first["seed"], first["own"]["value_nano"])


async def test_accesses_are_logged_and_the_report_is_made_once(come: Come, store: SqliteStore) -> None:
    browser = await come("m02")
    for _ in range(3):
        await browser.get("/fairness")
    rows = await store.access_rows("h02", limit=100)
    assert sum(row.count for row in rows if row.actor == "m02" and row.fields == "the fairness report") == 3
    other = await store.access_rows("h05", limit=100)
    assert sum(row.count for row in other if row.actor == "job:fairness") == 3, "three days, read once"
    assert not any(row.actor == "m02" for row in other)


async def test_a_report_that_takes_long_says_so(store: SqliteStore) -> None:
    desk = FairnessService(store, shown=ShownPeriods(store), wait_s=0)
    async with desk._kept._one:  # nothing is calculated in the meantime, however slow the requests are
        assert await desk.report("m02", year=2026, today=JULY) is None
        assert await desk.report("m03", year=2026, today=JULY) is None, "the same report, asked for by another"
    for _ in range(3000):
        if await desk.report("m03", year=2026, today=JULY) is not None:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the report was never made")


async def test_below_five_homes_there_is_no_report(tmp_path: Path) -> None:
    store = await build_street(tmp_path, homes=4, sharing=4)
    try:
        await settle_street(store)
        found = await FairnessService(store, shown=ShownPeriods(store), wait_s=60).report("m02", year=2026, today=JULY)
        assert isinstance(found, str)
        assert "fewer than 5 homes" in found
    finally:
        await store.close()


async def test_where_one_to_four_homes_feed_in_there_is_no_report(tmp_path: Path) -> None:
    store = await build_street(tmp_path, homes=6, sharing=6)
    shown = ShownPeriods(store)
    try:
        await settle_street(store)
        report = await FairnessService(store, shown=shown, wait_s=60).report("m02", year=2026, today=JULY)
        whole = await shown.read(first=date(2026, 1, 1), last=JULY, access=FAIRNESS_ACCESS)
    finally:
        await store.close()
    makers = {
        member
        for settled in whole.current
        for member, fed_in in zip(settled.members, settled.surplus_wh.any(axis=0), strict=True)
        if fed_in
    }
    assert (report, 0 < len(makers) < 5) == (FEW_MAKERS, True)


@pytest.mark.parametrize("homes", range(1, 24))
def test_no_band_has_fewer_than_five_homes(homes: int) -> None:
    shares = tuple(FairnessShare(f"m{n:02}", 1000 * (n * 7 % 11), 0, 900 * n) for n in range(homes))
    value, got = sum(share.value_nano for share in shares), sum(share.got_nano for share in shares)
    summary = summarise_fairness(FairnessReport(shares, 0, value, got, 0, value - got))
    counts = [band.homes for band in summary.bands]
    assert sum(counts) == (homes if homes >= 5 else 0)
    assert all(count >= 5 for count in counts)
    assert [band.value_nano for band in summary.bands] == sorted(band.value_nano for band in summary.bands)
    assert (summary.got_more_than_added is None) == (summary.got_less_than_added is None)


def test_the_homes_of_one_person_count_as_one() -> None:
    shares = tuple(FairnessShare(f"m{n:02}", 1000 * n, 0, 900 * n) for n in range(1, 11))

    def made(persons: dict[str, str]) -> FairnessReport:
        return FairnessReport(shares, 0, 55_000, 49_500, 0, 5_500, persons)

    apart, linked = made({}), made({"m02": "m01", "m03": "m01", "m04": "m01"})
    assert (apart.people, linked.people) == (10, 7)
    assert [band.homes for band in summarise_fairness(apart).bands] == [5, 5]
    assert [band.homes for band in summarise_fairness(linked).bands] == [10], "the lower half are two people"
    few = summarise_fairness(made({f"m{n:02}": "m01" for n in range(2, 8)}))
    assert (few.bands, few.got_less_than_added) == ((), None)


def test_a_difference_within_chance_is_none() -> None:
    def page(share: FairnessShare) -> FairnessPage:
        summary = summarise_fairness(FairnessReport((share,), 2, 0, 0, 0, 0))
        return fairness_page(MemberFairness("2026-01-01", "2026-12-31", 365, 0, 7, summary, share), WORDS)

    cent = 10_000_000
    assert page(FairnessShare("m02", 500 * cent, 60 * cent, 610 * cent)).headline == "You got what you added"
    assert page(FairnessShare("m02", 500 * cent, 40 * cent, 610 * cent)).headline == "You got €1.10 more than you added"
    assert page(FairnessShare("m02", 500 * cent, 40 * cent, 410 * cent)).headline == "You got €0.90 less than you added"
    assert "could be off by €0.80" in page(FairnessShare("m02", 500 * cent, 40 * cent, 410 * cent)).own_note
    assert page(FairnessShare("m02", 5 * cent, 0, 5 * cent + 1)).headline == "You got what you added"


async def test_another_year_and_nonsense_are_not_found(come: Come) -> None:
    browser = await come("m02")
    for year in ("2025", "2027", "x", "", "-1", "2026a"):
        assert (await browser.get(f"/fairness?year={year}")).status_code == 404
