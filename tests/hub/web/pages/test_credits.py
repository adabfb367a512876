"""Credits: the pages show what the ledger has, to the watt-hour and down to the quarter hour."""

import csv
import io

import pytest

from hub.books.stored_rules import read_rule
from hub.core.ledger.entries import read_entry
from hub.core.settlement.allocation_record import read_record
from hub.storage.sqlite.store import SqliteStore
from hub.web.views.settlement.credits import month_days, month_of
from tests.hub.known_seals import SEALS
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import TODAY

DAYS = ("2026-06-09", "2026-06-11")


async def test_days_say_what_the_ledger_says(sign_in: SignIn, store: SqliteStore) -> None:
    for member in ("m01", "m02", "m09"):
        rows = await store.entries_of_member(member, days=DAYS)
        days = (await (await sign_in(member)).get("/credits.json?month=2026-06")).json()["days"]
        postings = [posting for row in rows for posting in read_entry(row.canonical).postings]
        money = sum(posting.amount for posting in postings if posting.account == f"member:{member}:money")
        energy = sum(posting.amount for posting in postings if posting.account == f"member:{member}:energy")
        assert sum(day["credit_nano"] for day in days) == money
        flows = sum(day["received_wh"] - day["given_wh"] + day["imported_wh"] - day["exported_wh"] for day in days)
        assert flows == energy
        assert len(days) == 3
        assert {name for day in days for name in day["runs"]} == {SEALS.run(row.run_key) for row in rows}


async def test_what_neighbours_give_is_what_neighbours_get(sign_in: SignIn, store: SqliteStore) -> None:
    given_wh = received_wh = 0
    for member in await store.members():
        for day in (await (await sign_in(member.id)).get("/credits.json?month=2026-06")).json()["days"]:
            given_wh += day["given_wh"]
            received_wh += day["received_wh"]
    assert given_wh == received_wh > 0


async def test_a_day_is_the_sum_of_its_quarter_hours(sign_in: SignIn) -> None:
    content = (await (await sign_in("m02")).get("/credits/2026-06-11.json")).json()
    slots = content["slots"]
    assert len(slots) == 96
    for name in ("given_wh", "received_wh"):  # a street this small has shares by day only, wherever anybody fed in
        assert sum(slot[name] or 0 for slot in slots) + content["together"][name] == content[name]
    assert any(slot["received_wh"] is None for slot in slots)
    assert content["earned_nano"] == content["given_wh"] * 140_000
    assert content["spent_nano"] == content["received_wh"] * 160_000


async def test_the_day_page_names_its_rule_run_and_result(sign_in: SignIn, store: SqliteStore) -> None:
    run = (await store.runs(days=("2026-06-11", "2026-06-11")))[-1]
    page = (await (await sign_in("m02")).get("/credits/2026-06-11")).text
    for value in (run.rule_hash, SEALS.run(run.run_key), SEALS.record(run.result_hash)):
        assert value in page


async def test_csv_and_json_hold_the_same_days(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    answer = await browser.get("/credits.csv?month=2026-06")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    days = (await browser.get("/credits.json?month=2026-06")).json()["days"]
    assert [int(row["credit_nano"]) for row in rows] == [day["credit_nano"] for day in days]
    assert [row["day"] for row in rows] == ["2026-06-09", "2026-06-10", "2026-06-11"]


async def test_provisional_amounts_are_marked(sign_in: SignIn) -> None:
    page = (await (await sign_in("m02")).get("/credits")).text
    assert "Provisional:" in page
    assert "Incomplete" in page


async def test_a_month_without_days_says_so(sign_in: SignIn) -> None:
    page = (await (await sign_in("m02")).get("/credits?month=2025-01")).text
    assert "Nothing is settled for January 2025 yet" in page


@pytest.mark.parametrize("day", ["2026-06-12", "2026-06-01", "yesterday", "2026-13-01", "20260611x", "%3Cscript%3E"])
async def test_a_day_without_entries_is_not_found(sign_in: SignIn, day: str) -> None:
    answer = await (await sign_in("m02")).get(f"/credits/{day}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text.replace('<script type="module"', "")


@pytest.mark.parametrize("text", [None, "", "2026", "2026-13", "x" * 7, "2026-6-1", "٢٠٢٦-٠٦", "-026-06"])
def test_a_month_that_is_none_means_this_month(text: str | None) -> None:
    assert month_of(text, today=TODAY) == TODAY.replace(day=1)


def test_a_month_has_its_first_and_last_day() -> None:
    assert month_days(month_of("2024-02", today=TODAY)) == ("2024-02-01", "2024-02-29")
    assert month_days(month_of("2025-12", today=TODAY)) == ("2025-12-01", "2025-12-31")


async def test_a_days_quarter_hours_are_the_members_column_of_the_run(sign_in: SignIn, store: SqliteStore) -> None:
    (run,) = await store.runs(days=("2026-06-11", "2026-06-11"))
    settled = read_record(run.allocation, read_rule((await store.rule_on("2026-06-11"))[1]))
    for member in ("m02", "m07", "m09"):
        column = settled.members.index(member)
        slots = (await (await sign_in(member)).get("/credits/2026-06-11.json")).json()["slots"]
        assert [slot["slot"] for slot in slots] == list(settled.slots)
        assert [slot["present"] for slot in slots] == settled.present[:, column].tolist()
        assert [slot["provisional"] for slot in slots] == settled.provisional.tolist()
        for name, energy in (("surplus_wh", settled.surplus_wh), ("demand_wh", settled.demand_wh)):
            assert [slot[name] for slot in slots] == energy[:, column].tolist()
        for name, energy in (("received_wh", settled.alloc_wh), ("given_wh", settled.sold_wh)):
            told = [(slot[name], wh) for slot, wh in zip(slots, energy[:, column].tolist(), strict=True)]
            assert all(said in (None, wh) for said, wh in told)
        assert not all(slot["present"] for slot in slots) or member != "m09"


async def test_days_as_csv_quote_nothing_dangerous(sign_in: SignIn) -> None:
    browser = await sign_in("m12")
    text = (await browser.get("/credits.csv?month=2026-06")).text
    assert all(line[0].isdigit() or line.startswith("day,") for line in text.splitlines())
    days = (await browser.get("/credits.json?month=2026-06")).json()["days"]
    assert [row["complete"] for row in csv.DictReader(text.splitlines())] == [
        "yes" if day["complete"] else "no" for day in days
    ]


NO_MONTH_AT = (
    "/credits?month={0}", "/credits.json?month={0}", "/credits.csv?month={0}", "/credits/{0}-01",
    "/credits/{0}-01.json",
    "/credits/statement/{0}", "/credits/statement/{0}.json", "/credits/statement/{0}.csv", "/credits/statement/{0}.pdf",
    "/credits/statement/{0}/{0}-01", "/credits/statement/{0}/bills.csv", "/credits/statement/{0}/readings.json",
    "/credits/statement/{0}/pool.json", "/objections/new?month={0}&day=&line=debit", "/board/runs/{0}",
    "/board/runs/{0}.json", "/board/runs/{0}/preview?kind=M1", "/board/runs/{0}/preview.json?kind=M1",
)  # fmt: skip


@pytest.mark.parametrize("month", ["9999-12", "0001-01", "1999-12", "2101-01"])
async def test_a_month_of_no_coops_life_is_not_found(sign_in: SignIn, month: str) -> None:
    browser = await sign_in("m01")
    for address in NO_MONTH_AT:
        assert (await browser.get(address.format(month))).status_code == 404, address
