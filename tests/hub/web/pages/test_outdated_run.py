"""A draft older than the books, on the board's pages: what is wrong, no button, and the way to a new draft."""

from datetime import date

from hub.core.ledger.fund_entries import FeeScale
from hub.money.funds import book_fund, plan_fees
from hub.storage.sqlite.store import SqliteStore
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
