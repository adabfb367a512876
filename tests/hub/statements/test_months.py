"""Statements from a real store: each edition is accepted by the stand-alone script, and only the look is written."""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.books.view import read_books
from hub.commands.statement import file_contents, write_folder
from hub.core.ledger.attestations import document_digest
from hub.core.ledger.entries import balances, read_entry
from hub.core.ledger.fund_entries import FeeScale
from hub.core.payments.tax_terms import TaxRates, TaxStatus, TaxTerms
from hub.core.rules.rulebook import Rule
from hub.core.settlement.money import CENT_NANO
from hub.core.statements.document import StatementFiles
from hub.core.statements.month import CoopName, SettledDay, StatedDay, state_day
from hub.money.bills import plan_bills
from hub.money.funds import book_fund, plan_fees
from hub.statements import kept_days
from hub.statements.kept_days import STATEMENT_ACCESS
from hub.statements.months import StatementService
from hub.statements.script import NAME
from hub.storage.fleet_records import ReceivedNotice
from hub.storage.records import NewObjection
from hub.storage.sqlite.threads.connection import Connection
from hub.verify.books import check_books
from hub.web.pdf.files import statement_pdf
from protocols.errors import RequestError
from protocols.hub_keys import HubSigner
from protocols.maps.model import Metrology
from protocols.wire.meter_notices import MeterNotice
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import KEY, RULE, Street, arrivals_of, one_sun_wh, open_street

MAY = date(2026, 5, 1)
TERMS = TaxTerms(
    ("Street eG",),
    (TaxRates("2026-01-01", 210_000, 100_000, 40_000),),
    (TaxStatus("m01", "2026-01-01", "standard"),),
    {"self_billing": "Self-billing"},
)
DAYS = (date(2026, 5, 30), date(2026, 5, 31))
HOMES = 12


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES, energy=one_sun_wh)
    yield opened
    await opened.store.close()


async def state(street: Street, member_id: str, desk: StatementService | None = None) -> StatementFiles | None:
    member, home = await street.store.member(member_id), await street.store.home_of(member_id)
    assert member is not None
    assert home is not None
    return await (desk or StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)).state(
        member, home, month=MAY, access=STATEMENT_ACCESS
    )


def check(folder: Path, files: StatementFiles) -> tuple[int, str]:
    """What the script says of the files, run alone."""
    write_folder(folder, files)
    names = [str(folder / name) for name in (NAME, "statement.json", "readings.json", "pool.json")]
    command = [sys.executable, "-I", *names, "--hub-key", files.hub_key]
    command += ["--before", str(folder / "before.json")] if files.before is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).partition("\n")[0]


async def change(street: Street, sql: str) -> None:
    async def work(db: Connection) -> None:
        await db.execute(sql)

    await street.store.write(work)


