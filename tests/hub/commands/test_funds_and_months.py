"""The board's commands on a hub's books: preview, month runs, approval, fees, the year's end, trial balance, verify."""

import asyncio
import json
import math
import shlex
import sqlite3
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.__main__ import main
from hub.core.ledger.run_calendar import days_of
from hub.core.rules.rulebook import Rule
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Timeline
from tests.hub.second_rule import put_rule
from tests.hub.settled_street import COOP, RULE, Street, arrivals_of, fill_street

DECEMBER = date(2026, 12, 1)
DAYS = days_of(DECEMBER)[-3:]
LATE = arrivals_of(DAYS[1], 3)[50:80]
FEES = 'decided = "assembly of 2026-01-12"\nusual = "full"\n[steps]\nfull = 3000000\nfree = 0\n[chosen]\nm03 = "free"\n'
TAXES = """[[rates]]
from = 2026-01-01
bought_ppm = 200000
sold_ppm = 130000
fees_ppm = 200000
"""
YEAR_END = """decided = "assembly of 2027-03-12"
reserve_ppm = 300000
solidarity_ppm = 100000
patronage_ppm = 600000
"""
LOOKERS = ("m01",)


ASK_WHO = ("bills", "funds", "payments", "ledger", "report", "findings")
"""Commands that say in each home's log who looked; where a test names nobody, m01 looks."""


class Hub:
    """A hub's folder, its commands at a time, and the street that sends to it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._clock, self._capsys = folder, folder.parent / "clock.json", capsys
        self._arrived: Street | None = None

    def at(self, day: date) -> None:
        now_s = int(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(COOP.tz)).timestamp())
        self._clock.write_text(Timeline(0, now_s, 0, None).text())

    def run(self, command: str, *arguments: str, code: int = 0) -> str:
        self._capsys.readouterr()
        given = [*command.split(), "--data", str(self.folder), "--clock", str(self._clock), *arguments]
        if given[0] in ASK_WHO and not {"--by", "--member"} & {*given}:
            given += ["--by", "m01"]
        # On a busy machine a long command would show how far it has come, beside the one line of an error.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("hub.console.progress.QUIET_S", math.inf)
            found = main(given)
        out, err = self._capsys.readouterr()
        assert found == code, (given, out, err)
        assert len(err.splitlines()) <= 1, "one line, no traceback"
        return out if code == 0 else out + err

    def json(self, command: str, *arguments: str) -> Any:
        return json.loads(self.run(command, "--json", *arguments))

    def books(self) -> Any:
        """What verify says of the books; the street's messages are not really sealed, so the whole does not hold."""
        return json.loads(self.run("verify --json", code=1))["books"]

    def arrive(self, *, late: bool) -> None:
        async def send() -> None:
            store = await SqliteStore.open(self.folder / "hub.sqlite", now=lambda: 1_800_000_000.0)
            if self._arrived is None:
                self._arrived = await fill_street(store)
            self._arrived.store = store
            if late:
                await self._arrived.arrive(LATE)
            else:
                await self._arrived.arrive_days(DAYS, without=LATE)
            await store.close()

        asyncio.run(send())

    def plan(self, text: str) -> list[str]:
        path = self.folder.parent / "plan.toml"
        path.write_text(text)
        return ["--plan", str(path)]


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Hub:
    made = Hub(tmp_path / "hub", capsys)
    made.at(date(2026, 12, 1))
    made.run(f"init --name Street --coop {COOP.id} --tz {COOP.tz}")
    text = (made.folder / "hub.toml").read_text().replace("holidays = []", 'holidays = ["01-01", "2027-01-06"]')
    (made.folder / "hub.toml").write_text(text)
    made.arrive(late=False)
    return made


