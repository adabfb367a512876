"""Month runs read from their attestations, and when one may be booked, approved and published: worked by hand."""

import hashlib
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.attestations import MONTH_RUN
from hub.core.ledger.month_runs import (
    APPROVED,
    DRAFT,
    PUBLISHED,
    SUPERSEDED,
    MonthRun,
    approval_obstacle,
    month_digests,
    publication_obstacle,
    read_month_runs,
    run_obstacle,
)
from hub.core.ledger.run_calendar import MONTH_KINDS, RunCalendar
from tests.hub.core.ledger.signed_chain import SignedChain

MAY = date(2026, 5, 1)
LATE = date(2030, 1, 1)


def published(*kinds: str) -> SignedChain:
    chain = SignedChain()
    for kind in kinds:
        chain.make(kind, f"run-{kind}")
        chain.approve(f"run-{kind}", "m01", "m02")
        chain.publish(f"run-{kind}")
    return chain


def obstacle(kind: str, chain: SignedChain, *, today: date = LATE, decision: str = "") -> str | None:
    return run_obstacle(kind, MAY, runs=chain.runs, calendar=RunCalendar(), today=today, decision=decision)


def test_a_run_is_read_whole() -> None:
    chain = SignedChain()
    chain.make("M1", "run-1")
    chain.approve("run-1", "m02", "m01")
    chain.publish("run-1", "m03")
    assert chain.runs == (
        MonthRun(
            run_key="run-1",
            month="2026-05",
            kind="M1",
            rules="rules",
            inputs="inputs",
            made_at=1_000,
            days=(("2026-05-01", "d1"), ("2026-05-02", "d2")),
            provisional_days=1,
            ledger_position=7,
            decision="",
            approvals=(("m02", 2_001), ("m01", 2_002)),
            published_at=3_003,
            is_newest=True,
        ),
    )


def test_a_run_goes_from_draft_to_approved_to_published() -> None:
    chain = SignedChain()
    chain.make("M1", "run-1")
    states = [chain.run("run-1").state]
    for member in ("m01", "m02"):
        chain.approve("run-1", member)
        states.append(chain.run("run-1").state)
    chain.publish("run-1")
    assert [*states, chain.run("run-1").state] == [DRAFT, DRAFT, APPROVED, PUBLISHED]


def test_a_newer_run_of_a_kind_supersedes_what_is_not_published() -> None:
    chain = published("M1")
    chain.make("R1", "old")
    chain.approve("old", "m01", "m02")
    chain.make("R1", "new")
    chain.make("R1", "june", month="2026-06")
    assert [run.state for run in chain.runs] == [PUBLISHED, SUPERSEDED, DRAFT, DRAFT]
    chain.make("M1", "again")
    assert chain.run("run-M1").state == PUBLISHED


@pytest.mark.parametrize(
    "change", [{"kind": None}, {"days": [["2026-05-01"]]}, {"ledger": [7]}, {"provisional_days": "1"}, {"made_at": 1.5}]
)
def test_a_month_run_with_other_content_is_refused(change: dict[str, object]) -> None:
    chain = published("M1")
    content = {**chain.documents[0].content, **change}
    chain.add(MONTH_RUN, content, run_key="bad")
    with pytest.raises(ValueError, match="attestation 5 is not a valid month-run: "):
        read_month_runs(chain.documents)


def test_digests_depend_on_days_rules_and_inputs_alone() -> None:
    days = [("2026-05-02", "r2", "i2"), ("2026-05-01", "r1", "i1")]
    rules = hashlib.sha256(b"2026-05-01 r1\n2026-05-02 r2\n").hexdigest()
    inputs = hashlib.sha256(b"2026-05-01 i1\n2026-05-02 i2\n").hexdigest()
    assert month_digests(days) == month_digests(reversed(days)) == (rules, inputs)
    assert month_digests([days[0], ("2026-05-01", "r1", "other")])[0] == rules


