"""The board's decision on a finding: checks who may make it and that no other came first, then stores it."""

from typing import Final, Literal

from hub.books.days import SettlementStores
from hub.books.stored_rules import read_rule
from hub.core.ledger.objections import REASON_CHARS_MAX, clean_reason, may_decide
from hub.core.quality.decisions import open_verdicts
from hub.core.quality.settlement_check import QualityVerdict
from hub.storage.finding_records import FindingRow
from hub.storage.records import Access, Member
from protocols.errors import CommonwattError

Problem = Literal["not_board", "reason", "unknown", "own", "closed", "verdict", "meanwhile"]

SENTENCES: Final[dict[Problem, str]] = {
    "not_board": "only a member of the board decides",
    "reason": f"give a reason in 1 to {REASON_CHARS_MAX} characters",
    "unknown": "there is no such finding",
    "own": "another board member decides on a finding of your own home",
    "closed": "this finding is closed: later readings have resolved it",
    "verdict": "this cannot be decided on it; `findings` lists what can",
    "meanwhile": "somebody else has just decided; load the finding again",
}


class DecisionError(CommonwattError):
    """The decision is refused; nothing was changed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(SENTENCES[problem])
        self.problem: Problem = problem


async def decide_finding(
    store: SettlementStores,
    number: int,
    *,
    member: Member,
    verdict: str,
    reason: str,
    at: int,
    after: int | None = None,
    link_by: str = "",
) -> FindingRow:
    """Add the decision and return the updated finding. `after` is the last decision that the member saw, 0 for none.

    The access to the finding is logged. Raises: DecisionError.
    """
    if not member.is_board:
        raise DecisionError("not_board")
    words = clean_reason(reason)
    if words is None:
        raise DecisionError("reason")
    access = Access(actor=member.id, role="board", purpose="settle.share", reason=words, link_by=link_by)
    row = await one_finding(store, number, access=access)
    residents = (await store.residents())[row.found.home]
    if not may_decide(residents, member.id, is_board=member.is_board):
        raise DecisionError("own")
    if verdict not in await verdicts_of(store, row):
        raise DecisionError("closed" if row.closed is not None else "verdict")
    seen = last_decision(row) if after is None else after
    problem = await store.decide_finding(
        row.id, board_member=member.id, verdict=verdict, reason=words, at=at, after=seen
    )
    if problem is not None:
        raise DecisionError("meanwhile" if problem == "decided meanwhile" else "closed")
    return await one_finding(store, number, access=access)


async def one_finding(store: SettlementStores, number: int, *, access: Access) -> FindingRow:
    """The finding with this number. Raises: DecisionError."""
    found = await store.findings(access=access, number=number)
    if len(found) != 1:
        raise DecisionError("unknown")
    return found[0]


async def verdicts_of(store: SettlementStores, row: FindingRow) -> tuple[QualityVerdict, ...]:
    """The decisions possible now: a decided finding may be decided again; one closed without a decision may not.

    A decision counts even after the finding is closed, so it must be possible to change it.
    """
    if row.closed is not None and not row.decisions:
        return ()
    rule = read_rule((await store.rule_on(row.day))[1])
    return open_verdicts(row.found.code, row.found.measure, has_estimates=rule.estimate.method != "none")


def last_decision(row: FindingRow) -> int:
    """The number of the current decision, or 0 if there is none."""
    return row.decisions[-1].id if row.decisions else 0


class FindingService:
    """Serves the board's pages on findings: the decisions possible on each, and the decision itself."""

    def __init__(self, store: SettlementStores) -> None:
        self._store = store

    async def verdicts(self, row: FindingRow) -> tuple[str, ...]:
        """The decisions possible on the finding now."""
        return await verdicts_of(self._store, row)

    async def decide(
        self, number: int, *, member: Member, verdict: str, reason: str, at: int, after: int, link_by: str = ""
    ) -> str | None:
        """Store the decision; return None on success, otherwise the key in SENTENCES that says why not."""
        try:
            await decide_finding(
                self._store, number, member=member, verdict=verdict, reason=reason, at=at, after=after, link_by=link_by
            )
        except DecisionError as refused:
            return refused.problem
        return None
