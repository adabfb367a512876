"""Months and their runs as the board sees them: states, due days, marked days, and sums that name no member."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import groupby

from hub.core.ledger.month_overview import DUE, SKIPPED, WAITING, KindState, MonthOverview
from hub.core.ledger.month_preview import BoardPreview, MarkedDay
from hub.core.ledger.month_runs import APPROVALS_NEEDED, APPROVED, DRAFT, PUBLISHED, SUPERSEDED, MonthRun
from hub.core.ledger.run_calendar import DISPUTE
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.statement import later_words

_FINE = (APPROVED, PUBLISHED)
_CALLING = (DUE, DRAFT)
_NEVER = "never settled"


@dataclass(frozen=True, slots=True)
class MonthLine:
    """A month in the list: what it waits for, and how many of its days are marked."""

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
    """A month's page. `looks` are previews that may be opened: (address, words)."""

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
class RunSums:
    """What a run changes, as sums; `withheld` says why amounts are missing."""

    rows: tuple[tuple[str, str], ...]
    days: tuple[str, ...]
    withheld: str


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
    needs_decision: bool


@dataclass(frozen=True, slots=True)
class BookedRunPage:
    """A run that is made. `action` is approve, publish or nothing; `obstacle` says why the reader has none."""

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
    """The month by what it waits for."""
    state, tone = _month_state(month, words)
    never = sum(mark.why == _NEVER for mark in month.marked)
    late = len(month.marked) - never
    smalls = []
    if late:
        smalls.append(words.count("%(n)s settled day has changed since", "%(n)s settled days have changed since", late))
    if never:
        smalls.append(words.count("%(n)s day is not settled yet", "%(n)s days are not settled yet", never))
    small = ", ".join(smalls)
    return MonthLine(words.month(month.month), f"/board/runs/{month.name}", state, tone, small)


def month_page(month: MonthOverview, words: Localizer, *, names: Mapping[str, str], reader: str) -> RunsMonth:
    """The month with all its kinds of run; what it calls the reader to do stands first."""
    waiting, call = month.in_turn, None
    if waiting is not None:
        action, _ = _action(month, waiting, words, reader=reader)
        says = {
            "approve": words.say("Look at %(kind)s and approve it", kind=waiting.kind),
            "publish": words.say("Look at %(kind)s and publish it", kind=waiting.kind),
        }
        if action in says:
            call = (_run_address(month, waiting), says[action])
    return RunsMonth(
        month=words.month(month.month),
        key=month.name,
        lede=_month_state(month, words)[0],
        daily=_daily(month, words),
        kinds=tuple(_kind_line(month, kind, words) for kind in month.kinds),
        marked=tuple(_spells(month.marked, words)),
        preview_links=tuple(
            (f"/board/runs/{month.name}/preview?kind={kind}", _look_words(month, kind, words))
            for kind in month.bookable
        ),
        call=call,
        runs=tuple(
            (_run_address(month, run), run.kind, _made(run, words, names=names)) for run in reversed(month.runs)
        ),
    )


