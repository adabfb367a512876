"""A draft older than the books, on the board's pages: what is wrong, no button, and the way to a new draft."""

from dataclasses import replace
from datetime import date

from hub.commands.runs import run_json, run_line
from hub.core.ledger.fund_entries import FeeScale
from hub.core.ledger.month_overview import month_overview
from hub.core.ledger.month_preview import board_preview, sum_changes
from hub.core.ledger.run_calendar import RunCalendar
from hub.money.funds import book_fund, plan_fees
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.runs import booked_page
from tests.hub.core.ledger.signed_chain import SignedChain
from tests.hub.web.conftest import M1_DUE, Come
from tests.hub.web.page_street import HUB_KEY
from tests.hub.web.pages.test_runs import JUNE, book


async def charge(store: SqliteStore) -> None:
    scale = FeeScale({"full": 2_500_000_000}, "full")
    plan = await plan_fees(store, month=date(2026, 6, 1), scale=scale, decided="assembly")
    await book_fund(store, plan, made_at=int(M1_DUE), key=HUB_KEY)


async def test_the_board_is_shown_why_and_how_to_make_the_draft_again(come: Come, store: SqliteStore) -> None:
    first, second = await come("m20"), await come("m21")
    key = await book(first)
    for browser in (first, second):
        assert (await browser.post(f"{JUNE}/approve", data={"run_key": key})).status_code == 303
    await charge(store)
    look = (await first.get(f"{JUNE}/run/{key}")).text
    assert "This draft is older than the books" in look
    assert "<form" not in look.split("<main")[1]
    assert "older than the books, to be made again" in (await first.get(JUNE)).text
    (told,) = (await first.get(f"{JUNE}.json")).json()["runs"]
    assert (told["state"], told["is_outdated"]) == ("approved", True)
    refused = await first.post(f"{JUNE}/publish", data={"run_key": key})
    assert refused.status_code == 409
    assert "make it again with: commonwatt-hub settle --month 2026-06 --kind M1" in refused.text
    preview = (await first.get(f"{JUNE}/preview?kind=M1")).text
    assert "The run bills what was booked after the last draft was made, such as fees." in preview
    newer = await book(first)
    assert newer != key
    again = (await second.get(f"{JUNE}.json")).json()["runs"]
    assert [(run["state"], run["is_outdated"], len(run["approvals"])) for run in again] == [
        ("superseded", False, 2),
        ("draft", False, 0),
    ]
    assert (await second.post(f"{JUNE}/approve", data={"run_key": newer})).status_code == 303


def test_a_draft_whose_place_a_later_run_takes_is_not_to_be_made_again() -> None:
    """Making it again is refused once a later run was made, so no page and no list says that."""
    chain, words = SignedChain(), Localizer("en", "Europe/Vienna", "EUR")
    for kind in ("M1", "R1"):
        chain.make(kind, f"run-{kind}")
    older, later = chain.run("run-M1"), replace(chain.run("run-R1"), ledger_position=9)
    month = month_overview(
        date(2026, 5, 1), runs=(older, later), days=[], settled=[], marked=(), calendar=RunCalendar(),
        today=date(2026, 9, 1), last_booked=8,
    )  # fmt: skip
    nothing = board_preview(sum_changes([], month="2026-05", days=(), digests=("", "")))
    page = booked_page(month, older, words, booked=nothing, names={}, reader="m01")
    assert page.state == "older than the books, R1 takes its place"
    assert (page.action, page.obstacle) == (
        "",
        "This draft is older than the books, and R1 has been made since. Approve and publish R1 in its place.",
    )
    row = run_json(older) | {"is_outdated": True, "way_on": "R1 takes its place"}
    assert ", older than the books: R1 takes its place  " in run_line(row)
