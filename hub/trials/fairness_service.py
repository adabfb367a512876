"""The yearly fairness report for the members' page: computed once in a thread, and cached until its inputs change.

Members get their own row and what everybody may see; other members' rows never leave this module.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from hub.books.days import SettlementStores
from hub.books.period import PeriodReader, period_digest
from hub.core.rules.group_size import GroupRule
from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.pool_series import LEAST_HOMES
from hub.core.trials.fairness import (
    FairnessPeriod,
    FairnessReport,
    MemberFairness,
    extract_period,
    report_periods,
    summarise_fairness,
)
from hub.storage.records import Access
from hub.trials.answer_cache import AnswerCache, AskerBusyError
from hub.trials.what_if_service import BUSY
from protocols.errors import RequestError

FAIRNESS_ACCESS: Final = Access(actor="job:fairness", role="job", purpose="settle.share")
SEED_TAG: Final = b"commonwatt fairness orders v1\n"
MAX_ENTRIES: Final = 4
NOTHING_SHOWN: Final = "no day of this year can be shown: each was corrected for a few homes since it was settled"
FEW_MAKERS: Final = "nearly everything was fed in by fewer than five homes; a report would show what a single home gave"
WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _CachedReport:
    first_day: str
    last_day: str
    days: int
    left_out: int
    seed: int
    report: FairnessReport


class FairnessService:
    """Serves the Fairness page. Each home's log records the access to its readings."""

    def __init__(self, store: SettlementStores, *, shown: PeriodReader, wait_s: float = WAIT_S) -> None:
        self._store, self._shown = store, shown
        self._kept: AnswerCache[tuple[date, date, str], _CachedReport | str] = AnswerCache(
            max_entries=MAX_ENTRIES, wait_s=wait_s
        )

    async def years(self, *, today: date) -> tuple[int, ...]:
        """The years with a settled day in a complete month, newest first; at most the last five."""
        days = (date(today.year - 4, 1, 1).isoformat(), _end_of(today.year, today=today).isoformat())
        runs = await self._store.runs(days=days, allocations=False)
        return tuple(sorted({int(run.day[:4]) for run in runs}, reverse=True))

    async def report(self, member: str, *, year: int, today: date) -> MemberFairness | str | None:
        """The member's own view of the year up to its last complete month, or a line if there is none; None while it is
        being computed.
        """
        first, last = date(year, 1, 1), _end_of(year, today=today)
        standing = await period_digest(self._store, first=first, last=last)
        try:
            cached = await self._kept.get_or_compute(
                (first, last, standing), asker=member, work=lambda: self._make(first, last)
            )
        except AskerBusyError:
            return BUSY
        if cached is None or isinstance(cached, str):
            return cached
        return MemberFairness(
            first_day=cached.first_day,
            last_day=cached.last_day,
            days=cached.days,
            left_out=cached.left_out,
            seed=cached.seed,
            summary=summarise_fairness(cached.report),
            own=next((share for share in cached.report.shares if share.member == member), None),
        )

    async def _make(self, first: date, last: date) -> _CachedReport | str:
        """Compute the report day by day, so that a year's settlements are never all in memory at once."""
        days = (first.isoformat(), last.isoformat())
        settled = sorted({run.day for run in await self._store.runs(days=days, allocations=False)})
        parts: list[FairnessPeriod] = []
        digests: list[str] = []
        shown: list[str] = []
        makers: Counter[str] = Counter()
        group = GroupRule()
        try:
            for name in settled:
                day = date.fromisoformat(name)
                found = await self._shown.read(first=day, last=day, access=FAIRNESS_ACCESS)
                parts += [await asyncio.to_thread(extract_period, settled) for settled in found.current]
                digests += found.digests
                shown += found.days
                group = GroupRule(plants=found.plants, persons=found.persons)
                for part in found.current:
                    for member, wh in zip(part.members, part.surplus_wh.sum(axis=0).tolist(), strict=True):
                        makers.update({member: wh} if wh else {})
            if not shown:
                return NOTHING_SHOWN
            seed = orders_seed(digests)
            rng = np.random.default_rng(seed)
            report = await asyncio.to_thread(report_periods, parts, rng=rng, persons=group.persons)
        except (RequestError, RejectedInputError, ValueError) as problem:
            return str(problem)
        if report.people < LEAST_HOMES:
            return f"fewer than {LEAST_HOMES} homes took part; a report would show single homes"
        if not group.allows(makers.keys()) or group.is_uneven(makers):
            return FEW_MAKERS
        span = (date.fromisoformat(shown[-1]) - date.fromisoformat(shown[0])).days + 1
        return _CachedReport(shown[0], shown[-1], len(shown), span - len(shown), seed, report)


def orders_seed(digests: Sequence[str]) -> int:
    """The seed for the sampled orders, derived from the readings so that nobody can choose it."""
    return int.from_bytes(hashlib.sha256(SEED_TAG + "\n".join(digests).encode()).digest()[:8], "big")


def _end_of(year: int, *, today: date) -> date:
    """The last day of the year; for the current year, the last day of its last complete month."""
    return min(date(year, 12, 31), today.replace(day=1) - timedelta(days=1))
