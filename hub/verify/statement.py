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
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.verify.statement_bills import KINDS, SIDES, UNITS, RecomputedBills
from hub.verify.statement_days import ENERGIES, MONEYS, VERDICTS, local_day, unit_left
from hub.verify.statement_files import (
    BROKEN,
    StatementCheckError,
    Table,
    check_fields,
    hash_of,
    read_json,
    require,
    same,
)

MAX_BYTES = 256 * 2**20
APART = ("late", "corrected")
OLDER = ("commonwatt-statement-1", "commonwatt-statement-2")
OLDER_BILL = ("number", "date", "kind", "replaces", "net_cent", "tax_cent", "gross_cent", "due_cent")
LEAST_OF_VERSION = 8


class UncheckedError(Exception):
    """One line saying what the check needs besides the files given."""


class RecomputedMonth(RecomputedBills):
    """The whole statement: its rulebook and month, its days and bills, and what has changed since an earlier one."""

    def check_rulebook(self, known: Sequence[str]) -> None:
        """Check that each day's rule was the one in force, and that two of the board adopted it before it began.

        The first rule may be the co-op's founding act. With `known`, any rule of another version is refused.
        """
        rulebook = self.document["rulebook"]
        for number, row in enumerate(rulebook):
            place, dates = f"rulebook {row['rule'][:16]}", [row["adopted_on"], row["valid_from"]]
            same(dates, [date.fromisoformat(day).isoformat() for day in dates], f"{place} dates")
            adopted = len(row["by"]) == 2 and row["by"][0] != row["by"][1] and dates[0] < dates[1]
            founding = number == 0 and row["by"] == []
            require(adopted or founding, place, "is not adopted by two members of the board before it begins")
        by_day = sorted(rulebook, key=lambda row: row["valid_from"])
        for day in self.days:
            in_force = [row["rule"] for row in by_day if row["valid_from"] <= day["day"]][-1:]
            require([day["rule"]] == in_force, f"day {day['day']} rule", "is not the one that was adopted for this day")
            fits = not known or any(day["rule"].startswith(version) for version in known)
            require(fits, f"day {day['day']} rule", f"{day['rule']} is not among those given with --rule")

    def check_calendar(self) -> None:
        """Check which days are stated, by which kind of run, and what that makes of the month."""
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

    def check_sums(self) -> None:
        """Check the month's totals, money and rounding against its days and their correction."""
        document, whole = self.document, not self.document["missing_days"]
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
        for name, (was, now) in (document["changes"] or {"month": {}})["month"].items():
            same(now, (document["totals"] | document["money"])[name], f"changes {name}")
            require(was != now, f"changes {name}", "is no change")

    def check_bills(self) -> None:
        """Check that a billed month has at most one document for each side, and each document."""
        document = self.document
        rows = (row for day in self.days for each in day["entries"] for row in read_json(each["entry"])["postings"])
        fee = -sum(amount for line, account, amount in rows if (line, account) == ("fee", f"member:{self.me}:money"))
        sides = [bill["lines"][0]["name"] for bill in document["tax"]]
        same(sides, sorted({*sides} & {*SIDES}), "tax: one document for each side")
        require(document["billed"] or not sides, "tax", "a month that is not billed has a bill")
        for bill in document["tax"]:
            self.check_bill(bill, fee)

    def check_before(self, signed: Table) -> list[str]:
        """Compare with an earlier statement: what differs needs a newer run, and a bill has to replace the last."""
        self.check_signature(signed, "--before signature")
        before, now, notes = signed["document"], self.document, []
        is_older = before["format"] in OLDER
        for name in ("coop", "member", "month", *["format"][is_older:]):
            same(before[name], now[name], f"--before {name}")
        if is_older:
            self.check_bills_before({bill["lines"][0]["name"]: bill for bill in before["tax"]}, fields=OLDER_BILL)
            pairs = [(name, before["totals"][name], now["totals"][name]) for name in ENERGIES]
            notes += [f"changed since: {name} was {was}, is {new}" for name, was, new in pairs if was != new]
            return [*notes, "--before is of an earlier release: its bills and totals were compared, its days were not"]
        same(now["rulebook"][: len(before["rulebook"])], before["rulebook"], "rulebook of --before")
        self.check_days_before({day["day"]: day for day in before["days"]})
        self.check_bills_before({bill["lines"][0]["name"]: bill for bill in before["tax"]})
        for name in (*ENERGIES, *now["money"]):
            pair = [(table["totals"] | table["money"])[name] for table in (before, now)]
            notes += [f"changed since: {name} was {pair[0]}, is {pair[1]}"] if pair[0] != pair[1] else []
        if now["changes"] and now["changes"]["since"] == hash_of(before):
            same(now["changes"], changes_of(before, now), "changes")
        elif now["changes"]:
            notes.append("its own list of changes compares it with another statement than --before")
        return notes

    def check_days_before(self, last_days: Table) -> None:
        """Check that a day changed only with a newer run, and that the hub did not sign the same root twice."""
        for day in self.days:
            last, place = last_days.pop(day["day"], day), f"day {day['day']}"
            ranks = [KINDS.index(each["run"]["kind"]) for each in (last, day)]
            differ = [name for name in (*ENERGIES[:4], "rule", "totals", "money", "window") if day[name] != last[name]]
            newer = (ranks[0] < ranks[1] or ranks[1] in (0, 5)) and day["run"]["key"] != last["run"]["key"]
            right = ranks[0] <= ranks[1] and (newer or not differ)
            require(right, place, f"{', '.join(differ)} changed without a published run")
            roots = [each["root"]["document"]["attested"] or [0, ""] for each in (last, day)]
            require(roots[0] == roots[1] or roots[0][0] != roots[1][0], f"{place} root", "the hub signed it again")
        require(not last_days, f"day {min(last_days, default='')}", "is stated in --before and not now")

    def check_bills_before(self, bills: Table, *, fields: Sequence[str] = ()) -> None:
        """Check that each document is the earlier one or replaces it, and that none is left out.

        `fields`: what has to be the same, for the documents of an earlier release, whose form was another.
        """
        for bill in self.document["tax"]:
            last = bills.pop(bill["lines"][0]["name"], None)
            named = last and {name: last[name] for name in ("number", "date", "gross_cent")}
            is_same = bill == last or (fields and last and all(bill[name] == last[name] for name in fields))
            right = is_same or (bill["replaces"] == named and bill["number"] != (last or {}).get("number"))
            require(right, f"tax {bill['number']}", "does not replace the document in --before")
        require(not bills, "tax", "a document in --before is left out now")

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


