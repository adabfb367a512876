"""The door: only requests for this hub's own names, of one length; HEAD is GET without the body."""

import httpx
import pytest

from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from hub.web.frame.door import is_own_host
from tests.hub.web.conftest import ORIGIN, SignIn
from tests.hub.web.page_street import parts_over


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("hub.example", True),
        ("HUB.example:8400", True),
        ("hub.example.", True),
        ("127.0.0.1:8400", True),
        ("[::1]:8400", True),
        ("192.0.2.9", True),
        ("evil.example", False),
        ("hub.example.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("[::1", False),
        ("hub.example@evil.example", False),
    ],
)
def test_a_host_is_ours_by_name_or_is_an_address(host: str, is_ours: bool) -> None:
    assert is_own_host(host, {"hub.example"}) is is_ours


async def test_another_sites_name_that_points_here_gets_no_page(store: SqliteStore) -> None:
    transport = httpx.ASGITransport(app=build_app(parts_over(store)))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser:
        for path in ("/", "/sign-in", "/static/site.css", "/api/enrol"):
            refused = await browser.get(path, headers={"host": "rebound.evil.example"})
            assert refused.status_code == 421
            assert refused.json()["error"] == (
                "This hub does not answer to the name rebound.evil.example. Add it under [web] in hub.toml"
                " (names = ['rebound.evil.example']) and restart the hub; its address always works."
            )
        page = await browser.get("/", headers={"host": "hub.lan:8400", "accept": "text/html,*/*;q=0.8"})
        assert page.headers["content-type"] == "text/plain; charset=utf-8"
        assert page.text.startswith("This hub does not answer to the name hub.lan. Add it under [web] in hub.toml (")
        for host in ("rebound.evil.example:8400", "hub.local.evil.example", "<b>.example", "", "hub.example/.evil"):
            refused = await browser.get("/", headers={"host": host})
            assert refused.status_code == 421
            assert "<" not in refused.text
        assert (await browser.get("/sign-in", headers={"host": "192.0.2.1:8400"})).status_code == 200


async def test_a_request_with_two_lengths_is_refused(store: SqliteStore) -> None:
    transport = httpx.ASGITransport(app=build_app(parts_over(store)))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser:
        both = {"content-length": "2", "transfer-encoding": "chunked", "content-type": "application/json"}
        refused = await browser.post("/api/enrol", content=b"{}", headers=both)
        assert refused.status_code == 400
        assert "only one of them" in refused.json()["error"]


async def test_head_is_get_without_a_body(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    for path in ("/", "/my-home", "/today.json", "/static/site.css", "/nowhere"):
        got, head = await browser.get(path), await browser.head(path)
        assert head.status_code == got.status_code
        assert head.content == b""
        assert head.headers["content-type"] == got.headers["content-type"]
