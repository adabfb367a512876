"""One source for every number of a member's month: its state and its amounts as all pages show them.

Signed documents keep exact values. Here money becomes whole cents that add up: the days to the month, and the parts of
a sum to the sum. Energy stays exact to the watt-hour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.core.ledger.objections import ENERGY_LINES, MONEY_LINES
from hub.core.settlement.money import fitted, nearest_cent
from hub.core.statements.tables import interval_marks
from hub.web.views.settlement.bills import balance_cent, bill_sums

Document = Mapping[str, Any]
Cents = Mapping[str, int | None]

PROVISIONAL, BILLED, CORRECTED, FINAL = "provisional", "billed", "corrected", "final"
COMPARED: Final = ("alone", "cost", "benefit")


@dataclass(frozen=True, slots=True)
class DayNumbers:
    """One day of the month: exact energy, and money in cents that add up to the month's. No comparison is None.

    `unread_slots` had no reading of the home when the day was settled; `is_unread` if that is all of them.
    """

    day: str
    energy_wh: Mapping[str, int]
    cents: Cents
    unread_slots: int = 0
    is_unread: bool = False

    @property
    def net_cent(self) -> int:
        """What the day's energy brings the member; negative where it costs."""
        return (self.cents["credit"] or 0) - (self.cents["debit"] or 0)


@dataclass(frozen=True, slots=True)
class MonthNumbers:
    """A member's month. `balance_cent` is positive where the co-op owes the member: energy, fee and taxes together.

    `correction` is the part of the month that is told as one total, not by day.
    `now_cent` is the part of the documents' amounts that nothing holds; None until there is a document.
    """

    month: str
    state: str
    energy_wh: Mapping[str, int]
    cents: Cents
    fee_cent: int
    tax_cent: int
    balance_cent: int
    days: tuple[DayNumbers, ...]
    correction: DayNumbers | None
    now_cent: int | None
    waiting_cent: int

    @property
    def net_cent(self) -> int:
        """What the month's energy brings the member; negative where it costs."""
        return (self.cents["credit"] or 0) - (self.cents["debit"] or 0)


def state_of(statement: Document) -> str:
    """Provisional, billed, corrected (billed again since the first bill) or final."""
    if statement["state"] == FINAL:
        return FINAL
    if not statement["billed"]:
        return PROVISIONAL
    return BILLED if statement["changes"] is None else CORRECTED


def month_numbers(statement: Document, payment: Document) -> MonthNumbers:
    """The numbers of a statement and of the payment signed beside it."""
    money, correction = statement["money"], statement.get("correction")
    parts = [*statement["days"], *([] if correction is None else [correction])]
    cents: dict[str, int | None] = {name: money[f"{name}_cent"] for name in MONEY_LINES}
    cents |= compared_cents({name: money[f"{name}_nano"] for name in COMPARED})
    by_day = {name: _part_cents(parts, name, cents[name]) for name in (*MONEY_LINES, "alone", "benefit")}
    shown = tuple(
        DayNumbers(
            part.get("day", ""),
            {name: part["totals"][name] for name in ENERGY_LINES},
            _with_cost({name: column[at] for name, column in by_day.items()}),
            *(_unread(part) if "surplus" in part else (0, False)),
        )
        for at, part in enumerate(parts)
    )
    fee_cent, tax_cent = bill_sums(statement)
    return MonthNumbers(
        month=statement["month"],
        state=state_of(statement),
        energy_wh={name: statement["totals"][name] for name in ENERGY_LINES},
        cents=cents,
        fee_cent=fee_cent,
        tax_cent=tax_cent,
        balance_cent=balance_cent(statement),
        days=shown if correction is None else shown[:-1],
        correction=None if correction is None else shown[-1],
        now_cent=payment["now_cent"] if payment["bills"] else None,
        waiting_cent=payment["waiting_cent"],
    )


def _unread(day: Document) -> tuple[int, bool]:
    """How many slots of the membership have neither a reading nor a mark, and whether no other slot is there."""
    first, end = day["window"] or (day["first_slot"], None)
    marked, step = interval_marks(day), day["step"]
    begins = range(day["first_slot"], day["first_slot"] + step * len(day["surplus"]), step)
    own = [
        surplus is None and begin not in marked
        for begin, surplus in zip(begins, day["surplus"], strict=True)
        if first <= begin and (end is None or begin + step <= end)
    ]
    return sum(own) * step, bool(own) and all(own)


def compared_cents(nano: Cents) -> dict[str, int | None]:
    """What the month costs alone and with sharing, and the gain, in cents: the gain is their difference as shown."""
    alone, benefit = nano["alone"], nano["benefit"]
    if alone is None or benefit is None:
        return dict.fromkeys(COMPARED)
    return _with_cost({"alone": nearest_cent(alone), "benefit": nearest_cent(benefit)})


def _part_cents(parts: Sequence[Document], name: str, total_cent: int | None) -> Sequence[int | None]:
    nano = [part["money"][f"{name}_nano"] for part in parts]
    return [None] * len(nano) if total_cent is None else fitted(nano, total_cent)


def _with_cost(cents: Mapping[str, int | None]) -> dict[str, int | None]:
    alone, benefit = cents["alone"], cents["benefit"]
    return {**cents, "cost": None if alone is None or benefit is None else alone - benefit}
