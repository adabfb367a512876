"""A local month for the board: its runs with due days and states, and the days that the next run settles again.

It works on what the caller passes; it reads nothing and makes no run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from hub.core.ledger.month_preview import MarkedDay
from hub.core.ledger.month_runs import APPROVED, DRAFT, MonthRun, is_outdated, later_run, run_obstacle
from hub.core.ledger.run_calendar import DISPUTE, MONTH_KINDS, RunCalendar, days_of, month_name

WAITING, DUE, SKIPPED = "waiting", "due", "skipped"


@dataclass(frozen=True, slots=True)
class KindState:
    """One kind of run in a month. `due` is None for a dispute's run; `run` is the newest of this kind.

    `state`: waiting (not due yet), due (may be booked), skipped (a later run was made), or the state of the run.
    """

    kind: str
    due: date | None
    state: str
    run: MonthRun | None


@dataclass(frozen=True, slots=True)
class MonthOverview:
    """One month. `bookable` are the kinds of run that may be booked today, `following` is the first not yet made.

    `outdated` are the keys of the runs that are older than the books: they have to be made again, or a later one was.
    """

    month: date
    is_over: bool
    days: int
    settled: int
    provisional: int
    kinds: tuple[KindState, ...]
    runs: tuple[MonthRun, ...]
    marked: tuple[MarkedDay, ...]
    following: str | None
    bookable: tuple[str, ...]
    outdated: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The month as written in web addresses: 2026-05."""
        return month_name(self.month)

    @property
    def next_run(self) -> str | None:
        """The kind of the first run that takes in the marked days: one that can be made again, else the next to come.

        None once RF is published: then only a dispute's run takes them in.
        """
        made = {run.kind for run in self.runs}
        return next((kind for kind in MONTH_KINDS if kind in made and kind in self.bookable), self.following)

    @property
    def in_turn(self) -> MonthRun | None:
        """The earliest run awaiting the board's approval or publication, or waiting to be made again.

        One older than the books is passed over once a later run was made: that one bills all of it.
        """
        return next(
            (run for run in self.runs if run.state in (DRAFT, APPROVED) and self.in_place_of(run) is None), None
        )

    def in_place_of(self, run: MonthRun) -> MonthRun | None:
        """The later run that bills what this one would, if this one is older than the books and was passed over."""
        return later_run(run, self.runs) if run.run_key in self.outdated else None


def month_overview(
    month: date,
    *,
    runs: Sequence[MonthRun],
    days: Sequence[date],
    settled: Sequence[str],
    marked: tuple[MarkedDay, ...],
    calendar: RunCalendar,
    today: date,
    last_booked: int = 0,
) -> MonthOverview:
    """The month from all month runs so far. `days` are its closed days with readings, `settled` their runs' states.

    `last_booked` is the position of the month's newest entry that belongs on its bills.
    """
    own = tuple(run for run in runs if run.month == month_name(month))
    is_over = days_of(month)[-1] < today
    newest = {run.kind: run for run in own}

    def may_make(kind: str) -> bool:
        decision = "one to be written" if kind == DISPUTE else ""
        problem = run_obstacle(kind, month, runs=runs, calendar=calendar, today=today, decision=decision)
        return is_over and problem is None

    bookable = tuple(kind for kind in (*MONTH_KINDS, DISPUTE) if may_make(kind))
    kinds = [_kind_state(kind, calendar.due_day(month, kind), newest, bookable) for kind in MONTH_KINDS]
    if DISPUTE in newest or may_make(DISPUTE):
        kinds.append(_kind_state(DISPUTE, None, newest, ()))
    return MonthOverview(
        month=month,
        is_over=is_over,
        days=len(days),
        settled=len(settled),
        provisional=sum(state == "provisional" for state in settled),
        kinds=tuple(kinds),
        runs=own,
        marked=marked,
        following=next((kind for kind in MONTH_KINDS if kind not in newest), None),
        bookable=bookable,
        outdated=frozenset(run.run_key for run in own if is_outdated(run, last_booked)),
    )


def _kind_state(kind: str, due: date | None, newest: dict[str, MonthRun], bookable: tuple[str, ...]) -> KindState:
    run = newest.get(kind)
    if run is not None:
        return KindState(kind, due, run.state, run)
    later = MONTH_KINDS[MONTH_KINDS.index(kind) + 1 :] if kind in MONTH_KINDS else ()
    state = DUE if kind in bookable else SKIPPED if any(other in newest for other in later) else WAITING
    return KindState(kind, due, state, None)
