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
from hub.core.payments.order_history import PAYMENT_APPROVAL, PAYMENT_ORDER, order_content, order_key_of
from hub.notices.about_money import MoneyNotices
from hub.notices.sealing import SecretSeal
from hub.notices.sending import MailJob
from hub.notices.writing import MailWriter
from hub.storage.notice_records import NoticeKind
from hub.storage.sqlite.store import SqliteStore
from tests.hub.notices.catch_all import catching
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


async def collect(store: SqliteStore, member: str, *, pay_on: date, approvers: Sequence[str] = ("m01", "m20")) -> None:
    """A collection from one member, with these approvals."""
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
        heads = await read_heads(store)
        said = attest(
            {"member": approver, "at": int(NOW_S)},
            kind=PAYMENT_APPROVAL,
            subject="2026-05",
            run_key=key,
            coop=COOP.id,
            head=heads.attestation,
            key=HUB_KEY,
        )
        await store.attest([as_row(said)])


@pytest.fixture
def mailed(store: SqliteStore) -> Mailed:
    return Mailed(store, HandClock(NOW_S))


async def choose(mailed: Mailed, member: str, kind: NoticeKind) -> None:
    await mailed.store.choose_notice(member, kind, is_on=True, by=member)


async def test_a_published_month_is_told_once_and_says_no_amount(mailed: Mailed) -> None:
    await choose(mailed, "m02", NoticeKind.STATEMENT)
    assert await mailed.queue_and_count() == [], "nothing is published yet"
    await bill_street(mailed.store)
    assert await mailed.queue_and_count() == [("statement", "m02")]
    assert await mailed.queue_and_count() == [("statement", "m02")]
    async with catching() as server:
        seal = SecretSeal(HUB_KEY)
        writer = MailWriter(
            mailed.store, coop=COOP, seal=seal, pages=lambda: "https://hub.example", whole=lambda _: None
        )
        settings = server.settings()
        await MailJob(mailed.store, settings=settings, coop_name=COOP.name, writer=writer, clock=mailed.clock)(0)
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
