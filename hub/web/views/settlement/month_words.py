"""A month's numbers in words: labels, what the state means, who owes whom, and income that is called income."""

from collections.abc import Mapping
from typing import Any

from hub.web.frame.translation import Localizer
from hub.web.views.settlement.month_numbers import (
    BILLED,
    CORRECTED,
    FINAL,
    PROVISIONAL,
    DayNumbers,
    MonthNumbers,
)


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


def day_energy(day: DayNumbers, name: str, words: Localizer) -> str:
    """A day's energy; a day without any reading of the home has none, and shows no zero."""
    return words.text("no reading") if day.is_unread else words.exact_kwh(day.energy_wh[name])


def state_words(state: str, words: Localizer) -> str:
    """What the month's state means for the member."""
    return {
        PROVISIONAL: words.text("Provisional: this is not a bill, and it may still change."),
        BILLED: words.text("Billed: later readings can still lead to a correction in a later statement."),
        CORRECTED: words.text("Corrected: this replaces the first bill; a later statement can still correct it."),
        FINAL: words.text("Final: only the decision on a dispute can still change it."),
    }[state]


def meter_words(kind: str, words: Localizer) -> str:
    """What the member should know of a meter that is not known to be certified and bills; empty without one.

    `kind` is the class that the home's agent told.
    """
    if not kind:
        return ""
    said = {
        "none": words.text("You are billed by a meter that is not certified for billing (MID)."),
        "unknown": words.text("You are billed by a meter of which no certificate for billing (MID) is known."),
    }
    other = words.text("You are billed by a meter (%(kind)s) not known to be certified for billing (MID).", kind=kind)
    ask = words.text("Where you charge others by it, or they you, ask the board whether the law allows that.")
    return words.sentences(said.get(kind, other), ask)


def owed_words(numbers: MonthNumbers, words: Localizer) -> str:
    """Who owes whom how much for the month."""
    amount = words.cents(abs(numbers.balance_cent))
    if numbers.state == PROVISIONAL:
        if numbers.balance_cent >= 0:
            return words.text("So far the co-op owes you %(amount)s.", amount=amount)
        return words.text("So far you owe the co-op %(amount)s.", amount=amount)
    if numbers.balance_cent >= 0:
        return words.text("The co-op owes you %(amount)s for this month.", amount=amount)
    return words.text("You owe the co-op %(amount)s for this month.", amount=amount)


def comparison_words(benefit_cent: int, words: Localizer) -> str:
    """What sharing is worth to the member, in one sentence."""
    amount = words.cents(abs(benefit_cent))
    if benefit_cent >= 0:
        return words.text("With sharing you are %(amount)s better off than without it.", amount=amount)
    return words.text("Without sharing you would have been %(amount)s better off.", amount=amount)


def named_amount(name: str, cents: int | None, words: Localizer) -> tuple[str, str]:
    """(label, amount): a negative cost is called income, a negative gain a loss, both with a positive amount."""
    if cents is None:
        return labels(words)[name], "–"
    if cents >= 0:
        return labels(words)[name], words.cents(cents)
    opposite = {
        "alone": words.text("Income without sharing"),
        "cost": words.text("Income with sharing"),
        "benefit": words.text("Lost by sharing"),
    }
    return (opposite[name], words.cents(-cents)) if name in opposite else (labels(words)[name], words.cents(cents))


def together_words(day: Mapping[str, Any], words: Localizer) -> str:
    """How many intervals of a stated day have no share of their own, and why; empty if all have one."""
    pairs = zip(day["surplus"], day["received"], strict=True)
    together = sum(1 for metered, share in pairs if metered is not None and share is None)
    if not together:
        return ""
    return words.plural(
        "In %(n)s quarter hour your share would show what one home drew or fed in, so it is only in the day's totals.",
        "In %(n)s quarter hours your share would show what one home drew or fed in, so it is only in the day's totals.",
        together,
    )
