"""A month billed by real processes: M1, a home without a connection whose readings come late, R1 for the difference
only, and a member's statement recomputed by the script alone. The demonstration's own steps, on a small street.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from protocols.slots import slot_of
from simulator.demo.director import LIVE_DAY, REST_RATE, Demo
from simulator.demo.home_line import LineFault
from simulator.demo.month_report import month_imbalances, month_problems, month_section
from simulator.demo.months import MonthBooks, bill_due_month, check_statement, correct, publish_while_late, settle_days

HOMES = 5
DAYS = 7
LATE_HOME = "h02"
MONTH = "2026-04"
LATE_SLOTS = 18 * 4
FIRST_DAY = LIVE_DAY - timedelta(days=DAYS)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A street at the start of the day when M1 is due; one home has been offline since the month's last day."""
    folder = tmp_path_factory.mktemp("months")
    start_s = Demo(folder / "empty", seed=3, homes=1, history_days=1, print_line=lambda _text: None).start_s
    cut = LineFault(LATE_HOME, slot_of(start_s - 6 * 86400 + 6 * 3600), damaged=[slot_of(start_s - 7 * 86400 + 3600)])
    one = Demo(folder, seed=3, homes=HOMES, history_days=DAYS, print_line=lambda _text: None, troubles=[cut])
    try:
        one.start_street("")
        one.make_hub()
        one.start_hub()
        one.enrol()
        one.send_history()
        settle_days(one, [(FIRST_DAY + timedelta(days=n)).isoformat() for n in range(DAYS)])
        # On this day no device was read: the agents seal gaps for it.
        one.clock.run_until(one.end_s + 600, rate=REST_RATE)
        one.keep_up(one.end_s)
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def billed(street: Demo) -> MonthBooks:
    """M1 booked and published, the late home reconnected, R1 two months later, a statement checked."""
    books = bill_due_month(street, today=LIVE_DAY + timedelta(days=1))
    assert books is not None
    publish_while_late(street, books)
    street.rest_until(LIVE_DAY.replace(month=7, day=7), local_hour=9)
    correct(street, books)
    check_statement(street, books, LATE_HOME)
    return books


@pytest.fixture(scope="module")
def reported(street: Demo, billed: MonthBooks) -> Any:
    """The hub's report after the month's runs in `billed`."""
    assert billed.runs
    return street.hub_json(
        "report", "--from", str(FIRST_DAY), "--to", str(LIVE_DAY - timedelta(days=1)), "--by", "m01", "--json"
    )


def test_the_same_inputs_give_the_same_books(billed: MonthBooks, reported: Any) -> None:
    assert list(month_problems(billed, reported["settlement"]["runs"])) == []
    assert list(month_imbalances(billed)) == []
    assert reported["settlement"]["differing_days"] == []
    # The open month's days are settled in the hub's next night, which this test does not reach.
    assert reported["settlement"]["late_days"] == [f"2026-05-0{n}" for n in range(1, 6)]


def test_late_readings_mark_their_days_and_only_those_are_booked_again(billed: MonthBooks, reported: Any) -> None:
    section = month_section(billed, reported["settlement"]["runs"])
    assert (billed.month, billed.due) == (MONTH, {"M1": "2026-05-07", "R1": "2026-07-07"})
    assert section["late_messages"] == {LATE_HOME: 7 * 96 - 24}
    assert section["marked_days"] == section["runs"]["R1"]["changed_days"] == ["2026-04-30"]
    assert section["runs"]["M1"]["changed_days"] == []
    assert section["runs"]["R1"]["entries"] > 0
    assert section["r1_made_again_rows"] == 0


def test_two_board_members_approve_each_run(billed: MonthBooks, street: Demo) -> None:
    board = list(street.members.values())[:2]
    for run in billed.runs.values():
        assert (run["state"], [member for member, _ in run["approvals"]]) == ("published", board)


def test_the_late_members_statement_is_recomputed_by_the_script_alone(billed: MonthBooks) -> None:
    told = billed.statement
    assert told["verified"], told["said"]
    # Only this home's readings of 30 April from 06:00 on came late. Members see the day as M1 had it, because the
    # difference would be about one home; R1 counts it as one total. On a street this small few numbers are shown.
    right, later, withheld = told["said"].split("; ")
    assert right == f"{MONTH} of {told['member']}: right in {2 * 96 - LATE_SLOTS} of {2 * 96} intervals"
    assert later == f"{LATE_SLOTS} read later, counted only in the month's correction, as one total"
    assert re.fullmatch(r"cannot be recomputed by you, only within bounds: \d+ intervals, withheld", withheld)
    assert (told["state"], told["billed"], told["later"]) == ("provisional", True, {})


def test_the_damaged_batch_was_refused_and_sent_again(street: Demo, reported: Any) -> None:
    assert street.lines[LATE_HOME].damaged == 1
    assert reported["messages"]["refused"] == {"bad_signature": 1}
    assert reported["readings"]["missing"]["without_reason"] == 0
