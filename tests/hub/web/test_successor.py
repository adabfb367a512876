"""A successor in a home sees nothing of the member before, who still reads what was theirs."""

import httpx
import pytest

from hub.storage.records import Home, Member
from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import NOW_S

OLD, NEW = "m03", "m77"
FILES = (
    "/my-home.json", "/prompts.json", "/credits.json", "/credits/2026-06-10.json", "/who-looked.json?who=all",
    "/consent.json", "/findings.json", "/objections.json", "/account.json", "/credits/statement/2026-06.json",
    "/credits/statement/2026-06/readings.json",
)  # fmt: skip


@pytest.fixture
async def successor(sign_in: SignIn, store: SqliteStore) -> httpx.AsyncClient:
    """Somebody who moved in where m03 moved out, from today on."""
    board = next(member.id for member in await store.members() if member.is_board)
    assert await store.set_left(OLD, int(NOW_S), last_day="2026-06-11", by=board) is None
    member = Member(NEW, "New Neighbour", "new@example.org", "en", False, int(NOW_S))
    await store.add_member(member, Home("h77", "Flat", NEW, "h03"), by=board)
    return await sign_in(NEW)


def numbers(value: object) -> list[object]:
    """Every energy value in a document."""
    if isinstance(value, dict):
        own = [each for name, each in value.items() if name.endswith("_wh") and each not in (None, [], {})]
        return own + [found for each in value.values() for found in numbers(each)]
    return [found for each in value for found in numbers(each)] if isinstance(value, list) else []


@pytest.mark.parametrize("path", FILES)
async def test_the_successor_sees_nothing_of_the_time_before(
    successor: httpx.AsyncClient, sign_in: SignIn, store: SqliteStore, path: str
) -> None:
    old = await sign_in(OLD)
    await old.get("/my-home")
    was = await old.get(path)
    answer = await successor.get(path)
    assert OLD not in answer.text
    assert "h03" not in answer.text
    if answer.status_code == 200:
        assert answer.text != was.text or not numbers(answer.json())
        assert [each for each in _flat(numbers(answer.json())) if each] == []


def _flat(values: object) -> list[object]:
    if isinstance(values, dict):
        return [found for each in values.values() for found in _flat(each)]
    return [found for each in values for found in _flat(each)] if isinstance(values, list) else [values]


async def test_who_moved_out_still_reads_their_own_days(successor: httpx.AsyncClient, sign_in: SignIn) -> None:
    del successor
    old = await sign_in(OLD)
    assert (await old.get("/credits/statement/2026-06.json")).status_code == 200
    assert numbers((await old.get("/credits.json")).json())
