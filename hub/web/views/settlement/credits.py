"""A member's credits from the ledger: the month, its days, and the quarter hours of a day. Only own entries."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hub.core.ledger.entries import read_entry
from hub.core.statements.seals import Seals
from hub.storage.records import EntryRow, RunRow
from hub.web.frame.charts import Chart, ChartAxis, ChartTable, draw_balance
from hub.web.frame.translation import NANO_PER_UNIT, Localizer
from hub.web.views.settlement.own_allocation import OwnSlot, own_slots
from protocols.slots import format_slot


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


def booked_days(
    rows: Sequence[EntryRow], runs: Sequence[RunRow], *, member: str, seals: Seals
) -> tuple[DayBooked, ...]:
    """The member's booked days in order; differences booked by later runs are added to the day they correct."""
    newest = {run.day: run for run in runs}
    sums: dict[str, dict[str, int]] = {}
    keys: dict[str, list[str]] = {}
    energy, money = f"member:{member}:energy", f"member:{member}:money"
    for row in rows:
        day = sums.setdefault(row.day, {})
        if row.run_key not in keys.setdefault(row.day, []):
            keys[row.day].append(row.run_key)
        for posting in read_entry(row.canonical).postings:
            if posting.account in (energy, money):
                name = f"{posting.line} {'Wh' if posting.account == energy else 'nano'}"
                day[name] = day.get(name, 0) + posting.amount
    return tuple(
        DayBooked(
            day=date.fromisoformat(day),
            given_wh=-amounts.get("sold Wh", 0),
            received_wh=amounts.get("received Wh", 0),
            imported_wh=amounts.get("imported Wh", 0),
            exported_wh=-amounts.get("exported Wh", 0),
            earned_nano=amounts.get("sold nano", 0),
            spent_nano=-amounts.get("received nano", 0),
            run_names=tuple(seals.run(run_key) for run_key in keys[day]),
            is_whole=day not in newest or newest[day].state == "complete",
        )
        for day, amounts in sorted(sums.items())
    )


