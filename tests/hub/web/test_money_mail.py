"""A published statement and a coming collection are told once to those who want it, without any amount."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from hub.books.signing import as_row
from hub.books.view import read_heads
from hub.core.ledger.attestations import attest
from hub.core.payments.due import COLLECTIONS, AmountDue, MonthCents
from hub.core.payments.order_history import (
    PAYMENT_APPROVAL,
    PAYMENT_ORDER,
    PAYMENT_WITHDRAWAL,
    order_content,
    order_key_of,
)
from hub.notices.about_money import MoneyNotices
from hub.notices.sealing import SecretSeal
from hub.notices.sending import MailJob
from hub.notices.writing import MailWriter
from hub.storage.notice_records import NoticeKind
from hub.storage.sqlite.store import SqliteStore
from tests.hub.notices.catch_all import CatchAll, catching
from tests.hub.notices.mail_street import HandClock
from tests.hub.web.billed_street import bill_street
from tests.hub.web.page_street import BANK, COOP, HUB_KEY, NOW_S, TODAY

CANARY_CENT = 987_654


@dataclass
class Mailed:
    """The jobs over one store."""

    store: SqliteStore
    clock: HandClock

    async def queue_and_count(self) -> list[tuple[str, str]]:
        await MoneyNotices(self.store, tz=COOP.tz, clock=self.clock)(0)
        return [(each.kind.value, each.member) for each in await self.store.notices(since=0, most=99)]


async def collect(store: SqliteStore, member: str, *, pay_on: date, approvers: Sequence[str] = ("m01", "m20")) -> str:
    """A collection from one member, with these approvals; its key."""
    heads = await read_heads(store)
    due = AmountDue(member, CANARY_CENT, (("2026-05", MonthCents(0, CANARY_CENT)),))
    content = order_content(
        [(due, 1, "MANDATE-1")],
        kind=COLLECTIONS,
        through="2026-05",
        pay_on=pay_on.isoformat(),
        made_at=int(NOW_S),
        coop=COOP.id,
        number=1,
        account=BANK,
    )
    key = order_key_of(content)
    signed = attest(
        content, kind=PAYMENT_ORDER, subject="2026-05", run_key=key, coop=COOP.id, head=heads.attestation, key=HUB_KEY
    )
    await store.attest([as_row(signed)])
    for approver in approvers:
        await decide(store, key, {"member": approver, "at": int(NOW_S)}, kind=PAYMENT_APPROVAL)
    return key


async def decide(store: SqliteStore, key: str, content: dict[str, object], *, kind: str) -> None:
    """A board member's decision on the order."""
    heads = await read_heads(store)
    said = attest(content, kind=kind, subject="2026-05", run_key=key, coop=COOP.id, head=heads.attestation, key=HUB_KEY)
    await store.attest([as_row(said)])


async def withdraw(store: SqliteStore, key: str, *, at: int = int(NOW_S)) -> None:
    await decide(store, key, {"member": "m01", "at": at, "reason": "wrong day"}, kind=PAYMENT_WITHDRAWAL)


@pytest.fixture
def mailed(store: SqliteStore) -> Mailed:
    return Mailed(store, HandClock(NOW_S))


async def send(mailed: Mailed, server: CatchAll) -> None:
    """Mail what waits."""
    writer = MailWriter(
        mailed.store,
        coop=COOP,
        seal=SecretSeal(bytes(32)),
        pages=lambda: "https://hub.example",
        whole=lambda _: None,
    )
    job = MailJob(mailed.store, settings=server.settings(), coop_name=COOP.name, writer=writer, clock=mailed.clock)
    await job(0)


async def choose(mailed: Mailed, member: str, kind: NoticeKind) -> None:
    await mailed.store.choose_notice(member, kind, is_on=True, by=member)


async def test_a_published_month_is_told_once_and_says_no_amount(mailed: Mailed) -> None:
    await choose(mailed, "m02", NoticeKind.STATEMENT)
    assert await mailed.queue_and_count() == [], "nothing is published yet"
    await bill_street(mailed.store)
    assert await mailed.queue_and_count() == [("statement", "m02")]
    assert await mailed.queue_and_count() == [("statement", "m02")]
    async with catching() as server:
        await send(mailed, server)
        text = server.mails[0].get_content()
    assert "Your statement for June 2026 is ready." in text
    assert "https://hub.example/credits/statement/2026-06" in text
    assert set(re.findall(r"\d+", text)) == {"2026", "06"}


