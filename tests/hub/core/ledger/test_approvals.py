"""Who approved which run, in the order of signing, and who may not give the next approval."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.approvals import APPROVALS_NEEDED, approver_obstacle, lone_board, read_approvals
from hub.core.ledger.attestations import APPROVAL, DAY_ROOT, PUBLICATION
from tests.hub.core.ledger.signed_chain import SignedChain

NAMES = ("m01", "m02", "m03")


def test_approvals_are_read_by_run_and_in_order() -> None:
    chain = SignedChain()
    chain.approve("run-a", "m02")
    chain.approve("run-b", "m01")
    chain.approve("run-a", "m01")
    chain.publish("run-a", "m03")
    chain.add(DAY_ROOT, {"member": "m09", "at": 1}, run_key="run-a")
    assert read_approvals(chain.documents) == {
        "run-a": (("m02", 2_000), ("m01", 2_002)),
        "run-b": (("m01", 2_001),),
    }
    assert read_approvals(chain.documents, kind=PUBLICATION) == {"run-a": (("m03", 3_003),)}


@pytest.mark.parametrize(
    "content", [{"at": 5}, {"member": "m01"}, {"member": 1, "at": 5}, {"member": "m01", "at": "5"}]
)
def test_an_approval_without_a_member_or_time_is_refused(content: dict[str, object]) -> None:
    chain = SignedChain()
    chain.approve("run-a", "m02")
    chain.add(APPROVAL, content, run_key="run-a")
    with pytest.raises(ValueError, match="attestation 2 is not a valid approval: "):
        read_approvals(chain.documents)


def test_two_different_board_members_approve() -> None:
    assert APPROVALS_NEEDED == 2
    assert approver_obstacle("m01", [], is_board=True, run_problem=None) is None
    assert approver_obstacle("m02", ["m01"], is_board=True, run_problem=None) is None
    found = approver_obstacle("m01", ["m01"], is_board=True, run_problem=None)
    assert found == "m01 has already approved it: the second approval must come from another board member"


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.booleans(),
    st.none() | st.just("it is published"),
)
def test_only_a_board_member_who_has_not_approved_may_approve_an_open_run(
    member: str, approved_by: list[str], is_board: bool, problem: str | None
) -> None:
    obstacle = approver_obstacle(member, approved_by, is_board=is_board, run_problem=problem)
    assert (obstacle is None) == (is_board and problem is None and member not in approved_by)
    if not is_board:
        assert obstacle == f"{member} is not on the board: two different board members approve a run"
    elif problem is not None:
        assert obstacle == problem


def test_fewer_than_two_board_members_are_named_with_the_way_on() -> None:
    assert lone_board([], members=0) is None
    assert lone_board(["m01", "m03"], members=3) is None
    one = lone_board(["m01"], members=3) or ""
    assert one.startswith("only m01 is on the board: a run needs 2 members of it, so nothing can be published")
    assert "begin-role --data DIR --role board --member ID --by m01`" in one
    assert (lone_board([], members=1) or "").startswith("nobody is on the board")