def add_up(days: Sequence[DayBooked]) -> DayBooked | None:
    """The days as one, on the first day; None if there are none."""
    if not days:
        return None
    return DayBooked(
        day=days[0].day,
        given_wh=sum(day.given_wh for day in days),
        received_wh=sum(day.received_wh for day in days),
        imported_wh=sum(day.imported_wh for day in days),
        exported_wh=sum(day.exported_wh for day in days),
        earned_nano=sum(day.earned_nano for day in days),
        spent_nano=sum(day.spent_nano for day in days),
        run_names=(),
        is_whole=True,
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
    month: str
    month_key: str
    before: str
    after: str
    sums: tuple[tuple[str, str], ...]
    picture: Chart | None
    lines: tuple[DayLine, ...]
    gaps: int
    corrected: str


def credits_page(
    days: Sequence[DayBooked], words: Localizer, *, first: date, today: date, correction: DayBooked | None = None
) -> CreditsPage:
    """The page for one month's booked days. The sums of the month include its corrections, which are one total."""
    counted = [*days, *([correction] if correction else [])]
    given, received = sum(day.given_wh for day in counted), sum(day.received_wh for day in counted)
    earned, spent = sum(day.earned_nano for day in counted), sum(day.spent_nano for day in counted)
    month = words.month(first)
    headline = (
        words.text(
            "You gave %(given)s to neighbours and got %(received)s",
            given=words.kwh(given),
            received=words.kwh(received),
        )
        if days
        else words.text("Nothing is settled for %(month)s yet", month=month)
    )
    following = _next_month(first)
    return CreditsPage(
        headline=headline,
        lede=_lede(earned - spent, words, month=month)
        if days
        else words.text("Each day is settled the following night."),
        month=month,
        month_key=f"{first:%Y-%m}",
        before=f"{first - timedelta(days=1):%Y-%m}",
        after=f"{following:%Y-%m}" if following <= today else "",
        sums=(
            (words.text("Earned for what you gave"), words.money(earned)),
            (words.text("Spent on what you got"), words.money(-spent)),
            (words.text("Credits of the month"), words.money(earned - spent)),
            (words.text("Bought from the grid"), words.kwh(sum(day.imported_wh for day in counted))),
            (words.text("Sold to the grid"), words.kwh(sum(day.exported_wh for day in counted))),
        ),
        picture=_picture(days, words, first=first) if days else None,
        lines=tuple(_line(day, words) for day in reversed(days)),
        gaps=sum(1 for day in days if not day.is_whole),
        corrected=words.text(
            "The month's sums include corrections of a few homes' readings as one total: given %(given)s, got"
            " %(received)s, credits %(amount)s.",
            given=words.kwh(correction.given_wh),
            received=words.kwh(correction.received_wh),
            amount=words.money(correction.credit_nano),
        )
        if correction
        else "",
    )


def _lede(credit_nano: int, words: Localizer, *, month: str) -> str:
    amount = words.money(abs(credit_nano))
    if credit_nano >= 0:
        return words.text("For %(month)s, the co-op owes you %(amount)s.", month=month, amount=amount)
    return words.text("For %(month)s, you owe the co-op %(amount)s.", month=month, amount=amount)


def _line(day: DayBooked, words: Localizer) -> DayLine:
    return DayLine(
        address=f"/credits/{day.day.isoformat()}",
        day=words.short_day(day.day),
        given=words.kwh(day.given_wh),
        received=words.kwh(day.received_wh),
        credit=words.money(day.credit_nano),
        is_whole=day.is_whole,
    )


def _picture(days: Sequence[DayBooked], words: Localizer, *, first: date) -> Chart:
    """The running total of the month's credits after each day; future days stay empty."""
    length = (_next_month(first) - first).days
    by_day = {day.day: day.credit_nano for day in days}
    balance, running = [], 0
    for i in range((days[-1].day - first).days + 1):
        running += by_day.get(first + timedelta(days=i), 0)
        balance.append(running / NANO_PER_UNIT)
    sentence = words.text(
        "After %(day)s, the month's credits are %(amount)s.",
        amount=words.money(running),
        day=words.short_day(days[-1].day),
    )
    axis = ChartAxis(
        slots=length,
        ticks=tuple((day - 1, str(day)) for day in (1, 8, 15, 22, 29) if day <= length),
        unit=words.currency,
        write=lambda value: words.number(value, 2 if abs(value) < 1 else 1 if abs(value) < 10 else 0),
    )
    rows = tuple((words.short_day(day.day), words.money(day.credit_nano)) for day in days)
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
    rule: str
    runs: tuple[tuple[str, str, str], ...]


def day_page(booked: DayBooked, runs: Sequence[RunRow], words: Localizer, *, member: str, seals: Seals) -> DayPage:
    """The page of one booked day; its quarter hours come from the newest run's record."""
    newest = runs[-1]
    slots = own_slots(newest.allocation, member)
    open_slots = sum(1 for slot in slots if not slot.is_present)
    return DayPage(
        headline=words.day(booked.day),
        lede=words.text(
            "You gave %(given)s to neighbours and got %(received)s: %(amount)s.",
            given=words.kwh(booked.given_wh),
            received=words.kwh(booked.received_wh),
            amount=words.money(booked.credit_nano),
        ),
        month_key=f"{booked.day:%Y-%m}",
        sums=(
            (words.text("Earned for what you gave"), words.money(booked.earned_nano)),
            (words.text("Spent on what you got"), words.money(-booked.spent_nano)),
        ),
        table=_slot_table(slots, words),
        provisional=words.plural(
            "%(n)s quarter hour has no reading of yours and does not count until one arrives.",
            "%(n)s quarter hours have no readings of yours and do not count until they arrive.",
            open_slots,
        )
        if open_slots
        else "",
        rule=newest.rule_hash,
        runs=tuple((seals.run(run.run_key), words.moment(run.made_at), seals.record(run.result_hash)) for run in runs),
    )


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
        cells = [words.number(amount) if slot.is_present else "–" for amount in amounts]
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
