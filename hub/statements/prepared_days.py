"""States the newest months' days after each settlement, so that no member's look has to wait for it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.core.ledger.run_calendar import month_of
from hub.statements.months import StatementService


class PreparedDaysJob:
    """Prepares this month and the one before, as they are booked or published then, and forgets old days."""

    def __init__(self, statements: StatementService, *, tz: str) -> None:
        self._statements, self._tz = statements, tz

    async def __call__(self, due_s: int) -> None:
        """What is prepared already costs nothing. Raises: RequestError for a damaged record."""
        today = datetime.fromtimestamp(due_s, UTC).astimezone(ZoneInfo(self._tz)).date()
        this = month_of(today)
        for month in (month_of(this - timedelta(days=1)), this):
            await self._statements.prepare(month)
        await self._statements.forget(today=today)
