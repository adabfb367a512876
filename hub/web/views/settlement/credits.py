"""A member's credits: the month, its days, and the quarter hours of a day, all with the numbers of the statement."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from hub.core.statements.document import StatementFiles
from hub.core.statements.seals import Seals
from hub.storage.records import RunRow
from hub.web.frame.charts import Chart, ChartAxis, ChartTable, draw_balance
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.month_numbers import DayNumbers, MonthNumbers, month_numbers
from hub.web.views.settlement.month_words import day_energy, owed_words, state_words, together_words
from hub.web.views.settlement.own_slots import OwnSlot, own_slots
from protocols.slots import format_slot

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DayBooked:
    """What is booked for a member on one local day. `credit_nano` is positive if the co-op owes the member."""

    day: date
    given_wh: int
    received_wh: int
    imported_wh: int
    exported_wh: int
    earned_nano: int
    spent_nano: int
    run_names: tuple[str, ...]
    is_whole: bool

    @property
    def credit_nano(self) -> int:
        return self.earned_nano - self.spent_nano


def month_of(text: str | None, *, today: date) -> date:
    """The first day of the requested month ('YYYY-MM'); anything else gives the current month."""
    try:
        return date.fromisoformat(f"{text}-01") if text and len(text) == len("2026-06") else today.replace(day=1)
    except ValueError:
        return today.replace(day=1)


def month_days(first: date) -> tuple[str, str]:
    """First and last day of the month, as the store expects them."""
    return first.isoformat(), (_next_month(first) - timedelta(days=1)).isoformat()


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def stated_days(statement: Document) -> tuple[DayBooked, ...]:
    """The days of the member's statement on which something is booked for the member, in order."""
    return tuple(_booked(day, date.fromisoformat(day["day"])) for day in statement["days"] if day["entries"])


def stated_correction(statement: Document) -> DayBooked | None:
    """The corrections that the statement tells as one total of the month, on its first day; None if there are none."""
    correction = statement.get("correction")
    return None if correction is None else _booked(correction, date.fromisoformat(f"{statement['month']}-01"))


def stated_run(statement: Document, day: date) -> str:
    """The name of the run that the statement's day rests on."""
    return next(str(each["run"]["key"]) for each in statement["days"] if each["day"] == day.isoformat())


def _booked(part: Document, day: date) -> DayBooked:
    totals, money, entries = part["totals"], part["money"], part.get("entries", ())
    runs = [json.loads(each["entry"])["run"] for each in entries]
    return DayBooked(
        day=day,
        given_wh=totals["sold"],
        received_wh=totals["received"],
        imported_wh=totals["imported"],
        exported_wh=totals["exported"],
        earned_nano=money["credit_nano"],
        spent_nano=money["debit_nano"],
        run_names=tuple(dict.fromkeys(runs)),
        is_whole="run" not in part or part["run"]["state"] == "complete",
    )


@dataclass(frozen=True, slots=True)
class DayLine:
    address: str
    day: str
    given: str
    received: str
    credit: str
    is_whole: bool


@dataclass(frozen=True, slots=True)
class CreditsPage:
    """The month. `sums` are (label, value) pairs."""

    headline: str
    lede: str
    state_words: str
    month: str
    month_key: str
    before: str
    after: str
    sums: tuple[tuple[str, str], ...]
    picture: Chart | None
    lines: tuple[DayLine, ...]
    gaps: int
    corrected: str


def empty_page(words: Localizer, *, first: date, today: date) -> CreditsPage:
    """The page of a month in which nothing is settled for the member."""
    headline = words.text("Nothing is settled for %(month)s yet", month=words.month(first))
    return _page(headline, words.text("Each day is settled the following night."), words, first=first, today=today)


def credits_page(files: StatementFiles, words: Localizer, *, first: date, today: date) -> CreditsPage:
    """The page of the month that the statement is about, with the statement's own numbers."""
    numbers = month_numbers(files.statement, files.payment)
    whole = {day.day.isoformat(): day.is_whole for day in stated_days(files.statement)}
    days = [day for day in numbers.days if day.day in whole]
    energy = numbers.energy_wh
    headline = words.text(
        "You gave %(given)s to neighbours and got %(received)s",
        given=words.kwh(energy["sold"]),
        received=words.kwh(energy["received"]),
    )
    page = _page(headline, owed_words(numbers, words), words, first=first, today=today)
    return replace(
        page,
        state_words=state_words(numbers.state, words),
        sums=tuple(_sums(numbers, words)),
        picture=_picture(days, words, first=first) if days else None,
        lines=tuple(_line(day, words, is_whole=whole[day.day]) for day in reversed(days)),
        gaps=sum(not is_whole for is_whole in whole.values()),
        corrected=_corrected(numbers.correction, words),
    )


