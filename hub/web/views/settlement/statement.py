"""A statement as its page shows it: the month, each number by day, and one day with its slots and entries.

Every value comes from the signed statement; sums are recalculated only for display.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hub.core.ledger.objections import ENERGY_LINES, MONEY_LINES
from hub.core.settlement.money import CENT_NANO
from hub.core.settlement.slot_marks import ESTIMATED, HELD, MARK_WORDS, REJECTED
from hub.core.statements.document import StatementFiles
from hub.core.statements.tables import interval_marks
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import NO_BREAK, Localizer
from hub.web.views.settlement.bills import BillView, balance_cent, bill_views, payment_rows, waiting_lines

Document = Mapping[str, Any]

MICRO_PER_UNIT: Final = 1_000_000
COMPARED: Final = ("alone", "cost", "benefit")


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


def labels(words: Localizer) -> dict[str, str]:
    """The label of every number in a statement."""
    return {
        "demand": words.text("Drawn at your connection"),
        "received": words.text("Received from neighbours"),
        "imported": words.text("Bought from the grid"),
        "surplus": words.text("Fed in at your connection"),
        "sold": words.text("Given to neighbours"),
        "exported": words.text("Sold to the grid"),
        "debit": words.text("To pay for energy from neighbours"),
        "credit": words.text("To receive for energy given to neighbours"),
        "alone": words.text("Cost without sharing"),
        "cost": words.text("Cost with sharing"),
        "benefit": words.text("Gained by sharing"),
    }


def statement_page(files: StatementFiles, words: Localizer) -> StatementPage:
    """The page of a member's month."""
    statement: Document = files.statement
    frozen = waiting_lines(files.payment, "", words)
    changes: Document | None = statement["changes"]
    money, state = statement["money"], state_of(statement)
    first = date.fromisoformat(f"{statement['month']}-01")
    is_compared = money["benefit_nano"] is not None
    changed_days: Iterable[str] = () if changes is None else changes["days"]
    return StatementPage(
        headline=_headline(state, words.month(first), words),
        lede=_lede(balance_cent(statement), words, is_billed=state != "provisional"),
        month_key=statement["month"],
        state=state,
        state_words=_state_words(state, words),
        energy=tuple(_energy_sum(name, statement, words, frozen) for name in ENERGY_LINES),
        money=tuple(_money_sum(name, statement, words, frozen) for name in MONEY_LINES),
        comparison=tuple(_money_sum(name, statement, words, {}) for name in COMPARED if is_compared),
        comparison_words=_comparison(money["benefit_nano"], words) if is_compared else "",
        changes=tuple(_changes(changes, words)),
        changed_days=tuple((_short(day, words), day_address(statement, day)) for day in changed_days),
        has_last=changes is not None,
        later=tuple((_short(day, words), later_words(why, words)) for day, why in files.later.items()),
        missing=words.sentences(
            _missing(statement, words), _marked(statement, words), corrected_words(statement.get("correction"), words)
        ),
        frozen=_frozen(files.payment, words),
        bills=bill_views(statement, words),
        payment=payment_rows(files.payment, words),
        hub_key=files.hub_key,
    )


def _headline(state: str, month: str, words: Localizer) -> str:
    if state == "provisional":
        return words.text("%(month)s so far", month=month)
    return words.text("Statement of %(month)s", month=month)


def state_of(statement: Document) -> str:
    """Provisional, billed or final."""
    return "final" if statement["state"] == "final" else "billed" if statement["billed"] else "provisional"


def day_address(statement: Document, day: str) -> str:
    """The address of one day of the statement."""
    return f"/credits/statement/{statement['month']}/{day}"


def _state_words(state: str, words: Localizer) -> str:
    return {
        "provisional": words.text("Provisional: this is not a bill, and it may still change."),
        "billed": words.text("Billed: later readings can still lead to a correction in a later statement."),
        "final": words.text("Final: only the decision on a dispute can still change it."),
    }[state]


