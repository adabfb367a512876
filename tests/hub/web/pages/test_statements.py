"""The statement's page and files: own data only, every number can be opened, and the script accepts the files."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.core.statements.document import StatementFiles
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.statement import statement_day, statement_page
from tests.hub.web.conftest import SignIn

MONTH = "/credits/statement/2026-06"
FILES = (f"{MONTH}.json", f"{MONTH}.csv", f"{MONTH}/readings.json", f"{MONTH}/pool.json", f"{MONTH}/bills.csv")


async def test_the_files_of_each_member_are_accepted_by_the_downloaded_script(sign_in: SignIn, tmp_path: Path) -> None:
    for member in ("m02", "m09", "m11"):
        browser = await sign_in(member)
        page = (await browser.get(MONTH)).text
        key = re.findall(r"--hub-key ([0-9a-f]{64})", page)
        for name, path in (("s.json", FILES[0]), ("r.json", FILES[2]), ("p.json", FILES[3])):
            answer = await browser.get(path)
            assert answer.status_code == 200
            (tmp_path / name).write_bytes(answer.content)
        (tmp_path / "check.py").write_bytes((await browser.get("/verify_statement.py")).content)
        command = [sys.executable, "-I", "check.py", "s.json", "r.json", "p.json", "--hub-key", *key]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert done.stdout.startswith(f"2026-06 of {member}: right in ")
        assert "not stated: 19 days, 2026-06-12 to 2026-06-30" in done.stdout


async def test_every_number_opens_to_days_and_every_day_to_slots_and_entries(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    page = (await browser.get(MONTH)).text
    assert "Provisional: this is not a bill" in page
    assert "June 2026 so far" in page
    for label in ("Drawn at your connection", "To pay for energy from neighbours", "Cost without sharing", "Gained by"):
        assert label in page, label
    days = set(re.findall(rf'href="({MONTH}/2026-06-\d\d)"', page))
    assert days == {f"{MONTH}/2026-06-{day:02d}" for day in (9, 10, 11)}
    day = (await browser.get(f"{MONTH}/2026-06-10")).text
    assert day.count("<tr>") == 97
    assert "member:m02:energy" in day
    assert "in proportion to what each home draws" in day
    assert "0.1600 EUR per kWh" in day


async def test_the_table_is_the_signed_statement(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    statement: Any = (await browser.get(FILES[0])).json()["document"]
    rows = list(csv.DictReader((await browser.get(FILES[1])).text.splitlines()))
    assert [row["state"] == "together" for row in rows].count(False) == 288
    assert sum(int(row["received_wh"] or 0) for row in rows) == statement["totals"]["received"]


@pytest.mark.parametrize("path", [MONTH, f"{MONTH}/2026-06-10", *FILES])
async def test_nobody_but_the_member_gets_a_statement(sign_in: SignIn, store: SqliteStore, path: str) -> None:
    answer = await (await sign_in("m02")).get(path, params={"member": "m03"})
    assert answer.status_code == 200
    if "pool" not in path:
        assert "m03" not in re.sub(r'"before": ?"m\d\d"', "", answer.text).replace("m03@", "")
    looks = await store.access_rows("h02", limit=5)
    assert any((look.actor, look.role) == ("m02", "self") for look in looks)
    stranger = await sign_in("m02")
    stranger.cookies.clear()
    assert (await stranger.get(path)).status_code in (303, 401)


async def test_what_is_not_there_is_one_sentence(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    for path in (
        "/credits/statement/2026-13",
        "/credits/statement/2020-01",
        f"{MONTH}/2026-06-12",
        "/credits/statement/x.json",
    ):
        answer = await browser.get(path)
        assert answer.status_code == 404, path
        assert "Traceback" not in answer.text
    assert json.loads((await browser.get("/credits/statement/2020-01.json")).text)["error"]


async def test_marked_quarter_hours_are_named_on_their_day_and_counted_for_the_month(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    signed = (await browser.get(FILES[0])).json()
    day = signed["document"]["days"][0]
    first, words = day["first_slot"], Localizer("en", "Europe/Berlin", "EUR")
    day["marks"] = [
        [first, "held", None, None, 1], [first + 1, "estimated", 5, 7, None], [first + 2, "rejected", None, None, 2],
    ]  # fmt: skip
    files = StatementFiles(signed, {}, (), {}, "00")
    view = statement_day(files, day["day"], words)
    assert view is not None
    states = [row[-1] for row in view.table.rows[:4]]
    assert states[:3] == ["on hold until the board decides", "estimated", "not counted, by the board's decision"]
    assert states[3] not in states[:3]
    counted = "on hold until the board decides (1), not counted, by the board's decision (1) and estimated (1)"
    assert f"Quarter hours with a mark: {counted}." in statement_page(files, words).missing


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("none", "You are billed by a meter that is not certified for billing (MID). Where you charge others by it"),
        ("unknown", "You are billed by a meter of which no certificate for billing (MID) is known. Where"),
        ("class 1", "You are billed by a meter (class 1) not known to be certified for billing (MID). Where"),
        (None, ""),
    ],
)
async def test_a_meter_not_known_to_be_certified_is_named_beside_the_bill(
    sign_in: SignIn, kind: str | None, words: str
) -> None:
    signed = (await (await sign_in("m02")).get(FILES[0])).json()
    signed["payment"]["document"] |= {} if kind is None else {"meter": kind}
    view = statement_page(StatementFiles(signed, {}, (), {}, "00"), Localizer("en", "Europe/Berlin", "EUR"))
    assert view.meter.startswith(words)
    assert bool(view.meter) == bool(words)