def _page(headline: str, lede: str, words: Localizer, *, first: date, today: date) -> CreditsPage:
    following = _next_month(first)
    return CreditsPage(
        headline=headline,
        lede=lede,
        state_words="",
        month=words.month(first),
        month_key=f"{first:%Y-%m}",
        before=f"{first - timedelta(days=1):%Y-%m}",
        after=f"{following:%Y-%m}" if following <= today else "",
        sums=(),
        picture=None,
        lines=(),
        gaps=0,
        corrected="",
    )


def _sums(numbers: MonthNumbers, words: Localizer) -> Iterator[tuple[str, str]]:
    """The month's amounts, each added to the one before, down to what is to pay or to receive, then the grid's part."""
    yield words.text("Earned for what you gave"), words.cents(numbers.cents["credit"] or 0)
    yield words.text("Spent on what you got"), words.cents(-(numbers.cents["debit"] or 0))
    if numbers.fee_cent:
        yield words.text("Membership fee"), words.cents(-numbers.fee_cent)
    if numbers.tax_cent:
        yield words.text("Taxes"), words.cents(numbers.tax_cent)
    total, now = numbers.balance_cent, numbers.now_cent
    receive, pay = words.text("To receive for the month"), words.text("To pay for the month")
    yield receive if total >= 0 else pay, words.cents(abs(total))
    if now is not None and (now != total or numbers.waiting_cent):
        yield words.text("To receive now") if now >= 0 else words.text("To pay now"), words.cents(abs(now))
    yield words.text("Bought from the grid"), words.exact_kwh(numbers.energy_wh["imported"])
    yield words.text("Sold to the grid"), words.exact_kwh(numbers.energy_wh["exported"])


def _corrected(correction: DayNumbers | None, words: Localizer) -> str:
    if correction is None:
        return ""
    return words.text(
        "The month's sums include corrections of a few homes' readings as one total: given %(given)s, got"
        " %(received)s, credits %(amount)s.",
        given=words.exact_kwh(correction.energy_wh["sold"]),
        received=words.exact_kwh(correction.energy_wh["received"]),
        amount=words.cents(correction.net_cent),
    )


def _line(day: DayNumbers, words: Localizer, *, is_whole: bool) -> DayLine:
    return DayLine(
        address=f"/credits/{day.day}",
        day=words.short_day(date.fromisoformat(day.day)),
        given=day_energy(day, "sold", words),
        received=day_energy(day, "received", words),
        credit=words.cents(day.net_cent),
        is_whole=is_whole,
    )


def _picture(days: Sequence[DayNumbers], words: Localizer, *, first: date) -> Chart:
    """The running total of the month's credits after each day; future days stay empty."""
    length = (_next_month(first) - first).days
    by_day = {date.fromisoformat(day.day): day.net_cent for day in days}
    balance, running = [], 0
    for i in range((max(by_day) - first).days + 1):
        running += by_day.get(first + timedelta(days=i), 0)
        balance.append(running / 100)
    sentence = words.text(
        "After %(day)s, the month's credits are %(amount)s.",
        amount=words.cents(running),
        day=words.short_day(max(by_day)),
    )
    axis = ChartAxis(
        slots=length,
        ticks=tuple((day - 1, str(day)) for day in (1, 8, 15, 22, 29) if day <= length),
        unit=words.currency,
        write=lambda value: words.number(value, 2 if abs(value) < 1 else 1 if abs(value) < 10 else 0),
    )
    rows = tuple((words.short_day(day), words.cents(cents)) for day, cents in by_day.items())
    table = ChartTable((words.text("Day"), words.text("Credits")), rows)
    title = words.text("Credits in %(month)s, running total", month=words.month(first))
    return draw_balance("balance", title, axis=axis, balance=balance, sentence=sentence, table=table)


@dataclass(frozen=True, slots=True)
class DayPage:
    """One settled day: its quarter hours, its rule and its runs."""

    headline: str
    lede: str
    month_key: str
    sums: tuple[tuple[str, str], ...]
    table: ChartTable
    provisional: str
    together: str
    rule: str
    runs: tuple[tuple[str, str, str], ...]


