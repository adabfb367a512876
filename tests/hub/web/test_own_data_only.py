"""Nobody sees or changes another member's data, from any address, form or site."""

import json

import httpx
import pytest

from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import NOW_SLOT

OWN_PAGES = ("/my-home.json", "/prompts.json", "/credits.json", "/who-looked.json", "/consent.json")


@pytest.mark.parametrize("path", OWN_PAGES)
async def test_each_member_gets_different_own_data(sign_in: SignIn, path: str) -> None:
    two, eleven = await sign_in("m02"), await sign_in("m11")
    await two.get("/my-home")
    assert (await two.get(path)).json() != (await eleven.get(path)).json()


@pytest.mark.parametrize("path", OWN_PAGES)
@pytest.mark.parametrize("query", ["home=h03", "member=m03", "id=m03", "home_id=h03&member_id=m03"])
async def test_no_parameter_opens_another_members_data(sign_in: SignIn, path: str, query: str) -> None:
    browser = await sign_in("m02")
    asked = (await browser.get(f"{path}?{query}")).json()
    plain = (await browser.get(path)).json()
    for answer in (asked, plain):
        answer.pop("looks", None)  # the access before is in the log by now
    assert asked == plain


async def test_no_page_of_a_member_names_another_home(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    for path in (
        "/",
        "/my-home",
        "/prompts",
        "/credits",
        "/credits/2026-06-11",
        "/who-looked",
        "/consent",
        "/more",
        "/what-if?month=2026-06&rule=pairwise",
    ):
        page = (await browser.get(path)).text
        assert "Lane 3" not in page, path
        assert "Dreißig" not in page, path


@pytest.mark.parametrize("path", ["/board/fleet", "/board/fleet.json", "/board/runs", "/board/runs.json"])
async def test_board_pages_are_for_the_board(sign_in: SignIn, path: str) -> None:
    assert (await (await sign_in("m02")).get(path)).status_code == 403
    assert (await (await sign_in("m01")).get(path)).status_code == 200


async def test_the_board_cannot_open_a_homes_values(sign_in: SignIn) -> None:
    fleet = (await (await sign_in("m01")).get("/board/fleet.json")).text
    assert "_wh" not in fleet
    assert '"energy' not in fleet


async def test_anothers_prompt_cannot_be_answered(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    assert (await browser.post("/prompts/p-other", data={"answer": "no"})).status_code == 404
    prompts = await store.prompts(home="h03", issued=range(NOW_SLOT - 9, NOW_SLOT + 1))
    assert [prompt.answer for prompt in prompts] == [None]


async def test_appliances_go_to_the_own_home_only(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    entry = {"home": "h03", "kind": "ev", "energy_wh": 9000, "duration_slots": 8, "usual_slot_of_day": 80,
             "earliest_slot_of_day": 70, "latest_slot_of_day": 95, "is_asked": True}  # fmt: skip
    assert (await browser.post("/my-home/appliances", json=[entry])).status_code == 422
    del entry["home"]
    assert (await browser.post("/my-home/appliances", json=[entry])).status_code == 200
    assert {row.home for row in await store.appliances()} == {"h02"}


FORMS = ("/prompts/p-open", "/my-home/appliances", "/sign-out")


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://hub.example.evil.example"},
        {"origin": "http://hub.example:81"},
        {"origin": "https://hub.example"},
        {"origin": "hub.example"},
        {"origin": "http://hub.example", "sec-fetch-site": "cross-site"},
        {"origin": ""},
    ],
)
async def test_a_form_from_another_site_changes_nothing(
    sign_in: SignIn, store: SqliteStore, path: str, headers: dict[str, str]
) -> None:
    browser = await sign_in("m02")
    answer = await browser.post(path, data={"answer": "yes"}, headers=headers)
    assert answer.status_code == 403
    assert (await browser.get("/my-home")).status_code == 200
    prompts = await store.prompts(home="h02", issued=range(NOW_SLOT - 9, NOW_SLOT + 1))
    assert [prompt.answer for prompt in prompts] == [None]
    assert len(await store.appliances()) == 1


async def test_a_form_without_any_origin_is_refused(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    del browser.headers["origin"]
    assert (await browser.post("/prompts/p-open", data={"answer": "yes"})).status_code == 403
    same = await browser.post("/prompts/p-open", data={"answer": "yes"}, headers={"sec-fetch-site": "same-origin"})
    assert same.status_code == 303


async def test_every_access_to_values_is_in_the_homes_log(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    before = len(await store.access_rows("h02", limit=100))
    await browser.get("/my-home")
    await browser.get("/credits/2026-06-11")
    rows = (await store.access_rows("h02", limit=100))[: -before or None]
    assert {(row.actor, row.role, row.purpose) for row in rows} == {
        ("m02", "self", "own.view"),
        ("job:statement", "job", "settle.share"),  # a day's record holds every home's part
    }
    assert len(rows) >= 2
    assert not any(row.actor == "m02" for row in await store.access_rows("h03", limit=100))


async def test_todays_totals_are_logged_only_for_homes_that_share(sign_in: SignIn, store: SqliteStore) -> None:
    await (await sign_in("m02")).get("/")
    logged = [
        home
        for home in ("h01", "h02", "h10", "h11", "h12")
        if any(row.actor == "job:today-page" for row in await store.access_rows(home, limit=100))
    ]
    assert logged == ["h02"]  # homes without panels are left out as well, so that the sums do not show h11 and h12


async def test_a_member_without_a_home_gets_a_clear_sentence(store: SqliteStore, sign_in: SignIn) -> None:
    from hub.storage.records import Member

    await store.add_member(Member("m90", "New", "n@example.org", "en", False, 0), None)
    browser = await sign_in("m90")
    assert (await browser.get("/")).status_code == 200
    answer = await browser.get("/my-home")
    assert answer.status_code == 404
    assert "No home is registered in your name" in answer.text
    assert json.loads((await browser.get("/prompts.json")).text)["open"] == []


async def test_nobody_signed_in_cannot_post(nobody: httpx.AsyncClient) -> None:
    for path in FORMS[:2]:
        assert (await nobody.post(path, data={"answer": "yes"})).status_code == 303
