"""I12 as a sweep: every address that shows a home's values leaves a row in that home's log, and no other home's."""

import pytest

from hub.storage.sqlite import SqliteStore
from tests.hub.web.conftest import SignIn

VALUES = (
    "/my-home", "/my-home.json", "/prompts", "/prompts.json", "/credits", "/credits.json", "/credits.csv",
    "/credits/2026-06-10", "/credits/2026-06-10.json", "/account", "/account.json",
    "/what-if?month=2026-06&rule=equal",
    "/what-if.json?month=2026-06&rule=equal",
)  # fmt: skip
NO_VALUES = (
    "/more",
    "/consent",
    "/consent.json",
    "/who-looked",
    "/who-looked.json",
    "/my-home/appliances",
    "/fresh.json",
    "/what-if",
    "/fairness",
)


async def looks(store: SqliteStore) -> dict[str, int]:
    found = {}
    for home in await store.homes():
        rows = await store.access_rows(home.id, limit=1000)
        found[home.id] = sum(row.count for row in rows if row.role == "self")
    return found


@pytest.mark.parametrize("path", VALUES)
async def test_a_look_at_values_is_logged_for_that_home_alone(sign_in: SignIn, store: SqliteStore, path: str) -> None:
    browser = await sign_in("m02")
    before = await looks(store)
    assert (await browser.get(path)).status_code == 200
    after = await looks(store)
    assert {home for home in after if after[home] != before[home]} == {"h02"}


@pytest.mark.parametrize("path", NO_VALUES)
async def test_a_page_without_values_leaves_the_log_alone(sign_in: SignIn, store: SqliteStore, path: str) -> None:
    browser = await sign_in("m02")
    before = await looks(store)
    assert (await browser.get(path)).status_code == 200
    assert await looks(store) == before