def test_a_month_from_preview_to_publication_and_on_to_r1(hub: Hub) -> None:
    hub.at(date(2026, 12, 31))
    assert "is not over yet" in hub.run("settle --month 2026-12 --preview", code=1)
    hub.at(date(2027, 1, 4))
    preview = hub.json("settle --month 2026-12 --preview")
    assert preview["days"] == [str(day) for day in DAYS]
    assert "m02" not in json.dumps(preview), "sums only, unless somebody is named"
    assert "m02" not in hub.run("settle --month 2026-12 --preview")
    assert "is not on the board" in hub.run("settle --month 2026-12 --preview --by m09", code=1)
    assert "--by goes with --preview" in hub.run("settle --month 2026-12 --kind M1 --by m01", code=1)
    preview_of_all = hub.json("settle --month 2026-12 --preview --by m01")
    assert "m02" in {each["member"] for each in preview_of_all["members"]}
    assert "m02" in hub.run("settle --month 2026-12 --preview --by m01")
    with closing(sqlite3.connect(hub.folder / "hub.sqlite")) as db:
        named = "SELECT count(DISTINCT home) FROM access_log WHERE actor = 'm01' AND reason LIKE '%member by member'"
        (homes,) = db.execute(named).fetchone()
    assert homes == len(preview_of_all["members"])
    assert hub.json("trial-balance")["accounts"][1]["amount"] == 0, "nothing was booked"
    assert "falls due on 2027-01-11" in hub.run("settle --month 2026-12 --kind M1", code=1)
    hub.at(date(2027, 3, 5))
    assert "comes after M1" in hub.run("settle --month 2026-12 --kind R1", code=1)
    hub.at(date(2027, 1, 11))
    made = hub.json("settle --month 2026-12 --kind M1")
    assert (made["state"], made["provisional_days"], made["days"]) == ("draft", 1, 3)
    assert "would change nothing" in hub.run("settle --month 2026-12 --preview")
    key = made["run_key"]
    assert hub.json(f"approve --run {key} --member m01")["state"] == "draft"
    assert "second approval" in hub.run(f"approve --run {key} --member m01", code=1)
    assert "1 approval(s) missing" in hub.run(f"approve --run {key} --member m01 --publish", code=1)
    assert hub.json(f"approve --run {key} --member m02")["state"] == "approved"
    assert hub.json(f"approve --run {key[:8]} --member m02 --publish")["state"] == "published"
    assert "M1 of 2026-12 is already published" in hub.run("settle --month 2026-12 --kind M1", code=1)
    assert "has a run of its own" in hub.run(f"settle --day {DAYS[0]}", code=1)
    hub.arrive(late=True)
    shown = hub.json("runs")
    mark = {"day": str(DAYS[1]), "why": "new readings", "next_run": "R1", "is_made_again": False}
    assert shown["marked_days"][0] == mark
    assert {"month": "2026-12", "kind": "R1", "due": "2027-03-05"} in shown["due"]
    hub.at(date(2027, 3, 5))
    r1 = hub.json("settle --month 2026-12 --kind R1")
    assert (r1["provisional_days"], r1["kind"]) == (0, "R1")
    assert "R1  draft" in hub.run("runs")
    assert hub.books()["findings"] == []
    assert hub.json("settle --month 2026-12 --kind R1") == r1, "the same inputs again are the same run"


def test_after_the_last_run_only_a_dispute_reopens_a_month(hub: Hub) -> None:
    hub.at(date(2028, 4, 1))
    for kind in ("M1", "R1", "R2", "RF"):
        key = hub.json(f"settle --month 2026-12 --kind {kind}")["run_key"]
        assert "is not closed yet" in hub.run("settle --month 2026-12 --kind X --decision so", code=1)
        for member in ("m01", "m02"):
            hub.run(f"approve --run {key} --member {member}")
        hub.run(f"approve --run {key} --member m01 --publish")
    hub.arrive(late=True)
    assert "is no longer possible" in hub.run("settle --month 2026-12 --kind R2", code=1)
    assert "needs the decision on a dispute" in hub.run("settle --month 2026-12 --kind X", code=1)
    decided = hub.json("settle --month 2026-12 --kind X", "--decision", "dispute 4 of 2028-03-30")
    assert (decided["kind"], decided["decision"], decided["state"]) == ("X", "dispute 4 of 2028-03-30", "draft")
    assert decided["provisional_days"] == 0


