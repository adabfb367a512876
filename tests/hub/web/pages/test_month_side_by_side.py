"""Every page and file of one month side by side: a number with one meaning has one value."""

import csv
import html
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

import httpx
import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books.runs import settle_month
from hub.storage.records import NewObjection
from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.billed_street import TERMS, bill_street
from tests.hub.web.conftest import Come, SignIn
from tests.hub.web.page_street import HUB_KEY, NOW_S, TODAY
from tests.hub.web.pages.month_beside import (
    Texts,
    check_board_sums,
    due_of_bills,
    read_fairness,
    read_objections,
    read_objections_list,
    read_trial,
)
from tests.hub.web.pages.test_runs import arrive_late

MONTH = "/credits/statement/2026-06"
DAYS = ("2026-06-09", "2026-06-10")
CENT, HALF_CENT, WH = Decimal("0.01"), Decimal("0.005"), Decimal(0)

Seen = dict[tuple[str, str], list[tuple[str, Decimal, Decimal]]]
"""(meaning, day or empty): (page, value, how far it may be off because it is rounded)."""

LABELS = {
    "Drawn at your connection": ("demand", 1),
    "Received from neighbours": ("received", 1),
    "Bought from the grid": ("imported", 1),
    "Fed in at your connection": ("surplus", 1),
    "Given to neighbours": ("sold", 1),
    "Sold to the grid": ("exported", 1),
    "To pay for energy from neighbours": ("debit", 1),
    "To receive for energy given to neighbours": ("credit", 1),
    "Earned for what you gave": ("credit", 1),
    "Spent on what you got": ("debit", -1),
    "Cost without sharing": ("alone", 1),
    "Income without sharing": ("alone", -1),
    "Cost with sharing": ("cost", 1),
    "Income with sharing": ("cost", -1),
    "Gained by sharing": ("benefit", 1),
    "Lost by sharing": ("benefit", -1),
    "To receive for the month": ("balance", 1),
    "To pay for the month": ("balance", -1),
    "To receive now": ("now", 1),
    "To pay now": ("now", -1),
}


def amount(text: str) -> Decimal:
    newest = text.rpartition("→")[2]  # of "before → now"
    if newest == "no reading":
        return Decimal(0)
    return Decimal(re.sub(r"[^\d.-]", "", newest))


def rows_of(page: str) -> Iterator[tuple[str, str]]:
    """(label, value) of every line of a list on the page."""
    for label, value in re.findall(r'class="meter"><(?:span|a)[^>]*>(.*?)</(?:span|a)><b>(.*?)</b>', page, re.DOTALL):
        yield html.unescape(re.sub(r"<small.*?</small>", "", label, flags=re.DOTALL)).strip(), html.unescape(value)


def see(seen: Seen, page: str, found: tuple[str, str], *, day: str = "") -> None:
    if found[0] in LABELS:
        meaning, sign = LABELS[found[0]]
        seen[meaning, day].append((page, sign * amount(found[1]), Decimal(0)))


async def read_month(browser: httpx.AsyncClient) -> Seen:
    """All labelled numbers of the month from every page and file that shows money or energy of the member."""
    seen: Seen = defaultdict(list)
    month = html.unescape((await browser.get(MONTH)).text)
    booked = html.unescape((await browser.get("/credits?month=2026-06")).text)
    for name, page in (("statement", month), ("credits", booked)):
        for found in rows_of(page):
            see(seen, name, found)
        owed = re.search(r"(owes you|you owe the co-op|You owe the co-op) (\S+?)\.? ?(for this month)?\.?</p>", page)
        assert owed is not None, page
        sign = 1 if owed[1] == "owes you" else -1
        seen["balance", ""].append((f"{name}, first line", sign * amount(owed[2].rstrip(".")), Decimal(0)))
        state = re.findall(r"(Provisional|Billed|Corrected|Final): ", page)
        seen["state", ""].append((name, Decimal(sum(map(ord, state[0]))), Decimal(0)))
    for label, section in re.findall(r'<summary class="meter"><span>(.*?)</span>.*?(<ul.*?</ul>)', month, re.DOTALL):
        for name, value in rows_of(section):
            day = f"2026-06-{int(name.split()[1]):02}"
            label_of_day, _, rest = value.rpartition(": ")
            see(seen, "statement, opened", (label_of_day or re.sub(r" ?<small.*", "", label), rest), day=day)
    given, got = re.findall(r"You gave (\S+)\s*kWh to neighbours and got (\S+)\s*kWh", booked)[0]
    for meaning, text in (("sold", given), ("received", got)):
        seen[meaning, ""].append(("credits, headline", amount(text), Decimal("0.05")))
    for day, cells in re.findall(r'href="/credits/(2026-06-\d\d)">.*?</th>(.*?)</tr>', booked):
        values = re.findall(r'class="num">(.*?)</td>', cells)
        for meaning, text in zip(("sold", "received", "net"), values, strict=True):
            seen[meaning, day].append(("credits, by day", amount(text), Decimal(0)))
    for day in DAYS:
        for path in (f"{MONTH}/{day}", f"/credits/{day}"):
            for found in rows_of(html.unescape((await browser.get(path)).text)):
                see(seen, path, found, day=day)
    await read_files(browser, seen)
    return seen


