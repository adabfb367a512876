"""The runs of local months, read from their attestations: draft, approved by two board members, published.

It says what may be done next; it settles nothing and signs nothing.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import msgspec

from hub.core.ledger.approvals import APPROVALS_NEEDED, approver_obstacle, read_approvals
from hub.core.ledger.attestations import MONTH_RUN, PUBLICATION, AttestedDocument
from hub.core.ledger.run_calendar import DISPUTE, MONTH_KINDS, RunCalendar, month_name

DECISION_CHARS_MAX: Final = 200
DRAFT, APPROVED, PUBLISHED, SUPERSEDED = "draft", "approved", "published", "superseded"


@dataclass(frozen=True, slots=True)
class MonthRun:
    """A run of a month: the day runs it is based on, and who approved and published it.

    Its bill covers everything booked for the month up to `ledger_position`. Times are in unix seconds.
    """

    run_key: str
    month: str
    kind: str
    rules: str
    inputs: str
    made_at: int
    days: tuple[tuple[str, str], ...]
    provisional_days: int
    ledger_position: int
    decision: str
    approvals: tuple[tuple[str, int], ...]
    published_at: int | None
    is_newest: bool

    @property
    def state(self) -> str:
        """draft, approved or published; superseded if a newer run of its kind replaced it before publication."""
        if self.published_at is not None:
            return PUBLISHED
        if not self.is_newest:
            return SUPERSEDED
        return APPROVED if len(self.approvals) >= APPROVALS_NEEDED else DRAFT


class _MonthContent(msgspec.Struct, frozen=True):
    """The content of a month run's attestation, as month_content makes it."""

    kind: str
    rules: str
    inputs: str
    days: tuple[tuple[str, str], ...]
    provisional_days: int
    ledger: tuple[int, str]
    made_at: int
    decision: str


def month_content(
    days: Sequence[tuple[str, str]],
    *,
    kind: str,
    digests: tuple[str, str],
    provisional_days: int,
    ledger: tuple[int, bytes],
    made_at: int,
    decision: str,
) -> dict[str, object]:
    """The content of a month run's attestation; `digests` come from month_digests."""
    return {
        "kind": kind,
        "rules": digests[0],
        "inputs": digests[1],
        "days": [list(day) for day in days],
        "provisional_days": provisional_days,
        "ledger": [ledger[0], ledger[1].hex()],
        "made_at": made_at,
        "decision": decision,
    }


def month_digests(days: Iterable[tuple[str, str, str]]) -> tuple[str, str]:
    """Two hashes of a month, (rule versions, inputs), made from each day's date, rule and input digest."""
    rows = sorted(days)
    rules = "".join(f"{day} {rule}\n" for day, rule, _ in rows)
    inputs = "".join(f"{day} {digest}\n" for day, _, digest in rows)
    return hashlib.sha256(rules.encode()).hexdigest(), hashlib.sha256(inputs.encode()).hexdigest()


def read_month_runs(documents: Iterable[AttestedDocument]) -> tuple[MonthRun, ...]:
    """All month runs in the order they were made, from attestations in the order they were signed.

    Raises: ValueError for a month run, approval or publication whose content is not what the hub signs.
    """
    known = tuple(documents)
    approvals, publications = read_approvals(known), read_approvals(known, kind=PUBLICATION)
    made = [(each, each.content_as(_MonthContent)) for each in known if each.kind == MONTH_RUN]
    newest = {(each.subject, content.kind): each.run_key for each, content in made}
    return tuple(
        MonthRun(
            run_key=each.run_key,
            month=each.subject,
            kind=content.kind,
            rules=content.rules,
            inputs=content.inputs,
            made_at=content.made_at,
            days=content.days,
            provisional_days=content.provisional_days,
            ledger_position=content.ledger[0],
            decision=content.decision,
            approvals=approvals.get(each.run_key, ()),
            published_at=publications[each.run_key][-1][1] if each.run_key in publications else None,
            is_newest=newest[each.subject, content.kind] == each.run_key,
        )
        for each, content in made
    )


