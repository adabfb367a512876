"""What is true of every page: headers, budgets, escaping, and one sentence for every error."""

import gzip
import logging
import re

import httpx
import pytest

from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from hub.web.frame.guard import CONTENT_POLICY, MAX_BODY_BYTES
from hub.web.rendering import STATIC_DIR, static_address
from tests.hub.web.conftest import ORIGIN, SignIn, browser_on
from tests.hub.web.page_street import HOSTILE, STATUS_KEY, parts_over

PAGES = ("/", "/my-home", "/my-home/appliances", "/my-home/months",
         "/prompts", "/credits", "/credits/2026-06-11", "/who-looked",
         "/consent", "/more", "/board/fleet", "/board/runs", "/board/runs/2026-06", "/what-if",
         "/what-if?month=2026-06&rule=priority", "/fairness", "/rules", "/changes", "/board/members",
         "/board/members/m03", "/board/invite", "/board/maps")  # fmt: skip
FIRST_LOAD_BYTES = 30 * 1024
PAGE_BYTES = 100 * 1024
STATIC_BYTES = 6 * 1024


def squeezed(content: bytes) -> int:
    return len(gzip.compress(content, 9, mtime=0))


@pytest.mark.parametrize("path", [*PAGES, "/sign-in", "/nowhere", "/sign-in/wrong", "/api/status.json", "/today.json"])
async def test_every_answer_carries_the_protecting_headers(sign_in: SignIn, path: str) -> None:
    answer = await (await sign_in("m01")).get(path)
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_the_policy_allows_nothing_inline_and_nothing_foreign() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in CONTENT_POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in CONTENT_POLICY
    assert "http" not in CONTENT_POLICY


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_holds_inline_style_or_script_or_a_foreign_address(sign_in: SignIn, path: str) -> None:
    page = (await (await sign_in("m01")).get(path)).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    assert re.findall(r"<script[^>]*>", page) == [f'<script type="module" src="{static_address("site.js")}">']
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_stays_inside_its_budget(sign_in: SignIn, path: str) -> None:
    answer = await (await sign_in("m01")).get(path)
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    files = [(STATIC_DIR / name).read_bytes() for name in ("site.css", "site.js", "mark.svg")]
    assert squeezed(answer.content) + sum(map(squeezed, files)) <= FIRST_LOAD_BYTES
    assert len(answer.content) <= PAGE_BYTES


@pytest.mark.parametrize("name", ["site.css", "site.js", "mark.svg"])
async def test_static_files_are_small_and_kept_by_browsers(nobody: httpx.AsyncClient, name: str) -> None:
    answer = await nobody.get(static_address(name))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert squeezed(answer.content) <= STATIC_BYTES


@pytest.mark.parametrize("name", ["..%2fapp.py", "%2e%2e/app.py", "site.css%00", "nothing.css"])
async def test_no_other_file_is_served(nobody: httpx.AsyncClient, name: str) -> None:
    assert (await nobody.get(f"/static/{name}")).status_code == 404


async def test_a_hostile_name_stays_text_everywhere(sign_in: SignIn) -> None:
    board, hostile = await sign_in("m01"), await sign_in("m12")
    fleet = (await board.get("/board/fleet")).text
    assert "&lt;script&gt;alert(" in fleet
    for browser, path in ((board, "/board/fleet"), (hostile, "/more"), (hostile, "/my-home"), (board, "/who-looked")):
        assert HOSTILE not in (await browser.get(path)).text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/nowhere", "/static/"])
async def test_there_is_nothing_else(nobody: httpx.AsyncClient, path: str) -> None:
    answer = await nobody.get(path)
    assert answer.status_code == 404
    assert ("This page does not exist." in answer.text) or answer.json() == {"error": "This page does not exist."}


async def test_wrong_methods_and_large_bodies_get_one_sentence(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    assert (await browser.post("/my-home")).status_code == 405
    large = await browser.post("/prompts/p-open", content=b"answer=" + b"x" * MAX_BODY_BYTES)
    assert large.status_code == 413
    assert "send at most 64 KiB" in large.text


async def test_a_broken_page_says_so_calmly_and_logs_no_value(
    store: SqliteStore, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    browser = await sign_in("m02")

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("h02 used 4711 Wh")

    monkeypatch.setattr(store, "home_series", broken)
    with caplog.at_level(logging.DEBUG):
        answer = await browser.get("/my-home")
    assert answer.status_code == 500
    assert "An error in the hub" in answer.text
    assert "Traceback" not in answer.text
    assert "RuntimeError" in caplog.text
    assert "4711" not in caplog.text + answer.text


async def test_status_is_for_this_machine_and_the_board(store: SqliteStore, sign_in: SignIn) -> None:
    assert (await (await sign_in("m01")).get("/api/status.json")).json()["jobs_due"] == 0
    assert (await (await sign_in("m02")).get("/api/status.json")).status_code == 403
    async with browser_on(store) as far:
        assert (await far.get("/api/status.json")).status_code == 403
        for wrong in ("Bearer", "Bearer ", f"Bearer {STATUS_KEY}x", f"Basic {STATUS_KEY}", STATUS_KEY):
            assert (await far.get("/api/status.json", headers={"authorization": wrong})).status_code == 403
        key = {"authorization": f"Bearer {STATUS_KEY}"}
        assert (await far.get("/api/status.json", headers=key)).status_code == 200
    async with browser_on(store, client=("127.0.0.1", 9)) as near:
        # A proxy on the hub's own machine passes strangers' requests on from a loopback address.
        assert (await near.get("/api/status.json", headers={"host": "127.0.0.1:8400"})).status_code == 403


async def test_enrolment_passes_the_body_on_and_needs_no_origin(store: SqliteStore) -> None:
    transport = httpx.ASGITransport(app=build_app(parts_over(store)))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as agent:
        for kind in ("application/json", "Application/JSON; charset=utf-8"):
            answer = await agent.post("/api/enrol", content=b'{"token": "good"}', headers={"content-type": kind})
            assert answer.json() == {"agent": "a-99"}
        for kind in ("", "text/plain"):
            answer = await agent.post("/api/enrol", content=b'{"token": "good"}', headers={"content-type": kind})
            assert answer.status_code == 415
            assert "application/json" in answer.json()["error"]
        agent.headers["content-type"] = "application/json"
        refused = await agent.post("/api/enrol", content=b"{}")
        assert (refused.status_code, refused.json()) == (400, {"error": "the invitation is unknown"})
        assert (await agent.post("/api/enrol", content=b"x" * (MAX_BODY_BYTES + 1))).status_code == 413