def test_a_run_waits_for_its_day_and_the_run_before_it() -> None:
    none, first = SignedChain(), published("M1")
    assert obstacle("M1", none, today=date(2026, 6, 5)) is None
    early = obstacle("M1", none, today=date(2026, 6, 4))
    assert early == "M1 of 2026-05 falls due on 2026-06-05; before that day, a preview shows what it would book"
    assert obstacle("R1", none) == "R1 of 2026-05 comes after M1: make that run first"
    assert obstacle("R1", first) is None
    assert obstacle("R2", first) == "R2 of 2026-05 comes after R1: make that run first"
    other_month = SignedChain()
    other_month.make("M1", "june", month="2026-06")
    assert obstacle("R1", other_month) == "R1 of 2026-05 comes after M1: make that run first"


def test_a_draft_may_be_made_again_but_not_once_a_later_run_was_made_or_it_is_published() -> None:
    chain = SignedChain()
    chain.make("M1", "run-1")
    assert obstacle("M1", chain) is None
    chain.make("R1", "run-2")
    assert obstacle("M1", chain) == "M1 of 2026-05 is no longer possible: R1 has been made"
    assert obstacle("M1", published("M1")) == "M1 of 2026-05 is already published: later changes go into R1"
    every = published(*MONTH_KINDS)
    assert (
        obstacle("RF", every) == "RF of 2026-05 is already published: later changes go into the decision on a dispute"
    )
    every.make("X", "run-X")
    assert obstacle("RF", every) == "RF of 2026-05 is no longer possible: X has been made"


@pytest.mark.parametrize(
    ("decision", "is_allowed"), [("", False), ("a", True), ("a" * 200, True), ("a" * 201, False), ("a\nb", False)]
)
def test_after_the_last_run_only_a_decision_on_a_dispute_counts(decision: str, is_allowed: bool) -> None:
    open_month = published("M1", "R1", "R2")
    open_month.make("RF", "run-RF")
    assert "2026-05 is not closed yet" in str(obstacle("X", open_month, decision=decision))
    found = obstacle("X", published(*MONTH_KINDS), decision=decision)
    assert (found is None) == is_allowed
    assert is_allowed or found == "a run after RF needs the decision on a dispute, in 1 to 200 printable characters"


def test_an_unknown_kind_names_the_known_ones() -> None:
    assert obstacle("D", SignedChain()) == "D is not a run of a month: use one of M1, R1, R2, RF, X"


def approval(
    chain: SignedChain, run_key: str, member: str = "m03", *, is_board: bool = True, last_booked: int = 0
) -> str | None:
    run = chain.run(run_key)
    return approval_obstacle(run, member, is_board=is_board, runs=chain.runs, last_booked=last_booked)


def publication(chain: SignedChain, run_key: str, *, is_board: bool = True, last_booked: int = 0) -> str | None:
    run = chain.run(run_key)
    return publication_obstacle(run, "m03", is_board=is_board, runs=chain.runs, last_booked=last_booked)


def test_who_may_approve() -> None:
    chain = SignedChain()
    chain.make("M1", "old")
    chain.make("M1", "run-1")
    chain.approve("run-1", "m01")
    assert approval(chain, "run-1") is None
    assert approval(chain, "run-1", is_board=False) == (
        "m03 is not on the board: two different board members approve a run"
    )
    assert "m01 has already approved it" in str(approval(chain, "run-1", "m01"))
    assert approval(chain, "old") == "a newer M1 of 2026-05 was made: approve that one"
    chain.approve("run-1", "m02")
    assert approval(chain, "run-1") == "M1 of 2026-05 is already approved"
    chain.publish("run-1")
    assert approval(chain, "run-1") == "M1 of 2026-05 is already published"


