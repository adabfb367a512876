"""Months and their runs as the board sees them: states, due dates, changed days, and sums over all members."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from hub.core.ledger.approvals import APPROVALS_NEEDED
from hub.core.ledger.month_overview import DUE, SKIPPED, WAITING, KindState, MonthOverview
from hub.core.ledger.month_preview import BoardPreview, MarkedDay
from hub.core.ledger.month_runs import APPROVED, DRAFT, PUBLISHED, SUPERSEDED, MonthRun
from hub.core.ledger.run_calendar import DISPUTE
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.run_sums import RunSums, run_sums
from hub.web.views.settlement.statement import later_words

_FINE = (APPROVED, PUBLISHED)
_CALLING = (DUE, DRAFT)
_NEVER = "never settled"


@dataclass(frozen=True, slots=True)
class MonthLine:
    """A month in the list: what it is waiting for, and how many of its days have changed."""

    month: str
    address: str
    state: str
    tone: str
    small: str


@dataclass(frozen=True, slots=True)
class KindLine:
    kind: str
    what: str
    due: str
    state: str
    tone: str
    address: str


@dataclass(frozen=True, slots=True)
class RunsMonth:
    """A month's page. `preview_links` are (address, label) of previews that can be opened."""

    month: str
    key: str
    lede: str
    daily: str
    kinds: tuple[KindLine, ...]
    marked: tuple[tuple[str, str], ...]
    preview_links: tuple[tuple[str, str], ...]
    call: tuple[str, str] | None
    runs: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class RunPreview:
    headline: str
    lede: str
    key: str
    month: str
    kind: str
    run_key: str
    sums: RunSums
    is_new: bool
    decision_on: str


@dataclass(frozen=True, slots=True)
class BookedRunPage:
    """A booked run. `action` is approve, publish or empty; `obstacle` says why this reader has no action."""

    headline: str
    state: str
    tone: str
    key: str
    month: str
    run_key: str
    sums: RunSums
    approvals: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    hashes: tuple[tuple[str, str], ...]
    action: str
    obstacle: str


def month_line(month: MonthOverview, words: Localizer) -> MonthLine:
    """A month and what it is waiting for."""
    state, tone = _month_state(month, words)
    never = sum(mark.why == _NEVER for mark in month.marked)
    late = len(month.marked) - never
    notes = []
    if late:
        notes.append(words.plural("%(n)s settled day has changed since", "%(n)s settled days have changed since", late))
    if never:
        notes.append(words.plural("%(n)s day is not settled yet", "%(n)s days are not settled yet", never))
    small = words.listed(notes)
    return MonthLine(words.month(month.month), f"/board/runs/{month.name}", state, tone, small)


def month_page(month: MonthOverview, words: Localizer, *, names: Mapping[str, str], reader: str) -> RunsMonth:
    """The month with all its kinds of run; `call` is what this reader should do first."""
    waiting, call = month.in_turn, None
    if waiting is not None:
        action, _ = _action(month, waiting, words, reader=reader)
        says = {
            "approve": words.text("Review %(kind)s and approve it", kind=waiting.kind),
            "publish": words.text("Review %(kind)s and publish it", kind=waiting.kind),
        }
        if action in says:
            call = (_run_address(month, waiting), says[action])
    return RunsMonth(
        month=words.month(month.month),
        key=month.name,
        lede=_month_state(month, words)[0],
        daily=_daily(month, words),
        kinds=tuple(_kind_line(month, kind, words) for kind in month.kinds),
        marked=tuple(_periods(month.marked, words)),
        preview_links=tuple(
            (f"/board/runs/{month.name}/preview?kind={kind}", _look_words(month, kind, words))
            for kind in month.bookable
        ),
        call=call,
        runs=tuple(
            (_run_address(month, run), run.kind, _made(month, run, words, names=names)) for run in reversed(month.runs)
        ),
    )