def run_obstacle(
    kind: str, month: date, *, runs: Sequence[MonthRun], calendar: RunCalendar, today: date, decision: str = ""
) -> str | None:
    """Why this run of the month may not be booked now; None if it may. `runs` are those made so far."""
    name = month_name(month)
    made = [run for run in runs if run.month == name]
    done = {run.kind for run in made}
    if kind == DISPUTE:
        if not any(run.kind == MONTH_KINDS[-1] and run.state == PUBLISHED for run in made):
            return f"{name} is not closed yet: its run RF is not published, so corrections go into the next run"
        if not decision or len(decision) > DECISION_CHARS_MAX or not decision.isprintable():
            return f"a run after RF needs the decision on a dispute, in 1 to {DECISION_CHARS_MAX} printable characters"
        return None
    if kind not in MONTH_KINDS:
        return f"{kind} is not a run of a month: use one of {', '.join((*MONTH_KINDS, DISPUTE))}"
    if len(decision) > DECISION_CHARS_MAX or not decision.isprintable():
        return f"a decision has at most {DECISION_CHARS_MAX} printable characters"
    due = calendar.due_day(month, kind)
    if today < due:
        return f"{kind} of {name} falls due on {due}; before that day, a preview shows what it would book"
    place = MONTH_KINDS.index(kind)
    if place and MONTH_KINDS[place - 1] not in done:
        return f"{kind} of {name} comes after {MONTH_KINDS[place - 1]}: make that run first"
    if later := [known for known in (*MONTH_KINDS[place + 1 :], DISPUTE) if known in done]:
        return f"{kind} of {name} is no longer possible: {later[0]} has been made"
    if any(run.kind == kind and run.state == PUBLISHED for run in made):
        following = MONTH_KINDS[place + 1] if place + 1 < len(MONTH_KINDS) else "the decision on a dispute"
        return f"{kind} of {name} is already published: later changes go into {following}"
    return None


def is_outdated(run: MonthRun, last_booked: int) -> bool:
    """Whether the run can no longer be published: something that belongs on its bills was booked after it was made.

    `last_booked` is the position of the month's newest entry that belongs on its bills.
    """
    return run.state in (DRAFT, APPROVED) and run.ledger_position < last_booked


def approval_obstacle(
    run: MonthRun, member: str, *, is_board: bool, runs: Sequence[MonthRun], last_booked: int
) -> str | None:
    """Why this member may not approve the run; None if the member may."""
    problem = None
    if run.state == SUPERSEDED:
        problem = f"a newer {run.kind} of {run.month} was made: approve that one"
    elif run.state != DRAFT:
        problem = f"{run.kind} of {run.month} is already {run.state}"
    approved_by = [name for name, _ in run.approvals]
    obstacle = approver_obstacle(member, approved_by, is_board=is_board, run_problem=problem)
    return obstacle or _books_obstacle(run, runs, last_booked) or _order_obstacle(run, runs, last_booked)


def publication_obstacle(
    run: MonthRun, member: str, *, is_board: bool, runs: Sequence[MonthRun], last_booked: int
) -> str | None:
    """Why this member may not publish the run; None if the member may."""
    if not is_board:
        return f"{member} is not on the board: a board member publishes a run"
    if run.state in (DRAFT, APPROVED) and (problem := _books_obstacle(run, runs, last_booked)):
        return problem
    if run.state != APPROVED:
        left = APPROVALS_NEEDED - len(run.approvals)
        return f"{run.kind} of {run.month} is {run.state}" + (f": {left} approval(s) missing" if left > 0 else "")
    return _order_obstacle(run, runs, last_booked)


def _books_obstacle(run: MonthRun, runs: Sequence[MonthRun], last_booked: int) -> str | None:
    """The board approves what a draft bills, so a draft bills nothing that was booked after it was made."""
    if not is_outdated(run, last_booked):
        return None
    older = f"{run.kind} of {run.month} is older than the books"
    if later := later_run(run, runs):
        return f"{older}, and {later.kind} has been made since: approve and publish {later.kind} in its place"
    decision = " --decision TEXT" if run.decision else ""
    again = f"commonwatt-hub settle --month {run.month} --kind {run.kind}{decision}"
    return f"{older}: something on its bills was booked after it was made; make it again with: {again}"


def later_run(run: MonthRun, runs: Sequence[MonthRun]) -> MonthRun | None:
    """The first run of the month made after this one that is still in force; None if there is none."""
    place = next(at for at, each in enumerate(runs) if each.run_key == run.run_key)
    return next((each for each in runs[place + 1 :] if each.month == run.month and each.state != SUPERSEDED), None)


def _order_obstacle(run: MonthRun, runs: Sequence[MonthRun], last_booked: int) -> str | None:
    """A month's runs are published in the order they were made, because statements name the last one.

    One that is older than the books is passed over: it is never published, and the later run bills all of it.
    """
    for earlier in runs:
        if earlier.run_key == run.run_key:
            return None
        is_open = earlier.state in (DRAFT, APPROVED) and not is_outdated(earlier, last_booked)
        if earlier.month == run.month and is_open:
            return f"{earlier.kind} of {run.month} comes first: it is {earlier.state}"
    return None
