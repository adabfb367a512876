"""A statement as its page shows it: the month, each number opened into its days, and one day down to slots and entries.

Every value comes from the signed statement itself; nothing is added up anew but for reading.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hub.core.ledger.objections import ENERGY_LINES, MONEY_LINES
from hub.core.settlement.money import CENT_NANO
from hub.core.settlement.slot_marks import ESTIMATED, HELD, MARK_WORDS, REJECTED
from hub.core.statements.document import StatementFiles, interval_marks
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import NO_BREAK, Localizer
from hub.web.views.settlement.bills import BillView, balance_cent, bill_views, payment_rows, waiting_lines

Document = Mapping[str, Any]

MICRO_PER_UNIT: Final = 1_000_000
COMPARED: Final = ("alone", "cost", "benefit")


@dataclass(frozen=True, slots=True)
class StatementSum:
    """One number of the month, and what each day adds to it: (day, address, value). `frozen` says until when."""

    name: str
    label: str
    value: str
    days: tuple[tuple[str, str, str], ...]
    frozen: str


@dataclass(frozen=True, slots=True)
class ChangedAmount:
    """A number that is not what the statement before said."""

    label: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class StatementPage:
    """The month's statement."""

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

    A sum is (line one may object to, or empty; words; value; until when it is frozen, or empty).
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
    """What every number of a statement is called."""
    return {
        "demand": words.say("Drawn at your connection"),
        "received": words.say("Received from neighbours"),
        "imported": words.say("Bought from the grid"),
        "surplus": words.say("Fed in at your connection"),
        "sold": words.say("Given to neighbours"),
        "exported": words.say("Sold to the grid"),
        "debit": words.say("To pay for energy from neighbours"),
        "credit": words.say("To receive for energy given to neighbours"),
        "alone": words.say("Cost standing alone"),
        "cost": words.say("Cost with neighbours"),
        "benefit": words.say("Gained by sharing"),
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
        missing=" ".join(filter(None, (_missing(statement, words), _marked(statement, words)))),
        frozen=_frozen(files.payment, words),
        bills=bill_views(statement, words),
        payment=payment_rows(files.payment, words),
        hub_key=files.hub_key,
    )


def _headline(state: str, month: str, words: Localizer) -> str:
    if state == "provisional":
        return words.say("%(month)s so far", month=month)
    return words.say("Statement of %(month)s", month=month)


def state_of(statement: Document) -> str:
    """provisional, billed or final."""
    return "final" if statement["state"] == "final" else "billed" if statement["billed"] else "provisional"


def day_address(statement: Document, day: str) -> str:
    """Where a day of the statement is opened."""
    return f"/credits/statement/{statement['month']}/{day}"


def _state_words(state: str, words: Localizer) -> str:
    return {
        "provisional": words.say("So far, and not a bill: it is provisional and may still change."),
        "billed": words.say("Billed: later readings can still correct it, as a difference in a later statement."),
        "final": words.say("Final: only the decision of a dispute can still change it."),
    }[state]


def later_words(why: str, words: Localizer) -> str:
    """Why a day has something newer than the statement."""
    known = {
        "new readings": words.say("readings have arrived since"),
        "members changed": words.say("memberships have changed since"),
        "another rule": words.say("another rule is in force for it since"),
        "the board decided": words.say("the board has decided on readings in doubt since"),
        "a newer run that is not published yet": words.say("it is settled anew, and the board has not published that"),
    }
    return known.get(why, why)


def _lede(balance_cent: int, words: Localizer, *, is_billed: bool) -> str:
    amount = words.money(abs(balance_cent) * CENT_NANO)
    if not is_billed:
        if balance_cent >= 0:
            return words.say("So far it comes to %(amount)s that the co-op owes you.", amount=amount)
        return words.say("So far it comes to %(amount)s that you owe the co-op.", amount=amount)
    if balance_cent >= 0:
        return words.say("The co-op owes you %(amount)s for this month.", amount=amount)
    return words.say("You owe the co-op %(amount)s for this month.", amount=amount)


