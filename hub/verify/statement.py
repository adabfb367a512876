"""Recomputes a member's month from the member's own readings and the published pool series; needs no other module.

Needs Python and cryptography: python verify_statement.py statement.json readings.json pool.json --hub-key HEX
Exit status 0: every number was recomputed. 1: one line names the first place that is wrong. 2: a file is missing or
cannot be read. readings.json and the file for --own are {"member": id, "readings": [[slot, exported_wh, imported_wh],
...]}, a slot being the number of quarter hours since 1970 in UTC; pool.json is {"days": [each day's pool series]}.
"""

import argparse
import calendar
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.verify.statement_days import (
    BROKEN,
    ENERGIES,
    MONEYS,
    VERDICTS,
    RecomputedDays,
    StatementCheckError,
    Table,
    check_fields,
    check_signature,
    hash_of,
    largest,
    local_day,
    read_json,
    require,
    same,
    unit_left,
)

MAX_BYTES = 256 * 2**20
KINDS, UNITS = ("D", "M1", "R1", "R2", "RF", "X"), {"micro": 1_000, "cent": 10_000_000}
SIDES, SIGNS, EVER = {"received": "debit", "sold": "credit"}, {"received": -1, "sold": 1}, ("", "~")
ABOUT = {"received": ("demand", "received", "imported", "debit"), "sold": ("surplus", "sold", "exported", "credit")}
PAYMENTS = ("commonwatt-payment-1", "commonwatt-payment-2")
APART = ("late", "corrected")
TAX, DUES = ("rate_ppm", "reverse_charge", "net_cent", "tax_cent"), ("due_cent", "waiting_cent", "now_cent")


class UncheckedError(Exception):
    """One line saying what the check needs besides the files given."""


