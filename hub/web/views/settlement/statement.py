"""A statement as its page shows it: the month, each number by day, and one day with its slots and entries.

Every value comes from the signed statement; sums are recalculated only for display.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hub.core.ledger.objections import ENERGY_LINES, MONEY_LINES
from hub.core.settlement.slot_marks import DERIVED, ESTIMATED, HELD, MARK_WORDS, REJECTED
from hub.core.statements.document import StatementFiles
from hub.core.statements.tables import interval_marks
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import NO_BREAK, Localizer
from hub.web.views.settlement.bills import BillView, bill_views, payment_rows, waiting_lines
from hub.web.views.settlement.month_numbers import (
    COMPARED,
    PROVISIONAL,
    Cents,
    MonthNumbers,
    compared_cents,
    month_numbers,
)
from hub.web.views.settlement.month_words import (
    comparison_words,
    day_energy,
    labels,
    meter_words,
    named_amount,
    owed_words,
    state_words,
    together_words,
)

Document = Mapping[str, Any]

MICRO_PER_UNIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class StatementSum:
    """One of the month's numbers, and what each day adds: (day, address, value). `frozen` says when its freeze ends."""

    name: str
    label: str
    value: str
    days: tuple[tuple[str, str, str], ...]
    frozen: str


@dataclass(frozen=True, slots=True)
class ChangedAmount:
    """A number that differs from the previous statement."""

    label: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class StatementPage:
    """The statement for a month."""

    headline: str
    lede: str
    month_key: str
    state: str
    state_words: str
    energy: tuple[StatementSum, ...]
    money: tuple[StatementSum, ...]
    comparison: tuple[StatementSum, ...]
    comparison_words: str
    changes: tuple[ChangedAmount, ...]
    changed_days: tuple[tuple[str, str], ...]
    has_last: bool
    later: tuple[tuple[str, str], ...]
    missing: str
    frozen: str
    meter: str
    bills: tuple[BillView, ...]
    payment: tuple[tuple[str, str], ...]
    hub_key: str


@dataclass(frozen=True, slots=True)
class StatementDay:
    """One day of a statement: its intervals, rule, run, entries and signed root.

    A sum is (line that a member can object to, or empty; label; value; until when it is frozen, or empty).
    """

    headline: str
    lede: str
    together: str
    month_key: str
    day: str
    sums: tuple[tuple[str, str, str, str], ...]
    table: ChartTable
    rule: tuple[tuple[str, str], ...]
    rule_version: str
    run_kind: str
    run_key: str
    entries: tuple[tuple[int, tuple[tuple[str, str, str], ...]], ...]
    root: str
    root_entries: int
    attested: str


def statement_page(files: StatementFiles, words: Localizer) -> StatementPage:
    """The page of a member's month."""
    statement: Document = files.statement
    frozen = waiting_lines(files.payment, "", words)
    changes: Document | None = statement["changes"]
    numbers = month_numbers(statement, files.payment)
    state = numbers.state
    first = date.fromisoformat(f"{statement['month']}-01")
    benefit = numbers.cents["benefit"]
    changed_days: Iterable[str] = () if changes is None else changes["days"]
    return StatementPage(
        headline=_headline(state, words.month(first), words),
        lede=owed_words(numbers, words),
        month_key=statement["month"],
        state=state,
        state_words=state_words(state, words),
        energy=tuple(_energy_sum(name, numbers, words, frozen) for name in ENERGY_LINES),
        money=tuple(_money_sum(name, numbers, words, frozen) for name in MONEY_LINES),
        comparison=() if benefit is None else tuple(_money_sum(name, numbers, words, {}) for name in COMPARED),
        comparison_words="" if benefit is None else comparison_words(benefit, words),
        changes=tuple(_changes(changes, statement["money"], words)),
        changed_days=tuple((_short(day, words), day_address(statement, day)) for day in changed_days),
        has_last=changes is not None,
        later=tuple((_short(day, words), later_words(why, words)) for day, why in files.later.items()),
        missing=words.sentences(
            _missing(statement, words),
            _unread(numbers, words),
            _marked(statement, words),
            corrected_words(statement, numbers, words),
        ),
        frozen=_frozen(files.payment, words),
        meter=meter_words(str(files.payment.get("meter", "")), words),
        bills=bill_views(statement, words),
        payment=payment_rows(files.payment, words),
        hub_key=files.hub_key,
    )


def _headline(state: str, month: str, words: Localizer) -> str:
    if state == PROVISIONAL:
        return words.text("%(month)s so far", month=month)
    return words.text("Statement of %(month)s", month=month)


def day_address(statement: Document, day: str) -> str:
    """The address of one day of the statement."""
    return f"/credits/statement/{statement['month']}/{day}"


def later_words(why: str, words: Localizer) -> str:
    """What has changed about a day since the statement."""
    known = {
        "new readings": words.text("more readings have arrived"),
        "members changed": words.text("memberships have changed"),
        "a meter was told of late": words.text("a home told late what its grid meter is"),
        "another rule": words.text("another rule is now in force for it"),
        "the board decided": words.text("the board has decided on readings in doubt"),
        "a newer run that is not published yet": words.text(
            "it has been settled again, and the board has not published that run yet"
        ),
        "a correction of fewer than five homes": words.text(
            "readings of a few homes were corrected; the month's run counts the difference as one total"
        ),
    }
    return known.get(why, why)


