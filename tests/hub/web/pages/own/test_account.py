"""A member's own bank account and mandate: entered by the member, masked on every page, shown to nobody else."""

import logging
from dataclasses import replace

import httpx
import pytest

from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from tests.hub.web.conftest import ORIGIN, SignIn, browser_on
from tests.hub.web.page_street import HOSTILE, parts_over, sign_in_token

IBAN = "AT61 1904 3002 3457 3201"
PLAIN = IBAN.replace(" ", "")
FORM = {"holder": "Household Two", "iban": IBAN}
LOOK = Access("m01", "board", "bank.pay")


async def test_an_account_is_entered_and_shown_by_its_last_characters(
    sign_in: SignIn, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    member, other = await sign_in("m02"), await sign_in("m03")
    assert "cannot pay you" in (await member.get("/account")).text
    assert (await member.post("/account/mandate", data={"decision": "give"})).status_code == 409
    sent = await member.post("/account", data=FORM)
    assert (sent.status_code, sent.headers["location"]) == (303, "/account?saved=account")
    page = (await member.get("/account?saved=account")).text
    assert "AT •••• 3201" in page
    assert "You entered it on" in page
    for path in ("/account", "/account.json"):
        text = (await member.get(path)).text
        assert "3201" in text
        assert "1904" not in text
        assert "3201" not in (await other.get(path)).text
    details = await store.bank_details(["m02"], access=LOOK)
    assert [(row.iban, row.made_by) for row in details.accounts] == [(PLAIN, "m02")]
    assert "1904" not in caplog.text


async def test_a_mandate_is_given_and_revoked_by_an_act_of_its_own(sign_in: SignIn) -> None:
    member = await sign_in("m02")
    await member.post("/account", data=FORM)
    assert "I give this mandate" in (await member.get("/account")).text
    assert (await member.post("/account/mandate", data={"decision": "give"})).status_code == 303
    assert (await member.post("/account/mandate", data={"decision": "give"})).status_code == 409
    (mandate,) = (await member.get("/account.json")).json()["mandates"]
    assert (mandate["id"], mandate["signed_on"], mandate["ended_at"]) == ("m02-1", "2026-06-12", None)
    page = (await member.get("/account?saved=give")).text
    assert "Mandate m02-1, given on Friday 12 June" in page
    assert (await member.post("/account/mandate", data={"decision": "maybe"})).status_code == 422
    assert (await member.post("/account/mandate", data={"decision": "revoke"})).status_code == 303
    assert (await member.post("/account/mandate", data={"decision": "revoke"})).status_code == 409
    page = (await member.get("/account?saved=revoke")).text
    assert "mandate m02-1 ended by Household Two" in page
    await member.post("/account/mandate", data={"decision": "give"})
    await member.post("/account", data=FORM | {"iban": "ES9121000418450200051332"})
    ended = [row["ended_by"] for row in (await member.get("/account.json")).json()["mandates"]]
    assert ended == ["m02", "m02"], "another IBAN ends the mandate"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"iban": "AT61 1904 3002 3457 3202"}, "check digits"),
        ({"iban": "AT61 1904 3002 3457 320"}, "has 20 characters, not 19"),
        ({"iban": "US61 1904 3002 3457 3201"}, "two letters of a SEPA country"),
        ({"iban": ""}, "two letters of a SEPA country"),
        ({"holder": "  "}, "holder&#39;s name"),
        ({"holder": "x" * 71}, "holder&#39;s name"),
        ({"holder": "\u0007"}, "holder&#39;s name"),
    ],
)
async def test_a_wrong_account_is_shown_in_place_and_leaves_no_row(
    sign_in: SignIn, store: SqliteStore, change: dict[str, str], said: str
) -> None:
    member = await sign_in("m02")
    answer = await member.post("/account", data=FORM | change)
    assert answer.status_code == 422
    assert said in answer.text
    assert "1904" not in answer.text
    assert (await store.bank_details(None, access=LOOK)).accounts == ()


async def test_foreign_forms_and_strangers_change_nothing(sign_in: SignIn, store: SqliteStore) -> None:
    member = await sign_in("m02")
    for path, form in (("/account", FORM), ("/account/mandate", {"decision": "give"})):
        foreign = await member.post(path, data=form, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
        async with browser_on(store) as nobody:
            assert (await nobody.post(path, data=form)).headers["location"] == "/sign-in"
    assert (await store.bank_details(None, access=LOOK)).accounts == ()


async def test_a_holders_words_are_shown_as_words(sign_in: SignIn) -> None:
    member = await sign_in("m02")
    await member.post("/account", data=FORM | {"holder": HOSTILE})
    page = (await member.get("/account")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


async def test_the_board_member_who_opened_it_is_in_the_log(sign_in: SignIn, store: SqliteStore) -> None:
    member = await sign_in("m02")
    await store.bank_details(["m02"], access=LOOK)
    assert "Opened your bank account. Purpose: pay out credits" in (await member.get("/who-looked")).text


async def test_without_the_co_ops_own_account_no_payment_is_promised(store: SqliteStore) -> None:
    parts = replace(parts_over(store), bank=None)
    transport = httpx.ASGITransport(app=build_app(parts), client=("192.0.2.7", 1234))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as member:
        await member.post(f"/sign-in/{await sign_in_token(store, 'm02')}")
        page = (await member.get("/account")).text
    assert "does not make payments with Commonwatt at present" in page
    for promise in ("pays your credits", "cannot pay you", "Payments appear here", "Direct debit"):
        assert promise not in page
