"""A rule needs two members of the board and holds for later days only; agreements need the board."""

import asyncio
from pathlib import Path

import pytest

from hub.commands.operation.verify import verify_hub
from hub.core.rules.rulebook import Prices, Rule
from hub.folder.opening import open_store
from hub.storage.rule_records import NewProposal, RuleAdoption
from hub.storage.sqlite.store import SqliteStore
from tests.hub.verify.tampering import CLOCK, findings_of, tampering
from tests.releases.release_state import LATER_S

HALF = """INSERT INTO rule SELECT 2, 'half', CAST(replace(CAST(canonical AS TEXT), '160000', '80000') AS BLOB), '{day}'
FROM rule WHERE position = 1"""
ADOPTED = "INSERT INTO rule_adoption VALUES (2, 'half', '{day}', '{by}', {at})"
PROPOSED = """INSERT INTO rule_proposal SELECT 9, hash, canonical, valid_from_day, 1, 'a file', '{proposer}', {at}
FROM rule WHERE position = 2"""
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


def adopt(hub: Path, day: str, by: str, at: int = int(LATER_S), proposer: str = "m02") -> None:
    proposed = PROPOSED.format(proposer=proposer, at=at)
    write_as_hub(hub, HALF.format(day=day), proposed, ADOPTED.format(day=day, by=by, at=at))


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
        db.execute(PROPOSED.format(proposer="m02", at=5))
        db.execute("INSERT INTO rule_adoption VALUES (2, ?, '2021-10-01', 'm01', 5)", (version,))
    books = asyncio.run(verify_hub(hub, clock=CLOCK, only="books"))["books"]
    assert isinstance(books, dict)
    assert books["late_days"] == []
    assert books["findings"] == [
        f"the run of {day} was made with another rule than the one in force on that day"
        for day in ("2021-10-30", "2021-10-31")
    ]


def propose_and_adopt(hub: Path) -> None:
    async def add() -> None:
        store = await open_store(hub, clock=CLOCK)
        rule = Rule("equal", prices=Prices(90_000, 80_000))
        new = NewProposal(rule.version(), rule.canonical(), "2099-01-01", "a file", "m02", int(LATER_S))
        await store.adopt_rule(await store.propose_rule(new), adopted=RuleAdoption("m01", int(LATER_S)))
        await store.close()

    asyncio.run(add())


def test_a_rule_that_two_of_the_board_agreed_on_for_later_days_holds(hub: Path) -> None:
    propose_and_adopt(hub)
    assert findings_of(hub) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE rule_proposal SET proposed_by = 'm01' WHERE id = 2", "rule 2: m01 alone proposed and adopted it"),
        ("UPDATE rule_adoption SET adopted_by = 'm02' WHERE rule = 2", "rule 2: m02 alone proposed and adopted it"),
        ("DELETE FROM rule_proposal WHERE id = 2", "rule 2: nobody proposed it: m01 alone adopted it"),
        ("UPDATE rule_proposal SET follows = 0 WHERE id = 2", "rule 2: its proposal 2 followed rule 0, and another"),
        (
            "UPDATE rule_proposal SET canonical = x'7b7d' WHERE id = 2",
            "rule_proposal 2: its content does not match its hash",
        ),
        (
            "UPDATE rule_proposal SET proposed_by = 'm03' WHERE id = 2",
            "rule_proposal 2: m03 was not on the board when this was written",
        ),
        ("UPDATE rule_proposal SET proposed_at = 5 WHERE id = 2", "rule_proposal 2: it says 1970-01-01, and the hub"),
    ],
)
def test_an_adoption_altered_to_one_person_is_wrong_even_with_its_signed_line(
    hub: Path, change: str, said: str
) -> None:
    propose_and_adopt(hub)
    write_as_hub(hub, "DROP TRIGGER rule_proposal_is_fixed", "DROP TRIGGER rule_proposal_is_kept")
    write_as_hub(hub, "DROP TRIGGER rule_adoption_is_fixed", change)
    findings = findings_of(hub, only="rows")
    assert any(finding.startswith(said) for finding in findings), findings


def test_an_adoption_altered_past_the_hub_is_wrong_and_no_longer_in_force(hub: Path) -> None:
    propose_and_adopt(hub)
    with tampering(hub) as db:
        db.execute("UPDATE rule_proposal SET proposed_by = 'm01' WHERE id = 2")
    findings = findings_of(hub, only="rows")
    assert "rule_proposal 2: the row was changed past the hub" in findings
    assert "rule 2: m01 alone proposed and adopted it" in findings

    async def rule_in_force() -> str:
        store = await open_store(hub, clock=CLOCK)
        first = (await store.journal_rules())[0].hash
        rule_hash, _ = await store.rule_on("2099-01-02")
        await store.close()
        return "first" if rule_hash == first else rule_hash

    assert asyncio.run(rule_in_force()) == "first"


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