async def read_files(browser: httpx.AsyncClient, seen: Seen) -> None:
    """The exact numbers of the signed statement, of Credits as JSON and CSV, and of the tables."""
    signed = (await browser.get(f"{MONTH}.json")).json()
    stated, payment = signed["document"], signed["payment"]["document"]
    for part in (stated, *stated["days"]):
        day = part.get("day", "")
        for name, wh in part["totals"].items():
            seen[name, day].append(("statement.json", Decimal(wh).scaleb(-3), WH))
        for name in ("debit", "credit", "alone", "cost", "benefit"):
            nano = Decimal(part["money"][f"{name}_nano"]).scaleb(-9)
            off = 2 * CENT if name == "cost" else CENT  # the cost shown is the difference of two rounded numbers
            seen[name, day].append(("statement.json, exact", nano, off))
            if not day and f"{name}_cent" in part["money"]:
                seen[name, day].append(
                    ("statement.json", Decimal(part["money"][f"{name}_cent"]).scaleb(-2), Decimal(0))
                )
    if payment["bills"]:
        seen["now", ""].append(("payment", Decimal(payment["now_cent"]).scaleb(-2), Decimal(0)))
    plain = (await browser.get("/credits.json?month=2026-06")).json()
    seen["state", ""].append(("credits.json", Decimal(sum(map(ord, plain["state"].capitalize()))), Decimal(0)))
    table = list(csv.DictReader((await browser.get("/credits.csv?month=2026-06")).text.splitlines()))
    for name, rows in (("credits.json", plain["days"]), ("credits.csv", table)):
        for row in rows:
            for meaning, field in (("sold", "given"), ("received",) * 2, ("imported",) * 2, ("exported",) * 2):
                seen[meaning, row["day"]].append((name, Decimal(row[f"{field}_wh"]).scaleb(-3), WH))
            for meaning, field in (("credit", "earned"), ("debit", "spent"), ("net", "credit")):
                seen[meaning, row["day"]].append((name, Decimal(row[f"{field}_nano"]).scaleb(-9), 2 * CENT))
    slots = list(csv.DictReader((await browser.get(f"{MONTH}.csv")).text.splitlines()))
    if "correction" not in stated:
        for name in ("received", "sold"):
            whole = sum(int(row[f"{name}_wh"] or 0) for row in slots)
            seen[name, ""].append(("statement.csv", Decimal(whole).scaleb(-3), WH))
    bills = list(csv.DictReader((await browser.get(f"{MONTH}/bills.csv")).text.splitlines()))
    gross = {row["number"]: int(row["cent"]) for row in bills if row["line"] == "gross"}
    if gross:
        total = sum(cents if number.startswith("C") else -cents for number, cents in gross.items())
        seen["balance", ""].append(("bills.csv", Decimal(total).scaleb(-2), Decimal(0)))


def differing(seen: Seen) -> list[Any]:
    """Each pair of places that show another value for the same meaning."""
    return [
        (meaning, one, other)
        for meaning, places in seen.items()
        for one, other in combinations(places, 2)
        if abs(one[1] - other[1]) > one[2] + other[2]
    ]


async def correct_street(store: SqliteStore) -> None:
    """Readings of one home arrive after the bill; run R1 counts them and is published."""
    await arrive_late(store)
    at = int(NOW_S) - 60
    run = await settle_month(store, month=TODAY.replace(day=1), kind="R1", made_at=at, key=HUB_KEY)
    for member in ("m01", "m03"):
        await approve_run(store, run=run.run_key, member=member, at=at, key=HUB_KEY)
    await publish_run(store, run=run.run_key, member="m01", at=at, key=HUB_KEY, terms=TERMS)


