"""A statement's bill and credit note, as the page and the PDF show them: lines, taxes, sums, and what they replace."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hub.core.payments.payable import SIDE_OF_LINE
from hub.core.settlement.money import CENT_NANO
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import NO_BREAK, Localizer

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BillView:
    """One document. `about` has the sentences it must contain; the last row of the table is the total."""

    name: str
    dated: str
    about: tuple[str, ...]
    table: ChartTable


def bill_views(statement: Document, words: Localizer) -> tuple[BillView, ...]:
    """The month's valid documents."""
    return tuple(_bill(bill, words) for bill in statement["tax"])


def balance_cent(statement: Document) -> int:
    """What the co-op owes the member for the month: from its documents, or from plain amounts if there are none."""
    if not statement["tax"]:
        money = statement["money"]
        return int(money["credit_cent"] - money["debit_cent"])
    return sum(_sign(bill) * bill["gross_cent"] for bill in statement["tax"])


def bill_sums(statement: Document) -> tuple[int, int]:
    """(fee, taxes) in cents of the month's documents. Taxes are positive where the member gets more than pays."""
    lines = [line for bill in statement["tax"] for line in bill["lines"]]
    fee = sum(line["net_cent"] for line in lines if line["name"] == "fee")
    return fee, sum(_sign(bill) * bill["tax_cent"] for bill in statement["tax"])


def waiting_lines(payment: Document, day: str, words: Localizer) -> dict[str, str]:
    """The lines on hold for a day, or for the month if `day` is empty, and until when they are on hold."""
    return {
        each["line"]: words.text("on hold, decision due by %(moment)s", moment=words.moment(each["until"]))
        for each in payment["waiting"]
        if each["day"] == day
    }


def payment_rows(payment: Document, words: Localizer) -> tuple[tuple[str, str], ...]:
    """The amount due under each document, the part of it on hold, then the total; empty until something is due."""
    if not payment["bills"]:
        return ()
    return tuple(_payment_rows(payment, words))


def _payment_rows(payment: Document, words: Localizer) -> Iterator[tuple[str, str]]:
    for bill in payment["bills"]:
        is_sold = bill["side"] == "sold"
        number = bill["number"] or payment["month"]
        receive = words.text("To receive, credit note %(number)s", number=number)
        pay = words.text("To pay, bill %(number)s", number=number)
        yield receive if is_sold else pay, _cents(bill["due_cent"], words)
        if bill["waiting_cent"]:
            own = [each["until"] for each in payment["waiting"] if SIDE_OF_LINE[each["line"]] == bill["side"]]
            moment = words.moment(max(own or (each["until"] for each in payment["waiting"])))
            if own:
                waiting = words.text("On hold, decision due by %(moment)s", moment=moment)
            else:
                waiting = words.text("Waits with the credit note, decision due by %(moment)s", moment=moment)
            yield waiting, _cents(-bill["waiting_cent"], words)
    now = payment["now_cent"]
    yield words.text("To receive now") if now >= 0 else words.text("To pay now"), _cents(abs(now), words)


def _sign(bill: Document) -> int:
    return 1 if bill["lines"][0]["name"] == "sold" else -1


def _bill(bill: Document, words: Localizer) -> BillView:
    name = {
        "bill": words.text("Bill %(number)s", number=bill["number"]),
        "invoice": words.text("Invoice %(number)s", number=bill["number"]),
        "credit note": words.text("Credit note %(number)s", number=bill["number"]),
        "self-billed credit note": words.text("Self-billed credit note %(number)s", number=bill["number"]),
    }[bill["kind"]]
    heads = (words.text("Item"), words.text("Tax rate"), words.text("Amount"))
    table = ChartTable(heads, tuple(_rows(bill, words)))
    return BillView(name, _dated(bill, words), tuple(_about(bill, words)), table)


def _dated(bill: Document, words: Localizer) -> str:
    day, before = _day(bill["date"], words), bill["replaces"]
    if before is None:
        return words.text("of %(day)s", day=day)
    earlier = {"number": before["number"], "earlier": _day(before["date"], words)}
    return words.text("of %(day)s, replaces %(number)s of %(earlier)s", day=day, **earlier)


def _about(bill: Document, words: Localizer) -> Iterator[str]:
    yield from bill["words"]
    if bill["issuer"]:
        yield words.text("Issued by: %(issuer)s", issuer=", ".join(bill["issuer"]))
    if bill["tax_number"]:
        yield words.text("Your tax number: %(number)s", number=bill["tax_number"])


def _rows(bill: Document, words: Localizer) -> Iterator[tuple[str, ...]]:
    is_taxed = any(tax["rate_ppm"] for tax in bill["taxes"])
    for line in bill["lines"]:
        rate = _rate(line["rate_ppm"], words) if is_taxed else ""
        yield _line(line, words), rate, _cents(line["net_cent"], words)
    for tax in bill["taxes"]:
        if tax["rate_ppm"]:
            amount, rate = _cents(tax["tax_cent"], words), _rate(tax["rate_ppm"], words)
            if tax["reverse_charge"]:
                yield words.text("Tax of %(amount)s, owed by the recipient", amount=amount), rate, "–"
            else:
                net = _cents(tax["net_cent"], words)
                yield words.text("Tax on %(net)s", net=net), rate, amount
    is_owed = _sign(bill) < 0
    if bill["replaces"] is not None:
        yield words.text("Total"), "", _cents(bill["gross_cent"], words)
        billed = words.text("Billed before") if is_owed else words.text("Credited before")
        yield billed, "", _cents(-bill["replaces"]["gross_cent"], words)
    yield words.text("To pay") if is_owed else words.text("To receive"), "", _cents(bill["due_cent"], words)


def _line(line: Document, words: Localizer) -> str:
    name = {
        "received": words.text("Energy from neighbours"),
        "sold": words.text("Energy given to neighbours"),
        "fee": words.text("Membership fee"),
    }[line["name"]]
    if part := line.get("part"):
        days, of, month_nano = part
        whole = words.money(month_nano)
        return words.plural(
            "%(name)s, %(days)s of %(n)s day, at %(whole)s for the month",
            "%(name)s, %(days)s of %(n)s days, at %(whole)s for the month",
            of,
            name=name,
            days=words.number(days),
            whole=whole,
        )
    if line["days"] is None:
        return name
    first, last = (words.short_day(date.fromisoformat(day)) for day in line["days"])
    return words.text("%(name)s, %(first)s to %(last)s", name=name, first=first, last=last)


def _rate(rate_ppm: int, words: Localizer) -> str:
    """With two decimals, or four if two are not exact: 20.00 %."""
    return f"{words.number(rate_ppm / 10_000, 4 if rate_ppm % 100 else 2)}{NO_BREAK}%"


def _cents(cents: int, words: Localizer) -> str:
    return words.money(cents * CENT_NANO)


def _day(day: str, words: Localizer) -> str:
    return words.long_day(date.fromisoformat(day))
