"""The documents of a published month: who gets a bill or a credit note, its number, what it replaces, what is booked.

Everything follows from the ledger's entries for the month, the tax terms and the current documents. This module stores
nothing and reads no clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from hub.core.allocation.rounding import largest_remainder
from hub.core.ledger.entries import Entry, Lines
from hub.core.ledger.fee_records import FeePart
from hub.core.ledger.fund_entries import FEE_LINE, TargetLines
from hub.core.payments.tax_lines import FEE, RECEIVED, SOLD, BillLine, add_up
from hub.core.payments.tax_terms import BOUGHT, FEES, PRIVATE, SELF_BILLING, TaxTerms, TaxTreatment
from hub.core.payments.tax_terms import SOLD as SOLD_KIND
from hub.core.settlement.money import CENT_NANO, round_to_unit

TAX_LINE, ROUNDING_LINE = "tax", "rounding"
BILL_LINES: Final = (TAX_LINE, ROUNDING_LINE)
BILLED_LINES: Final = (RECEIVED, SOLD, FEE_LINE)
LETTERS: Final = {RECEIVED: "I", SOLD: "C"}
BILL_COLUMNS: Final = (
    "document", "number", "date", "replaces", "line", "first_day", "last_day", "rate_ppm", "reverse_charge", "cent",
)  # fmt: skip
BILL, INVOICE, CREDIT_NOTE, SELF_BILLED = "bill", "invoice", "credit note", "self-billed credit note"

NO_PARTS: Final[Mapping[str, FeePart]] = {}

Bill = Mapping[str, Any]
CurrentBills = Mapping[str, Mapping[str, Bill]]
"""The newest document for each member and side (received or sold)."""


@dataclass(frozen=True, slots=True)
class MonthMoney:
    """The ledger's amounts for a month, by member and local day; never negative. Units: nano-currency."""

    amounts: Mapping[str, Mapping[str, Mapping[str, int]]]
    last_day: str

    def nano(self, side: str, member: str) -> int:
        """A member's total for the month on one side: received, sold or fee."""
        return sum(self.amounts[side].get(member, {}).values())

    def members(self) -> tuple[str, ...]:
        """Everybody with an amount, sorted by id."""
        return tuple(sorted({m for side in self.amounts.values() for m in side}, key=lambda m: m.encode("utf-8")))

    def cents(self, side: str) -> dict[str, int]:
        """The members' amounts in whole cents, rounded as in statements so that they add up over all members."""
        members = self.members()
        return dict(zip(members, round_to_unit([self.nano(side, m) for m in members], CENT_NANO), strict=True))


def is_billed(entry: Entry) -> bool:
    """Whether the entry belongs on a member's bill for its month."""
    return any(
        posting.account == f"member:{entry.member}:money" and posting.line in BILLED_LINES for posting in entry.postings
    )


def tally_month(entries: Iterable[Entry], *, last_day: str) -> MonthMoney:
    """Adds up a month's entries; only energy and fees count."""
    amounts: dict[str, dict[str, dict[str, int]]] = {side: {} for side in (RECEIVED, SOLD, FEE)}
    for entry in entries:
        for posting in entry.postings:
            if posting.account == f"member:{entry.member}:money" and posting.line in BILLED_LINES:
                days = amounts[posting.line].setdefault(entry.member, defaultdict(int))
                days[entry.day] += posting.amount if posting.line == SOLD else -posting.amount
    return MonthMoney(amounts, last_day)


def bill_members(
    money: MonthMoney,
    *,
    terms: TaxTerms | None,
    series: str,
    day: str,
    current_bills: CurrentBills,
    fee_parts: Mapping[str, FeePart] = NO_PARTS,
) -> dict[str, dict[str, Bill]]:
    """The new documents by member and side: one for each amount that has no document yet or differs from its document.

    `current_bills` are the documents issued so far. Numbers start at 1 in each series and follow the order of member
    ids. A document that replaces another names it. `fee_parts` are the members whose fee is for some days only.
    """
    documents: dict[str, dict[str, Bill]] = defaultdict(dict)
    fees = money.cents(FEE)
    for side in (RECEIVED, SOLD):
        number = 0
        for member, net_cent in money.cents(side).items():
            part = fee_parts.get(member)
            lines = _lines(money, member, side, terms=terms, net_cent=net_cent, fee_cent=fees[member], part=part)
            before = current_bills.get(member, {}).get(side)
            summed = add_up(lines)
            if summed["net_cent"] == 0 if before is None else _is_same(summed, before):
                continue
            number += 1
            head = {
                "kind": _kind(money, member, side, terms),
                "number": f"{LETTERS[side]}-{series}-{number:04d}",
                "date": day,
                "issuer": [] if terms is None else list(terms.issuer),
                "tax_number": "" if terms is None else terms.tax_status(member, money.last_day).tax_number,
                "words": _words(money, member, side, terms),
            }
            documents[member][side] = {**head, **summed, **_replaced(before, summed)}
    return dict(documents)


def target_bills(money: MonthMoney, current_bills: CurrentBills) -> TargetLines:
    """The taxes and rounding that the books should hold, so that a member's account moves by the documents' amounts."""
    wanted: dict[str, Lines] = {}
    cents = {side: money.cents(side) for side in (RECEIVED, SOLD, FEE)}
    for member in money.members():
        account, lines = f"member:{member}:money", defaultdict[tuple[str, str], int](int)
        for side, sign in ((RECEIVED, -1), (SOLD, 1), (FEE, -1)):
            left = sign * (cents[side][member] * CENT_NANO - money.nano(side, member))
            lines[ROUNDING_LINE, account] += left
            lines[ROUNDING_LINE, "rounding"] -= left
            for tax in current_bills.get(member, {}).get(side, {}).get("taxes", ()):
                if not tax["reverse_charge"]:
                    lines[TAX_LINE, account] += sign * tax["tax_cent"] * CENT_NANO
                    lines[TAX_LINE, f"tax:{tax['rate_ppm']}"] -= sign * tax["tax_cent"] * CENT_NANO
        wanted[member] = {place: amount for place, amount in lines.items() if amount}
    return {member: lines for member, lines in wanted.items() if lines}


