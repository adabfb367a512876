"""What a correction shows the others: nothing by day, one total of the month, and all of it in a crowd of five."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main
from hub.board.run_approval import approve_run, publish_run
from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.books.view import read_books
from hub.commands.statement import write_folder
from hub.core.ledger.entries import read_entry
from hub.core.statements.document import StatementFiles
from hub.statements.kept_days import STATEMENT_ACCESS
from hub.statements.months import HELD_BACK, StatementService
from hub.statements.publication import complete_series
from hub.statements.script import NAME
from hub.storage.records import Access
from protocols.hub_keys import HubSigner
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY, Arrival, Street, arrivals_of, one_sun_wh, open_street

MAY, DAY = date(2026, 5, 1), date(2026, 5, 31)
HOMES = 12


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES, energy=one_sun_wh)
    yield opened
    await opened.store.close()


async def state(street: Street, number: int) -> StatementFiles:
    member, home = await street.store.member(f"m{number:02d}"), await street.store.home_of(f"m{number:02d}")
    assert member is not None
    assert home is not None
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    files = await desk.state(member, home, month=MAY, access=STATEMENT_ACCESS)
    assert files is not None
    return files


def check(folder: Path, files: StatementFiles) -> tuple[int, str]:
    write_folder(folder, files)
    return check_folder(folder, files)


def check_folder(folder: Path, files: StatementFiles) -> tuple[int, str]:
    names = [str(folder / name) for name in (NAME, "statement.json", "readings.json", "pool.json")]
    command = [sys.executable, "-I", *names, "--hub-key", files.hub_key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).partition("\n")[0]


def late_of(*numbers: int) -> list[Arrival]:
    """Eight quarter hours at noon of these homes."""
    return [each for each in arrivals_of(DAY, HOMES) if each[0] in numbers and 40 <= each[1] % 96 < 48]


async def settle_late(street: Street, late: Sequence[Arrival]) -> list[StatementFiles]:
    """The day is settled without these, looked at by m06, and settled again; what m06 saw before."""
    await street.arrive_days([DAY], without=late)
    await settle_day(street.store, day=DAY, made_at=1, key=KEY)
    before = [await state(street, 6)]
    await street.arrive(late)
    await settle_day(street.store, day=DAY, made_at=2, key=KEY)
    return before


async def publish(street: Street, kind: str) -> None:
    run = await settle_month(street.store, month=MAY, kind=kind, made_at=1_781_000_000, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(street.store, run=run.run_key, member=member, at=1_781_000_100, key=KEY)
    await publish_run(street.store, run=run.run_key, member="m01", at=1_781_000_200, key=KEY, terms=None)


async def booked_wh(street: Street, member: str) -> int:
    rows = await street.store.entries_of_member(member, days=(DAY.isoformat(), DAY.isoformat()))
    return sum(
        posting.amount
        for row in rows
        for posting in read_entry(row.canonical).postings
        if (posting.line, posting.account) == ("received", f"member:{member}:energy")
    )


def slots_of(files: StatementFiles) -> list[dict[str, Any]]:
    days: Any = files.pool["days"]
    return [slot for day in days for slot in day["slots"]]


def rows_of(files: StatementFiles) -> list[list[Any]]:
    rows: Any = files.readings["readings"]
    return rows


async def test_one_homes_late_readings_change_nothing_that_the_others_see(street: Street, tmp_path: Path) -> None:
    (before,) = await settle_late(street, late_of(3))
    after = await state(street, 6)
    assert (after.pool, after.readings) == (before.pool, before.readings)
    assert after.statement["days"] == before.statement["days"]
    assert after.statement["totals"] == before.statement["totals"]
    assert after.later == {DAY.isoformat(): HELD_BACK}
    assert check(tmp_path / "m06", after)[0] == 0
    own = await state(street, 3)
    day: Any = own.statement["days"]
    assert None not in day[0]["received"], "the home itself sees its correction"
    assert {tuple(slot["withheld"]) for slot in slots_of(own)} == {("correction",)}
    code, said = check(tmp_path / "m03", own)
    assert (code, "only within bounds: 96 intervals" in said) == (0, True)


async def test_the_month_counts_it_as_one_total(street: Street, tmp_path: Path) -> None:
    (before,) = await settle_late(street, late_of(3))
    await publish(street, "M1")
    billed = await state(street, 6)
    day: Any = billed.statement["days"]
    before_days: Any = before.statement["days"]
    for name in ("received", "sold", "surplus", "demand"):
        assert day[0][name] == before_days[0][name]
    correction: Any = billed.statement["correction"]
    totals: Any = billed.statement["totals"]
    assert correction["days"] == 1
    assert correction["totals"]["received"] == totals["received"] - day[0]["totals"]["received"] != 0
    assert totals["received"] == await booked_wh(street, "m06")
    code, said = check(tmp_path / "m06", billed)
    assert (code, "bounds" in said) == (0, False), said


async def test_two_late_homes_do_not_see_each_other(street: Street, tmp_path: Path) -> None:
    await settle_late(street, late_of(3, 4))
    for number in (3, 4):
        files = await state(street, number)
        day: Any = files.statement["days"]
        assert day[0]["received"].count(None) == 8, "the run without both of them stays"
        assert check(tmp_path / f"m{number}", files)[0] == 0
    await publish(street, "M1")
    files = await state(street, 3)
    correction: Any = files.statement["correction"]
    assert correction["totals"]["demand"] > 0
    assert sum(row[3:] == ["corrected"] for row in rows_of(files)) == 8, "they have arrived and are counted"
    code, said = check(tmp_path / "m03-billed", files)
    assert code == 0
    assert "right in 88 of 96 intervals; 8 read later, counted only in the month's correction, as one total" in said
    assert "without a reading" not in said
    assert "for the next run" not in said


async def test_five_late_homes_are_a_crowd(street: Street, tmp_path: Path) -> None:
    """Five of them feed in and five others draw, so no sum and no difference is about fewer than five homes."""
    (before,) = await settle_late(street, late_of(*range(1, 11)))
    after = await state(street, 6)
    assert after.pool != before.pool
    assert after.later == {}
    assert "correction" not in after.statement
    assert check(tmp_path / "m06", after)[0] == 0


async def test_a_fifth_home_a_day_later_shows_the_four_with_it_or_not_at_all(street: Street) -> None:
    """A difference to any earlier edition counts, not only to the last one."""
    first, then = late_of(3, 4), late_of(3, 4, 7)
    await street.arrive_days([DAY], without=then)
    keys = []
    for more in ([], first, late_of(7)):
        await street.arrive(more)
        await settle_day(street.store, day=DAY, made_at=1, key=KEY)
        keys.append((await read_books(street.store)).current[DAY.isoformat()].run_key)
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    seen = await desk.visible("m06", days=(DAY.isoformat(), DAY.isoformat()))
    assert seen.runs[DAY.isoformat()] == (keys[0],)
    assert seen.held_back == set(keys[1:])


async def test_an_answer_stays_when_consents_change(street: Street) -> None:
    """Which homes may be seen is fixed when a run is first shown."""
    await settle_late(street, late_of(3))
    row = await street.store.fix_run_group("some run", homes=["h03"], plants=["h01"])
    assert (row.open_homes, row.plants, row.was_shown) == ({"h03"}, {"h01"}, False)
    assert (await street.store.fix_run_group("some run", homes=[], plants=[])) == row


async def test_the_auditor_alone_gets_the_detail_and_every_home_can_see_that(street: Street, tmp_path: Path) -> None:
    await settle_late(street, late_of(3))
    own = await state(street, 3)
    access = Access(actor="m01", role="board", purpose="settle.share", reason="audit of May")
    series = await complete_series(street.store, MAY, seals=SEALS, access=access, coop=COOP.id, tz=COOP.tz)
    assert [each["for"] for each in series] == ["auditor", "auditor"]
    folder = tmp_path / "m03"
    write_folder(folder, own)
    (folder / "pool.json").write_text(json.dumps({"days": series[-1:], "earlier": series[:-1]}))
    code, said = check_folder(folder, own)
    assert (code, "bounds" in said) == (0, False), said
    for number in range(1, HOMES + 1):
        rows = await street.store.access_rows(f"h{number:02d}", limit=50)
        assert [row.reason for row in rows if row.actor == "m01"] == ["audit of May"]


def test_the_command_asks_for_the_board_and_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "hub", tmp_path / "auditor.json"
    assert main(["init", "--data", str(data), "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]) == 0
    rest = ["--data", str(data), "--month", "2026-05", "--out", str(out)]
    for by, reason, why in (("m01", "audit", "not a member of the board"), ("m01", " ", "printable characters")):
        capsys.readouterr()
        assert main(["auditor-file", *rest, "--by", by, "--reason", reason]) != 0
        said = capsys.readouterr().err
        assert why in said
        assert said.count("\n") == 1
    assert not out.exists()