async def publish(street: Street, kind: str, terms: TaxTerms | None = None) -> None:
    run = await settle_month(street.store, month=MAY, kind=kind, made_at=1_781_000_000, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(street.store, run=run.run_key, member=member, at=1_781_000_100, key=KEY)
    await publish_run(street.store, run=run.run_key, member="m01", at=1_781_000_200, key=KEY, terms=terms)


async def test_every_member_of_a_provisional_month_can_check_it(street: Street, tmp_path: Path) -> None:
    await street.arrive_days(DAYS)
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    for number in range(1, HOMES + 1):
        files = await state(street, f"m{number:02d}")
        assert files is not None
        assert (files.statement["state"], files.statement["billed"], files.later) == ("provisional", False, {})
        assert len(files.statement["days_before"]) == 29  # type: ignore[arg-type]
        assert check(tmp_path / f"m{number}", files) == (0, f"2026-05 of m{number:02d}: right in all of 192 intervals")


async def test_editions_follow_each_other_and_name_what_changed(street: Street, tmp_path: Path) -> None:
    late = [each for each in arrivals_of(DAYS[1], HOMES) if each[0] == 2][40:60]
    await street.arrive_days(DAYS, without=late)
    await publish(street, "M1")
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    first = await state(street, "m02", desk)
    assert first is not None
    assert (first.statement["billed"], first.statement["state"]) == (True, "provisional")
    assert check(tmp_path / "first", first)[0] == 0
    await street.arrive(late)
    waiting = await state(street, "m02", desk)
    assert waiting is not None
    assert waiting.signed == first.signed, "a published statement stays what it was"
    assert waiting.later == {"2026-05-31": "new readings"}
    await settle_month(street.store, month=MAY, kind="R1", made_at=2, key=KEY)
    draft = await state(street, "m02", desk)
    assert draft is not None
    assert draft.signed == first.signed, "a draft bills nobody"
    assert draft.later == {"2026-05-31": "a newer run that is not published yet"}
    await publish(street, "R1")
    second = await state(street, "m02", desk)
    assert second is not None
    assert second.later == {}
    changes: Any = second.statement["changes"]
    assert list(changes["days"]) == ["2026-05-31"]
    assert {"demand", "received", "imported"} <= set(changes["month"])
    note = "; cannot be recomputed by you, only within bounds: 96 intervals, withheld"
    assert check(tmp_path / "second", second) == (0, f"2026-05 of m02: right in all of 192 intervals{note}")
    fresh = await state(street, "m02")
    assert fresh == second, "what is kept says what a fresh desk says"
    await publish(street, "R2")
    await publish(street, "RF")
    closed = await state(street, "m02")
    assert closed is not None
    assert (closed.statement["state"], closed.statement["billed"]) == ("final", True)
    assert check(tmp_path / "closed", closed)[0] == 0


async def test_a_published_month_is_billed_and_booked_and_a_later_one_replaces_the_bill(
    street: Street, tmp_path: Path
) -> None:
    late = [each for each in arrivals_of(DAYS[1], HOMES) if each[0] == 2][40:60]
    await street.arrive_days(DAYS, without=late)
    scale = FeeScale({"full": 3_333_333_333}, "full")
    await book_fund(
        street.store, await plan_fees(street.store, month=MAY, scale=scale, decided="x"), made_at=2, key=KEY
    )
    await publish(street, "M1", TERMS)
    bills: dict[str, Any] = {}
    for number in range(1, HOMES + 1):
        member = f"m{number:02d}"
        files = await state(street, member)
        assert files is not None
        assert check(tmp_path / member, files)[0] == 0
        bills[member] = files.statement["tax"]
        assert [line["name"] for line in bills[member][0]["lines"]] == ["received", "fee"]
        assert bills[member][0]["date"] == "2026-06-09"
        owed = sum(bill["gross_cent"] * (1 if bill["lines"][0]["name"] == "sold" else -1) for bill in bills[member])
        assert await balance(street, f"member:{member}:money") == owed * CENT_NANO
    taxes = [tax for bill in bills.values() for each in bill for tax in each["taxes"] if tax["rate_ppm"] == 210_000]
    assert await balance(street, "tax:210000") == sum(tax["tax_cent"] for tax in taxes) * CENT_NANO > 0
    assert (bills["m01"][1]["kind"], bills["m01"][1]["words"]) == ("self-billed credit note", ["Self-billing"])
    await street.arrive(late)
    await publish(street, "R1", TERMS)
    second = await state(street, "m02")
    assert second is not None
    assert check(tmp_path / "second", second)[0] == 0
    (bill, *_) = cast(list[dict[str, Any]], second.statement["tax"])
    assert bill["replaces"]["number"] == bills["m02"][0]["number"]
    assert bill["number"].startswith("I-2026-05-R1-")
    assert await balance(street, "member:m02:money") == -bill["gross_cent"] * CENT_NANO
    books = await check_books(street.store, KEY.public_key())
    assert (books.findings, set(books.sums.values())) == ([], {0})


async def test_an_objection_leaves_its_amount_out_of_what_is_to_pay_and_the_statement_as_it_is(
    street: Street, tmp_path: Path
) -> None:
    await street.arrive_days(DAYS)
    await publish(street, "M1", TERMS)
    plain = await state(street, "m02")
    assert plain is not None
    for day, line in (("", "debit"), ("2026-05-31", "sold")):
        new = NewObjection("m02", "2026-05", day, line, stated=1, statement="x", reason="no", made_at=5, due_at=90)
        assert await street.store.add_objection(new) is None
    waiting = await state(street, "m02")
    assert waiting is not None
    assert waiting.signed["document"] == plain.signed["document"]
    payment: Any = waiting.payment
    assert payment["waiting"] == [
        {"day": "", "line": "debit", "until": 90},
        {"day": "2026-05-31", "line": "sold", "until": 90},
    ]
    assert [bill["now_cent"] for bill in payment["bills"] if bill["side"] == "received"] == [0]
    assert check(tmp_path / "waiting", waiting)[0] == 0
    path = tmp_path / "waiting" / "statement.json"
    path.write_text(path.read_text().replace('"now_cent":0', '"now_cent":1'))
    names = [str(tmp_path / "waiting" / name) for name in (NAME, "statement.json", "readings.json", "pool.json")]
    command = [sys.executable, "-I", *names, "--hub-key", waiting.hub_key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "payment: not signed by the hub's key, or changed since\n")
    await street.store.decide_objection(1, board_member="m01", verdict="rejected", reason="it stands", at=7)
    decided = await state(street, "m02")
    assert decided is not None
    assert cast(list[object], decided.payment["waiting"]) == payment["waiting"][1:]


async def balance(street: Street, account: str) -> int:
    rows = await street.store.entries(after_position=0, limit=10**6)
    return balances(read_entry(row.canonical) for row in rows)["nano", account]


async def test_bills_booked_apart_from_their_publication_are_booked_anew_with_it(street: Street) -> None:
    await street.arrive_days(DAYS)
    run = await settle_month(street.store, month=MAY, kind="M1", made_at=1_781_000_000, key=KEY)
    for member in ("m01", "m02"):
        run = await approve_run(street.store, run=run.run_key, member=member, at=1_781_000_100, key=KEY)
    books = await read_books(street.store)
    plan = await plan_bills(street.store, run, books=books, terms=TERMS, at=1_781_000_200)
    booked = await book_fund(street.store, plan, made_at=1_781_000_200, key=KEY)
    assert booked.entries
    before = await state(street, "m01")
    assert before is not None
    assert before.statement["tax"] == [], "nothing is billed before the publication"
    again = await book_fund(street.store, plan, made_at=1_781_000_200, key=KEY)
    assert (again.run_key, again.entries) == (booked.run_key, ())
    await publish_run(street.store, run=run.run_key, member="m01", at=1_781_090_000, key=KEY, terms=TERMS)
    after = await state(street, "m01")
    assert after is not None
    tax = cast(list[dict[str, Any]], after.statement["tax"])
    assert [(bill["number"], bill["date"]) for bill in tax] == [
        ("I-2026-05-M1-0001", "2026-06-10"),
        ("C-2026-05-M1-0001", "2026-06-10"),
    ]
    assert len({row.run_key for row in await street.store.fund_runs()}) == 2, "the day of the publication stands on it"


async def test_the_folder_may_hold_a_pdf(street: Street, tmp_path: Path) -> None:
    await street.arrive_days(DAYS[:1])
    await settle_day(street.store, day=DAYS[0], made_at=1, key=KEY)
    files = await state(street, "m02")
    assert files is not None
    write_folder(tmp_path / "plain", files)
    write_folder(tmp_path / "paper", files, pdf=statement_pdf(files, "en"))
    names = {path.name for path in (tmp_path / "plain").iterdir()}
    assert names == {"statement.json", "readings.json", "pool.json", "statement.csv", "bills.csv", NAME}
    assert {path.name for path in (tmp_path / "paper").iterdir()} == {*names, "statement.pdf"}
    assert (tmp_path / "paper" / "statement.pdf").read_bytes().startswith(b"%PDF-1.7")


async def test_the_signed_root_seals_the_one_of_the_ledgers_chain(street: Street) -> None:
    await street.arrive_days(DAYS)
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    files = await state(street, "m01")
    assert files is not None
    days: Any = files.statement["days"]
    for day in days:
        (row,) = await street.store.attestations(("day-root",), subjects=(day["day"], day["day"]))
        said = json.loads(row.document)["content"]
        root = day["root"]["document"]
        assert root["attested"] == [row.position, SEALS.attested(document_digest(row.document).hex())]
        assert root["entries"] == said["entries"]


async def test_a_member_who_joined_within_the_month_can_check_it(street: Street, tmp_path: Path) -> None:
    noon = 1_780_221_600  # 2026-05-31 12:00 in Madrid
    await street.arrive_days(DAYS)
    await change(street, f"UPDATE member SET joined_at = {noon} WHERE id = 'm03'")
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    files = await state(street, "m03")
    assert files is not None
    code, said = check(tmp_path / "joined", files)
    assert code == 0, said


@pytest.mark.parametrize("method", ["equal", "static_then_proportional", "pairwise"])
async def test_other_rules_and_hours_can_be_checked_too(tmp_path: Path, method: str) -> None:
    members = [f"m{number:02d}" for number in range(1, HOMES + 1)]
    coefficients = {"m01": dict.fromkeys(members[1:], 90_000)}
    params = {"equal": {}, "pairwise": {"coefficients": coefficients}}.get(
        method, {"weights": dict.fromkeys(members, 2)}
    )
    rule = Rule(method, params, aggregate=4, participation_percent={"m02": 40}, prices=RULE.prices)
    street = await open_street(tmp_path, homes=HOMES, rule=rule, energy=one_sun_wh)
    await street.arrive_days(DAYS)
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    files = await state(street, "m02")
    assert files is not None
    code, said = check(tmp_path / "files", files)
    await street.store.close()
    assert code == 0, said
    slots: Any = [slot for day in cast(Any, files.pool)["days"] for slot in day["slots"]]
    withheld = sum(slot["buy"] is None for slot in slots)
    assert ("bounds" in said) == (withheld > 0)
    assert (withheld == len(slots)) == (method == "pairwise")


async def test_looks_are_logged_and_readings_are_the_members_own(street: Street) -> None:
    await street.arrive_days(DAYS)
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    access = replace(STATEMENT_ACCESS, actor="m02", role="self", purpose="own.view")
    member, home = await street.store.member("m02"), await street.store.home_of("m02")
    assert member is not None
    assert home is not None
    for _ in range(3):
        files = await desk.state(member, home, month=MAY, access=access)
    assert files is not None
    own = [row for row in await street.store.access_rows("h02", limit=50) if row.role == "self"]
    assert [row.actor for row in own] == ["m02"] * 3
    others = await street.store.access_rows("h05", limit=50)
    assert {(row.actor, row.count) for row in others if "statement" in row.actor} == {("job:statement", len(DAYS))}
    for number in (1, 3, 4, 5, 6):
        for content in file_contents(files).values():
            # A step ends in the id, or the beginning of one, that divides equal remainders.
            named = re.sub(rb',"m[0-9]*"\]', b"]", content)
            assert f"m{number:02d}".encode() not in named, "another member is named"


async def test_books_that_contradict_themselves_are_not_stated(street: Street) -> None:
    await street.arrive_days(DAYS[:1])
    await settle_day(street.store, day=DAYS[0], made_at=1, key=KEY)
    await change(street, "DROP TRIGGER entry_is_fixed")
    lie = "CAST(replace(CAST(canonical AS TEXT), 'received', 'deceived') AS BLOB)"
    await change(street, f"UPDATE entry SET canonical = {lie} WHERE position = 1")
    with pytest.raises(RequestError, match="2026-05-30"):
        await state(street, "m01")


async def test_an_unsettled_month_has_no_statement(street: Street) -> None:
    assert await state(street, "m01") is None


async def test_a_billed_member_is_told_of_a_meter_not_known_to_be_certified(street: Street, tmp_path: Path) -> None:
    await street.arrive_days(DAYS)
    kinds: dict[int, Metrology] = {1: "none", 2: "MID B", 3: "class 1"}
    for number, metrology in kinds.items():
        notice = MeterNotice(f"a-{number:02d}", 1, 0, "silver", "netted", "netted", False, metrology)
        await street.store.note_meters([ReceivedNotice(notice, b"sealed", 1)])
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    open_month = await state(street, "m01")
    assert open_month is not None
    assert "meter" not in open_month.payment, "an open month bills nobody"
    await publish(street, "M1", TERMS)
    said = {"m01": "(MID): none", "m02": "", "m03": "(MID): class 1", "m04": ""}
    for member, words in said.items():
        files = await state(street, member)
        assert files is not None
        assert files.payment.get("meter") == (words.removeprefix("(MID): ") or None)
        folder = tmp_path / member
        write_folder(folder, files)
        names = [str(folder / name) for name in (NAME, "statement.json", "readings.json", "pool.json")]
        command = [sys.executable, "-I", *names, "--hub-key", files.hub_key]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("not known to be certified" in done.stdout) == bool(words)
        assert words in done.stdout


async def test_who_asks_for_kept_days_does_not_wait_for_another_day_that_is_being_made(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    june = date(2026, 6, 1)
    await street.arrive_days((DAYS[1], june))
    for day in (DAYS[1], june):
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    kept = await state(street, "m01", desk)
    loop, is_making, may_end, made = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), list[str]()

    def slow(coop: CoopName, source: SettledDay, **how: Any) -> StatedDay:
        loop.call_soon_threadsafe(is_making.set)
        made.append(source.day)
        may_end.wait()
        return state_day(coop, source, **how)

    monkeypatch.setattr(kept_days, "state_day", slow)
    members = [(await street.store.member(each), await street.store.home_of(each)) for each in ("m01", "m02")]
    fresh = [
        asyncio.create_task(desk.state(member, home, month=june, access=STATEMENT_ACCESS))
        for member, home in members
        if member is not None and home is not None
    ]
    try:
        await is_making.wait()
        assert await state(street, "m01", desk) == kept
    finally:
        may_end.set()
    assert None not in await asyncio.gather(*fresh)
    assert made == [june.isoformat()], "a day is made once, however many ask for it at a time"