def verify(
    files: list[Any], key: Ed25519PublicKey, before: Table | None = None, own: Table | None = None,
    *, rules: Sequence[str] = (), tax_rates: Sequence[int] = (),
) -> list[str]:  # fmt: skip
    """Verify everything and return the result and notes. Raises: StatementCheckError at the first wrong place.

    `rules` and `tax_rates` (in ppm) are what the member knows to be adopted and right.
    """
    (signed, given, published), place = files, "statement"
    try:
        document = signed["document"]
        if document["format"] in OLDER:
            raise UncheckedError("statement.json is of an earlier release: check it with the script of that release")
        same(document["format"], "commonwatt-statement-3", "format")
        check_fields(signed, "statement.json")
        check_fields(published, "pool.json")
        pools: Table = {pool["day"]: pool for pool in published["days"]}
        runs = {(pool["day"], pool["run"]): pool for pool in published.get("earlier", [])}
        late, corrected = ({row[0] for row in given["readings"] if row[3:] == [mark]} for mark in APART)
        same([pool["day"] for pool in published["days"]], sorted(pools), "pool.json days")
        check = RecomputedMonth(
            document, readings_of(given, document["member"]["id"], "readings.json"), pools | runs, key
        )
        check.tax_rates = frozenset(tax_rates)
        for day in document["days"]:
            place = f"day {day['day']}"
            check.check_day(day)
        place = "rulebook"
        check.check_rulebook(rules)
        place = "month"
        check.check_calendar()
        check.check_sums()
        check.check_bills()
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
    check.check_signature(signed, "statement signature")
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
        row = next(row for row in reversed(document["rulebook"]) if row["rule"] == version)
        adopted = f"adopted on {row['adopted_on']} by {' and '.join(row['by'])}" if row["by"] else "the co-op's first"
        unit = f"{document['coop']['currency']} per kWh"
        notes.append(f"by rule {version[:16]}: {rule['method']}, {prices} {unit}; {adopted}")
    for bill in document["tax"]:
        rates = " and ".join(f"{tax['rate_ppm'] / 10**4:g} %" for tax in bill["taxes"])
        notes.append(f"{bill['kind']} {bill['number']}: tax {rates}, due {bill['due_cent']} cents")
    has_amounts = document["money"]["debit_cent"] or document["money"]["credit_cent"]
    if document["billed"] and not document["tax"] and has_amounts:
        notes.append("billed without a bill or credit note")
    return notes


def rule_version(text: str) -> str:
    """A rule's hash or its beginning; a shorter one, such as an empty variable, would fit every rule."""
    if not re.fullmatch(rf"[0-9a-f]{{{LEAST_OF_VERSION},64}}", text):
        raise argparse.ArgumentTypeError(f"expected {LEAST_OF_VERSION} to 64 hex digits of a rule's hash")
    return text


def rate_ppm(text: str) -> int:
    """A rate in percent as parts per million."""
    if not re.fullmatch(r"[0-9]{1,2}([.][0-9]{1,4})?|100", text):
        raise argparse.ArgumentTypeError("expected a percentage such as 20 or 5.5")
    return round(float(text) * 10_000)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Recompute a statement from your own readings and the pool series.")
    for name in ("statement", "readings", "pool"):
        parser.add_argument(name, metavar=f"{name}.json")
    parser.add_argument("--hub-key", required=True, metavar="HEX", help="the hub's Ed25519 public key, 64 hex digits")
    parser.add_argument("--before", metavar="OLD", help="an earlier statement.json of the same month")
    many: Table = {"action": "append", "default": []}
    rule, rate = ("a rule that you know was adopted: no other is right", "a tax rate that you know to be right")
    parser.add_argument("--rule", **many, type=rule_version, metavar="VERSION", help=rule)
    parser.add_argument("--tax-rate", **many, type=rate_ppm, metavar="PERCENT", help=rate)
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
        known: Table = {"rules": chosen.rule, "tax_rates": chosen.tax_rate}
        sys.stdout.write("\n  ".join(verify(files[:3], key, *files[3:], **known)) + "\n")
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