def test_who_may_publish() -> None:
    chain = SignedChain()
    chain.make("M1", "run-1")
    assert publication(chain, "run-1") == "M1 of 2026-05 is draft: 2 approval(s) missing"
    chain.approve("run-1", "m01")
    assert publication(chain, "run-1") == "M1 of 2026-05 is draft: 1 approval(s) missing"
    chain.approve("run-1", "m02")
    assert publication(chain, "run-1") is None
    assert publication(chain, "run-1", is_board=False) == "m03 is not on the board: a board member publishes a run"
    chain.publish("run-1")
    assert publication(chain, "run-1") == "M1 of 2026-05 is published"


def test_the_runs_of_a_month_are_approved_and_published_in_their_order() -> None:
    chain = SignedChain()
    chain.make("M1", "april", month="2026-04")
    chain.make("M1", "run-1")
    chain.make("R1", "run-2")
    chain.approve("run-2", "m01", "m02")
    assert approval(chain, "run-1") is None
    assert publication(chain, "run-2") == "M1 of 2026-05 comes first: it is draft"
    chain.approve("run-1", "m01", "m02")
    assert publication(chain, "run-2") == "M1 of 2026-05 comes first: it is approved"
    chain.publish("run-1")
    assert publication(chain, "run-2") is None
    chain.make("R2", "run-3")
    assert approval(chain, "run-3") == "R1 of 2026-05 comes first: it is approved"


def test_a_draft_older_than_the_books_is_neither_approved_nor_published() -> None:
    chain = SignedChain()
    chain.make("M1", "run-1")  # bills everything up to position 7
    chain.approve("run-1", "m01")
    assert approval(chain, "run-1", last_booked=7) is None
    refusal = (
        "M1 of 2026-05 is older than the books: something on its bills was booked after it was made;"
        " make it again with: commonwatt-hub settle --month 2026-05 --kind M1"
    )
    assert approval(chain, "run-1", last_booked=8) == refusal
    chain.approve("run-1", "m02")
    assert publication(chain, "run-1", last_booked=7) is None
    assert publication(chain, "run-1", last_booked=8) == refusal
    chain.make("M1", "again")
    assert publication(chain, "run-1", last_booked=8) == "M1 of 2026-05 is superseded"


def test_a_run_older_than_the_books_is_passed_over_once_a_later_run_was_made() -> None:
    chain = SignedChain()
    chain.make("M1", "run-1")
    chain.approve("run-1", "m01", "m02")
    chain.make("R1", "run-2")
    assert approval(chain, "run-2", last_booked=7) == "M1 of 2026-05 comes first: it is approved"
    older = "M1 of 2026-05 is older than the books, and R1 has been made since: approve and publish R1 in its place"
    assert publication(chain, "run-1", last_booked=8) == older
    passed = MonthRunAt(chain, ledger_position=9)
    assert approval_obstacle(passed.run, "m03", is_board=True, runs=passed.runs, last_booked=8) is None


class MonthRunAt:
    """The chain's last run as if it had been made at another position of the ledger."""

    def __init__(self, chain: SignedChain, *, ledger_position: int) -> None:
        *before, last = chain.runs
        self.run = replace(last, ledger_position=ledger_position)
        self.runs = (*before, self.run)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(MONTH_KINDS), st.integers(0, 3)), max_size=6))
def test_what_may_be_published_has_two_approvals_and_nothing_open_before_it(plan: list[tuple[str, int]]) -> None:
    chain = SignedChain()
    for number, (kind, steps) in enumerate(plan):
        chain.make(kind, f"run-{number}")
        chain.approve(f"run-{number}", *("m01", "m02")[:steps])
        if steps == 3:
            chain.publish(f"run-{number}")
    runs = chain.runs
    for number, run in enumerate(runs):
        if publication_obstacle(run, "m03", is_board=True, runs=runs, last_booked=0) is None:
            assert run.state == APPROVED
            assert len(run.approvals) == 2
            assert all(earlier.state in (PUBLISHED, SUPERSEDED) for earlier in runs[:number])
        if approval_obstacle(run, "m03", is_board=True, runs=runs, last_booked=0) is None:
            assert run.state == DRAFT
            assert all(earlier.state in (PUBLISHED, SUPERSEDED) for earlier in runs[:number])