@pytest.mark.parametrize("state", ["provisional", "billed", "corrected"])
async def test_every_pair_of_pages_of_one_month_agrees(sign_in: SignIn, store: SqliteStore, state: str) -> None:
    if state != "provisional":
        await bill_street(store)
    if state == "corrected":
        await correct_street(store)
    for member in ("m02", "m01"):  # a seller who objects, and a buyer
        seen = await read_month(await sign_in(member))
        assert differing(seen) == [], member
        for meaning, least in {"credit": 3, "debit": 3, "sold": 3, "balance": 2, "state": 3, "benefit": 2}.items():
            assert len(seen[meaning, ""]) >= least, (member, meaning)
        for day in DAYS:
            least = {name: len(seen[name, day]) for name in ("credit", "debit", "sold", "net", "received")}
            assert min(least.values()) >= 3, least
        shown = {name: seen[name, ""][0][1] for name in ("alone", "cost", "benefit")}
        assert shown["alone"] - shown["cost"] == shown["benefit"]
        assert (await (await sign_in(member)).get("/credits.json?month=2026-06")).json()["state"] == state


def own_texts(page: str) -> Texts:
    """The text of each labelled amount on the statement's page."""
    texts: Texts = {}
    for label, value in rows_of(page):
        if label not in LABELS:
            continue
        texts.setdefault((label, ""), set()).add(value.rpartition("→")[2].strip())
    return texts


def shown(answer: httpx.Response, meaning: str) -> Decimal:
    """The number of this meaning on the page."""
    seen: Seen = defaultdict(list)
    for found in rows_of(html.unescape(answer.text)):
        see(seen, "page", found)
    return seen[meaning, ""][0][1]


@pytest.mark.parametrize("state", ["provisional", "billed", "corrected"])
async def test_what_stands_beside_the_statement_says_the_same(sign_in: SignIn, store: SqliteStore, state: str) -> None:
    if state != "provisional":
        await bill_street(store)
    if state == "corrected":
        await correct_street(store)
    for member in ("m02", "m05"):
        browser = await sign_in(member)
        texts = own_texts((await browser.get(MONTH)).text)
        for day in DAYS:
            page = (await browser.get(f"{MONTH}/{day}")).text
            texts |= {(label, day): found for (label, _), found in own_texts(page).items()}
        await read_objections(browser, texts, days=DAYS)
        await read_trial(browser, texts)
        assert {place: found for place, found in texts.items() if len(found) > 1} == {}, member
        due = await due_of_bills(store, member, TERMS)
        balance = shown(await browser.get("/credits?month=2026-06"), "balance")
        assert due in (None, balance), "what the command bills prints"
        assert (due is None) == (state == "provisional")
    await check_board_sums(await sign_in("m01"), store)


async def test_an_objection_says_what_the_statement_said_to_the_member_and_to_the_board(
    sign_in: SignIn, store: SqliteStore
) -> None:
    await bill_street(store)
    browser = await sign_in("m05")
    texts: Texts = {}
    await read_objections(browser, texts, days=DAYS[1:])
    for line, day in (("debit", DAYS[1]), ("received", DAYS[1]), ("received", "")):
        sent = {"month": "2026-06", "day": day, "line": line, "reason": "It was less."}
        assert (await browser.post("/objections/new", data=sent)).status_code == 303
    wanted = [texts["To pay for energy from neighbours", DAYS[1]], texts["Received from neighbours", DAYS[1]]]
    for reader, path in (("m05", "/objections"), ("m01", "/board/objections")):
        page = await read_objections_list(await sign_in(reader), path)
        for amounts in (*wanted, texts["Received from neighbours", ""]):
            assert all(text in page for text in amounts), (path, amounts)


async def test_the_parts_of_the_fairness_report_add_up(come: Come, store: SqliteStore) -> None:
    for member in ("m02", "m05"):
        browser = await come(member)
        found = await read_fairness(browser)
        stated = shown(await browser.get(MONTH), "benefit")
        assert found["gained"] == stated, "the year so far is this one month"


async def test_after_an_objection_what_is_to_pay_does_not_rise(sign_in: SignIn, store: SqliteStore) -> None:
    await bill_street(store)
    for member in ("m01", "m05"):
        browser = await sign_in(member)
        pay = [max(Decimal(0), -(await read_month(browser))["now", ""][0][1])]
        for number, line in enumerate(("credit", "received")):
            new = NewObjection(member, "2026-06", "", line, 1, "x", "no", int(NOW_S), int(NOW_S) + number + 86_400)
            await store.add_objection(new)
            seen = await read_month(browser)
            assert differing(seen) == []
            pay.append(max(Decimal(0), -seen["now", ""][0][1]))
        assert pay == sorted(pay, reverse=True), member


async def test_a_month_and_its_rest_are_named_by_the_same_days(sign_in: SignIn) -> None:
    seen = await read_month(await sign_in("m02"))
    assert {day for _, day in seen if day} == {"2026-06-09", "2026-06-10", "2026-06-11"}
    assert all(date.fromisoformat(day) < TODAY for _, day in seen if day)
