"""The board's word on runs of the co-op's funds: two different members approve one before it is paid or collected.

A fund's run is booked from a voted plan; approving the newest run of a fund and day approves those before it, whose
differences it completes. It reads documents and signs nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from hub.core.ledger.attestations import APPROVAL, AttestedDocument
from hub.core.ledger.month_runs import APPROVALS_NEEDED

FUND_KINDS: Final = ("fund:year-end", "fund:grant")
"""Fees are not among them: they come onto the bills of a month's run, which two board members approve."""


class FundRun(Protocol):
    """A booked run of a fund."""

    @property
    def run_key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def day(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FundRunStatus:
    """A fund's run with who has approved it. `is_due`: two have, or have approved a later one of its fund and day."""

    run_key: str
    kind: str
    day: str
    approvals: tuple[str, ...]
    is_due: bool
    is_newest: bool


def read_fund_runs(runs: Sequence[FundRun], said: Iterable[AttestedDocument]) -> tuple[FundRunStatus, ...]:
    """The runs of the voted funds in the order they were booked, with the board's words among `said`."""
    approvals: dict[str, list[str]] = defaultdict(list)
    for each in said:
        if each.kind == APPROVAL:
            approvals[each.run_key].append(cast(str, each.content["member"]))
    found: list[FundRunStatus] = []
    seen: set[tuple[str, str]] = set()
    due: set[tuple[str, str]] = set()
    for run in reversed([run for run in runs if run.kind in FUND_KINDS]):
        place, names = (run.kind, run.day), tuple(approvals.get(run.run_key, ()))
        if len(names) >= APPROVALS_NEEDED:
            due.add(place)
        found.append(FundRunStatus(run.run_key, run.kind, run.day, names, place in due, place not in seen))
        seen.add(place)
    return tuple(reversed(found))


def fund_approval_obstacle(run: FundRunStatus, member: str, *, is_board: bool) -> str | None:
    """Why this member may not approve the fund's run; None where the word counts."""
    if not is_board:
        return f"{member} is not on the board: two different board members approve a run"
    if run.is_due:
        return f"{run.kind.removeprefix('fund:')} of {run.day} is approved already"
    if not run.is_newest:
        return f"a newer run of {run.kind.removeprefix('fund:')} of {run.day} was booked: approve that one"
    if member in run.approvals:
        return f"{member} has approved it already: the second approval is another board member's"
    return None