def _lines(
    money: MonthMoney,
    member: str,
    side: str,
    *,
    terms: TaxTerms | None,
    net_cent: int,
    fee_cent: int,
    part: FeePart | None,
) -> list[BillLine]:
    """One line for each stretch of days taxed alike, with cents split by largest remainder, then one for the fee."""
    stretches = _stretches(money, member, side, terms)
    shares = largest_remainder(net_cent, [nano for _, nano, _ in stretches]) if net_cent else [0] * len(stretches)
    lines = [
        BillLine(side, cent, each.rate_ppm, each.reverse_charge, days if len(stretches) > 1 else None)
        for (each, _, days), cent in zip(stretches, shares, strict=True)
    ]
    if side == RECEIVED and fee_cent:
        fee = terms.treatment(member, FEES, money.last_day) if terms else TaxTreatment()
        days = None if part is None else (part.days, part.of, part.month_nano)
        lines.append(BillLine(FEE, fee_cent, fee.rate_ppm, fee.reverse_charge, part=days))
    return lines


def _stretches(
    money: MonthMoney, member: str, side: str, terms: TaxTerms | None
) -> list[tuple[TaxTreatment, int, tuple[str, str]]]:
    """(treatment, nano, first and last day) for each run of days with the same tax; at least one."""
    kind = BOUGHT if side == RECEIVED else SOLD_KIND
    amounts = sorted(money.amounts[side].get(member, {money.last_day: 0}).items())
    treated = [(terms.treatment(member, kind, day) if terms else TaxTreatment(), day, nano) for day, nano in amounts]
    stretches = []
    for treatment, group in groupby(treated, key=lambda each: each[0]):
        days = list(group)
        stretches.append((treatment, sum(nano for _, _, nano in days), (days[0][1], days[-1][1])))
    return stretches


def _kind(money: MonthMoney, member: str, side: str, terms: TaxTerms | None) -> str:
    """The document's kind: without tax terms a bill, not an invoice; a private person's sale needs no self-billing."""
    if side == RECEIVED:
        return BILL if terms is None else INVOICE
    return SELF_BILLED if _is_trader(money, member, terms) else CREDIT_NOTE


def _is_trader(money: MonthMoney, member: str, terms: TaxTerms | None) -> bool:
    return terms is not None and terms.tax_status(member, money.last_day).sells != PRIVATE


def _words(money: MonthMoney, member: str, side: str, terms: TaxTerms | None) -> list[str]:
    """The sentences that the document must contain, each once, in the board's own words."""
    if terms is None:
        return []
    needed = [treatment.note_key for treatment, _, _ in _stretches(money, member, side, terms)]
    if side == RECEIVED and money.nano(FEE, member):
        needed.append(terms.treatment(member, FEES, money.last_day).note_key)
    elif side == SOLD and _is_trader(money, member, terms):
        needed.insert(0, SELF_BILLING)
    return [terms.words[note_key] for note_key in dict.fromkeys(needed) if terms.words.get(note_key)]


def _is_same(summed: Mapping[str, object], before: Bill) -> bool:
    return all(summed[name] == before[name] for name in ("lines", "taxes"))


def _replaced(before: Bill | None, summed: Mapping[str, Any]) -> dict[str, object]:
    """The document that this one replaces, and what is due on top of it: negative where too much was billed."""
    if before is None:
        return {"replaces": None, "due_cent": summed["gross_cent"]}
    replaces = {name: before[name] for name in ("number", "date", "gross_cent")}
    return {"replaces": replaces, "due_cent": summed["gross_cent"] - before["gross_cent"]}


def newest_bills(
    current_bills: CurrentBills, documents: Mapping[str, Mapping[str, Bill]]
) -> dict[str, dict[str, Bill]]:
    """The newest document for each member and side once these have been issued."""
    members: Sequence[str] = sorted({*current_bills, *documents})
    return {member: {**current_bills.get(member, {}), **documents.get(member, {})} for member in members}


def bill_table(bills: Iterable[Bill]) -> list[tuple[object, ...]]:
    """The documents as rows of a table: each line and tax, then the sums of each document."""
    rows: list[tuple[object, ...]] = [BILL_COLUMNS]
    for bill in bills:
        head = (bill["kind"], bill["number"], bill["date"], (bill["replaces"] or {"number": ""})["number"])
        for line in bill["lines"]:
            rate, days = (line["rate_ppm"], line["reverse_charge"]), line["days"] or ("", "")
            rows.append((*head, _line_name(line), *days, *rate, line["net_cent"]))
        rows += [
            (*head, "tax by rate", "", "", tax["rate_ppm"], tax["reverse_charge"], tax["tax_cent"])
            for tax in bill["taxes"]
        ]
        rows += [(*head, name, "", "", "", "", bill[f"{name}_cent"]) for name in ("net", "tax", "gross", "due")]
    return rows


def _line_name(line: Mapping[str, Any]) -> str:
    """The line's name in a table, with the days that a part of a month's fee is for: fee, 1 of 31 days."""
    part = line.get("part")
    return str(line["name"]) if part is None else f"{line['name']}, {part[0]} of {part[1]} days"