def preview_page(
    month: MonthOverview,
    preview: BoardPreview,
    words: Localizer,
    *,
    kind: str,
    run_key: str,
    needs_decision: bool,
) -> RunPreview:
    """What a run would change. It can be booked if it has not been booked yet."""
    is_new = run_key not in {run.run_key for run in month.runs}
    is_older = any(run.run_key in month.outdated and run.kind == kind for run in month.runs)
    if not is_new:
        lede = words.text(
            "This run has already been booked and the readings have not changed, so there is nothing to book."
        )
    elif preview.entries:
        lede = words.text("Nothing is booked yet. These are the differences from what is booked now.")
    elif is_older:
        lede = words.text(
            "The readings have not changed. The run bills what was booked after the last draft was made, such as fees."
        )
    else:
        lede = words.text("No amount would change: the run only confirms what is already booked.")
    return RunPreview(
        headline=words.text("What %(kind)s of %(month)s would change", kind=kind, month=words.month(month.month)),
        lede=lede,
        key=month.name,
        month=words.month(month.month),
        kind=kind,
        run_key=run_key,
        sums=run_sums(preview, words, is_booked=False),
        is_new=is_new and kind in month.bookable,
        decision_on=(
            ""
            if not needs_decision
            else words.text("Decision on the dispute, for example its number and date")
            if kind == DISPUTE
            else words.text(
                "No home has a reading in this month. Why it is billed nevertheless, for example the decision's number"
                " and date"
            )
        ),
    )


def booked_page(
    month: MonthOverview,
    run: MonthRun,
    words: Localizer,
    *,
    booked: BoardPreview,
    names: Mapping[str, str],
    reader: str,
) -> BookedRunPage:
    """A booked run, for the board's decision on it."""
    state, tone = _run_state(month, run, words)
    action, obstacle = _action(month, run, words, reader=reader)
    notes = []
    if run.provisional_days:
        days = run.provisional_days
        notes.append(words.plural("%(n)s day has missing readings.", "%(n)s days have missing readings.", days))
    if run.decision:
        notes.append(words.text("Decision: %(decision)s", decision=run.decision))
    return BookedRunPage(
        headline=words.text("%(kind)s of %(month)s", kind=run.kind, month=words.month(month.month)),
        state=state,
        tone=tone,
        key=month.name,
        month=words.month(month.month),
        run_key=run.run_key,
        sums=run_sums(booked, words, is_booked=True),
        approvals=tuple((names.get(member, member), words.moment(at)) for member, at in run.approvals),
        notes=tuple(notes),
        hashes=(
            (words.text("run key"), run.run_key),
            (words.text("rules"), run.rules),
        ),
        action=action,
        obstacle=obstacle,
    )


def _action(month: MonthOverview, run: MonthRun, words: Localizer, *, reader: str) -> tuple[str, str]:
    """What the reader may do with the run, or why nothing can be done. The run service checks again before it acts."""
    if run.state == SUPERSEDED:
        return "", words.text("A newer run of this kind has replaced it. Only the newer run can be approved.")
    if run.state == PUBLISHED:
        return "", ""
    if later := month.in_place_of(run):
        return "", words.text(
            "This draft is older than the books, and %(later)s has been made since. Approve and publish %(later)s in"
            " its place.",
            later=later.kind,
        )
    if run.run_key in month.outdated:
        return "", words.text(
            "This draft is older than the books: something on its bills, such as a fee, was booked after it was made."
            " It can be neither approved nor published; make it again, and approve the new draft."
        )
    if month.in_turn != run:
        return "", words.text("An earlier run of this month must be finished first.")
    if run.state == APPROVED:
        return "publish", ""
    if reader in {member for member, _ in run.approvals}:
        return "", words.text("You have approved it. Another board member must give the second approval.")
    return "approve", ""


def _periods(marked: Sequence[MarkedDay], words: Localizer) -> Iterator[tuple[str, str]]:
    """Consecutive days that changed for the same reason, as one line."""
    for (why, _), group in groupby(enumerate(marked), key=lambda at: (at[1].why, at[1].day.toordinal() - at[0])):
        days = [mark.day for _, mark in group]
        first, last = words.short_day(days[0]), words.short_day(days[-1])
        period = first if len(days) == 1 else words.text("%(first)s to %(last)s", first=first, last=last)
        yield period, _why(why, words)


def _why(why: str, words: Localizer) -> str:
    return words.text("not settled yet") if why == _NEVER else later_words(why, words)


def _month_state(month: MonthOverview, words: Localizer) -> tuple[str, str]:
    """What the month is waiting for: the board's decision first, then a run that can be booked, then the calendar."""
    if month.in_turn is not None:
        return _named(month.in_turn.kind, *_run_state(month, month.in_turn, words), words)
    kind = next((kind for kind in month.kinds if kind.state == DUE), None)
    kind = kind or next((kind for kind in month.kinds if kind.state == WAITING), None)
    if kind is None:
        return words.text("closed"), "fine"
    return _named(kind.kind, *_kind_state(month, kind, words), words)


def _named(kind: str, state: str, tone: str, words: Localizer) -> tuple[str, str]:
    return words.text("%(kind)s: %(state)s", kind=kind, state=state), tone


