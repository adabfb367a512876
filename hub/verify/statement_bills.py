"""The stand-alone script's third part: a statement's bills, its tax rates, and what is to be paid now.

hub/statements/script.py joins it with statement_files.py, statement_days.py and statement.py.
"""

import re
from itertools import pairwise

from hub.verify.statement_days import RecomputedDays, largest
from hub.verify.statement_files import Table, hash_of, read_json, require, same

KINDS, UNITS = ("D", "M1", "R1", "R2", "RF", "X"), {"micro": 1_000, "cent": 10_000_000}
SIDES, SIGNS, EVER = {"received": "debit", "sold": "credit"}, {"received": -1, "sold": 1}, ("", "~")
ABOUT = {"received": ("demand", "received", "imported", "debit"), "sold": ("surplus", "sold", "exported", "credit")}
PAYMENTS = ("commonwatt-payment-1", "commonwatt-payment-2")
TAX, DUES = ("rate_ppm", "reverse_charge", "net_cent", "tax_cent"), ("due_cent", "waiting_cent", "now_cent")
# Rates of value added tax since 2020 in tenths of a percent, by time zone. A law may have changed since: --tax-rate.
# Büsingen pays Switzerland's; Ceuta, Melilla and the Canary Islands have taxes of their own, which are not here.
RATES = {
    "Europe/Vienna": "200 190 130 100 50",
    "Europe/Berlin": "190 160 70 50",
    "Europe/Paris": "200 100 55 21",
    "Europe/Madrid": "210 100 75 50 40 20",
    "Europe/Rome": "220 100 50 40",
    "Europe/Lisbon": "230 130 60",
    "Atlantic/Madeira": "220 120 50 40",
    "Atlantic/Azores": "180 160 90 40",
    "Europe/Brussels": "210 120 60",
    "Europe/Luxembourg": "170 160 140 130 80 70 30",
    "Europe/Amsterdam": "210 90",
    "Europe/Zurich Europe/Busingen": "81 77 38 37 26 25",
}


