"""Rules tried on past months for the members' page: computed in a thread, one at a time, and cached.

Members get their own change and what everybody may see; other members' changes never leave this module.
"""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Final

from hub.books.days import SettlementStores
from hub.books.period import PeriodReader, SettledPeriod, period_digest
from hub.core.ledger.run_calendar import days_of, month_of
from hub.core.rules.group_size import GroupRule
from hub.core.rules.input_checks import RejectedInputError
from hub.core.trials.rule_choices import chosen_rule
from hub.core.trials.what_if import MemberTrial, Trial, TrialSummary, summarise, try_rule
from hub.storage.records import Access
from hub.trials.answer_cache import AnswerCache, AskerBusyError
from protocols.errors import RequestError

WHAT_IF_ACCESS: Final = Access(actor="job:what-if", role="job", purpose="settle.share")
MAX_ENTRIES: Final = 40
WAIT_S: Final = 5.0
NOTHING_SHOWN: Final = "no day of this month can be shown: each was corrected for a few homes since it was settled"
BUSY: Final = "your last question is still being worked out; ask again in a moment"


@dataclass(frozen=True, slots=True)
class _Tried:
    """A month's trial without its slots, which would take up too much memory."""

    days: int
    left_out: int
    stood: TrialSummary
    tried: TrialSummary
    trial: Trial


class TrialService:
    """Serves the What-if page. Each home's log records the access to its readings."""

    def __init__(self, store: SettlementStores, *, shown: PeriodReader, wait_s: float = WAIT_S) -> None:
        self._store, self._shown = store, shown
        self._kept: AnswerCache[tuple[date, str, str, date], _Tried | str] = AnswerCache(
            max_entries=MAX_ENTRIES, wait_s=wait_s
        )

    async def months(self, *, first: date, last: date) -> tuple[date, ...]:
        """The months with a settled day in this range, newest first."""
        days = (first.isoformat(), last.isoformat())
        runs = await self._store.runs(days=days, allocations=False)
        return tuple(sorted({month_of(date.fromisoformat(run.day)) for run in runs}, reverse=True))

    async def try_rule(self, member: str, *, month: date, choice: str, today: date) -> MemberTrial | str | None:
        """The member's own view of the rule tried on the month, or a line saying why not; None until it is computed."""
        days = days_of(month)
        standing = await period_digest(self._store, first=days[0], last=days[-1])
        try:
            tried = await self._kept.get_or_compute(
                (month, choice, standing, today), asker=member, work=lambda: self._try(month, choice)
            )
        except AskerBusyError:
            return BUSY
        if tried is None or isinstance(tried, str):
            return tried
        own = next((change for change in tried.trial.changes if change.member == member), None)
        return MemberTrial(tried.days, tried.left_out, tried.stood, tried.tried, own)

    async def _try(self, month: date, choice: str) -> _Tried | str:
        days = days_of(month)
        try:
            period = await self._shown.read(first=days[0], last=days[-1], access=WHAT_IF_ACCESS)
            if not period.days:
                return NOTHING_SHOWN
            return await asyncio.to_thread(_tried, period, choice)
        except (RequestError, RejectedInputError, ValueError) as problem:
            return str(problem)


def _tried(period: SettledPeriod, choice: str) -> _Tried:
    in_force = period.current[-1].rule
    trial = try_rule(period.parts, chosen_rule(choice, in_force=in_force, parts=period.parts), stood=period.current)
    stood = try_rule(period.parts, in_force, stood=period.current)
    kept = Trial(trial.rule, (), trial.changes)
    group = GroupRule(plants=period.plants, persons=period.persons)
    summaries = summarise(stood, group=group), summarise(trial, group=group)
    return _Tried(len(period.days), len(period.left_out), *summaries, kept)