def day_page(
    files: StatementFiles, booked: DayBooked, runs: Sequence[RunRow], words: Localizer, *, seals: Seals
) -> DayPage:
    """The page of one day of the statement, with its quarter hours and its runs up to the statement's."""
    numbers = month_numbers(files.statement, files.payment)
    day = next(each for each in numbers.days if each.day == booked.day.isoformat())
    newest = runs[-1]
    stated = stated_day(files, booked.day)
    slots = own_slots(stated)
    open_slots = sum(1 for slot in slots if not slot.is_present)
    return DayPage(
        headline=words.day(booked.day),
        lede=words.text(
            "You gave %(given)s to neighbours and got %(received)s: %(amount)s.",
            given=words.exact_kwh(booked.given_wh),
            received=words.exact_kwh(booked.received_wh),
            amount=words.cents(day.net_cent),
        ),
        month_key=f"{booked.day:%Y-%m}",
        sums=(
            (words.text("Earned for what you gave"), words.cents(day.cents["credit"] or 0)),
            (words.text("Spent on what you got"), words.cents(-(day.cents["debit"] or 0))),
        ),
        table=_slot_table(slots, words),
        provisional=words.plural(
            "%(n)s quarter hour has no reading of yours and does not count until one arrives.",
            "%(n)s quarter hours have no readings of yours and do not count until they arrive.",
            open_slots,
        )
        if open_slots
        else "",
        together=together_words(stated, words),
        rule=newest.rule_hash,
        runs=tuple((seals.run(run.run_key), words.moment(run.made_at), seals.record(run.result_hash)) for run in runs),
    )


def stated_day(files: StatementFiles, day: date) -> Document:
    """One day as the statement has it; the statement has to have it."""
    statement: Document = files.statement
    return next(each for each in statement["days"] if each["day"] == day.isoformat())


def _slot_table(slots: Sequence[OwnSlot], words: Localizer) -> ChartTable:
    heads = (
        words.text("From"),
        words.text("Fed in, Wh"),
        words.text("given, Wh"),
        words.text("Drawn, Wh"),
        words.text("got, Wh"),
        words.text("State"),
    )
    rows = []
    for slot in slots:
        amounts = (slot.surplus_wh, slot.given_wh, slot.demand_wh, slot.received_wh)
        cells = [words.number(amount) if slot.is_present and amount is not None else "–" for amount in amounts]
        rows.append((words.clock(slot.slot), *cells, words.text("may change") if slot.is_provisional else ""))
    return ChartTable(heads, tuple(rows))


def slots_json(slots: Sequence[OwnSlot]) -> list[dict[str, object]]:
    """The quarter hours of one day for programs."""
    return [
        {
            "slot": slot.slot,
            "at": format_slot(slot.slot),
            "present": slot.is_present,
            "provisional": slot.is_provisional,
            "surplus_wh": slot.surplus_wh,
            "demand_wh": slot.demand_wh,
            "received_wh": slot.received_wh,
            "given_wh": slot.given_wh,
        }
        for slot in slots
    ]


def together_json(slots: Sequence[OwnSlot], day: DayBooked) -> dict[str, int] | None:
    """What the quarter hours add to the day whose shares are not told one by one; None if all are."""
    if all(slot.received_wh is not None for slot in slots):
        return None
    received = sum(slot.received_wh or 0 for slot in slots)
    given = sum(slot.given_wh or 0 for slot in slots)
    return {"received_wh": day.received_wh - received, "given_wh": day.given_wh - given}


def day_json(day: DayBooked) -> dict[str, object]:
    """One booked day for programs, in exact integers."""
    return {
        "day": day.day.isoformat(),
        "given_wh": day.given_wh,
        "received_wh": day.received_wh,
        "imported_wh": day.imported_wh,
        "exported_wh": day.exported_wh,
        "earned_nano": day.earned_nano,
        "spent_nano": day.spent_nano,
        "credit_nano": day.credit_nano,
        "complete": day.is_whole,
        "runs": list(day.run_names),
    }


def correction_json(correction: DayBooked | None) -> dict[str, object] | None:
    """The month's corrections for programs: one total, without days or runs."""
    if correction is None:
        return None
    return {name: value for name, value in day_json(correction).items() if name not in ("day", "complete", "runs")}


def days_csv(days: Sequence[DayBooked]) -> str:
    """The same days as CSV with a header line."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = ("day", "given_wh", "received_wh", "imported_wh", "exported_wh", "earned_nano", "spent_nano")
    writer.writerow((*names, "credit_nano", "complete", "runs"))
    for day in days:
        fields = day_json(day)
        complete = "yes" if day.is_whole else "no"
        writer.writerow((*(fields[name] for name in names), day.credit_nano, complete, " ".join(day.run_names)))
    return text.getvalue()
