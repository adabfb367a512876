"""Books the bills of a month's run as it is published: documents into its record, taxes and rounding as entries.

One transaction, signed like every run. hub.core.payments.bills decides what each document says; an issued document is
never changed, a later run's document replaces it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.books.days import SettlementStores
from hub.books.runs import month_runs
from hub.core.ledger.attestations import Head
from hub.core.ledger.entries import read_entry
from hub.core.ledger.month_runs import PUBLISHED, MonthRun
from hub.core.ledger.run_calendar import days_of
from hub.core.ledger.signed_document import Signer
from hub.core.payments.bills import BILL_LINES, Bill, MonthMoney, bill_members, newest_bills, tally_month, target_bills
from hub.core.payments.tax_terms import TaxTerms
from hub.money.funds import RECORD_TAG, FundPlan, FundResult, MakeAttestation, book_after
from hub.storage.contract import BookStore

BILL_KIND: Final = "fund:bill"

Documents = Mapping[str, Mapping[str, Bill]]
"""By member and side: received or sold."""


@dataclass(frozen=True, slots=True)
class BilledRun:
    """The documents that came out with one run of a month."""

    month_run: str
    documents: Documents


async def billed_runs(store: BookStore, month: date) -> tuple[BilledRun, ...]:
    """The documents of each run of the month in the order they were booked; of a run booked twice, the last."""
    day = days_of(month)[-1].isoformat()
    found: dict[str, BilledRun] = {}
    for run in await store.fund_runs(days=(day, day)):
        if run.kind == BILL_KIND:
            inputs = json.loads(run.allocation.removeprefix(RECORD_TAG))["inputs"]
            found.pop(inputs["month_run"], None)
            found[inputs["month_run"]] = BilledRun(inputs["month_run"], inputs["documents"])
    return tuple(found.values())


async def run_money(store: BookStore, run: MonthRun) -> MonthMoney:
    """What the run bills: the days it stands on, with the ledger as far as it goes."""
    days = [day.isoformat() for day in days_of(date.fromisoformat(f"{run.month}-01"))]
    rows = await store.entries_of_days(days=(days[0], days[-1]))
    settled = dict(run.days)
    stands = [row for row in rows if row.day in settled and row.position <= run.ledger_position]
    return tally_month([read_entry(row.canonical) for row in stands], last_day=days[-1])


async def plan_bills(store: SettlementStores, run: MonthRun, *, terms: TaxTerms | None, at: int) -> FundPlan:
    """The documents the run would bring if it were published now, and what the books should hold with them.

    They bill what its statements state: the days the run stands on, with the ledger as far as it goes.
    """
    month, coop = date.fromisoformat(f"{run.month}-01"), await store.coop()
    money = await run_money(store, run)
    published = [each for each in await month_runs(store) if each.month == run.month and each.state == PUBLISHED]
    standing: Documents = {}
    for billed in await billed_runs(store, month):
        if billed.month_run in {each.run_key for each in published}:
            standing = newest_bills(standing, billed.documents)
    day = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(coop.tz)).date().isoformat()
    documents = bill_members(money, terms=terms, series=series_of(run, published), day=day, standing=standing)
    wanted = target_bills(money, newest_bills(standing, documents))
    plan: dict[str, Any] = {"terms": None if terms is None else terms.plain()}
    inputs = {"month_run": run.run_key, "documents": documents}
    return FundPlan(BILL_KIND, days_of(month)[-1], BILL_LINES, plan, inputs, wanted)


async def book_bills(
    store: SettlementStores,
    run: MonthRun,
    *,
    terms: TaxTerms | None,
    at: int,
    key: Signer,
    head: Head,
    publish: MakeAttestation,
) -> FundResult:
    """Book them together with the publication, in one transaction: if power fails before the commit there is neither.

    Raises: StoreConflict where anything was signed after the head.
    """
    plan = await plan_bills(store, run, terms=terms, at=at)
    return await book_after(store, plan, head=head, made_at=at, key=key, say=publish)


def series_of(run: MonthRun, published: Sequence[MonthRun]) -> str:
    """What a run's documents are counted in: 2026-05-M1; a second decision of a dispute is 2026-05-X2."""
    earlier = sum(each.kind == run.kind and each.run_key != run.run_key for each in published)
    return f"{run.month}-{run.kind}{earlier + 1 if earlier else ''}"
