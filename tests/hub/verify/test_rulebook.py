"""A rule needs its adoption, by a member of the board and before the days it holds for; agreements need the board."""

import asyncio
from pathlib import Path

import pytest

from hub.commands.operation.verify import verify_hub
from hub.core.rules.rulebook import Prices, Rule
from hub.folder.opening import open_store
from hub.storage.rule_records import RuleAdoption
from hub.storage.sqlite.store import SqliteStore
from tests.hub.verify.tampering import CLOCK, findings_of, tampering
from tests.releases.release_state import LATER_S

HALF = """INSERT INTO rule SELECT 2, 'half', CAST(replace(CAST(canonical AS TEXT), '160000', '80000') AS BLOB), '{day}'
FROM rule WHERE position = 1"""
ADOPTED = "INSERT INTO rule_adoption VALUES (2, 'half', '{day}', '{by}', {at})"
AGREED = "INSERT INTO connection_agreement VALUES (9, '{home}', 40000, 1, '{by}', 5)"


def write_as_hub(hub: Path, *statements: str) -> None:
    """Whoever has the hub's key and its program writes so: each row has its signed line."""

    async def write() -> None:
        store = await open_store(hub, clock=CLOCK)
        assert isinstance(store, SqliteStore)
        for sql in statements:
            await store.write(lambda db, sql=sql: db.execute(sql))
        await store.close()

    asyncio.run(write())


def adopt(hub: Path, day: str, by: str, at: int = int(LATER_S)) -> None:
    write_as_hub(hub, HALF.format(day=day), ADOPTED.format(day=day, by=by, at=at))


def test_a_rule_that_nobody_adopted_is_wrong_and_never_in_force(hub: Path) -> None:
    write_as_hub(hub, HALF.format(day="1970-01-01"))
    assert "rule 2: nothing says who adopted it, and when" in findings_of(hub, only="rows")
    books = asyncio.run(verify_hub(hub, clock=CLOCK, only="books"))["books"]
    assert isinstance(books, dict)
    assert "rule 2: nothing says who adopted it, and when" in books["findings"]
    assert books["late_days"] == []

    async def rule_in_force() -> str:
        store = await open_store(hub, clock=CLOCK)
        rule_hash, _ = await store.rule_on("2021-10-30")
        await store.close()
        return rule_hash

    assert asyncio.run(rule_in_force()) != "half"


@pytest.mark.parametrize(
    ("day", "by", "at", "said"),
    [
        ("1970-01-01", "m01", int(LATER_S), "rule 2: it holds from 1970-01-01 and was adopted on 20"),
        ("2099-01-01", "m01", 5, "rule 2: its adoption says 1970-01-01, and the hub wrote it on 20"),
        ("2099-01-01", "m03", int(LATER_S), "rule_adoption 2: m03 was not on the board when this was written"),
        ("2099-01-01", "m77", int(LATER_S), "rule_adoption 2: m77 was no member when this was written"),
        ("2099-01-01", "", int(LATER_S), "rule 2: it counts as the founding act, and only a store's first rule is"),
    ],
)
def test_an_adoption_that_was_not_the_boards_or_comes_too_late_is_wrong(
    hub: Path, day: str, by: str, at: int, said: str
) -> None:
    adopt(hub, day, by, at)
    findings = findings_of(hub, only="rows")
    assert any(finding.startswith(said) for finding in findings), findings


def test_an_adoption_of_another_rule_does_not_count(hub: Path) -> None:
    write_as_hub(
        hub,
        HALF.format(day="2099-01-01"),
        ADOPTED.format(day="2098-01-01", by="m01", at=int(LATER_S)),
    )
    assert "rule 2: the rule adopted is half from 2098-01-01" in findings_of(hub, only="rows")


def test_a_settled_day_whose_rule_was_replaced_is_wrong_and_not_late(hub: Path) -> None:
    half = Rule("equal", prices=Prices(80_000, 70_000))
    version = half.version()
    with tampering(hub) as db:
        db.execute("INSERT INTO rule VALUES (2, ?, ?, '2021-10-01')", (version, half.canonical()))
        db.execute("INSERT INTO rule_adoption VALUES (2, ?, '2021-10-01', 'm01', 5)", (version,))
    books = asyncio.run(verify_hub(hub, clock=CLOCK, only="books"))["books"]
    assert isinstance(books, dict)
    assert books["late_days"] == []
    assert books["findings"] == [
        f"the run of {day} was made with another rule than the one in force on that day"
        for day in ("2021-10-30", "2021-10-31")
    ]


def test_a_rule_that_the_board_adopted_for_later_days_holds(hub: Path) -> None:
    async def add() -> None:
        store = await open_store(hub, clock=CLOCK)
        _, canonical = await store.rule_on("2021-10-30")
        first, _ = await store.rule_on("2021-10-30")
        adopted = RuleAdoption("m01", int(LATER_S))
        await store.add_rule(first, canonical=canonical, valid_from_day="2099-01-01", adopted=adopted)
        await store.close()

    asyncio.run(add())
    assert findings_of(hub) == []


@pytest.mark.parametrize(
    ("home", "by", "said"),
    [
        ("h03", "m03", "m03 was not on the board when this was written"),
        ("h01", "m01", "m01 decided their own matter"),
        ("h02", "nobody", "nobody was no member when this was written"),
    ],
)
def test_a_connection_agreement_needs_another_member_who_is_on_the_board(
    hub: Path, home: str, by: str, said: str
) -> None:
    write_as_hub(hub, AGREED.format(home=home, by=by))
    assert findings_of(hub, only="rows") == [f"connection_agreement 9: {said}"]
