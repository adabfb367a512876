"""Approvals of fund runs: the newest run of a fund and day is approved, and the runs before it become due with it."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.fund_approvals import FUND_KINDS, FundRunStatus, fund_approval_obstacle, read_fund_runs
from tests.hub.core.ledger.signed_chain import SignedChain

YEAR, GRANT = FUND_KINDS
DAY = "2026-12-31"


@dataclass(frozen=True)
class Booked:
    run_key: str
    kind: str = YEAR
    day: str = DAY


def statuses(runs: list[Booked], chain: SignedChain) -> dict[str, FundRunStatus]:
    return {status.run_key: status for status in read_fund_runs(runs, chain.documents)}


def test_a_superseded_run_cannot_be_approved_any_more() -> None:
    """A refund booked again after a correction: a payment by the first plan would be wrong."""
    found = statuses([Booked("first"), Booked("second"), Booked("third")], SignedChain())
    assert [found[key].is_newest for key in ("first", "second", "third")] == [False, False, True]
    assert fund_approval_obstacle(found["third"], "m01", is_board=True) is None
    for key in ("first", "second"):
        obstacle = fund_approval_obstacle(found[key], "m01", is_board=True)
        assert obstacle == f"a newer run of year-end of {DAY} was booked: approve that one"


def test_each_fund_and_day_has_its_own_newest_run() -> None:
    runs = [Booked("a"), Booked("b", kind=GRANT), Booked("c", day="2027-12-31"), Booked("d", kind="fund:fees")]
    found = statuses(runs, SignedChain())
    assert list(found) == ["a", "b", "c"]
    assert all(status.is_newest and not status.is_due for status in found.values())


def test_two_approvals_make_the_run_and_those_before_it_due_but_not_a_later_one() -> None:
    chain = SignedChain()
    chain.approve("second", "m01", "m02")
    runs = [Booked("first"), Booked("second"), Booked("other", kind=GRANT), Booked("third")]
    found = statuses(runs, chain)
    assert {key: status.is_due for key, status in found.items()} == {
        "first": True, "second": True, "other": False, "third": False,
    }  # fmt: skip
    assert found["second"].approvals == ("m01", "m02")
    assert fund_approval_obstacle(found["second"], "m03", is_board=True) == f"year-end of {DAY} is already approved"
    assert fund_approval_obstacle(found["third"], "m01", is_board=True) is None


def test_one_approval_is_not_enough_and_the_same_member_does_not_count_twice() -> None:
    chain = SignedChain()
    chain.approve("a", "m01")
    status = statuses([Booked("a", kind=GRANT)], chain)["a"]
    assert (status.is_due, status.approvals) == (False, ("m01",))
    assert "m01 has already approved it" in str(fund_approval_obstacle(status, "m01", is_board=True))
    assert "m03 is not on the board" in str(fund_approval_obstacle(status, "m03", is_board=False))
    assert fund_approval_obstacle(status, "m02", is_board=True) is None


@pytest.mark.parametrize("kind", ["fund:fees", "fund:payment", "D", "M1"])
def test_runs_of_other_kinds_are_not_for_the_board_to_approve_here(kind: str) -> None:
    assert read_fund_runs([Booked("a", kind=kind)], []) == ()


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(FUND_KINDS), st.sampled_from(["2026", "2027"]), st.integers(0, 2))))
def test_only_the_last_run_of_a_fund_and_day_is_open_for_approval(plan: list[tuple[str, str, int]]) -> None:
    chain, runs = SignedChain(), []
    for number, (kind, day, approvals) in enumerate(plan):
        runs.append(Booked(f"run-{number}", kind, day))
        chain.approve(f"run-{number}", *("m01", "m02")[:approvals])
    found = read_fund_runs(runs, chain.documents)
    assert [status.run_key for status in found] == [run.run_key for run in runs]
    for number, status in enumerate(found):
        later = [(kind, day) for kind, day, _ in plan[number + 1 :]]
        approved = [(kind, day) for kind, day, approvals in plan[number:] if approvals == 2]
        assert status.is_newest == ((status.kind, status.day) not in later)
        assert status.is_due == ((status.kind, status.day) in approved)
        is_open = fund_approval_obstacle(status, "m03", is_board=True) is None
        assert is_open == (status.is_newest and not status.is_due)