def preview_page(
    month: MonthOverview, preview: BoardPreview, words: Localizer, *, kind: str, run_key: str
) -> RunPreview:
    """What a run would change. It may be booked where it is not booked already."""
    is_new = run_key not in {run.run_key for run in month.runs}
    if not is_new:
        lede = words.say("This run is made already, and the readings are still the same. There is nothing to book.")
    elif preview.entries:
        lede = words.say("Nothing is booked yet. These are the differences to what is booked.")
    else:
        lede = words.say("No amount would change: the run only confirms what is booked.")
    return RunPreview(
        headline=words.say("What %(kind)s of %(month)s would change", kind=kind, month=words.month(month.month)),
        lede=lede,
        key=month.name,
        month=words.month(month.month),
        kind=kind,
        run_key=run_key,
        sums=_sums(preview, words, is_booked=False),
        is_new=is_new and kind in month.bookable,
        needs_decision=kind == DISPUTE,
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
    """A run that is made, for the board's word on it."""
    state, tone = _run_state(run, words)
    action, obstacle = _action(month, run, words, reader=reader)
    notes = []
    if run.provisional_days:
        days = run.provisional_days
        notes.append(words.count("%(n)s day has missing readings.", "%(n)s days have missing readings.", days))
    if run.decision:
        notes.append(words.say("By the decision: %(decision)s", decision=run.decision))
    return BookedRunPage(
        headline=words.say("%(kind)s of %(month)s", kind=run.kind, month=words.month(month.month)),
        state=state,
        tone=tone,
        key=month.name,
        month=words.month(month.month),
        run_key=run.run_key,
        sums=_sums(booked, words, is_booked=True),
        approvals=tuple((names.get(member, member), words.moment(at)) for member, at in run.approvals),
        notes=tuple(notes),
        hashes=(
            (words.say("run key"), run.run_key),
            (words.say("rules"), run.rules),
            (words.say("readings"), run.inputs),
        ),
        action=action,
        obstacle=obstacle,
    )


def _action(month: MonthOverview, run: MonthRun, words: Localizer, *, reader: str) -> tuple[str, str]:
    """What the reader may do with the run, or why nothing. The desk decides again when it is done."""
    if run.state == SUPERSEDED:
        return "", words.say("A newer run of this kind took its place. Only that one can be approved.")
    if run.state == PUBLISHED:
        return "", ""
    if month.in_turn != run:
        return "", words.say("An earlier run of this month comes first.")
    if run.state == APPROVED:
        return "publish", ""
    if reader in {member for member, _ in run.approvals}:
        return "", words.say("You have approved it. The second approval is another board member's.")
    return "approve", ""


def _sums(preview: BoardPreview, words: Localizer, *, is_booked: bool) -> RunSums:
    count = words.say("Members with an amount") if is_booked else words.say("Members with another amount")
    rows = [(count, words.number(preview.members))]
    withheld = ""
    if preview.shared_wh is None:
        withheld = words.say(
            "Fewer than five members are concerned. Their amounts would tell of single homes, so no sum is shown here;"
            " each of them sees the own one on the statement."
        )
    elif preview.members:
        rows += _amounts(preview, words, is_booked=is_booked)
    days = tuple(words.short_day(date.fromisoformat(day)) for day in preview.days)
    return RunSums(tuple(rows), days, withheld)


def _amounts(preview: BoardPreview, words: Localizer, *, is_booked: bool) -> Iterator[tuple[str, str]]:
    amounts = (
        (words.say("Members receive"), words.say("More to members"), preview.to_members_nano),
        (words.say("Members pay"), words.say("More from members"), preview.from_members_nano),
        (words.say("The co-op keeps"), words.say("More for the co-op"), preview.margin_nano),
        (words.say("Largest amount of one member"), words.say("Largest change for one member"), preview.largest_nano),
    )
    shared = words.say("Shared among neighbours") if is_booked else words.say("More shared among neighbours")
    yield shared, words.kwh(preview.shared_wh or 0)
    for booked, more, nano in amounts:
        yield booked if is_booked else more, words.money(nano or 0)


def _spells(marked: Sequence[MarkedDay], words: Localizer) -> Iterator[tuple[str, str]]:
    """Neighbouring days that are marked for the same reason as one line."""
    for (why, _), group in groupby(enumerate(marked), key=lambda at: (at[1].why, at[1].day.toordinal() - at[0])):
        days = [mark.day for _, mark in group]
        named = words.short_day(days[0])
        if len(days) > 1:
            named = words.say("%(first)s to %(last)s", first=named, last=words.short_day(days[-1]))
        yield named, _why(why, words)


def _why(why: str, words: Localizer) -> str:
    return words.say("not settled yet") if why == _NEVER else later_words(why, words)


def _month_state(month: MonthOverview, words: Localizer) -> tuple[str, str]:
    """What the month waits for: the board's word first, then a run that may be booked, then the calendar."""
    if month.in_turn is not None:
        return _named(month.in_turn.kind, *_run_state(month.in_turn, words), words)
    kind = next((kind for kind in month.kinds if kind.state == DUE), None)
    kind = kind or next((kind for kind in month.kinds if kind.state == WAITING), None)
    if kind is None:
        return words.say("closed"), "fine"
    return _named(kind.kind, *_kind_state(kind, words), words)


def _named(kind: str, state: str, tone: str, words: Localizer) -> tuple[str, str]:
    return words.say("%(kind)s %(state)s", kind=kind, state=state), tone


def _kind_line(month: MonthOverview, kind: KindState, words: Localizer) -> KindLine:
    state, tone = _kind_state(kind, words)
    if kind.state == WAITING and kind.due is not None:
        state = words.say("not due yet")
    elif kind.state == DUE:
        state = words.say("due, may be booked")
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
        return words.say("See what a newer %(kind)s would change", kind=kind)
    return words.say("See what %(kind)s would change", kind=kind)


def kind_words(kind: str, words: Localizer) -> str:
    """What a kind of run is for."""
    known = {
        "M1": words.say("the month's bill"),
        "R1": words.say("corrections after two months"),
        "R2": words.say("corrections after six months"),
        "RF": words.say("the last one, closes the month"),
        "X": words.say("by the decision of a dispute"),
    }
    return known.get(kind, kind)


def _kind_state(kind: KindState, words: Localizer) -> tuple[str, str]:
    if kind.run is not None:
        return _run_state(kind.run, words)
    if kind.state == SKIPPED:
        return words.say("not made: a later one is"), ""
    if kind.due is None:
        return words.say("only where a dispute is decided"), ""
    if kind.state == DUE:
        return words.say("due since %(day)s", day=words.full_day(kind.due)), "bad"
    return words.say("due on %(day)s", day=words.full_day(kind.due)), ""


def _run_state(run: MonthRun, words: Localizer) -> tuple[str, str]:
    if run.state == DRAFT:
        n = words.number(len(run.approvals))
        say = words.say("waits for approval, %(n)s of %(most)s", n=n, most=words.number(APPROVALS_NEEDED))
    elif run.state == APPROVED:
        say = words.say("approved, not published yet")
    elif run.state == PUBLISHED:
        say = words.say("published on %(moment)s", moment=words.moment(run.published_at or 0))
    else:
        say = words.say("replaced by a newer one")
    return say, "fine" if run.state in _FINE else "bad" if run.state in _CALLING else ""


def _made(run: MonthRun, words: Localizer, *, names: Mapping[str, str]) -> str:
    who = ", ".join(names.get(member, member) for member, _ in run.approvals) or words.say("nobody yet")
    state = _run_state(run, words)[0]
    return words.say(
        "made %(made)s, %(state)s; approved by %(who)s", made=words.moment(run.made_at), state=state, who=who
    )


def _daily(month: MonthOverview, words: Localizer) -> str:
    settled = words.say(
        "Settled night by night: %(settled)s of %(days)s days.",
        settled=words.number(month.settled),
        days=words.number(month.days),
    )
    if not month.provisional:
        return settled
    gaps = words.count("%(n)s of them has missing readings.", "%(n)s of them have missing readings.", month.provisional)
    return f"{settled} {gaps}"


def _run_address(month: MonthOverview, run: MonthRun) -> str:
    return f"/board/runs/{month.name}/run/{run.run_key}"


def month_run_json(run: MonthRun) -> dict[str, object]:
    """One run of a month for programs."""
    return asdict(run) | {"state": run.state, "days": [list(day) for day in run.days]}


def month_json(month: MonthOverview) -> dict[str, object]:
    """One month for programs."""
    return {
        "month": month.name,
        "is_over": month.is_over,
        "days": month.days,
        "settled_days": month.settled,
        "provisional_days": month.provisional,
        "kinds": [
            {
                "kind": kind.kind,
                "due": None if kind.due is None else kind.due.isoformat(),
                "state": kind.state,
                "run_key": None if kind.run is None else kind.run.run_key,
            }
            for kind in month.kinds
        ],
        "bookable": list(month.bookable),
        "marked_days": [{"day": mark.day.isoformat(), "why": mark.why} for mark in month.marked],
        "runs": [month_run_json(run) for run in month.runs],
    }


def preview_json(preview: BoardPreview) -> dict[str, object]:
    """What a run changes, for programs."""
    return asdict(preview) | {"days": list(preview.days)}
