"""A statement's bill and credit note as page and paper show them: lines, taxes, sums, and what they replace."""

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
    """One document. `about` are the sentences it must carry; the last line of the table is its sum."""

    name: str
    dated: str
    about: tuple[str, ...]
    table: ChartTable


def bill_views(statement: Document, words: Localizer) -> tuple[BillView, ...]:
    """The documents of the month that stand."""
    return tuple(_bill(bill, words) for bill in statement["tax"])


def balance_cent(statement: Document) -> int:
    """What the co-op owes the member for the month by its documents, taxes in; by the plain amounts without any."""
    if not statement["tax"]:
        money = statement["money"]
        return int(money["credit_cent"] - money["debit_cent"])
    return sum(_sign(bill) * bill["gross_cent"] for bill in statement["tax"])


def waiting_lines(payment: Document, day: str, words: Localizer) -> dict[str, str]:
    """The lines of a day, or of the month where `day` is empty, that wait for the board, and until when."""
    return {
        each["line"]: words.say("waiting for the board's decision until %(moment)s", moment=words.moment(each["until"]))
        for each in payment["waiting"]
        if each["day"] == day
    }


def payment_rows(payment: Document, words: Localizer) -> tuple[tuple[str, str], ...]:
    """What is due by each document, what of it waits and until when, then the sum; nothing before anything is due."""
    if not payment["bills"]:
        return ()
    return tuple(_payment_rows(payment, words))


def _payment_rows(payment: Document, words: Localizer) -> Iterator[tuple[str, str]]:
    for bill in payment["bills"]:
        is_sold = bill["side"] == "sold"
        number = bill["number"] or payment["month"]
        receive = words.say("To receive by credit note %(number)s", number=number)
        pay = words.say("To pay by bill %(number)s", number=number)
        yield receive if is_sold else pay, _cents(bill["due_cent"], words)
        if bill["waiting_cent"]:
            until = max(each["until"] for each in payment["waiting"] if SIDE_OF_LINE[each["line"]] == bill["side"])
            moment = words.moment(until)
            waiting = words.say("Waiting for the board's decision until %(moment)s", moment=moment)
            yield waiting, _cents(-bill["waiting_cent"], words)
    now = payment["now_cent"]
    yield words.say("To receive now") if now >= 0 else words.say("To pay now"), _cents(abs(now), words)


def _sign(bill: Document) -> int:
    return 1 if bill["lines"][0]["name"] == "sold" else -1


def _bill(bill: Document, words: Localizer) -> BillView:
    kind = {
        "bill": words.say("Bill"),
        "invoice": words.say("Invoice"),
        "credit note": words.say("Credit note"),
        "self-billed credit note": words.say("Self-billed credit note"),
    }[bill["kind"]]
    heads = (words.say("What for"), words.say("Tax rate"), words.say("Amount"))
    table = ChartTable(heads, tuple(_rows(bill, words)))
    return BillView(f"{kind} {bill['number']}", _dated(bill, words), tuple(_about(bill, words)), table)


def _dated(bill: Document, words: Localizer) -> str:
    day, before = _day(bill["date"], words), bill["replaces"]
    if before is None:
        return words.say("of %(day)s", day=day)
    earlier = {"number": before["number"], "earlier": _day(before["date"], words)}
    return words.say("of %(day)s, in place of %(number)s of %(earlier)s", day=day, **earlier)


def _about(bill: Document, words: Localizer) -> Iterator[str]:
    yield from bill["words"]
    if bill["issuer"]:
        yield words.say("Made out by: %(issuer)s", issuer=", ".join(bill["issuer"]))
    if bill["tax_number"]:
        yield words.say("Your tax number: %(number)s", number=bill["tax_number"])


def _rows(bill: Document, words: Localizer) -> Iterator[tuple[str, ...]]:
    is_taxed = any(tax["rate_ppm"] for tax in bill["taxes"])
    for line in bill["lines"]:
        rate = _rate(line["rate_ppm"], words) if is_taxed else ""
        yield _line(line, words), rate, _cents(line["net_cent"], words)
    for tax in bill["taxes"]:
        if tax["rate_ppm"]:
            amount, rate = _cents(tax["tax_cent"], words), _rate(tax["rate_ppm"], words)
            if tax["reverse_charge"]:
                yield words.say("Tax of %(amount)s, owed by the recipient", amount=amount), rate, "–"
            else:
                net = _cents(tax["net_cent"], words)
                yield words.say("Tax on %(net)s", net=net), rate, amount
    is_owed = _sign(bill) < 0
    if bill["replaces"] is not None:
        yield words.say("Sum"), "", _cents(bill["gross_cent"], words)
        billed = words.say("Billed before") if is_owed else words.say("Credited before")
        yield billed, "", _cents(-bill["replaces"]["gross_cent"], words)
    yield words.say("To pay") if is_owed else words.say("To receive"), "", _cents(bill["due_cent"], words)


def _line(line: Document, words: Localizer) -> str:
    name = {
        "received": words.say("Energy from neighbours"),
        "sold": words.say("Energy given to neighbours"),
        "fee": words.say("Member's fee"),
    }[line["name"]]
    if line["days"] is None:
        return name
    first, last = (words.short_day(date.fromisoformat(day)) for day in line["days"])
    return words.say("%(name)s, %(first)s to %(last)s", name=name, first=first, last=last)


def _rate(rate_ppm: int, words: Localizer) -> str:
    """With two places where they say all of it: 20.00 %."""
    return f"{words.number(rate_ppm / 10_000, 4 if rate_ppm % 100 else 2)}{NO_BREAK}%"


def _cents(cents: int, words: Localizer) -> str:
    return words.money(cents * CENT_NANO)


def _day(day: str, words: Localizer) -> str:
    return words.long_day(date.fromisoformat(day))