class RecomputedMonth(RecomputedDays):
    """The whole statement: its days, its month, its bills and payment, and what has changed."""

    def check_month(self) -> None:
        """Check the month's calendar, state, totals, money, rounding and tax against its days."""
        document, month, days = self.document, self.document["month"], [day["day"] for day in self.days]
        every = [f"{month}-{n:02d}" for n in range(1, calendar.monthrange(int(month[:4]), int(month[5:]))[1] + 1)]
        stated = document["days_before"] + sorted(days + document["missing_days"])
        same([stated, days], [every, sorted(days)], "days, days_before and missing_days")
        kinds, whole = {day["run"]["kind"] for day in self.days}, not document["missing_days"]
        require(len(kinds) == 1 and kinds <= {*KINDS}, "days", "of runs of different kinds, or of none that is known")
        require(whole or kinds == {"D"}, "missing_days", "the month is published, but not all of it is stated")
        same(document["state"], "final" if kinds <= {"RF", "X"} and whole else "provisional", "state")
        same(document["billed"], whole and "D" not in kinds, "billed")
        same(sorted(document["rules"]), sorted({day["rule"] for day in self.days}), "rules")
        is_time = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", document["made_at"]) and (
            kinds == {"D"} or document["made_at"] > days[-1]
        )
        require(is_time, "made_at", "not a time after the days that are stated")
        parts = [*self.days, *([document["correction"]] if document.get("correction") else [])]
        require(len(parts) == len(self.days) or whole, "correction", "the month is not published, but it is corrected")
        same(document["totals"], {name: sum(part["totals"][name] for part in parts) for name in ENERGIES}, "totals")
        columns = {name: [part["money"][name] for part in parts] for name in MONEYS}
        money: Table = {name: None if None in numbers else sum(numbers) for name, numbers in columns.items()}
        for side in SIDES.values():
            for unit, unit_nano in UNITS.items():
                whole_units, rest = divmod(money[f"{side}_nano"], unit_nano)
                money[f"{side}_{unit}"] = whole_units + unit_left(rest, document["rounding"][unit][side], self.me)
        same(document["money"], money, "money")
        rows = (row for day in self.days for each in day["entries"] for row in read_json(each["entry"])["postings"])
        fee = -sum(amount for line, account, amount in rows if (line, account) == ("fee", f"member:{self.me}:money"))
        sides = [bill["lines"][0]["name"] for bill in document["tax"]]
        same(sides, sorted({*sides} & {*SIDES}), "tax: one document for each side")
        require(document["billed"] or not sides, "tax", "a month that is not billed has a bill")
        for bill in document["tax"]:
            self.check_bill(bill, fee)
        for name, (was, now) in (document["changes"] or {"month": {}})["month"].items():
            same(now, (document["totals"] | document["money"])[name], f"changes {name}")
            require(was != now, f"changes {name}", "is no change")

    def check_bill(self, bill: Table, fee_nano: int) -> None:
        """Check a bill or credit note: its lines, fee within a cent, tax by rate (half cents round up), sums, due."""
        place, lines, side = f"tax {bill['kind']} {bill['number']}", bill["lines"], bill["lines"][0]["name"]
        kinds, month = "|".join(KINDS[1 : KINDS.index(self.days[0]["run"]["kind"]) + 1]), self.document["month"]
        fits = re.fullmatch(rf"{'CI'[side == 'received']}-{month}-({kinds})-\d{{4}}", bill["number"])
        names = ("bill", "invoice") if side == "received" else ("credit note", "self-billed credit note")
        require(fits and bill["kind"] in names, place, "is not a number and kind of this month and side")
        is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", bill["date"]) and bill["date"] >= self.days[-1]["day"]
        require(is_date, place, "not dated after the month")
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
        booked = abs(fee * UNITS["cent"] - fee_nano * (side == "received")) < UNITS["cent"]
        require(booked and len(lines) == len(spans) + bool(fee), f"{place} fee", "not as booked")
        same([line["name"] for line in lines if "part" in line], ["fee"] * ("part" in lines[-1]), f"{place} part")
        if fee:
            self.check_fee(lines[-1].get("part"), fee_nano, f"{place} fee")
        taxes = []
        for rate in sorted({tuple(line[name] for name in TAX[:2]) for line in lines}):
            net = sum(line["net_cent"] for line in lines if tuple(line[name] for name in TAX[:2]) == rate)
            taxes.append((*rate, net, (2 * net * rate[0] + 1_000_000) // 2_000_000))
        same(bill["taxes"], [dict(zip(TAX, tax, strict=True)) for tax in taxes], f"{place} taxes")
        require(all(0 <= tax[0] <= 1_000_000 for tax in taxes), f"{place} taxes", "more than 100 %")
        net, charged = sum(tax[2] for tax in taxes), sum(tax for _, reverse, _, tax in taxes if not reverse)
        same([bill["net_cent"], bill["tax_cent"], bill["gross_cent"]], [net, charged, net + charged], f"{place} sums")
        same(bill["due_cent"], net + charged - (bill["replaces"] or {"gross_cent": 0})["gross_cent"], f"{place} due")

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

    def check_before(self, signed: Table) -> list[str]:
        """Compare with an earlier statement: what differs needs a newer run, and a bill has to replace the last."""
        check_signature(signed, self.key, "--before signature")
        before, now, notes = signed["document"], self.document, []
        for name in ("format", "coop", "member", "month"):
            same(before[name], now[name], f"--before {name}")
        last_days = {day["day"]: day for day in before["days"]}
        for day in self.days:
            last, place = last_days.pop(day["day"], day), f"day {day['day']}"
            ranks = [KINDS.index(each["run"]["kind"]) for each in (last, day)]
            differ = [name for name in (*ENERGIES[:4], "rule", "totals", "money", "window") if day[name] != last[name]]
            newer = (ranks[0] < ranks[1] or ranks[1] in (0, 5)) and day["run"]["key"] != last["run"]["key"]
            right = ranks[0] <= ranks[1] and (newer or not differ)
            require(right, place, f"{', '.join(differ)} changed without a published run")
        require(not last_days, f"day {min(last_days, default='')}", "is stated in --before and not now")
        bills = {bill["lines"][0]["name"]: bill for bill in before["tax"]}
        for bill in now["tax"]:
            last = bills.pop(bill["lines"][0]["name"], None)
            named = last and {name: last[name] for name in ("number", "date", "gross_cent")}
            right = bill == last or (bill["replaces"] == named and bill["number"] != (last or {}).get("number"))
            require(right, f"tax {bill['number']}", "does not replace the document in --before")
        require(not bills, "tax", "a document in --before is left out now")
        for name in (*ENERGIES, *now["money"]):
            pair = [(table["totals"] | table["money"])[name] for table in (before, now)]
            notes += [f"changed since: {name} was {pair[0]}, is {pair[1]}"] if pair[0] != pair[1] else []
        if now["changes"] and now["changes"]["since"] == hash_of(before):
            same(now["changes"], changes_of(before, now), "changes")
        elif now["changes"]:
            notes.append("its own list of changes compares it with another statement than --before")
        return notes

    def check_payment(self, signed: Table | None) -> list[str]:
        """Check what is to be paid now; a billed month must say it."""
        require(signed or not self.document["billed"], "payment", "is missing, although the month is billed")
        if not signed:
            return []
        check_signature(signed, self.key, "payment")
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
        return [f"on hold until the board decides: {wait['line']} {wait['day']}".rstrip() for wait in waits]

    def check_own(self, own: Table | None, late: set[int]) -> list[str]:
        """Compare with what my agent sent: no reading may differ, and none that the hub had in time may be missing."""
        note = f"{len(self.open)} of {sum(len(day['surplus']) for day in self.days)} intervals without a reading"
        if own is None:
            hint = "the readings are as the hub gave them; --own compares them with what your agent sent"
            return [hint, *[note][: len(self.open)]]
        sent = readings_of(own, self.me, "--own")
        for slot, pair in self.readings.items():
            if slot in sent and None not in (*pair, *sent[slot]):
                same(pair, sent[slot], f"readings slot {slot}: what your agent sent")
        marked = {mark[0] for day in self.days for mark in day["marks"]} | late
        lost = [parts[0] for parts in self.open if all(None not in sent.get(part, (None,)) for part in parts)]
        unexplained = [slot for slot in lost if slot not in marked]
        require(not unexplained, f"slot {min(unexplained, default=0)}", f"{note}, {len(lost)} of these you sent")
        days = {day["day"] for day in self.days}
        others = {local_day(slot, self.coop["tz"]) for slot in sent} - days
        rest = [day for day in sorted(others) if day.startswith(self.document["month"])]
        outside = f"your agent sent readings of {len(rest)} days that are not stated: {', '.join(rest)[:80]}"
        compared = f"{len(sent.keys() & self.readings.keys())} readings are those your agent sent"
        return [compared, *[f"{note}, {len(lost)} of these you sent"][: len(self.open)], *[outside][: len(rest)]]


def changes_of(before: Table, now: Table) -> Table:
    """What differs from an earlier statement, for the month and by day."""

    def differing(was: Table, new: Table) -> Table:
        pairs = {name: [was.get(name), new.get(name)] for name in {*was, *new}}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    was, new = ({day["day"]: day["totals"] | day["money"] for day in each["days"]} for each in (before, now))
    days = {day: differing(was.get(day, {}), new.get(day, {})) for day in {*was, *new}}
    month = differing(*(each["totals"] | each["money"] for each in (before, now)))
    return {"since": hash_of(before), "month": month, "days": {day: each for day, each in days.items() if each}}


def readings_of(own: Table, me: str, place: str) -> Table:
    """The pairs of readings by slot. Each slot occurs once, in order; a fourth value is a mark."""
    check_fields(own, "readings.json")
    same(own["member"], me, f"{place} member")
    slots = [row[0] for row in own["readings"]]
    same(slots, sorted({*slots}), f"{place} slots")
    for row in own["readings"]:
        fits = len(row) >= 3 and all(wh is None or type(wh) is int for wh in row[1:3])
        marks = ([], *([mark] for mark in (*VERDICTS, *APART)))
        require(fits and row[3:] in marks, f"{place} slot {row[0]}", "malformed")
    return {row[0]: row[1:3] for row in own["readings"] if row[3:] not in [[mark] for mark in APART]}


def verify(files: list[Any], key: Ed25519PublicKey, before: Table | None = None, own: Table | None = None) -> list[str]:
    """Verify everything and return the result and notes. Raises: StatementCheckError at the first wrong place."""
    (signed, given, published), place = files, "statement"
    try:
        document = signed["document"]
        if document["format"] == "commonwatt-statement-1":
            raise UncheckedError("statement.json is of an earlier release: check it with the script of that release")
        same(document["format"], "commonwatt-statement-2", "format")
        check_fields(signed, "statement.json")
        check_fields(published, "pool.json")
        pools: Table = {pool["day"]: pool for pool in published["days"]}
        runs = {(pool["day"], pool["run"]): pool for pool in published.get("earlier", [])}
        late, corrected = ({row[0] for row in given["readings"] if row[3:] == [mark]} for mark in APART)
        same([pool["day"] for pool in published["days"]], sorted(pools), "pool.json days")
        check = RecomputedMonth(
            document, readings_of(given, document["member"]["id"], "readings.json"), pools | runs, key
        )
        for day in document["days"]:
            place = f"day {day['day']}"
            check.check_day(day)
        place = "month"
        check.check_month()
        place = "payment"
        notes = check.check_payment(signed.get("payment"))
        place = "--before"
        if before is None and (bills := [bill["number"] for bill in document["tax"] if bill["replaces"]]):
            raise UncheckedError(f"{bills[0]} replaces an earlier document: give its statement with --before")
        notes += check.check_before(before) if before is not None else []
        missing = len(check.open)
        check.open = [parts for parts in check.open if corrected.isdisjoint(parts)]
        later = missing - len(check.open)
        place = "--own"
        notes += check.check_own(own, late | corrected)
    except BROKEN as error:
        raise StatementCheckError(f"{place}: malformed ({type(error).__name__}: {str(error)[:80]})") from None
    check_signature(signed, key, "statement signature")
    return [result_of(check, len(late), later), *notes, *unproven(document)]


def result_of(check: RecomputedMonth, late: int, later: int) -> str:
    """The line that says what is right, and in how many intervals."""
    document, seen = check.document, check.seen
    count = sum(len(day["surplus"]) for day in document["days"])
    line = f"{document['month']} of {check.me}: right in all of {count} intervals"
    if apart := len(check.open) + later:
        line = f"{document['month']} of {check.me}: right in {count - apart} of {count} intervals"
        line += f"; {later} read later, counted only in the month's correction, as one total" if later else ""
        line += f"; {len(check.open)} without a reading" if check.open else ""
    if withheld := seen.pop("withheld", 0):
        line += f"; cannot be recomputed by you, only within bounds: {withheld} intervals, withheld"
    line += "".join(f"; {seen[mark]} slots {mark}" for mark in sorted(seen))
    line += f"; {late} slots late, for the next run" if late else ""
    missing = document["missing_days"]
    if len(missing) > 1:
        return f"{line}; not stated: {len(missing)} days, {missing[0]} to {missing[-1]}"
    return line + "".join(f"; not stated: {day}" for day in missing)


def unproven(document: Table) -> list[str]:
    """What the member should read, since the files cannot prove it: prices, tax rates and documents left out."""
    notes = []
    for version in sorted(document["rules"]):
        rule = read_json(document["rules"][version])
        prices = ", ".join(f"{name} {price / 10**6:.6f}" for name, price in rule["prices"].items() if price is not None)
        notes.append(f"by rule {version[:16]}: {rule['method']}, {prices} {document['coop']['currency']} per kWh")
    for bill in document["tax"]:
        rates = " and ".join(f"{tax['rate_ppm'] / 10**4:g} %" for tax in bill["taxes"])
        notes.append(f"{bill['kind']} {bill['number']}: tax {rates}, due {bill['due_cent']} cents")
    has_amounts = document["money"]["debit_cent"] or document["money"]["credit_cent"]
    if document["billed"] and not document["tax"] and has_amounts:
        notes.append("billed without a bill or credit note")
    return notes


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Recompute a statement from your own readings and the pool series.")
    for name in ("statement", "readings", "pool"):
        parser.add_argument(name, metavar=f"{name}.json")
    parser.add_argument("--hub-key", required=True, metavar="HEX", help="the hub's Ed25519 public key, 64 hex digits")
    parser.add_argument("--before", metavar="OLD", help="an earlier statement.json of the same month")
    parser.add_argument("--own", metavar="FILE", help="what your agent sent, in the form of readings.json")
    path, chosen = "--hub-key", parser.parse_args()
    files: list[Any] = []
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(chosen.hub_key))
        for path in (chosen.statement, chosen.readings, chosen.pool, chosen.before, chosen.own):
            if path is None:
                files.append(None)
                continue
            with Path(path).open("rb") as file:
                files.append(read_json(file.read(MAX_BYTES)))
        sys.stdout.write("\n  ".join(verify(files[:3], key, *files[3:])) + "\n")
    except StatementCheckError as wrong:
        sys.stdout.write(f"{wrong}\n")
        return 1
    except UncheckedError as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    except (OSError, *BROKEN) as error:
        sys.stderr.write(f"{path}: cannot be read: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
