"""The fee of who joins or leaves within a month: by the rule, on the bill, checked by the script and by verify."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.board.run_approval import approve_run, publish_run
from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.core.ledger.fund_entries import FeeScale
from hub.core.ledger.signed_document import sign_document
from hub.core.payments.payable import payable_amounts
from hub.core.rules.part_months import BY_DAY, FIRST_FULL_MONTH, FULL_MONTH
from hub.core.statements.document import StatementFiles
from hub.core.statements.tables import bills_csv
from hub.money.funds import book_fund, plan_fees
from hub.statements.kept_days import STATEMENT_ACCESS
from hub.statements.months import StatementService
from hub.verify.books import check_books
from hub.verify.statement import verify
from hub.verify.statement_files import StatementCheckError
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.bills import bill_views
from hub.web.views.settlement.own_slots import own_slots
from protocols.hub_keys import HubSigner
from protocols.slots import slots_of_day
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY, RULE, Street, arrivals_of, open_street

MAY: Final = date(2026, 5, 1)
LAST: Final = date(2026, 5, 31)
SCALE: Final = FeeScale({"full": 5_000_000_000}, "full")
JOINS, LEAVES, STAYS = "m07", "m06", "m05"


def local_s(day: int) -> int:
    return int(datetime(2026, 5, day, tzinfo=ZoneInfo(COOP.tz)).timestamp())


async def billed_street(folder: Path, way: str) -> Street:
    """A month of six homes; m07 joins on the 31st, m06 leaves when the 10th is over. Fees are booked and published."""
    street = await open_street(folder, homes=6, rule=replace(RULE, part_month_fee=way))
    await street.arrive([(1, slots_of_day(MAY, COOP.tz).start)])  # the books begin with the month
    await street.join(7, joined_at=local_s(31))
    assert await street.store.set_left(LEAVES, local_s(11), last_day="2026-05-10", by="m01") is None
    await street.arrive(each for each in arrivals_of(LAST, 7) if each[0] != 6)
    plan = await plan_fees(street.store, month=MAY, scale=SCALE, decided="assembly")
    await book_fund(street.store, plan, made_at=1, key=KEY)
    run = await settle_month(street.store, month=MAY, kind="M1", made_at=1_781_000_000, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(street.store, run=run.run_key, member=member, at=1_781_000_100, key=KEY)
    await publish_run(street.store, run=run.run_key, member="m01", at=1_781_000_200, key=KEY)
    return street


async def files_of(street: Street, name: str) -> StatementFiles:
    member, home = await street.store.member(name), await street.store.home_of(name)
    assert member is not None
    assert home is not None
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    files = await desk.state(member, home, month=MAY, access=STATEMENT_ACCESS)
    assert files is not None
    return files


def checked(files: StatementFiles, signed: Any = None) -> list[str]:
    """What the script says. Raises what it raises."""
    given = json.loads(json.dumps([signed or files.signed, files.readings, files.pool]))
    return verify(given, KEY.public_key())


def fee_lines(files: StatementFiles) -> list[Mapping[str, Any]]:
    tax: Any = files.statement["tax"]
    return [line for bill in tax for line in bill["lines"] if line["name"] == "fee"]


@pytest.mark.parametrize(
    ("way", "joined", "left"),
    [
        (BY_DAY, [(16, [1, 31, 5_000_000_000])], [(161, [10, 31, 5_000_000_000])]),
        (FULL_MONTH, [(500, None)], [(500, None)]),
        (FIRST_FULL_MONTH, [], [(500, None)]),
    ],
)
async def test_the_rule_decides_and_the_bill_says_it(
    tmp_path: Path, way: str, joined: list[tuple[int, object]], left: list[tuple[int, object]]
) -> None:
    street = await billed_street(tmp_path, way)
    try:
        for name, wanted in ((JOINS, joined), (LEAVES, left), (STAYS, [(500, None)])):
            files = await files_of(street, name)
            assert [(line["net_cent"], line.get("part")) for line in fee_lines(files)] == wanted
            assert checked(files)[0].startswith(f"2026-05 of {name}: right in ")
        assert (await check_books(street.store, KEY.public_key())).findings == []
    finally:
        await street.store.close()


async def test_the_member_reads_for_how_many_days_the_fee_is(tmp_path: Path) -> None:
    street = await billed_street(tmp_path, BY_DAY)
    files = await files_of(street, JOINS)
    await street.store.close()
    words = Localizer("en", COOP.tz, COOP.currency)
    rows = [row for bill in bill_views(files.statement, words) for row in bill.table.rows]
    assert ("Membership fee, 1 of 31 days, at €5.00 for the month", "", "€0.16") in rows
    assert ",fee, 1 of 31 days," in bills_csv(files.statement).replace('"', "")


def forge(files: StatementFiles, **changed: object) -> Any:
    """The statement as the hub would sign it with another fee line."""
    statement = json.loads(json.dumps(files.statement))
    (line,) = [line for bill in statement["tax"] for line in bill["lines"] if line["name"] == "fee"]
    line.update(changed)
    for name in [name for name, value in changed.items() if value is None]:
        del line[name]
    return signed(statement, KEY)


def signed(statement: Any, key: Ed25519PrivateKey) -> Any:
    return {**sign_document(statement, key), "payment": sign_document(payable_amounts(statement, []), key)}


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ([2, 31, 5_000_000_000], "for 2 of 31 days, but a member on 1"),
        ([1, 30, 5_000_000_000], "fee: days of the month: 30 is stated, 31 is right"),
        ([1, 31, 9_000_000_000], "fee: 160000000 is stated, 290000000 is right"),
        (None, "for 31 of 31 days, but a member on 1"),
    ],
)
async def test_the_script_finds_a_part_that_is_not_the_members(tmp_path: Path, part: object, says: str) -> None:
    street = await billed_street(tmp_path, BY_DAY)
    files = await files_of(street, JOINS)
    await street.store.close()
    with pytest.raises(StatementCheckError, match=says):
        checked(files, forge(files, part=part))


async def test_a_part_is_refused_where_the_rule_knows_whole_months(tmp_path: Path) -> None:
    street = await billed_street(tmp_path, FULL_MONTH)
    files = await files_of(street, JOINS)
    await street.store.close()
    with pytest.raises(StatementCheckError, match="is for a part of the month, and the rule says full_month"):
        checked(files, forge(files, part=[31, 31, 5_000_000_000]))


async def test_verify_computes_fees_again_from_what_their_run_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    street = await billed_street(tmp_path, BY_DAY)
    monkeypatch.setattr("hub.core.ledger.fee_records.target_fees", lambda *_, **__: {})
    found = (await check_books(street.store, KEY.public_key())).findings
    await street.store.close()
    assert len(found) == 1
    assert found[0].endswith("its amounts do not follow from its plan and its memberships")


async def test_a_fee_of_who_was_entered_after_the_days_run_is_stated_and_shown(tmp_path: Path) -> None:
    """The invitation names a day that is settled already; until the next run, that day has the fee and no energy."""
    street = await open_street(tmp_path, homes=6, rule=replace(RULE, part_month_fee=BY_DAY))
    await street.arrive(arrivals_of(LAST, 6)[::5])
    await settle_day(street.store, day=LAST, made_at=1_780_300_000, key=KEY)
    await street.join(7, joined_at=local_s(31))
    plan = await plan_fees(street.store, month=MAY, scale=SCALE, decided="assembly")
    await book_fund(street.store, plan, made_at=1_780_400_000, key=KEY)
    files = await files_of(street, JOINS)
    await street.store.close()
    assert checked(files)[0] == "2026-05 of m07: right in all of 96 intervals"
    day: Any = files.statement["days"]
    assert len(day[-1]["entries"]) == 1
    assert own_slots(day[-1]) == ()
