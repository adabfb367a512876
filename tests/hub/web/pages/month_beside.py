"""Reads the pages and commands beside a statement: objections, What-if, Fairness and the sums of the board."""

import html
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx

from hub.books.view import read_books
from hub.commands.bills import RunBills, bill_lines
from hub.commands.trials.fairness import fairness_lines
from hub.commands.trials.what_if import trial_lines
from hub.core.ledger.month_runs import PUBLISHED
from hub.core.ledger.objections import LINES
from hub.money.bills import run_documents
from hub.storage.sqlite.store import SqliteStore

Texts = dict[tuple[str, str], set[str]]
"""(label, day or empty): the texts of its amount, wherever it stands."""
TRIED = "month=2026-06&rule=equal"


def number(text: str) -> Decimal:
    return Decimal(re.sub(r"[^\d.-]", "", text))


async def read_objections(browser: httpx.AsyncClient, texts: Texts, *, days: tuple[str, ...]) -> None:
    """Every line of the form for the month and for its days."""
    for day in ("", *days):
        for line in LINES:
            page = (await browser.get(f"/objections/new?month=2026-06&day={day}&line={line}")).text
            lede = html.unescape(re.findall(r'<p class="lede">(.*?)</p>', page)[0])
            label, _, rest = lede.partition(", ")
            texts.setdefault((label, day), set()).add(rest.rpartition(": ")[2])


async def read_objections_list(browser: httpx.AsyncClient, path: str) -> str:
    """The page of objections, as text."""
    return html.unescape((await browser.get(path)).text)


async def read_trial(browser: httpx.AsyncClient, texts: Texts) -> None:
    """The actual rule's column of What-if, or what the page says of the statement if the trial is of other days.

    The gain in the headline is the difference of the two amounts shown, and the command says the same amounts.
    """
    page = html.unescape((await browser.get(f"/what-if?{TRIED}")).text)
    own = page.partition("</table>")[0]
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', own)
    assert [label for label, _, _ in rows][:2] == ["Received from neighbours", "Given to neighbours"]
    *_, (label, now, tried) = rows
    sign = -1 if label.startswith("Lost") else 1
    amounts = [sign * number(text) * (-1 if text.endswith("lost") else 1) for text in (now, tried)]
    assert all(number(text) >= 0 for text in (now, tried)), "a loss has no minus"
    headline = re.findall(r"<h1[^>]*>(.*?)</h1>", page)[0]
    gained = re.search(r"You would have gained (\S+) (more|less)", headline)
    found = Decimal(0) if gained is None else number(gained[1]) * (1 if gained[2] == "more" else -1)
    assert found == amounts[1] - amounts[0], headline
    beside = re.search(r"there you received (.*?) and gave (.*?); (.*?): (.*?)\.</p>", page)
    said = [(each[0], each[1]) for each in rows]
    if beside is not None:
        said = [("Received from neighbours", beside[1]), ("Given to neighbours", beside[2]), (beside[3], beside[4])]
    for name, text in said:
        texts.setdefault((name, ""), set()).add(text)
    trial = (await browser.get(f"/what-if.json?{TRIED}")).json()
    member = trial["own"] | {"id": "m00"}
    ends = {"first_day": "2026-06-01", "last_day": "2026-06-30", "currency": "EUR", "member": member}
    last = trial_lines({**trial, **ends}).splitlines()
    (line,) = [each for each in last if each.startswith("m00: ")]
    numbers = re.findall(r"sharing (\S+) EUR, under the tried rule (\S+): (\S+) ", line)[0]
    assert [Decimal(each) for each in numbers] == [*amounts, found], line


async def read_fairness(browser: httpx.AsyncClient) -> Mapping[str, Decimal]:
    """The page's amounts: the parts add up to the whole, and the command prints the same."""
    page = html.unescape((await browser.get("/fairness?year=2026")).text)
    rows = dict(re.findall(r'<li class="meter"><span>(.*?)</span><b>(.*?)</b>', page))
    names = ("Sharing was worth at most", "Members got", "The co-op kept", "Left unshared by the rule")
    worth, *parts = (number(rows[name]) for name in names)
    assert worth == sum(parts), rows
    report = (await browser.get("/fairness.json?year=2026")).json()
    lines = fairness_lines({**report, "days_left_out": [], "currency": "EUR"}).splitlines()
    printed = [Decimal(line.split()[-2]) for line in lines if line.startswith("  ") and line.endswith(" EUR")]
    assert printed == [worth, *parts]
    sign = -1 if "You lost by the rule" in rows else 1
    got = rows.get("You gained from the rule") or rows["You lost by the rule"]
    added, difference = number(rows["You added to the value of sharing"]), sign * number(got)
    found = re.search(r"You got (\S+) (more|less) than you added", page)
    if found is not None:
        assert number(found[1]) * (1 if found[2] == "more" else -1) == difference - added
    return {"gained": difference}


async def check_board_sums(browser: httpx.AsyncClient, store: SqliteStore) -> None:
    """The sums of each run add up as shown."""
    for run in (await read_books(store)).month_runs:
        page = html.unescape((await browser.get(f"/board/runs/2026-06/run/{run.run_key}")).text)
        rows = dict(re.findall(r'<li class="meter"><span>(.*?)</span><b>(.*?)</b>', page))
        if "Members pay" in rows:
            kept = number(rows["Members pay"]) - number(rows["Members receive"])
            assert number(rows["The co-op keeps"]) == kept, rows


async def due_of_bills(store: SqliteStore, member: str, terms: Any) -> Decimal | None:
    """What the documents of all published runs ask of the member, from the lines of the command bills."""
    books, total = await read_books(store), None
    for run in [each for each in books.month_runs if each.state == PUBLISHED]:
        documents = await run_documents(store, run, books=books, terms=terms, at=0)
        table = {name: tuple(sides.values()) for name, sides in documents.items()}
        for line in bill_lines(RunBills(run.month, run.kind, True, table)):
            if line.startswith(f"{member} "):
                due = Decimal(line.split()[-1])
                total = (total or Decimal(0)) + (due if line.split()[1].startswith("C") else -due)
    return total