def later_words(why: str, words: Localizer) -> str:
    """What has changed about a day since the statement."""
    known = {
        "new readings": words.text("more readings have arrived"),
        "members changed": words.text("memberships have changed"),
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


def _lede(balance_cent: int, words: Localizer, *, is_billed: bool) -> str:
    amount = words.money(abs(balance_cent) * CENT_NANO)
    if not is_billed:
        if balance_cent >= 0:
            return words.text("So far the co-op owes you %(amount)s.", amount=amount)
        return words.text("So far you owe the co-op %(amount)s.", amount=amount)
    if balance_cent >= 0:
        return words.text("The co-op owes you %(amount)s for this month.", amount=amount)
    return words.text("You owe the co-op %(amount)s for this month.", amount=amount)


def _comparison(benefit_nano: int, words: Localizer) -> str:
    amount = words.money(abs(benefit_nano))
    if benefit_nano >= 0:
        return words.text("With sharing you are %(amount)s better off than without it.", amount=amount)
    return words.text("Without sharing you would have been %(amount)s better off.", amount=amount)


def _missing(statement: Document, words: Localizer) -> str:
    missing = len(statement["missing_days"])
    if not missing:
        return ""
    return words.plural("%(n)s day is not settled yet.", "%(n)s days are not settled yet.", missing)


def corrected_words(correction: Document | None, words: Localizer) -> str:
    """What the month's total of corrections changes, if there is one."""
    if correction is None:
        return ""
    totals, money = correction["totals"], correction["money"]
    return words.plural(
        "Readings of fewer than five homes were corrected on %(n)s day. Showing your part by day would show theirs, so"
        " the day is shown as it was, and the month counts the difference as one total: received %(received)s, given"
        " %(given)s, credits %(amount)s.",
        "Readings of fewer than five homes were corrected on %(n)s days. Showing your part by day would show theirs, so"
        " the days are shown as they were, and the month counts the difference as one total: received %(received)s,"
        " given %(given)s, credits %(amount)s.",
        correction["days"],
        received=words.kwh(totals["received"]),
        given=words.kwh(totals["sold"]),
        amount=words.money(money["credit_nano"] - money["debit_nano"]),
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


def _energy_sum(name: str, statement: Document, words: Localizer, frozen: Mapping[str, str]) -> StatementSum:
    days = tuple((*_day_link(statement, day, words), words.kwh(day["totals"][name])) for day in statement["days"])
    return StatementSum(name, labels(words)[name], words.kwh(statement["totals"][name]), days, frozen.get(name, ""))


def _money_sum(name: str, statement: Document, words: Localizer, frozen: Mapping[str, str]) -> StatementSum:
    money, cent = statement["money"], f"{name}_cent"
    nano = money[cent] * CENT_NANO if cent in money else money[f"{name}_nano"]
    days = tuple(
        (*_day_link(statement, day, words), words.money(day["money"][f"{name}_nano"])) for day in statement["days"]
    )
    return StatementSum(name, labels(words)[name], words.money(nano), days, frozen.get(name, ""))


def _day_link(statement: Document, day: Document, words: Localizer) -> tuple[str, str]:
    return _short(day["day"], words), day_address(statement, day["day"])


def _short(day: str, words: Localizer) -> str:
    return words.short_day(date.fromisoformat(day))


def _changes(changes: Document | None, words: Localizer) -> Iterator[ChangedAmount]:
    """The month's changed numbers: energy, the amounts that are paid, and the comparison."""
    order = list(labels(words))
    changed = [(*_base_and_unit(name), pair) for name, pair in (changes or {"month": {}})["month"].items()]
    for base, unit, (before, now) in sorted(changed, key=lambda each: order.index(each[0])):
        if not unit:
            yield ChangedAmount(labels(words)[base], words.kwh(before), words.kwh(now))
        elif unit == "cent" or (unit == "nano" and base in COMPARED):
            scale = CENT_NANO if unit == "cent" else 1
            yield ChangedAmount(labels(words)[base], *(_amount(amount, scale, words) for amount in (before, now)))


def _base_and_unit(name: str) -> tuple[str, str]:
    base, _, unit = name.rpartition("_")
    return (base, unit) if base else (name, "")


def _amount(amount: int | None, scale: int, words: Localizer) -> str:
    return "–" if amount is None else words.money(amount * scale)


def statement_day(files: StatementFiles, day_name: str, words: Localizer) -> StatementDay | None:
    """The page of one day of the statement; None if the statement does not have this day."""
    statement: Document = files.statement
    frozen = waiting_lines(files.payment, day_name, words)
    day = next((each for each in statement["days"] if each["day"] == day_name), None)
    if day is None:
        return None
    rule = json.loads(statement["rules"][day["rule"]])
    root, money = day["root"]["document"], day["money"]
    names = labels(words)
    compared = [name for name in COMPARED if money[f"{name}_nano"] is not None]
    return StatementDay(
        headline=words.day(date.fromisoformat(day_name)),
        lede=_state_words(state_of(statement), words),
        month_key=str(statement["month"]),
        day=day_name,
        sums=(
            *((n, names[n], words.kwh(day["totals"][n]), frozen.get(n, "")) for n in ENERGY_LINES),
            *((n, names[n], words.money(money[f"{n}_nano"]), frozen.get(n, "")) for n in MONEY_LINES),
            *(("", names[n], words.money(money[f"{n}_nano"]), "") for n in compared),
        ),
        table=_slot_table(day, words),
        rule=tuple(_rule_lines(rule, words)),
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
        if surplus is not None:
            energy = (demand, received, demand - received, surplus, sold, surplus - sold)
            cells = [words.number(wh) for wh in energy]
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


def _rule_lines(rule: Document, words: Localizer) -> Iterator[tuple[str, str]]:
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
