"""The runs of local months as their attestations tell them: draft, approved by two board members, published.

It reads documents and says what may be done next; it settles nothing and signs nothing.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, cast

from hub.core.ledger.attestations import APPROVAL, MONTH_RUN, PUBLICATION, AttestedDocument
from hub.core.ledger.run_calendar import DISPUTE, MONTH_KINDS, RunCalendar, month_name

APPROVALS_NEEDED: Final = 2
DECISION_CHARS_MAX: Final = 200
DRAFT, APPROVED, PUBLISHED, SUPERSEDED = "draft", "approved", "published", "superseded"


@dataclass(frozen=True, slots=True)
class MonthRun:
    """A run of a month: the day runs it stands on and the board's word on it.

    Its bill is all that is booked of the month up to `ledger_position`. Times are unix seconds.
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
        """draft, approved, published; superseded where a newer run of its kind took its place before that."""
        if self.published_at is not None:
            return PUBLISHED
        if not self.is_newest:
            return SUPERSEDED
        return APPROVED if len(self.approvals) >= APPROVALS_NEEDED else DRAFT


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
    """What the attestation of a month run says; `digests` are those of month_digests."""
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
    """(rule versions, inputs) of a month as two hashes, from each day's name, rule and input digest."""
    rows = sorted(days)
    rules = "".join(f"{day} {rule}\n" for day, rule, _ in rows)
    inputs = "".join(f"{day} {digest}\n" for day, _, digest in rows)
    return hashlib.sha256(rules.encode()).hexdigest(), hashlib.sha256(inputs.encode()).hexdigest()


def read_month_runs(said: Iterable[AttestedDocument]) -> tuple[MonthRun, ...]:
    """All month runs in the order they were made, from the attestations about them in theirs."""
    made: list[AttestedDocument] = []
    approvals: dict[str, list[tuple[str, int]]] = defaultdict(list)
    published: dict[str, int] = {}
    newest: dict[tuple[str, str], str] = {}
    for each in said:
        content = each.content
        if each.kind == MONTH_RUN:
            made.append(each)
            newest[each.subject, cast(str, content["kind"])] = each.run_key
        elif each.kind == APPROVAL:
            approvals[each.run_key].append((cast(str, content["member"]), cast(int, content["at"])))
        elif each.kind == PUBLICATION:
            published[each.run_key] = cast(int, content["at"])
    return tuple(_month_run(each, approvals, published=published, newest=newest) for each in made)


def _month_run(
    said: AttestedDocument,
    approvals: Mapping[str, Sequence[tuple[str, int]]],
    *,
    published: Mapping[str, int],
    newest: Mapping[tuple[str, str], str],
) -> MonthRun:
    content, kind = said.content, cast(str, said.content["kind"])
    return MonthRun(
        run_key=said.run_key,
        month=said.subject,
        kind=kind,
        rules=cast(str, content["rules"]),
        inputs=cast(str, content["inputs"]),
        made_at=cast(int, content["made_at"]),
        days=tuple((day, key) for day, key in cast(list[tuple[str, str]], content["days"])),
        provisional_days=cast(int, content["provisional_days"]),
        ledger_position=cast(list[int], content["ledger"])[0],
        decision=cast(str, content["decision"]),
        approvals=tuple(approvals.get(said.run_key, ())),
        published_at=published.get(said.run_key),
        is_newest=newest[said.subject, kind] == said.run_key,
    )


def run_obstacle(
    kind: str, month: date, *, runs: Sequence[MonthRun], calendar: RunCalendar, today: date, decision: str = ""
) -> str | None:
    """Why this run of the month may not be booked now; None where it may. `runs` are those made so far."""
    name = month_name(month)
    made = [run for run in runs if run.month == name]
    done = {run.kind for run in made}
    if kind == DISPUTE:
        if not any(run.kind == MONTH_KINDS[-1] and run.state == PUBLISHED for run in made):
            return f"{name} is not closed yet: its run RF is not published, so corrections go into the next run"
        if not decision or len(decision) > DECISION_CHARS_MAX or not decision.isprintable():
            return f"a run after RF needs the decision of a dispute, in 1 to {DECISION_CHARS_MAX} printable characters"
        return None
    if kind not in MONTH_KINDS:
        return f"{kind} is no run of a month; there are {', '.join((*MONTH_KINDS, DISPUTE))}"
    due = calendar.due_day(month, kind)
    if today < due:
        return f"{kind} of {name} falls due on {due}; until then a preview shows what it would book"
    place = MONTH_KINDS.index(kind)
    if place and MONTH_KINDS[place - 1] not in done:
        return f"{kind} of {name} comes after {MONTH_KINDS[place - 1]}, which is not made yet"
    if later := [known for known in (*MONTH_KINDS[place + 1 :], DISPUTE) if known in done]:
        return f"{kind} of {name} is over: {later[0]} is made"
    if any(run.kind == kind and run.state == PUBLISHED for run in made):
        following = MONTH_KINDS[place + 1] if place + 1 < len(MONTH_KINDS) else "the decision of a dispute"
        return f"{kind} of {name} is published: what came since goes into {following}"
    return None


def approval_obstacle(run: MonthRun, member: str, *, is_board: bool, runs: Sequence[MonthRun]) -> str | None:
    """Why this member may not approve the run; None where the word counts."""
    if not is_board:
        return f"{member} is not on the board: two different board members approve a run"
    if run.state == SUPERSEDED:
        return f"a newer {run.kind} of {run.month} was made: approve that one"
    if run.state != DRAFT:
        return f"{run.kind} of {run.month} is {run.state} already"
    if member in {name for name, _ in run.approvals}:
        return f"{member} has approved it already: the second approval is another board member's"
    return _why_not_in_turn(run, runs)


def publication_obstacle(run: MonthRun, member: str, *, is_board: bool, runs: Sequence[MonthRun]) -> str | None:
    """Why this member may not publish the run; None where it may be done."""
    if not is_board:
        return f"{member} is not on the board: a board member publishes a run"
    if run.state != APPROVED:
        left = APPROVALS_NEEDED - len(run.approvals)
        return f"{run.kind} of {run.month} is {run.state}" + (f": {left} approval(s) missing" if left > 0 else "")
    return _why_not_in_turn(run, runs)


def _why_not_in_turn(run: MonthRun, runs: Sequence[MonthRun]) -> str | None:
    """Statements name the last one, so a month's runs are published in the order they were made."""
    for earlier in runs:
        if earlier.run_key == run.run_key:
            return None
        if earlier.month == run.month and earlier.state in (DRAFT, APPROVED):
            return f"{earlier.kind} of {run.month} comes first: it is {earlier.state}"
    return None