class RecomputedBills(RecomputedDays):
    """The statement's days with its bills and payment; `tax_rates` are those that the member knows, in ppm."""

    tax_rates: frozenset[int] = frozenset()

    def check_bill(self, bill: Table, fee_nano: int) -> None:
        """Check one bill or credit note from its number to what is due."""
        place, side = f"tax {bill['kind']} {bill['number']}", bill["lines"][0]["name"]
        self.check_bill_name(bill, side, place)
        self.check_lines(bill["lines"], side, fee_nano * (side == "received"), place)
        self.check_taxes(bill, place)
        replaced = (bill["replaces"] or {"gross_cent": 0})["gross_cent"]
        same(bill["due_cent"], bill["gross_cent"] - replaced, f"{place} due")

    def check_bill_name(self, bill: Table, side: str, place: str) -> None:
        """Check number, kind and date."""
        kinds = "|".join(KINDS[1 : KINDS.index(self.days[0]["run"]["kind"]) + 1])
        series = rf"{'CI'[side == 'received']}-{self.document['month']}-({kinds})(-R\d{{10}})?-\d{{4}}"
        names = ("bill", "invoice") if side == "received" else ("credit note", "self-billed credit note")
        fits = re.fullmatch(series, bill["number"]) and bill["kind"] in names
        require(fits, place, "is not a number and kind of this month and side")
        is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", bill["date"]) and bill["date"] >= self.days[-1]["day"]
        require(is_date, place, "not dated after the month")

    def check_lines(self, lines: list[Table], side: str, fee_nano: int, place: str) -> None:
        """Check the side's lines against the days that they cover, and the fee within a cent of what is booked."""
        spans, money = [line["days"] or EVER for line in lines if line["name"] == side], self.document["money"]
        ends = [span for span in spans if span != EVER or len(spans) > 1]
        follow = all(a <= b for a, b in ends) and all(a[1] < b[0] for a, b in pairwise(ends))
        require(follow and all(line["days"] is None for line in lines[len(spans) :]), place, "its days do not follow")
        nano = [sum(self.side_nano(side, day) for day in self.days if a <= day["day"] <= b) for a, b in spans]
        cents = [line["net_cent"] for line in lines if line["name"] == side]
        corrected = (self.document.get("correction") or {"money": {}})["money"].get(f"{SIDES[side]}_nano", 0)
        same(sum(nano) + corrected, money[f"{SIDES[side]}_nano"], f"{place} days")
        if len(spans) > 1 and corrected:  # the correction is one total, so its parts before and after are not known
            same(sum(cents), money[f"{SIDES[side]}_cent"], f"{place} {side}")
        else:
            same(cents, largest(money[f"{SIDES[side]}_cent"], nano), f"{place} {side}")
        fee = sum(line["net_cent"] for line in lines if line["name"] == "fee")
        booked = abs(fee * UNITS["cent"] - fee_nano) < UNITS["cent"]
        require(booked and len(lines) == len(spans) + bool(fee), f"{place} fee", "not as booked")
        same([line["name"] for line in lines if "part" in line], ["fee"] * ("part" in lines[-1]), f"{place} part")
        if fee:
            self.check_fee(lines[-1].get("part"), fee_nano, f"{place} fee")

    def check_fee(self, part: list[int] | None, fee_nano: int, place: str) -> None:
        """Check a part of a month's fee against my days of membership and the rule of the month's last day.

        Days before the co-op's first reading are not stated, so I may have been a member on them or not.
        """
        way = read_json(self.document["rules"][self.days[-1]["rule"]]).get("part_month_fee", "full_month")
        mine = [(day["window"] or [0])[0] < day["first_slot"] + day["step"] * len(day["surplus"]) for day in self.days]
        unstated = [*self.document["days_before"], *self.document["missing_days"]]
        of, least = len(self.days) + len(unstated), sum(mine)
        require(part is None or way == "by_day", place, f"is for a part of the month, and the rule says {way}")
        if way == "first_full_month":
            require(unstated or mine[0], place, "I was no member on the month's first day")
        if way == "by_day":
            days, stated_of, month_nano = part or (of, of, fee_nano)
            same(stated_of, of, f"{place}: days of the month")
            require(least <= days <= least + len(unstated), place, f"for {days} of {of} days, but a member on {least}")
            cents = (2 * month_nano * days + of * UNITS["cent"]) // (2 * of * UNITS["cent"])
            same(fee_nano, min(cents * UNITS["cent"], month_nano) if days < of else month_nano, place)

    def check_taxes(self, bill: Table, place: str) -> None:
        """Check the tax by rate (half cents round up), that each rate is known, and the sums."""
        taxes, zone = [], self.coop["tz"]
        for rate in sorted({tuple(line[name] for name in TAX[:2]) for line in bill["lines"]}):
            net = sum(line["net_cent"] for line in bill["lines"] if tuple(line[name] for name in TAX[:2]) == rate)
            taxes.append((*rate, net, (2 * net * rate[0] + 1_000_000) // 2_000_000))
        same(bill["taxes"], [dict(zip(TAX, tax, strict=True)) for tax in taxes], f"{place} taxes")
        known = {1_000 * int(rate) for zones in RATES if zone in zones.split() for rate in RATES[zones].split()}
        unknown = [f"{rate / 10**4:g}" for rate, *_ in taxes if rate not in {0} | known | self.tax_rates]
        hint = (
            f"{' and '.join(unknown)} % is no rate known for {zone}; if you know that it is right: --tax-rate PERCENT"
        )
        require(not unknown, f"{place} taxes", hint)
        net, charged = sum(tax[2] for tax in taxes), sum(tax for _, reverse, _, tax in taxes if not reverse)
        same([bill["net_cent"], bill["tax_cent"], bill["gross_cent"]], [net, charged, net + charged], f"{place} sums")

    def side_nano(self, side: str, day: Table) -> int:
        return int(day["money"][f"{SIDES[side]}_nano"])

    def payment_of(self, waits: list[Table], form: str) -> Table:
        """What is to be paid by the statement while these lines wait for the board.

        Since form 2, the part of the bill that a waiting credit would have paid waits with it.
        """
        document, rows = self.document, []
        plain = {side: document["money"][f"{name}_cent"] * document["billed"] for side, name in SIDES.items()}
        line = {"rate_ppm": 0, "reverse_charge": False, "days": None}
        without = [{"number": "", "taxes": [], "due_cent": cents, "lines": [line | {"name": side, "net_cent": cents}]}
                   for side, cents in plain.items() if cents]  # fmt: skip
        for bill in document["tax"] or without:
            side, frozen = bill["lines"][0]["name"], [self.frozen_cent(line, waits) for line in bill["lines"]]
            waiting = sum(frozen)
            for tax in (tax for tax in bill["taxes"] if not tax["reverse_charge"]):
                pairs = zip(bill["lines"], frozen, strict=True)
                held = sum(cents for line, cents in pairs if [line[n] for n in TAX[:2]] == [tax["rate_ppm"], False])
                waiting += largest(tax["tax_cent"], [held, tax["net_cent"] - held])[0]
            waiting = min(waiting, max(bill["due_cent"], 0))
            amounts = dict(zip(DUES, (bill["due_cent"], waiting, bill["due_cent"] - waiting), strict=True))
            rows.append({"number": bill["number"], "side": side, **amounts})
        bill, note = ([row for row in rows if row["side"] == side] for side in SIDES)
        if form != PAYMENTS[0] and bill and note:
            beside = min(note[0]["waiting_cent"], max(0, bill[0]["now_cent"] - note[0]["now_cent"]))
            bill[0]["waiting_cent"], bill[0]["now_cent"] = (
                bill[0]["waiting_cent"] + beside,
                bill[0]["now_cent"] - beside,
            )
        sums = {name: sum(SIGNS[row["side"]] * row[name] for row in rows) for name in DUES}
        named = {"format": form, "statement": hash_of(document), "member": self.me, "waiting": waits}
        return named | {"month": document["month"], "bills": rows, **sums}

    def frozen_cent(self, line: Table, waits: list[Table]) -> int:
        """The cents of a bill's line that fall on days under objection."""
        if line["name"] not in SIDES:
            return 0
        (first, last), parts = line["days"] or EVER, [0, 0]
        objected = {wait["day"] for wait in waits if wait["line"] in ABOUT[line["name"]]}
        for day in (day for day in self.days if first <= day["day"] <= last):
            parts[not {"", day["day"]} & objected] += self.side_nano(line["name"], day)
        return largest(line["net_cent"], parts)[0]

    def check_payment(self, signed: Table | None) -> list[str]:
        """Check what is to be paid now; a billed month must say it."""
        require(signed or not self.document["billed"], "payment", "is missing, although the month is billed")
        if not signed:
            return []
        self.check_signature(signed, "payment")
        waits = signed["document"]["waiting"]
        lines = {line for about in ABOUT.values() for line in about}
        order = sorted(waits, key=lambda wait: (wait["day"], wait["line"], wait["until"]))
        right = waits == order and all(wait["line"] in lines and type(wait["until"]) is int for wait in waits)
        days = {"", *(day["day"] for day in self.days)}
        require(right and {wait["day"] for wait in waits} <= days, "payment waiting", "names no line of this month")
        stated, form = signed["document"], signed["document"]["format"]
        require(form in PAYMENTS, "payment format", f"{form!r} is not known to this script")
        found = self.payment_of(waits, form)
        for name in found:
            same(stated[name], found[name], f"payment {name}")
        notes = [f"on hold until the board decides: {wait['line']} {wait['day']}".rstrip() for wait in waits]
        if (meter := stated.get("meter")) is None:
            return notes
        require(self.document["billed"] and isinstance(meter, str), "payment meter", "the month is not billed by one")
        return [*notes, f"billed by a meter that is not known to be certified for billing (MID): {meter[:20]}"]
