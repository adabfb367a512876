"""Payment orders on pages: the board approves and withdraws, members see their own payments, every access is logged."""

import re

import pytest

from hub.books.view import read_money_books
from hub.core.payments.order_history import PAYMENT_FILE
from hub.money.booking import book_order, book_return
from hub.money.kept_orders import KeptOrders
from hub.money.orders import attest_decision
from hub.storage.records import AttestationRow
from hub.storage.sqlite.store import SqliteStore
from hub.web.pages.own import account
from hub.web.views.settlement.payments import own_payments_json
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import HUB_KEY, NOW_S, order_payouts


async def make_second_board_member(store: SqliteStore) -> None:
    async def work(db: object) -> None:
        await db.execute("UPDATE member SET is_board = 1 WHERE id = 'm03'")  # type: ignore[attr-defined]

    await store.write(work)


async def test_two_board_members_approve_an_order_on_its_page(sign_in: SignIn, store: SqliteStore) -> None:
    await make_second_board_member(store)
    board, second = await sign_in("m01"), await sign_in("m03")
    assert "There are no payment orders yet." in (await board.get("/board/payments")).text
    message_id = await order_payouts(store)
    page = (await board.get("/board/payments")).text
    assert "2 payouts on Saturday 20 June, €24.69" in page
    assert "Household Two" in page
    assert "April 2026 to May 2026" in page
    assert "3201" not in page
    address, word = f"/board/payments/{message_id}", {"decision": "approve"}
    assert (await board.post(address, data=word)).status_code == 303
    assert (await board.post(address, data=word)).status_code == 409
    assert 'value="approve"' not in (await board.get("/board/payments")).text
    assert (await second.post(address, data=word)).status_code == 303
    assert "approved: the bank file can be written" in (await second.get("/board/payments")).text
    (order,) = (await read_money_books(store)).orders
    assert [member for member, _ in order.approvals] == ["m01", "m03"]


async def test_an_order_is_withdrawn_with_a_reason(sign_in: SignIn, store: SqliteStore) -> None:
    board, address = await sign_in("m01"), f"/board/payments/{await order_payouts(store)}"
    for reason in ("", "x" * 141, "a\x00"):
        assert (await board.post(address, data={"decision": "withdraw", "reason": reason})).status_code == 422
    assert (await board.post(address, data={"decision": "maybe"})).status_code == 422
    done = await board.post(address, data={"decision": "withdraw", "reason": "a <b>wrong</b> day"})
    assert done.status_code == 303
    page = (await board.get("/board/payments")).text
    assert "a &lt;b&gt;wrong&lt;/b&gt; day" in page
    assert (await board.post(address, data={"decision": "approve"})).status_code == 409
    assert (await board.post("/board/payments/other", data={"decision": "approve"})).status_code == 409


async def test_members_see_their_own_payments_and_nobody_elses(sign_in: SignIn, store: SqliteStore) -> None:
    message_id = await order_payouts(store, ("m02",))
    member, other = await sign_in("m02"), await sign_in("m03")
    page = (await member.get("/account")).text
    assert "To you: April 2026 to May 2026" in page
    assert "€12.34" in page
    assert "being prepared, for Saturday 20 June" in page
    (own,) = (await member.get("/account.json")).json()["payments"]
    assert (own["reference"], own["amount_cent"], own["state"]) == (f"{message_id}-1", 1234, "draft")
    assert (await other.get("/account.json")).json()["payments"] == []
    assert "12.34" not in (await other.get("/account")).text


async def test_only_the_board_opens_orders_and_the_members_in_them_see_it_logged(
    sign_in: SignIn, store: SqliteStore
) -> None:
    address = f"/board/payments/{await order_payouts(store, ('m02',))}"
    member, board = await sign_in("m02"), await sign_in("m01")
    assert (await member.get("/board/payments")).status_code == 403
    assert (await member.post(address, data={"decision": "approve"})).status_code == 403
    foreign = await board.post(address, data={"decision": "approve"}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert [order.approvals for order in (await read_money_books(store)).orders] == [()]
    before = {home.id: len(await store.access_rows(home.id, limit=99)) for home in await store.homes()}
    await board.get("/board/payments")
    after = {home.id: len(await store.access_rows(home.id, limit=99)) for home in await store.homes()}
    assert {home for home in after if after[home] != before[home]} == {"h02"}
    page = (await member.get("/who-looked")).text
    assert re.search(
        r"Household One \(board\)</b> <small>\d\d:\d\d</small><br>Opened your payments\. Purpose: pay out", page
    )


async def test_kept_orders_are_those_of_the_books_at_every_step(sign_in: SignIn, store: SqliteStore) -> None:
    kept, members = KeptOrders(store), ("m02", "m03", "m07")
    await make_second_board_member(store)
    board = await sign_in("m01")

    async def same() -> None:
        whole = (await read_money_books(store)).orders
        assert await kept.newest(most=9) == whole
        assert await kept.newest(most=1) == whole[-1:]
        for member in members:
            own = await kept.newest(most=9, member=member)
            assert own_payments_json(own, member) == own_payments_json(whole, member)
            assert {payment.member for order in own for payment in order.payments} <= {member}

    await same()
    first = await order_payouts(store, ("m02", "m03"))
    await same()
    await board.post(f"/board/payments/{first}", data={"decision": "approve"})
    await order_payouts(store, ("m03", "m07", "m02"))
    await same()
    await (await sign_in("m03")).post(f"/board/payments/{first}", data={"decision": "approve"})
    await same()
    books = await read_money_books(store)
    file = {"at": int(NOW_S), "sha256": "ab"}
    await attest_decision(store, books.orders[0], file, kind=PAYMENT_FILE, heads=books, key=HUB_KEY)
    await same()
    order = await book_order(store, first, day="2026-06-21", at=int(NOW_S), key=HUB_KEY)
    await same()
    reference = order.payments[0].reference
    await book_return(store, first, reference, day="2026-06-23", reason="MD06", at=int(NOW_S), key=HUB_KEY)
    await same()


async def test_a_look_at_ones_payments_reads_each_order_once_and_a_year_of_orders(
    sign_in: SignIn, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "OWN_ORDERS", 2)
    for member in ("m02", "m03", "m02", "m02"):
        await order_payouts(store, (member,))
    read: list[int] = []
    one_by_one = store.journal_attestations

    async def counted(*, after: int, limit: int) -> tuple[AttestationRow, ...]:
        read.append(after)
        return await one_by_one(after=after, limit=limit)

    monkeypatch.setattr(store, "journal_attestations", counted)
    browser = await sign_in("m02")
    pages = [(await browser.get("/account")).text for _ in range(3)]
    assert len(read) == len(set(read)) == 3, "the page's two orders, and one to know that there are more"
    assert {page.count("To you:") for page in pages} == {2}
    assert 'href="/account?payments=all#payments"' in pages[0]
    whole = (await browser.get("/account?payments=all")).text
    assert whole.count("To you:") == 3
    assert "payments=all" not in whole
    assert len(read) == 4
