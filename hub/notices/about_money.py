"""Queues mail about money for those who want it: a statement is published, a collection comes or is withdrawn.

It reads the books' decisions and orders; what anybody pays or uses is in neither mail.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Protocol

from hub.books.view import MoneyBooks, read_money_books
from hub.core.ledger.month_runs import MonthRun
from hub.core.ledger.run_calendar import days_of
from hub.core.payments.due import COLLECTIONS
from hub.core.payments.order_history import BOOKED, DRAFT, WITHDRAWN, PaymentOrderRecord
from hub.notices.choosers import ChooserStores, choosers
from hub.storage.contract import BookStore
from hub.storage.household_records import HouseholdStore, SeenHome
from hub.storage.notice_records import NewNotice, NoticeKind
from protocols.slots import day_of, slot_of, slots_of_day, start_of
from protocols.timeline import Clock

DEBIT_DAYS: Final = 14
"""How long before a collection SEPA's rulebook asks the creditor to tell the debtor, unless they agreed otherwise."""

SPARE_DAYS: Final = 2
"""So much earlier the mail is queued, so that a mail server that is down for a day makes nobody late."""

WAS_WITHDRAWN: Final = "the collection was withdrawn"
NEWS_S: Final = 7 * 86_400
TRIED_S: Final = 3 * 86_400


class MoneyNoticeStores(ChooserStores, BookStore, HouseholdStore, Protocol):
    """The parts of the store that mail about money reads and writes."""


class MoneyNotices:
    """Queues what is new. A second run for the same time queues nothing."""

    def __init__(self, store: MoneyNoticeStores, *, tz: str, clock: Clock) -> None:
        self._store, self._tz, self._clock = store, tz, clock

    async def __call__(self, due_s: int) -> None:
        """Queue the mails about statements of the last week and collections of the next two."""
        now_s = int(self._clock.now())
        for_statements = {
            each.id: await self._store.seen_homes(each.id) for each in await choosers(self._store, NoticeKind.STATEMENT)
        }
        for_debits = {each.id for each in await choosers(self._store, NoticeKind.DEBIT)}
        if not for_statements and not for_debits:
            return
        books = await read_money_books(self._store)
        found = [
            notice
            for run in books.month_runs
            if run.published_at is not None and now_s - NEWS_S < run.published_at <= now_s
            for notice in self._statements(run, books, for_statements, now_s=now_s)
        ]
        persons = {each.id: each.person for each in await self._store.members()}
        for order in books.orders:
            found += self._debits(order, {m: p for m, p in persons.items() if p in for_debits}, now_s=now_s)
            found += await self._withdrawn(order, now_s=now_s)
        await self._store.add_notices(found)

    def _statements(
        self, run: MonthRun, books: MoneyBooks, seen: dict[str, tuple[SeenHome, ...]], *, now_s: int
    ) -> list[NewNotice]:
        days = days_of(date.fromisoformat(f"{run.month}-01"))
        begin_s = start_of(slots_of_day(days[0], self._tz).start)
        end_s = start_of(slots_of_day(days[-1], self._tz).stop)
        earlier = [each for each in books.runs_of(run.month) if each.run_key != run.run_key and each.published_at]
        is_first = all((each.published_at or 0) > (run.published_at or 0) for each in earlier)
        return [
            NewNotice(
                NoticeKind.STATEMENT,
                person,
                run.run_key,
                last_try_at=now_s + TRIED_S,
                facts={"month": run.month, "kind": "first" if is_first else "corrected"},
            )
            for person, homes in seen.items()
            if _had_a_home(homes, begin_s=begin_s, end_s=end_s)
        ]

    def _debits(self, order: PaymentOrderRecord, persons: dict[str, str], *, now_s: int) -> list[NewNotice]:
        today, pay_on = day_of(slot_of(now_s), self._tz), date.fromisoformat(order.pay_on)
        is_open = order.kind == COLLECTIONS and order.state not in (DRAFT, WITHDRAWN, BOOKED)
        if not is_open or not today <= pay_on <= today + timedelta(days=DEBIT_DAYS + SPARE_DAYS):
            return []
        facts = {"day": order.pay_on, "creditor": order.account.creditor_id}
        concerned = sorted({persons[each.member] for each in order.payments if each.member in persons})
        return [
            NewNotice(NoticeKind.DEBIT, person, order.message_id, last_try_at=now_s + TRIED_S, facts=facts)
            for person in concerned
        ]

    async def _withdrawn(self, order: PaymentOrderRecord, *, now_s: int) -> list[NewNotice]:
        """For a collection that was withdrawn: nobody is told of it any more, and whoever was is told of that.

        A changed collection is a withdrawn one and a new one, so its members get both mails.
        """
        if order.kind != COLLECTIONS or order.state != WITHDRAWN or now_s - order.withdrawals[-1][1] > NEWS_S:
            return []
        told = await self._store.withdraw_notices(NoticeKind.DEBIT, order.message_id, answer=WAS_WITHDRAWN)
        facts = {"day": order.pay_on, "creditor": order.account.creditor_id, "kind": WITHDRAWN}
        about, last_try_at = f"{order.message_id} {WITHDRAWN}", now_s + TRIED_S
        return [NewNotice(NoticeKind.DEBIT, each, about, last_try_at=last_try_at, facts=facts) for each in told]


def _had_a_home(homes: Sequence[SeenHome], *, begin_s: int, end_s: int) -> bool:
    return any(
        each.holder.joined_at < end_s and (each.holder.left_at is None or each.holder.left_at > begin_s)
        for each in homes
    )
