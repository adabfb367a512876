"""A month for the board: what waits, what is due, what was skipped, and which run comes next."""

from dataclasses import replace
from datetime import date

import pytest

from hub.core.ledger.month_overview import DUE, SKIPPED, WAITING, MonthOverview, month_overview
from hub.core.ledger.month_preview import MarkedDay
from hub.core.ledger.month_runs import APPROVED, DRAFT, PUBLISHED, MonthRun
from hub.core.ledger.run_calendar import MONTH_KINDS, RunCalendar
from tests.hub.core.ledger.signed_chain import SignedChain

MAY = date(2026, 5, 1)
MARKED = (MarkedDay(date(2026, 5, 3), "new readings"),)


def overview(
    chain: SignedChain, *, today: date, runs: tuple[MonthRun, ...] | None = None, last_booked: int = 0
) -> MonthOverview:
    return month_overview(
        MAY,
        runs=chain.runs if runs is None else runs,
        days=[date(2026, 5, 1), date(2026, 5, 2), date(2026, 5, 3)],
        settled=["complete", "provisional"],
        marked=MARKED,
        calendar=RunCalendar(),
        today=today,
        last_booked=last_booked,
    )


def states(month: MonthOverview) -> dict[str, str]:
    return {kind.kind: kind.state for kind in month.kinds}


def closed(*kinds: str) -> SignedChain:
    chain = SignedChain()
    for kind in kinds:
        chain.make(kind, f"run-{kind}")
        chain.approve(f"run-{kind}", "m01", "m02")
        chain.publish(f"run-{kind}")
    return chain


def test_a_month_that_is_not_over_waits() -> None:
    month = overview(SignedChain(), today=date(2026, 5, 31))
    assert (month.name, month.is_over, month.bookable, month.in_turn) == ("2026-05", False, (), None)
    assert (month.days, month.settled, month.provisional, month.marked) == (3, 2, 1, MARKED)
    assert states(month) == dict.fromkeys(MONTH_KINDS, WAITING)
    assert [kind.due for kind in month.kinds] == [
        date(2026, 6, 5), date(2026, 8, 7), date(2026, 12, 7), date(2027, 8, 6),
    ]  # fmt: skip


def test_the_first_run_is_due_on_its_day() -> None:
    before, there = (overview(SignedChain(), today=date(2026, 6, day)) for day in (4, 5))
    assert (before.is_over, before.bookable, states(before)["M1"]) == (True, (), WAITING)
    assert (there.bookable, states(there)["M1"], states(there)["R1"]) == (("M1",), DUE, WAITING)


@pytest.mark.parametrize(("made", "following"), [(0, "M1"), (1, "R1"), (2, "R2"), (3, "RF"), (4, None)])
def test_the_next_run_is_the_first_that_was_never_made(made: int, following: str | None) -> None:
    assert overview(closed(*MONTH_KINDS[:made]), today=date(2026, 6, 1)).following == following


def test_marked_days_go_into_the_run_that_can_be_made_again() -> None:
    chain = closed()
    assert overview(chain, today=date(2026, 6, 5)).next_run == "M1"
    chain.make("M1", "m1")
    assert overview(chain, today=date(2026, 6, 5)).next_run == "M1", "it used to be said that R1 takes them in"
    chain.approve("m1", "m01", "m02")
    assert overview(chain, today=date(2026, 6, 5)).next_run == "M1"
    chain.publish("m1")
    assert overview(chain, today=date(2026, 6, 5)).next_run == "R1"
    whole = closed(*MONTH_KINDS[:3])
    whole.make("RF", "rf")
    assert (overview(whole, today=date(2027, 9, 1)).following, overview(whole, today=date(2027, 9, 1)).next_run) == (
        None,
        "RF",
    )
    assert overview(closed(*MONTH_KINDS), today=date(2027, 9, 1)).next_run is None


def test_a_run_has_its_own_state_and_waits_for_the_board_in_turn() -> None:
    chain = closed("M1")
    chain.make("R1", "r1")
    month = overview(chain, today=date(2026, 8, 7))
    assert states(month) == {"M1": PUBLISHED, "R1": DRAFT, "R2": WAITING, "RF": WAITING}
    assert (month.in_turn, month.bookable) == (chain.run("r1"), ("R1",))
    assert month.kinds[1].run == chain.run("r1")
    chain.approve("r1", "m01", "m02")
    assert states(overview(chain, today=date(2026, 8, 7)))["R1"] == APPROVED
    chain.publish("r1")
    assert overview(chain, today=date(2026, 8, 7)).in_turn is None


def test_the_newest_run_of_a_kind_counts_and_other_months_do_not() -> None:
    chain = SignedChain()
    chain.make("M1", "june", month="2026-06")
    chain.make("M1", "old")
    chain.make("M1", "new")
    month = overview(chain, today=date(2026, 7, 1))
    assert [run.run_key for run in month.runs] == ["old", "new"]
    assert month.kinds[0].run == chain.run("new")
    assert month.in_turn == chain.run("new")


def test_a_run_that_a_later_one_overtook_is_skipped() -> None:
    chain = SignedChain()
    chain.make("R1", "r1")
    month = overview(chain, today=date(2026, 8, 7))
    assert states(month) == {"M1": SKIPPED, "R1": DRAFT, "R2": WAITING, "RF": WAITING}


def test_a_dispute_shows_once_the_month_is_closed() -> None:
    assert "X" not in states(overview(closed("M1", "R1", "R2"), today=date(2030, 1, 1)))
    chain = closed(*MONTH_KINDS)
    month = overview(chain, today=date(2030, 1, 1))
    assert (states(month)["X"], month.bookable, month.kinds[-1].due) == (WAITING, ("X",), None)
    chain.make("X", "x")
    assert states(overview(chain, today=date(2030, 1, 1)))["X"] == DRAFT


def test_a_draft_older_than_the_books_waits_to_be_made_again_until_a_later_run_takes_its_place() -> None:
    chain = SignedChain()
    chain.make("M1", "run-1")  # bills everything up to position 7
    alone = overview(chain, today=date(2026, 9, 1), last_booked=8)
    assert (alone.in_turn, alone.in_place_of(chain.run("run-1"))) == (chain.run("run-1"), None)
    chain.make("R1", "run-2")
    later = replace(chain.run("run-2"), ledger_position=9)
    both = overview(chain, runs=(chain.run("run-1"), later), today=date(2026, 9, 1), last_booked=8)
    assert both.outdated == {"run-1"}
    assert (both.in_turn, both.in_place_of(chain.run("run-1")), both.in_place_of(later)) == (later, later, None)
