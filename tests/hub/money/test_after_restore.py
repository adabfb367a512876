"""A restored hub publishes and pays nothing until the board confirms, and gives no forgotten bill's number again."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books.after_restore import forgotten_mark
from hub.books.runs import settle_month
from hub.core.payments.due import COLLECTIONS
from hub.money.bills import billed_runs
from hub.money.order_files import order_file
from hub.money.orders import OrderRequest, make_order
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from hub.verify.statement_bills import RecomputedBills
from protocols.errors import RequestError
from tests.hub.money.test_booking import ACCESS, AT, DAYS, MAY, OWN, PAY_ON, write_file
from tests.hub.new_store import open_new_store
from tests.hub.settled_street import KEY, open_street

BACKUP_AT = AT - 86_400
MARK = "-R2606091013"


async def numbers(store: SqliteStore) -> set[str]:
    runs = await billed_runs(store, MAY)
    return {str(bill["number"]) for run in runs for sides in run.documents.values() for bill in sides.values()}


async def publish(store: SqliteStore, run_key: str) -> None:
    for member in ("m01", "m02"):
        await approve_run(store, run=run_key, member=member, at=AT, key=KEY)
    await publish_run(store, run=run_key, member="m01", at=AT, key=KEY)


async def test_bills_and_payments_wait_for_the_board_and_no_number_is_given_twice(tmp_path: Path) -> None:
    (tmp_path / "lost").mkdir()
    (tmp_path / "restored").mkdir()
    street = await open_street(tmp_path / "lost", homes=4)
    await street.arrive_days(DAYS)
    run = await settle_month(street.store, month=MAY, kind="M1", made_at=AT, key=KEY)
    lost, restored = (tmp_path / name / "hub.sqlite" for name in ("lost", "restored"))
    with closing(sqlite3.connect(lost)) as db, closing(sqlite3.connect(restored)) as copy:
        db.backup(copy)
    await publish(street.store, run.run_key)
    forgotten = await numbers(street.store)
    assert all(number[2:12] == "2026-05-M1" for number in forgotten)
    await street.store.close()

    store = await SqliteStore.open(tmp_path / "restored" / "hub.sqlite", now=lambda: float(AT))
    await store.add_restore(backup_made_at=BACKUP_AT, restored_at=AT)
    with pytest.raises(RequestError, match="nothing is published or paid until the board"):
        await publish(store, run.run_key)
    wish = OrderRequest(COLLECTIONS, MAY, PAY_ON, OWN)
    with pytest.raises(RequestError, match="restore confirm --data DIR --by ID"):
        await make_order(store, wish, at=AT, key=KEY, access=ACCESS, write_file=write_file)
    with pytest.raises(RequestError, match="restore confirm --data DIR --by ID"):
        await order_file(store, "street-P", at=AT, key=KEY, access=ACCESS, write_file=write_file)
    assert await store.confirm_restores(by="m04", at=AT) == "'m04' is not on the board"
    assert await store.confirm_restores(by="m02", at=AT) is None
    assert await store.confirm_restores(by="m02", at=AT) == "there is no restore to confirm"
    await publish_run(store, run=run.run_key, member="m01", at=AT, key=KEY)
    assert {number.replace(MARK, "") for number in await numbers(store)} == forgotten
    assert not await numbers(store) & forgotten
    assert (await check_books(store, KEY.public_key())).findings == []
    await store.close()


async def test_only_months_until_the_restore_are_marked(tmp_path: Path) -> None:
    store = await open_new_store(tmp_path / "hub.sqlite", now=lambda: float(AT))
    assert await forgotten_mark(store, "2026-05", tz="Europe/Madrid") == ""
    await store.add_restore(backup_made_at=BACKUP_AT, restored_at=AT)
    for month, mark in (("2025-12", MARK), ("2026-06", MARK), ("2026-07", "")):
        assert await forgotten_mark(store, month, tz="Europe/Madrid") == mark
    await store.add_restore(backup_made_at=AT, restored_at=AT + 40 * 86_400)
    assert await forgotten_mark(store, "2026-07", tz="Europe/Madrid") not in ("", MARK)
    await store.close()


@pytest.mark.parametrize("number", [f"I-2026-05-M1{MARK}-0001", "I-2026-05-M1-0001"])
def test_members_programs_accept_both_kinds_of_numbers(number: str) -> None:
    recomputed = RecomputedBills.__new__(RecomputedBills)
    recomputed.days, recomputed.document = [{"run": {"kind": "M1"}, "day": "2026-05-31"}], {"month": "2026-05"}
    recomputed.check_bill_name({"number": number, "kind": "bill", "date": "2026-06-09"}, "received", "here")


async def test_a_restore_ends_every_session_and_sign_in_link(tmp_path: Path) -> None:
    street = await open_street(tmp_path, homes=2)
    await street.store.add_sign_in(bytes(32), member_id="m01", expires_at=AT + 9)
    assert await street.store.redeem_sign_in(bytes(32), session_hash=b"s" * 32, expires_at=AT + 9, now=AT) == "m01"
    await street.store.add_sign_in(b"2" * 32, member_id="m01", expires_at=AT + 9)
    await street.store.add_restore(backup_made_at=BACKUP_AT, restored_at=AT)
    assert await street.store.session(b"s" * 32, now=AT) is None
    assert await street.store.redeem_sign_in(b"2" * 32, session_hash=b"t" * 32, expires_at=AT + 9, now=AT) is None
    await street.store.close()