def test_fees_the_years_end_and_grants_are_booked_once_and_balance(hub: Hub) -> None:
    hub.at(date(2027, 1, 11))
    hub.run("settle --month 2026-12 --kind M1")
    fees = hub.plan(FEES)
    assert "2 entries would be booked" in hub.run("funds fees --month 2026-12 --preview", *fees)
    assert "2 entries booked" in hub.run("funds fees --month 2026-12", *fees)
    assert "nothing to book" in hub.run("funds fees --month 2026-12", *fees)
    before = {row["account"]: row["amount"] for row in hub.json("trial-balance")["accounts"] if row["unit"] == "nano"}
    assert before["coop:fees"] == 6_000_000_000
    pot = before["coop:margin"] + before["coop:fees"]
    assert "4 entries booked" in hub.run("funds year-end --year 2026", *hub.plan(YEAR_END))
    after = {row["account"]: row["amount"] for row in hub.json("trial-balance")["accounts"] if row["unit"] == "nano"}
    assert (after["coop:margin"], after["coop:fees"]) == (0, 0)
    assert (
        after["coop:reserve"]
        + after["coop:solidarity"]
        + after["coop:patronage"]
        + (after["members:money"] - before["members:money"])
        == pot
    )
    assert abs(after["coop:reserve"] * 10 - pot * 3) < 10
    grant = 'decided = "board of 2027-02-02"\n[grants]\nm03 = %d\n'
    too_much = hub.plan(grant % (after["coop:solidarity"] // 1000 + 1))
    assert "out_of_range" in hub.run("funds grants --day 2027-01-11", *too_much, code=1)
    hub.run("funds grants --day 2027-01-11", *hub.plan(grant % 1000))
    assert hub.json("trial-balance")["sums"] == {"Wh": 0, "nano": 0}
    assert "it balances" in hub.run("trial-balance")
    hub.arrive(late=True)
    hub.at(date(2027, 3, 8))
    hub.run("settle --month 2026-12 --kind R1")
    hub.run("funds year-end --year 2026", *hub.plan(YEAR_END))
    again = {row["account"]: row["amount"] for row in hub.json("trial-balance")["accounts"]}
    assert (again["coop:margin"], again["coop:fees"]) == (0, 0), "a corrected month's margin is split too"
    assert hub.books()["findings"] == []


def test_bills_are_looked_at_then_published_and_booked_with_their_taxes(hub: Hub) -> None:
    hub.at(date(2027, 1, 11))
    key = hub.json("settle --month 2026-12 --kind M1")["run_key"]
    for member in ("m01", "m02"):
        hub.run(f"approve --run {key} --member {member}")
    (hub.folder / "tax.toml").write_text("[[rates]]\nfrom = 2026-01-01\nbought_ppm = 0.2\n")
    wrong = hub.run(f"approve --run {key} --member m01 --publish", code=1)
    assert "tax.toml: rates 1.bought_ppm: expected a whole number" in wrong
    assert hub.json("runs")["runs"][0]["state"] == "approved", "nothing was published"
    (hub.folder / "tax.toml").write_text(TAXES)
    seen = hub.json(f"bills --run {key}")
    assert seen["published"] is False
    shown = hub.run(f"bills --run {key}")
    assert "not published: this is what it would bring now" in shown
    assert "invoice: net " in shown
    accounts = {row["account"] for row in hub.json("trial-balance")["accounts"]}
    assert "tax:200000" not in accounts, "a look books nothing"
    hub.run(f"approve --run {key} --member m01 --publish")
    out = hub.json(f"bills --run {key}")
    assert (out["published"], out["members"]) == (True, seen["members"])
    rows = {row["account"]: row["amount"] for row in hub.json("trial-balance")["accounts"]}
    taxes = sum(bill["tax_cent"] for bills in out["members"].values() for bill in bills)
    assert rows["tax:200000"] == taxes * 10_000_000 > 0
    assert rows["members:money"] % 10_000_000 == 0, "what members owe is whole cents once it is billed"
    assert hub.json("trial-balance")["sums"] == {"Wh": 0, "nano": 0}
    assert hub.books()["findings"] == []
    assert "no run has the key" in hub.run("bills --run 00000000", code=1)
    out_folder = hub.folder.parent / "m01"
    told = hub.json(f"statement --member m01 --by m01 --month 2026-12 --out {out_folder} --pdf")
    assert (told["state"], told["billed"]) == ("provisional", True)
    assert (out_folder / "statement.pdf").read_bytes().startswith(b"%PDF")
    assert "I-2026-12-M1-0001" in (out_folder / "bills.csv").read_text()
    assert told["script"] == str(out_folder / "verify_statement.py")
    spaced = hub.folder.parent / "of m01"
    told = hub.json("statement --member m01 --by m01 --month 2026-12", "--out", str(spaced))
    names = [str(spaced / name) for name in ("statement.json", "readings.json", "pool.json")]
    assert shlex.split(told["verify"]) == ["python", told["script"], *names, "--hub-key", told["hub_key"]]
    with closing(sqlite3.connect(hub.folder / "hub.sqlite")) as db, db:
        db.execute("UPDATE member SET name = 'Household 山' WHERE id = 'm01'")
    unwritten = hub.folder.parent / "unwritten"
    said = hub.run(f"statement --member m01 --by m01 --month 2026-12 --out {unwritten} --pdf", code=1)
    assert "the PDF cannot be drawn, perhaps for a letter in a name that its fonts lack; leave out --pdf" in said
    assert not unwritten.exists()


@pytest.mark.parametrize(
    ("command", "plan", "said"),
    [
        ("funds fees --month 2026-12", "usual = 1", "decided: expected who decided it and when"),
        ("funds fees --month 2026-12", FEES + "[more]\n", "more: not a key of a plan of fees"),
        (
            "funds fees --month 2026-12",
            FEES.replace("3000000", "3.5"),
            "not_integer: steps.full (in millionths of the currency) is not an integer",
        ),
        ("funds fees --month 2026-12", FEES.replace("m03", "m99"), "unknown_member"),
        ("funds fees --month 2027-01", FEES, "is not over yet"),
        ("funds fees --month never", FEES, "expected a month like 2026-05"),
        ("funds fees --year 2026", FEES, "give --month and no other period"),
        ("funds year-end --year 2026", YEAR_END.replace("600000", "6"), "not 1000000"),
        ("funds year-end --year 1", YEAR_END, "is not a year"),
        ("funds grants --day 2029-01-01", 'decided = "x"\n[grants]\n', "is in the future"),
        ("funds fees --month 2026-12", "[", "not a TOML file"),
        ("funds fees --month 2026-12", 'decided = "x"', "steps: missing, expected a table of what each step costs"),
        ("funds fees --month 2026-12", 'decided = "x"\n[steps]\nfull = 1\n', "usual: missing, expected the step of"),
        ("funds fees --month 2026-12", 'decided = "x"\nusual = "full"\n[steps]\n', "add a table [steps]"),
        ("funds year-end --year 2026", 'decided = "x"', "reserve_ppm: missing, expected a whole number"),
        ("funds grants --day 2026-12-01", 'decided = "x"', "grants: missing, expected a table of amounts"),
    ],
)
def test_a_wrong_plan_is_one_line_and_books_nothing(hub: Hub, command: str, plan: str, said: str) -> None:
    hub.at(date(2027, 1, 11))
    assert said in hub.run(command, *hub.plan(plan), code=1)
    with closing(sqlite3.connect(hub.folder / "hub.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM run").fetchone() == (0,)


def test_a_refused_month_is_one_line(hub: Hub) -> None:
    async def refuse() -> None:
        store = await SqliteStore.open(hub.folder / "hub.sqlite", now=lambda: 1_800_000_000.0)
        rule = Rule("proportional", missing="refuse", prices=RULE.prices)
        await put_rule(store, rule.version(), canonical=rule.canonical(), first_day="2026-12-02")
        await store.close()

    asyncio.run(refuse())
    hub.at(date(2027, 1, 11))
    assert f"2026-12 is refused: missing_reading: {DAYS[1]}" in hub.run("settle --month 2026-12 --kind M1", code=1)
    assert "refused" in hub.run("settle --month 2026-12 --preview", code=1)
    with closing(sqlite3.connect(hub.folder / "hub.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM run").fetchone() == (0,)


def test_a_wrong_holiday_is_one_line(hub: Hub) -> None:
    text = (hub.folder / "hub.toml").read_text()
    for wrong in ('["13-41"]', '["soon"]', "7", "[7]"):
        (hub.folder / "hub.toml").write_text(text.replace('["01-01", "2027-01-06"]', wrong))
        assert "calendar.holidays: expected" in hub.run("runs", code=1)


def test_either_half_of_the_verification_stands_alone(hub: Hub) -> None:
    hub.at(date(2027, 1, 4))
    hub.run("settle", "--day", *map(str, DAYS))
    whole = json.loads(hub.run("verify --whole --json", code=1))
    messages = json.loads(hub.run("verify --whole --only messages --json", code=1))
    books = hub.json("verify", "--whole", "--only", "books")
    assert messages["ok"] is whole["ok"] is False
    assert books["ok"] is True
    assert (messages["messages"], books["books"]) == (whole["messages"], whole["books"])
    rows = hub.json("verify", "--whole", "--only", "rows")
    assert set(messages) | set(books) | set(rows) == set(whole)
    assert "messages" not in hub.run("verify", "--only", "books")


def test_a_look_at_bills_and_at_a_funds_plan_stands_in_each_homes_log(hub: Hub) -> None:
    hub.at(date(2027, 1, 11))
    key = hub.json("settle --month 2026-12 --kind M1")["run_key"]
    before = looks(hub)
    hub.run(f"bills --run {key}")
    assert looks(hub) == {home: [*seen, "bills"] for home, seen in before.items()}
    hub.run("funds year-end --year 2026 --preview", *hub.plan(YEAR_END))
    assert looks(hub) == {home: [*seen, "bills", "funds year-end"] for home, seen in before.items()}


def looks(hub: Hub) -> dict[str, list[str]]:
    """What was looked at of each home that is no reading, in order."""

    async def read() -> dict[str, list[str]]:
        store = await SqliteStore.open(hub.folder / "hub.sqlite", now=lambda: 0.0)
        homes = [home.id for home in await store.homes()]
        rows = {home: await store.access_rows(home, limit=100) for home in homes}
        await store.close()
        return {home: [row.fields for row in reversed(found) if row.actor in LOOKERS] for home, found in rows.items()}

    return asyncio.run(read())