def _missing(statement: Document, words: Localizer) -> str:
    missing = len(statement["missing_days"])
    if not missing:
        return ""
    return words.plural("%(n)s day is not settled yet.", "%(n)s days are not settled yet.", missing)


def corrected_words(statement: Document, numbers: MonthNumbers, words: Localizer) -> str:
    """What the month's total of corrections changes, if there is one."""
    if numbers.correction is None:
        return ""
    totals = numbers.correction.energy_wh
    return words.plural(
        "Readings of fewer than five homes were corrected on %(n)s day. Showing your part by day would show theirs, so"
        " the day is shown as it was, and the month counts the difference as one total: received %(received)s, given"
        " %(given)s, credits %(amount)s.",
        "Readings of fewer than five homes were corrected on %(n)s days. Showing your part by day would show theirs, so"
        " the days are shown as they were, and the month counts the difference as one total: received %(received)s,"
        " given %(given)s, credits %(amount)s.",
        statement["correction"]["days"],
        received=words.exact_kwh(totals["received"]),
        given=words.exact_kwh(totals["sold"]),
        amount=words.cents(numbers.correction.net_cent),
    )


def _frozen(payment: Document, words: Localizer) -> str:
    if not payment["waiting"]:
        return ""
    moment = words.moment(max(each["until"] for each in payment["waiting"]))
    return words.plural(
        "%(n)s number is on hold until the board decides (due by %(moment)s) and is not part of what is to pay now.",
        "%(n)s numbers are on hold until the board decides (due by %(moment)s) and are not part of what is to pay now.",
        len(payment["waiting"]),
        moment=moment,
    )


def _energy_sum(name: str, numbers: MonthNumbers, words: Localizer, frozen: Mapping[str, str]) -> StatementSum:
    days = tuple((*_day_link(numbers, day.day, words), day_energy(day, name, words)) for day in numbers.days)
    return StatementSum(name, labels(words)[name], words.exact_kwh(numbers.energy_wh[name]), days, frozen.get(name, ""))


def _unread(numbers: MonthNumbers, words: Localizer) -> str:
    """How many quarter hours the month is settled without; empty if none."""
    unread = sum(day.unread_slots for day in numbers.days)
    if not unread:
        return ""
    return words.plural(
        "There was no reading of your home for %(n)s quarter hour when its day was settled; the day counts no energy"
        " for it.",
        "There was no reading of your home for %(n)s quarter hours when their days were settled; the days count no"
        " energy for them.",
        unread,
    )


def _money_sum(name: str, numbers: MonthNumbers, words: Localizer, frozen: Mapping[str, str]) -> StatementSum:
    label, value = named_amount(name, numbers.cents[name], words)
    days = []
    for day in numbers.days:
        day_label, amount = named_amount(name, day.cents[name], words)
        unlike = day_label != label and day.cents[name]
        shown = words.text("%(label)s: %(amount)s", label=day_label, amount=amount) if unlike else amount
        days.append((*_day_link(numbers, day.day, words), shown))
    return StatementSum(name, label, value, tuple(days), frozen.get(name, ""))


def _day_link(numbers: MonthNumbers, day: str, words: Localizer) -> tuple[str, str]:
    return _short(day, words), f"/credits/statement/{numbers.month}/{day}"


def _short(day: str, words: Localizer) -> str:
    return words.short_day(date.fromisoformat(day))


def _changes(changes: Document | None, money: Cents, words: Localizer) -> Iterator[ChangedAmount]:
    """The month's changed numbers: energy, the amounts that are paid, and the comparison."""
    names, changed = labels(words), {} if changes is None else changes["month"]
    for name in (name for name in ENERGY_LINES if name in changed):
        yield ChangedAmount(names[name], *(words.exact_kwh(wh) for wh in changed[name]))
    for name in (name for name in MONEY_LINES if f"{name}_cent" in changed):
        yield ChangedAmount(names[name], *(words.cents(cents) for cents in changed[f"{name}_cent"]))
    nano = {name: changed.get(f"{name}_nano", [money[f"{name}_nano"]] * 2) for name in COMPARED}
    before, now = (compared_cents({name: pair[at] for name, pair in nano.items()}) for at in (0, 1))
    for name in (name for name in COMPARED if before[name] != now[name]):
        (label, was), (label_now, is_now) = (named_amount(name, cents[name], words) for cents in (before, now))
        if label != label_now:
            was = words.text("%(label)s: %(amount)s", label=label, amount=was)
        yield ChangedAmount(label_now, was, is_now)


