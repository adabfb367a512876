"""Fund runs and their approvals: two different board members must approve a run before it is paid or collected.

A run of one of the co-op's funds books a plan that the members voted on. Approving the newest run of a fund and
day also approves the runs before it, because it books the difference from them. This module reads documents and signs
nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hub.core.ledger.approvals import APPROVALS_NEEDED, approver_obstacle, read_approvals
from hub.core.ledger.attestations import AttestedDocument

FUND_KINDS: Final = ("fund:year-end", "fund:grant")
"""Fees are not among them: a month run puts them on the bills, and two board members approve that run."""


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
    """A fund run with its approvals. `is_due`: two members approved it, or a later run of its fund and day."""

    run_key: str
    kind: str
    day: str
    approvals: tuple[str, ...]
    is_due: bool
    is_newest: bool


def read_fund_runs(runs: Sequence[FundRun], documents: Iterable[AttestedDocument]) -> tuple[FundRunStatus, ...]:
    """The runs of the voted funds in the order they were booked, with the approvals among `documents`."""
    approvals = read_approvals(documents)
    found: list[FundRunStatus] = []
    seen: set[tuple[str, str]] = set()
    due: set[tuple[str, str]] = set()
    for run in reversed([run for run in runs if run.kind in FUND_KINDS]):
        place, names = (run.kind, run.day), tuple(member for member, _ in approvals.get(run.run_key, ()))
        if len(names) >= APPROVALS_NEEDED:
            due.add(place)
        found.append(FundRunStatus(run.run_key, run.kind, run.day, names, place in due, place not in seen))
        seen.add(place)
    return tuple(reversed(found))


def fund_approval_obstacle(run: FundRunStatus, member: str, *, is_board: bool) -> str | None:
    """Why this member may not approve the fund run; None if the member may."""
    return approver_obstacle(member, run.approvals, is_board=is_board, run_problem=_run_problem(run))


def _run_problem(run: FundRunStatus) -> str | None:
    name = f"{run.kind.removeprefix('fund:')} of {run.day}"
    if run.is_due:
        return f"{name} is already approved"
    return None if run.is_newest else f"a newer run of {name} was booked: approve that one"
