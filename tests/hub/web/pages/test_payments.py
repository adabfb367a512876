"""Payment orders on pages: the board approves and withdraws, a member sees the own payments, every look is logged."""

from hub.money.orders import payment_orders
from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import order_payouts


async def make_second_board_member(store: SqliteStore) -> None:
    async def work(db: object) -> None:
        await db.execute("UPDATE member SET is_board = 1 WHERE id = 'm03'")  # type: ignore[attr-defined]

    await store.write(work)


async def test_two_board_members_approve_an_order_on_its_page(sign_in: SignIn, store: SqliteStore) -> None:
    await make_second_board_member(store)
    board, second = await sign_in("m01"), await sign_in("m03")
    assert "No order has been made yet." in (await board.get("/board/payments")).text
    message_id = await order_payouts(store)
    page = (await board.get("/board/payments")).text
    assert "2 payouts, €24.69 for Saturday 20 June" in page
    assert "Household Two" in page
    assert "April 2026 to May 2026" in page
    assert "3201" not in page
    address, word = f"/board/payments/{message_id}", {"decision": "approve"}
    assert (await board.post(address, data=word)).status_code == 303
    assert (await board.post(address, data=word)).status_code == 409
    assert 'value="approve"' not in (await board.get("/board/payments")).text
    assert (await second.post(address, data=word)).status_code == 303
    assert "approved: its file may be written" in (await second.get("/board/payments")).text
    (order,) = await payment_orders(store)
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
    assert "To you for April 2026 to May 2026" in page
    assert "€12.34" in page
    assert "being prepared, for Saturday 20 June" in page
    (own,) = (await member.get("/account.json")).json()["payments"]
    assert (own["reference"], own["amount_cent"], own["state"]) == (f"{message_id}-1", 1234, "draft")
    assert (await other.get("/account.json")).json()["payments"] == []
    assert "12.34" not in (await other.get("/account")).text


async def test_only_the_board_opens_orders_and_each_look_is_in_the_log_of_who_is_in_them(
    sign_in: SignIn, store: SqliteStore
) -> None:
    address = f"/board/payments/{await order_payouts(store, ('m02',))}"
    member, board = await sign_in("m02"), await sign_in("m01")
    assert (await member.get("/board/payments")).status_code == 403
    assert (await member.post(address, data={"decision": "approve"})).status_code == 403
    foreign = await board.post(address, data={"decision": "approve"}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert [order.approvals for order in await payment_orders(store)] == [()]
    before = {home.id: len(await store.access_rows(home.id, limit=99)) for home in await store.homes()}
    await board.get("/board/payments")
    after = {home.id: len(await store.access_rows(home.id, limit=99)) for home in await store.homes()}
    assert {home for home in after if after[home] != before[home]} == {"h02"}
    assert "Household One (board)</b> looked at your payments to pay out" in (await member.get("/who-looked")).text