async def test_months_that_were_published_long_ago_are_no_news(mailed: Mailed) -> None:
    await bill_street(mailed.store)
    await choose(mailed, "m02", NoticeKind.STATEMENT)
    mailed.clock.now_s += 8 * 86_400
    assert await mailed.queue_and_count() == []


@pytest.mark.parametrize(("days", "is_told"), [(-1, False), (0, True), (14, True), (16, True), (17, False)])
async def test_a_collection_is_told_from_sixteen_days_before(mailed: Mailed, days: int, is_told: bool) -> None:
    await choose(mailed, "m02", NoticeKind.DEBIT)
    await choose(mailed, "m03", NoticeKind.DEBIT)
    await collect(mailed.store, "m02", pay_on=TODAY + timedelta(days=days))
    expected = [("debit", "m02")] if is_told else []
    assert await mailed.queue_and_count() == expected, "only whoever pays, and once"
    assert await mailed.queue_and_count() == expected
    for notice in await mailed.store.notices(since=0, most=9):
        assert "9876" not in str(notice)


async def test_a_draft_is_told_to_nobody(mailed: Mailed) -> None:
    await choose(mailed, "m02", NoticeKind.DEBIT)
    await collect(mailed.store, "m02", pay_on=TODAY + timedelta(days=14), approvers=["m01"])
    assert await mailed.queue_and_count() == []


async def test_whoever_was_told_of_a_collection_is_told_once_that_it_is_withdrawn(mailed: Mailed) -> None:
    for member in ("m02", "m03"):
        await choose(mailed, member, NoticeKind.DEBIT)
    key = await collect(mailed.store, "m02", pay_on=TODAY + timedelta(days=14))
    async with catching() as server:
        await mailed.queue_and_count()
        await send(mailed, server)
        await withdraw(mailed.store, key)
        for _ in range(2):
            await mailed.queue_and_count()
            await send(mailed, server)
        told, undone = server.mails
        assert [to for (to,) in server.recipients] == ["m02@example.org"] * 2
    day = re.search(r"direct debit on (.+)", told["subject"])
    assert day is not None
    assert undone["subject"].endswith(f"no direct debit on {day[1]}")
    assert "withdrawn the collection" in " ".join(undone.get_content().split())
    assert "9876" not in undone.get_content()


async def test_a_collection_withdrawn_before_its_mail_went_out_is_told_to_nobody(mailed: Mailed) -> None:
    await choose(mailed, "m02", NoticeKind.DEBIT)
    key = await collect(mailed.store, "m02", pay_on=TODAY + timedelta(days=14))
    await mailed.queue_and_count()
    await withdraw(mailed.store, key)
    assert await mailed.queue_and_count() == [("debit", "m02")]
    (dropped,) = await mailed.store.notices(since=0, most=9)
    assert (dropped.state.value, dropped.tries, dropped.answer) == ("dropped", 0, "the collection was withdrawn")
    async with catching() as server:
        await send(mailed, server)
        assert server.mails == []


async def test_a_mail_that_may_have_gone_out_is_followed_by_the_one_that_undoes_it(mailed: Mailed) -> None:
    await choose(mailed, "m02", NoticeKind.DEBIT)
    key = await collect(mailed.store, "m02", pay_on=TODAY + timedelta(days=14))
    await mailed.queue_and_count()
    async with catching(CatchAll(to_content="451 later")) as server:
        await send(mailed, server)
    await withdraw(mailed.store, key)
    assert await mailed.queue_and_count() == [("debit", "m02"), ("debit", "m02")]
    first, second = await mailed.store.notices(since=0, most=9)
    assert (first.state.value, second.state.value) == ("dropped", "waiting")


async def test_a_withdrawal_of_long_ago_is_no_news(mailed: Mailed) -> None:
    await choose(mailed, "m02", NoticeKind.DEBIT)
    key = await collect(mailed.store, "m02", pay_on=TODAY + timedelta(days=14))
    await mailed.queue_and_count()
    async with catching() as server:
        await send(mailed, server)
    await withdraw(mailed.store, key)
    mailed.clock.now_s += 8 * 86_400
    assert await mailed.queue_and_count() == [("debit", "m02")]
