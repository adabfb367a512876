"""Links work once, sessions end, tokens are stored only as hashes, and nothing opens without a session."""

from pathlib import Path

import httpx
import pytest

from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from tests.hub.web.conftest import ORIGIN, SignIn, browser_on
from tests.hub.web.page_street import NOW_S, parts_over, sign_in_token

MEMBER_PAGES = (
    "/", "/today.json", "/my-home", "/my-home.json", "/my-home/appliances", "/my-home/months", "/my-home/months.json",
    "/prompts", "/prompts.json", "/credits",
    "/credits.json", "/credits.csv", "/credits/2026-06-11", "/credits/2026-06-11.json", "/who-looked",
    "/who-looked.json", "/who-looked.csv",
    "/consent", "/consent.json", "/homes", "/homes.json", "/more", "/fresh.json", "/board/fleet", "/board/fleet.json",
    "/board/runs", "/board/runs.json", "/credits/statement/2026-06", "/credits/statement/2026-06/2026-06-11",
    "/credits/statement/2026-06.json", "/credits/statement/2026-06.csv", "/credits/statement/2026-06/readings.json",
    "/credits/statement/2026-06.pdf", "/credits/statement/2026-06/bills.csv",
    "/credits/statement/2026-06/pool.json", "/credits/statement/2026-06/before.json",
    "/objections", "/objections.json", "/findings", "/findings.json",
    "/board/findings", "/board/findings.json", "/board/maps",
    "/objections/new", "/board/objections",
    "/board/objections.json", "/account", "/account.json", "/notices", "/notices.json", "/board/payments",
    "/board/runs/2026-06", "/board/runs/2026-06.json", "/board/runs/2026-06/preview",
    "/board/runs/2026-06/preview.json", "/board/runs/2026-06/run/{run_key}", "/board/runs/2026-06/run/{run_key}.json",
    "/rules", "/rules.json", "/what-if", "/what-if.json", "/fairness", "/fairness.json", "/findings",
    "/findings.json", "/board/findings", "/board/findings.json", "/board/members", "/board/members/{member}",
    "/board/jobs", "/board/jobs.json", "/board/invite", "/board/health", "/board/health.json",
    "/changes", "/changes.json", "/changes.csv",
)  # fmt: skip


async def test_a_link_signs_in_once(store: SqliteStore) -> None:
    token = await sign_in_token(store, "m02")
    async with browser_on(store) as browser:
        first = await browser.post(f"/sign-in/{token}")
        assert first.status_code == 303
        assert first.headers["location"] == "/"
        assert (await browser.get("/")).status_code == 200
    async with browser_on(store) as other:
        second = await other.post(f"/sign-in/{token}")
        assert second.status_code == 403
        assert "used or has expired" in second.text
        assert (await other.get("/")).status_code == 303


async def test_an_old_link_is_refused(store: SqliteStore) -> None:
    token = await sign_in_token(store, "m02")
    app = build_app(parts_over(store, now_s=NOW_S + 2 * 3600))
    origin = {"origin": ORIGIN}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN, headers=origin) as browser:
        assert (await browser.post(f"/sign-in/{token}")).status_code == 403


@pytest.mark.parametrize("token", ["x", "%00", "a" * 5000, "..%2f..%2fhub.sqlite", "link-m02-3' OR 1=1 --"])
async def test_a_made_up_link_is_refused_in_one_sentence(nobody: httpx.AsyncClient, token: str) -> None:
    answer = await nobody.post(f"/sign-in/{token}")
    assert answer.status_code in (403, 404)
    assert "Traceback" not in answer.text


async def test_a_preview_does_not_use_up_a_link(store: SqliteStore) -> None:
    """A chat that fetches a link to show a preview used to spend it, and kept the session to itself."""
    token = await sign_in_token(store, "m02")
    async with browser_on(store) as preview:
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = await preview.request(method, f"/sign-in/{token}")
            assert answer.status_code in (200, 405)
            assert "set-cookie" not in answer.headers
            assert token not in answer.text
    async with browser_on(store) as browser:
        page = await browser.get(f"/sign-in/{token}")
        assert '<form method="post"><p class="buttons"><button class="first">Sign in</button></p></form>' in page.text
        assert (await browser.get("/my-home")).status_code == 303, "not signed in yet"
        assert (await browser.post(f"/sign-in/{token}")).status_code == 303
        assert (await browser.get("/my-home")).status_code == 200


async def test_another_site_cannot_press_the_button(store: SqliteStore) -> None:
    token = await sign_in_token(store, "m02")
    async with browser_on(store) as browser:
        foreign = await browser.post(f"/sign-in/{token}", headers={"origin": "https://elsewhere.example"})
        assert foreign.status_code == 403
        assert (await browser.post(f"/sign-in/{token}")).status_code == 303, "the link is still good"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(store: SqliteStore) -> None:
    token = await sign_in_token(store, "m02")
    app = build_app(parts_over(store, secure_cookies=True))
    transport, site = httpx.ASGITransport(app=app), "https://hub.example"
    async with httpx.AsyncClient(transport=transport, base_url=site, headers={"origin": site}) as browser:
        cookie = (await browser.post(f"/sign-in/{token}")).headers["set-cookie"]
    assert cookie.startswith("__Host-cw-session=")
    for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert attribute in cookie


async def test_neither_link_nor_session_is_stored_in_clear(store: SqliteStore, tmp_path: Path) -> None:
    token = await sign_in_token(store, "m02")
    async with browser_on(store) as browser:
        await browser.post(f"/sign-in/{token}")
        session = browser.cookies["cw-session"]
    content = b"".join(path.read_bytes() for path in tmp_path.glob("hub.sqlite*"))
    assert len(session) >= 43
    assert token.encode() not in content
    assert session.encode() not in content


async def test_signing_out_ends_the_session_for_good(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    session = browser.cookies["cw-session"]
    assert (await browser.post("/sign-out")).status_code == 303
    browser.cookies.set("cw-session", session)
    assert (await browser.get("/my-home")).status_code == 303


async def test_a_session_ends_after_its_days(store: SqliteStore, sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    app = build_app(parts_over(store, now_s=NOW_S + 31 * 86_400))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=ORIGIN, cookies=dict(browser.cookies)
    ) as later:
        assert (await later.get("/my-home")).status_code == 303


@pytest.mark.parametrize("path", MEMBER_PAGES)
async def test_no_page_opens_without_a_session(nobody: httpx.AsyncClient, path: str) -> None:
    answer = await nobody.get(path)
    assert answer.status_code == (401 if path.endswith(".json") else 303)
    nobody.cookies.set("cw-session", "made-up")
    assert (await nobody.get(path)).status_code in (303, 401)


async def test_every_page_is_in_this_list(store: SqliteStore) -> None:
    """A page added without a check of its session would be missed otherwise."""
    open_to_all = {"/sign-in", "/sign-in/{token}", "/static/{name}", "/favicon.ico", "/api/status.json"}
    open_to_all.add("/verify_statement.py")
    listed = {path.replace("2026-06-11", "{day}").replace("2026-06", "{month}") for path in MEMBER_PAGES}
    app = build_app(parts_over(store))
    found = {
        str(route.path) for route in app.routes if "GET" in getattr(route, "methods", ()) and hasattr(route, "path")
    }
    assert found - open_to_all == listed