def statement_day(files: StatementFiles, day_name: str, words: Localizer) -> StatementDay | None:
    """The page of one day of the statement; None if the statement does not have this day."""
    statement: Document = files.statement
    frozen = waiting_lines(files.payment, day_name, words)
    day = next((each for each in statement["days"] if each["day"] == day_name), None)
    if day is None:
        return None
    rule = json.loads(statement["rules"][day["rule"]])
    root, names = day["root"]["document"], labels(words)
    month = month_numbers(statement, files.payment)
    numbers = next(each for each in month.days if each.day == day_name)
    compared = [name for name in COMPARED if numbers.cents[name] is not None]
    return StatementDay(
        headline=words.day(date.fromisoformat(day_name)),
        lede=state_words(month.state, words),
        together=together_words(day, words),
        month_key=str(statement["month"]),
        day=day_name,
        sums=(
            *((n, names[n], day_energy(numbers, n, words), frozen.get(n, "")) for n in ENERGY_LINES),
            *((n, *named_amount(n, numbers.cents[n], words), frozen.get(n, "")) for n in MONEY_LINES),
            *(("", *named_amount(n, numbers.cents[n], words), "") for n in compared),
        ),
        table=_slot_table(day, words),
        rule=tuple(rule_lines(rule, words)),
        rule_version=day["rule"],
        run_kind=day["run"]["kind"],
        run_key=day["run"]["key"],
        entries=tuple((each["place"], _entry_lines(each["entry"], words)) for each in day["entries"]),
        root=root["root"],
        root_entries=root["entries"],
        attested="" if root["attested"] is None else words.number(root["attested"][0]),
    )  # fmt: skip


def _slot_table(day: Document, words: Localizer) -> ChartTable:
    heads = (
        words.text("From"),
        *(words.text("Drawn, Wh"), words.text("from neighbours"), words.text("from the grid")),
        *(words.text("Fed in, Wh"), words.text("to neighbours"), words.text("to the grid")),
        words.text("State"),
    )
    provisional, marked = set(day["provisional"]), interval_marks(day)
    rows = []
    columns = zip(*(day[name] for name in ("surplus", "demand", "received", "sold")), strict=True)
    for i, (surplus, demand, received, sold) in enumerate(columns):
        slot = day["first_slot"] + i * day["step"]
        cells = ["–"] * 6
        if surplus is not None and received is not None:
            energy = (demand, received, demand - received, surplus, sold, surplus - sold)
            cells = [words.number(wh) for wh in energy]
        elif surplus is not None:
            cells = [words.number(demand), "–", "–", words.number(surplus), "–", "–"]
        state = words.text("no reading") if surplus is None else words.text("may change") if slot in provisional else ""
        if slot in marked:
            state = _mark_words(words)[marked[slot]]
        rows.append((words.clock(slot), *cells, state))
    return ChartTable(heads, tuple(rows))


def _mark_words(words: Localizer) -> dict[str, str]:
    return {
        HELD: words.text("on hold until the board decides"),
        REJECTED: words.text("not counted, by the board's decision"),
        ESTIMATED: words.text("estimated"),
        DERIVED: words.text("calculated by the agent"),
    }


def _marked(statement: Document, words: Localizer) -> str:
    """How many intervals have each mark, which means they were not settled as read; empty if none does."""
    found = [mark for day in statement["days"] for mark in interval_marks(day).values()]
    counts = [
        words.text("%(mark)s (%(count)s)", count=words.number(found.count(mark)), mark=_mark_words(words)[mark])
        for mark in MARK_WORDS
        if mark in found
    ]
    return words.text("Quarter hours with a mark: %(counts)s.", counts=words.listed(counts)) if counts else ""


def rule_lines(rule: Document, words: Localizer) -> Iterator[tuple[str, str]]:
    """The method and the prices of a rule, each with its label."""
    yield words.text("Method"), method_words(rule["method"], words)
    prices = {
        "buy": words.text("Paid for energy from neighbours"),
        "sell": words.text("Received for energy given"),
        "retail": words.text("Retail price of grid energy"),
        "feedin": words.text("Feed-in price of the grid"),
    }
    for name, label in prices.items():
        if rule["prices"][name] is not None:
            price = words.number(rule["prices"][name] / MICRO_PER_UNIT, 4)
            yield label, words.text("%(price)s %(currency)s per kWh", price=price, currency=words.currency)


def method_words(method: str, words: Localizer) -> str:
    """How a method shares energy, in a few words."""
    known = {
        "proportional": words.text("in proportion to what each home draws"),
        "equal": words.text("equal amounts, up to what each home draws"),
        "weighted": words.text("by weights, up to what each home draws"),
        "static": words.text("fixed shares of everything given"),
        "static_rounds": words.text("fixed shares in several rounds"),
        "static_then_proportional": words.text("fixed shares, then by what each home still draws"),
        "priority": words.text("one group of homes after the other"),
        "solidarity": words.text("first a part for one group, then the rest in proportion to what each home draws"),
        "pairwise": words.text("agreed shares between pairs of homes"),
    }
    return known.get(method, method)


def _entry_lines(canonical: str, words: Localizer) -> tuple[tuple[str, str, str], ...]:
    entry = json.loads(canonical)
    unit = "Wh" if entry["unit"] == "Wh" else f"10⁻⁹{NO_BREAK}{words.currency}"
    return tuple(
        (line, account, f"{words.number(amount)}{NO_BREAK}{unit}") for line, account, amount in entry["postings"]
    )
