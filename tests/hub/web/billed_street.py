"""The street of the pages with its June billed: published with taxes, and two lines of it held to be wrong."""

from dataclasses import replace

from hub.board.run_approval import approve_run, publish_run
from hub.books.runs import settle_month
from hub.core.ledger.fund_entries import FeeScale
from hub.core.payments.tax_terms import TaxRates, TaxStatus, TaxTerms
from hub.money.funds import book_fund, plan_fees
from hub.storage.records import NewObjection
from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.page_street import FIRST_SLOT, HUB_KEY, NOW_S, TODAY, messages_of

TERMS = TaxTerms(
    ("Sunny Lane Energy eG", "Sonnengasse 1, Berlin"),
    (TaxRates("2026-01-01", 190_000, 190_000, 190_000), TaxRates("2026-06-11", 70_000, 190_000, 190_000)),
    (TaxStatus("m02", "2026-01-01", "standard", tax_number="DE 2"),),
    {"self_billing": "Gutschrift"},
)


async def bill_street(store: SqliteStore) -> None:
    """June settled whole and published; m02 sells as a trader and holds two lines to be wrong."""
    month, at = TODAY.replace(day=1), int(NOW_S) - 7_200
    await store.write(lambda db: db.execute("UPDATE member SET is_board = 1 WHERE id = 'm03'"))
    batch = messages_of(2, sharing=12)[1]
    first = replace(batch, seq=3, hash=bytes(32), slot=FIRST_SLOT, readings=(), long_intervals=())
    await store.store_messages([first])  # the books begin with the first batch's day
    plan = await plan_fees(store, month=month, scale=FeeScale({"full": 2_500_000_000}, "full"), decided="assembly")
    await book_fund(store, plan, made_at=at, key=HUB_KEY)
    run = await settle_month(store, month=month, kind="M1", made_at=at, key=HUB_KEY)
    for member in ("m01", "m03"):
        await approve_run(store, run=run.run_key, member=member, at=at, key=HUB_KEY)
    await publish_run(store, run=run.run_key, member="m01", at=at, key=HUB_KEY, terms=TERMS)
    for day, line in (("2026-06-10", "received"), ("", "credit")):
        await store.add_objection(NewObjection("m02", "2026-06", day, line, 1, "x", "no", at, at + 30 * 86_400))