def _kind_line(month: MonthOverview, kind: KindState, words: Localizer) -> KindLine:
    state, tone = _kind_state(month, kind, words)
    if kind.state == WAITING and kind.due is not None:
        state = words.text("not due yet")
    elif kind.state == DUE:
        state = words.text("due, can be booked")
    return KindLine(
        kind=kind.kind,
        what=kind_words(kind.kind, words),
        due="–" if kind.due is None else words.full_day(kind.due),
        state=state,
        tone=tone,
        address="" if kind.run is None else _run_address(month, kind.run),
    )


def _look_words(month: MonthOverview, kind: str, words: Localizer) -> str:
    if any(run.kind == kind for run in month.runs):
        return words.text("See what a newer %(kind)s would change", kind=kind)
    return words.text("See what %(kind)s would change", kind=kind)


def kind_words(kind: str, words: Localizer) -> str:
    """What a kind of run is for."""
    known = {
        "M1": words.text("the month's bill"),
        "R1": words.text("corrections after two months"),
        "R2": words.text("corrections after six months"),
        "RF": words.text("the last run, which closes the month"),
        "X": words.text("after the decision on a dispute"),
    }
    return known.get(kind, kind)


def _kind_state(month: MonthOverview, kind: KindState, words: Localizer) -> tuple[str, str]:
    if kind.run is not None:
        return _run_state(month, kind.run, words)
    if kind.state == SKIPPED:
        return words.text("not made, because a later run exists"), ""
    if kind.due is None:
        return words.text("only after the decision on a dispute"), ""
    if kind.state == DUE:
        return words.text("due since %(day)s", day=words.full_day(kind.due)), "bad"
    return words.text("due on %(day)s", day=words.full_day(kind.due)), ""


def _run_state(month: MonthOverview, run: MonthRun, words: Localizer) -> tuple[str, str]:
    if later := month.in_place_of(run):
        return words.text("older than the books, %(later)s takes its place", later=later.kind), ""
    if run.run_key in month.outdated:
        return words.text("older than the books, to be made again"), "bad"
    if run.state == DRAFT:
        n = words.number(len(run.approvals))
        state = words.text("waiting for approval, %(n)s of %(most)s", n=n, most=words.number(APPROVALS_NEEDED))
    elif run.state == APPROVED:
        state = words.text("approved, not published yet")
    elif run.state == PUBLISHED:
        state = words.text("published on %(moment)s", moment=words.moment(run.published_at or 0))
    else:
        state = words.text("replaced by a newer run")
    return state, "fine" if run.state in _FINE else "bad" if run.state in _CALLING else ""


def _made(month: MonthOverview, run: MonthRun, words: Localizer, *, names: Mapping[str, str]) -> str:
    state, made = _run_state(month, run, words)[0], words.moment(run.made_at)
    if not run.approvals:
        return words.text("booked on %(made)s; %(state)s", made=made, state=state)
    who = words.listed(names.get(member, member) for member, _ in run.approvals)
    return words.text("booked on %(made)s; %(state)s; approved by %(who)s", made=made, state=state, who=who)


def _daily(month: MonthOverview, words: Localizer) -> str:
    settled = words.plural(
        "Settled each night: %(settled)s of %(n)s day.",
        "Settled each night: %(settled)s of %(n)s days.",
        month.days,
        settled=words.number(month.settled),
    )
    if not month.provisional:
        return settled
    gaps = words.plural(
        "%(n)s of them has missing readings.", "%(n)s of them have missing readings.", month.provisional
    )
    return words.sentences(settled, gaps)


def _run_address(month: MonthOverview, run: MonthRun) -> str:
    return f"/board/runs/{month.name}/run/{run.run_key}"


def uncertified_words(homes: Mapping[str, str], words: Localizer) -> str:
    """What the board should know before it bills by meters that are not known to be certified; empty if there are none.

    `homes` are their homes with the class that their agents told.
    """
    if not homes:
        return ""
    named = []
    for home, kind in sorted(homes.items()):
        with_kind = {
            "none": words.text("%(home)s (not certified)", home=home),
            "unknown": words.text("%(home)s (class not known)", home=home),
        }
        named.append(with_kind.get(kind) or words.text("%(home)s (%(kind)s)", home=home, kind=kind))
    return words.text(
        "Billed by a meter that is not known to be certified for billing (MID): %(homes)s. Where others are charged by"
        " it, ask whether the law allows that.",
        homes=words.listed(named),
    )
