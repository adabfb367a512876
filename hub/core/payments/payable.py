"""The part of a statement to be paid now: its documents' amounts, less what is waiting for the board's decision.

It is a separate document beside the statement: objections come and go, but the statement does not change. An objection
never raises what is to pay: a credit that waits goes on counting against the bill.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hub.core.allocation.rounding import largest_remainder
from hub.core.ledger.signed_document import Document, document_hash

PAYMENT_FORMAT: Final = "commonwatt-payment-2"
SIDES: Final = {"received": "debit", "sold": "credit"}
SIDE_OF_LINE: Final = {
    **dict.fromkeys(("demand", "received", "imported", "debit"), "received"),
    **dict.fromkeys(("surplus", "sold", "exported", "credit"), "sold"),
}
"""The energy that a line is about: drawn or fed in. An objection to the line freezes the money for that energy."""

ObjectedLine = tuple[str, str, int]
"""(local day, or empty for the whole month; line; the board's deadline in Unix seconds)"""


def payable_amounts(
    statement: Mapping[str, Any], waiting: Iterable[ObjectedLine], *, meter: str = ""
) -> dict[str, object]:
    """The amount due by each document, how much of it has to wait, and what is left. Positive sums go to the member.

    `meter`: the class of the meter that a billed month is charged by, if it is not known to be certified for billing.
    It is told where there is something to charge.

    >>> bill = bill_without_tax("received", 250) | {"number": "I-1"}
    >>> day = {"day": "2026-10-24", "money": {"debit_nano": 2_500_000_000}}
    >>> statement = {"member": {"id": "m01"}, "month": "2026-10", "billed": True, "tax": [bill], "days": [day]}
    >>> payable_amounts(statement, [])["now_cent"]
    -250
    >>> payment = payable_amounts(statement, [("2026-10-24", "demand", 1_800_000_000)])
    >>> payment["waiting_cent"], payment["now_cent"]
    (-250, 0)
    """
    waits = sorted(waiting)
    bills = [_due(bill, statement, waits) for bill in _documents(statement)]
    _hold_beside({bill["side"]: bill for bill in bills})
    sums = {
        name: sum((1 if bill["side"] == "sold" else -1) * bill[name] for bill in bills)
        for name in ("due_cent", "waiting_cent", "now_cent")
    }
    return {
        "format": PAYMENT_FORMAT,
        "statement": document_hash(statement),
        "member": statement["member"]["id"],
        "month": statement["month"],
        "waiting": [{"day": day, "line": line, "until": until} for day, line, until in waits],
        "bills": bills,
        **sums,
        **({"meter": meter} if meter and statement["billed"] and bills else {}),
    }


def _documents(statement: Mapping[str, Any]) -> Sequence[Document]:
    """The current bills, or a billed month's plain amounts from before bills existed; nothing for an open month."""
    if statement["tax"] or not statement["billed"]:
        return list(statement["tax"])
    return [
        bill_without_tax(side, cents)
        for side, cents in ((side, statement["money"][f"{name}_cent"]) for side, name in SIDES.items())
        if cents
    ]


def bill_without_tax(side: str, cents: int) -> dict[str, object]:
    """A stand-in for the bill or credit note of a month published before bills existed: one untaxed amount."""
    line = {"name": side, "net_cent": cents, "rate_ppm": 0, "reverse_charge": False, "days": None}
    return {"number": "", "lines": [line], "taxes": [], "gross_cent": cents, "due_cent": cents}


def _due(bill: Mapping[str, Any], statement: Mapping[str, Any], waits: Sequence[ObjectedLine]) -> dict[str, Any]:
    """Only what is still due can wait: what an earlier document billed has been paid or is being corrected."""
    side, due = str(bill["lines"][0]["name"]), int(bill["due_cent"])
    waiting = min(waiting_cents(bill, statement["days"], waits), max(due, 0))
    return {"number": bill["number"], "side": side, "due_cent": due, "waiting_cent": waiting, "now_cent": due - waiting}


def _hold_beside(bills: Mapping[str, dict[str, Any]]) -> None:
    """Let the part of the bill that a waiting credit would have paid wait with it."""
    if bills.keys() == SIDES.keys():
        bill, note = bills["received"], bills["sold"]
        beside = cents_beside(note["waiting_cent"], free_debit=bill["now_cent"], free_credit=note["now_cent"])
        bill["waiting_cent"] += beside
        bill["now_cent"] -= beside


def cents_beside(waiting_credit: int, *, free_debit: int, free_credit: int) -> int:
    """How much of a debit waits because the credit that would have paid it waits.

    >>> cents_beside(2_000, free_debit=2_500, free_credit=0), cents_beside(2_000, free_debit=300, free_credit=400)
    (2000, 0)
    """
    return min(waiting_credit, max(0, free_debit - free_credit))


def waiting_cents(bill: Mapping[str, Any], days: Sequence[Mapping[str, Any]], waits: Sequence[ObjectedLine]) -> int:
    """How many cents of a document have to wait, taxes included. `days` hold each day's exact amounts."""
    frozen = [_frozen_cent(line, days, waits) for line in bill["lines"]]
    waiting = sum(frozen)
    for tax in bill["taxes"]:
        if not tax["reverse_charge"]:
            rate = (tax["rate_ppm"], False)
            pairs = zip(bill["lines"], frozen, strict=True)
            held = sum(cents for line, cents in pairs if (line["rate_ppm"], line["reverse_charge"]) == rate)
            waiting += largest_remainder(tax["tax_cent"], [held, tax["net_cent"] - held])[0]
    return waiting


def _frozen_cent(line: Mapping[str, Any], month: Sequence[Mapping[str, Any]], waits: Sequence[ObjectedLine]) -> int:
    """The share of a line's cents that falls on days under objection, by largest remainder over the exact amounts."""
    if line["name"] not in SIDES:
        return 0
    days = {day for day, name, _ in waits if SIDE_OF_LINE[name] == line["name"]}
    first, last = line["days"] or ("", "~")
    held = free = 0
    for day in month:
        if first <= day["day"] <= last:
            nano = day["money"][f"{SIDES[line['name']]}_nano"]
            if "" in days or day["day"] in days:
                held += nano
            else:
                free += nano
    return largest_remainder(line["net_cent"], [held, free])[0]