def _comparison(benefit_nano: int, words: Localizer) -> str:
    amount = words.money(abs(benefit_nano))
    if benefit_nano >= 0:
        return words.say("Sharing made you %(amount)s better off than standing alone.", amount=amount)
    return words.say("Standing alone you would have been %(amount)s better off.", amount=amount)


def _missing(statement: Document, words: Localizer) -> str:
    missing = len(statement["missing_days"])
    if not missing:
        return ""
    return words.count("%(n)s day is not settled yet.", "%(n)s days are not settled yet.", missing)


def _frozen(payment: Document, words: Localizer) -> str:
    if not payment["waiting"]:
        return ""
    moment = words.moment(max(each["until"] for each in payment["waiting"]))
    return words.count(
        "%(n)s number is waiting for the board's decision until %(moment)s, and is left out of what is to pay now.",
        "%(n)s numbers are waiting for the board's decision until %(moment)s, and are left out of what is to pay now.",
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
    """The month's changed numbers; of the amounts of money those that are paid, and the comparison."""
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
    """The page of one day of the statement; None where the statement has no such day."""
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
        words.say("From"),
        *(words.say("Drawn, Wh"), words.say("from neighbours"), words.say("from the grid")),
        *(words.say("Fed in, Wh"), words.say("to neighbours"), words.say("to the grid")),
        words.say("State"),
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
        state = words.say("no reading") if surplus is None else words.say("may change") if slot in provisional else ""
        if slot in marked:
            state = _mark_words(words)[marked[slot]]
        rows.append((words.clock(slot), *cells, state))
    return ChartTable(heads, tuple(rows))


def _mark_words(words: Localizer) -> dict[str, str]:
    return {
        HELD: words.say("held until the board decides"),
        REJECTED: words.say("not counted, the board decided"),
        ESTIMATED: words.say("estimated"),
    }


def _marked(statement: Document, words: Localizer) -> str:
    """How many intervals of the month are not settled as they were read; empty where all are."""
    found = [mark for day in statement["days"] for mark in interval_marks(day).values()]
    counts = [f"{words.number(found.count(mark))} {_mark_words(words)[mark]}" for mark in MARK_WORDS if mark in found]
    return words.say("Quarter hours with a mark: %(counts)s.", counts=", ".join(counts)) if counts else ""


def _rule_lines(rule: Document, words: Localizer) -> Iterator[tuple[str, str]]:
    yield words.say("Method"), method_words(rule["method"], words)
    prices = {
        "buy": words.say("Paid for energy from neighbours"),
        "sell": words.say("Received for energy given"),
        "retail": words.say("Retail price outside"),
        "feedin": words.say("Feed-in price outside"),
    }
    for name, label in prices.items():
        if rule["prices"][name] is not None:
            price = words.number(rule["prices"][name] / MICRO_PER_UNIT, 4)
            yield label, words.say("%(price)s %(currency)s per kWh", price=price, currency=words.currency)


def method_words(method: str, words: Localizer) -> str:
    """How a rule shares, in a few words."""
    known = {
        "proportional": words.say("by what each home draws"),
        "equal": words.say("equal amounts, up to what each home draws"),
        "weighted": words.say("by weights, up to what each home draws"),
        "static": words.say("fixed shares of all that is given"),
        "static_rounds": words.say("fixed shares in several rounds"),
        "static_then_proportional": words.say("fixed shares, then by what each home still draws"),
        "priority": words.say("one group of homes after the other"),
        "solidarity": words.say("a part for a group first, the rest by what each home draws"),
        "pairwise": words.say("agreed shares from home to home"),
    }
    return known.get(method, method)


def _entry_lines(canonical: str, words: Localizer) -> tuple[tuple[str, str, str], ...]:
    entry = json.loads(canonical)
    unit = "Wh" if entry["unit"] == "Wh" else f"10⁻⁹{NO_BREAK}{words.currency}"
    return tuple(
        (line, account, f"{words.number(amount)}{NO_BREAK}{unit}") for line, account, amount in entry["postings"]
    )
