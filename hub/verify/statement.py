"""Recomputes a member's month from the member's own readings and the published pool series; needs no other module.

Needs Python and cryptography: python verify_statement.py statement.json readings.json pool.json --hub-key HEX
Exit status 0: every number was recomputed. 1: one line names the first place that is wrong. 2: a file cannot be read.
readings.json is {"member": id, "readings": [[slot, exported_wh, imported_wh], ...]}, a slot being the number of quarter
hours since 1970 in UTC; pool.json is {"days": [the co-op's pool series of each day]}.
"""

import argparse
import calendar
import hashlib
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMATS = ("commonwatt-statement-1", "commonwatt-statement-2")
SIGNED, MAX_BYTES = b"commonwatt signed document v1\n", 256 * 2**20
ENERGIES = ("surplus", "demand", "received", "sold", "imported", "exported")
MONEYS = ("debit_nano", "credit_nano", "benefit_nano", "alone_nano", "cost_nano")
SIDES = {"received": "debit_cent", "sold": "credit_cent"}
TAX, UNITS = ("rate_ppm", "reverse_charge", "net_cent", "tax_cent"), {"micro": 1_000, "cent": 10_000_000}
BROKEN = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)
Table = dict[Any, Any]


class StatementCheckError(Exception):
    """One line naming a place in the statement and what is wrong there."""


def require(holds: bool, place: str, what: str) -> None:
    if not holds:
        raise StatementCheckError(f"{place}: {what}")


def same(stated: object, found: object, place: str) -> None:
    """Check that the stated number equals the recomputed one and is a whole number too."""
    what = f"{json.dumps(stated)[:80]} is stated, {json.dumps(found)[:80]} is right"
    require(canonical(stated) == canonical(found), place, what)


def canonical(document: object) -> bytes:
    """The document as the bytes that hashes and signatures cover."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def check_signature(signed: Table, key: Ed25519PublicKey, place: str) -> None:
    """Check the hub's signature over the document."""
    try:
        key.verify(bytes.fromhex(signed["signature"]), SIGNED + canonical(signed["document"]))
    except (InvalidSignature, *BROKEN):
        raise StatementCheckError(f"{place}: not signed by the hub's key, or changed since") from None


def root_of(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root to which this leaf, its index and its proof lead (RFC 6962 section 2.1)."""
    if not 0 <= index < size or (size == 1) != (not proof):
        raise ValueError("a proof of the wrong length")
    if size == 1:
        return hashlib.sha256(b"\0" + leaf).digest()
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return hashlib.sha256(b"\1" + root_of(leaf, index, half, proof[:-1]) + proof[-1]).digest()
    return hashlib.sha256(b"\1" + proof[-1] + root_of(leaf, index - half, size - half, proof[:-1])).digest()


def unit_left(rest: int, bar: list[Any], me: str) -> bool:
    """Whether this remainder got a leftover unit: the largest remainders do, and among equals the first ids."""
    return bar[0] is not None and (rest > bar[0] or (rest == bar[0] and (bar[1] is None or me < bar[1])))


def share(step: list[Any], weight: int, me: str) -> int:
    """My part of a total shared by weight, rounded by largest remainder."""
    units, rest = divmod(step[0] * weight, step[1] or 1)
    return int(units) + unit_left(rest, step[2:], me)


def fill(step: list[Any], demand: int, weight: int, me: str) -> int:
    """My part in water-filling: all I ask for if it is within my level, otherwise my share of what the others left."""
    filled = demand * step[1] <= step[0] * weight
    return 0 if weight == 0 else demand if filled else share(step, weight, me)


def received_of(rule: Table, me: str, slot: Table, demand: int) -> int | None:
    """What the rule gives me in this interval; None if the series withholds it."""
    method, params, buy = rule["method"], rule["params"], slot["buy"]
    if method == "priority":
        tier = next(n for n, tier in enumerate(params["tiers"]) if me in tier)
        return None if buy[tier] is None else share(buy[tier], demand, me)
    if method in ("equal", "weighted"):
        return fill(buy[0], demand, 1 if method == "equal" else params["weights"][me], me)
    if None in buy or method == "proportional":
        return None if None in buy else share(buy[0], demand, me)
    if method == "solidarity":
        first = fill(buy[0], demand, 1, me) if me in params["group"] else 0
        return first + share(buy[1], demand - first, me)
    last = {"static": 0, "static_rounds": 0, "static_then_proportional": 1}[method]
    got, weight = 0, params["weights"][me]
    for step in buy[:-1] if last else buy:
        got += min(share(step, weight, me), demand - got)
        weight = 0 if got == demand else weight
    return got + share(buy[-1], demand - got, me) if last else got


def pairwise_of(rule: Table, me: str, slot: Table, demand: int) -> tuple[int, int]:
    """What I received from the producers' quotas and what I sold, from the auditor's series."""
    got = sold = 0
    for producer, step, taken in slot["producers"]:
        ppm = rule["params"]["coefficients"][producer].get(me)
        if ppm is not None:
            mine = min(share(step, ppm, me), demand - got)
            same(taken.get(me), mine, f"slot {slot['slot']} taken from {producer}")
            got += mine
        sold = sum(taken.values()) if producer == me else sold
    return got, sold


def recompute(rule: Table, me: str, slot: Table, surplus: int, demand: int) -> tuple[int | None, int | None]:
    """My energy received and sold in one interval; None for a value that only the auditor can recompute."""
    surplus, demand = (wh * rule["participation_percent"].get(me, 100) // 100 for wh in (surplus, demand))
    if "producers" in slot:
        return pairwise_of(rule, me, slot, demand)
    return (received_of(rule, me, slot, demand), share(slot["sell"], surplus, me)) if "buy" in slot else (None, None)


def own_reading(day: Table, slot: int, readings: Table) -> tuple[int, int] | None:
    """My settled surplus and demand in one interval; None if missing, held or rejected, or if I was not a member."""
    (first, end), parts = day["window"] or (slot, None), range(slot, slot + day["step"])
    marked: Table = {at: energy for at, _, *energy in day.get("marks", ())}
    pairs: list[Any] = [marked.get(part) or readings.get(part, (None, None)) for part in parts]
    here = first <= parts[0] and (end is None or parts[-1] < end) and not any(None in pair for pair in pairs)
    return (sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)) if here else None


def check_intervals(day: Table, rule: Table, me: str, pool: Table, readings: Table) -> int:
    """Check every interval of a day against my readings and the pool series; returns how many were withheld from me."""
    withheld = 0
    for i, (slot, *stated) in enumerate(zip(pool["slots"], *(day[name] for name in ENERGIES[:4]), strict=True)):
        place = f"day {day['day']} slot {slot['slot']}"
        same(day["first_slot"] + i * day["step"], slot["slot"], f"{place} number of the interval")
        mine = own_reading(day, slot["slot"], readings)
        if mine is None or None in stated:
            same(stated, [None] * 4 if mine is None else [*mine, 0, 0], f"{place} surplus, demand, received, sold")
            continue
        same(stated[:2], list(mine), f"{place} surplus and demand by your readings")
        received, sold = recompute(rule, me, slot, *mine)
        withheld += received is None or sold is None
        require(0 <= stated[2] <= mine[1] and 0 <= stated[3] <= mine[0], place, "more received or sold than metered")
        same(stated[2], stated[2] if received is None else received, f"{place} received")
        same(stated[3], stated[3] if sold is None else sold, f"{place} sold")
    return withheld


def check_entries(day: Table, coop: str, me: str, key: Ed25519PublicKey) -> dict[str, int]:
    """Check the day's signed root and my entries under it; returns what they book."""
    place, root = f"day {day['day']}", day["root"]["document"]
    salted = root["format"] != "commonwatt-day-root-1"
    check_signature(day["root"], key, f"{place} root")
    same([root["coop"], root["day"]], [coop, day["day"]], f"{place} root coop and day")
    booked, places = dict.fromkeys((*ENERGIES[2:], *MONEYS[:2]), 0), [each["place"] for each in day["entries"]]
    same(places, sorted(set(places)), f"{place} order of entries")
    for each in day["entries"]:
        at, entry, path = f"{place} entry {each['place']}", json.loads(each["entry"]), map(bytes.fromhex, each["proof"])
        leaf = bytes.fromhex(each["salt"] if salted else "") + each["entry"].encode()
        found = root_of(leaf, each["place"], root["entries"], list(path))
        require(found.hex() == root["root"], at, "does not stand under the day's signed root")
        stated = [entry["day"], entry["member"], sum(amount for _, _, amount in entry["postings"])]
        same(stated, [day["day"], me, 0], f"{at} day, member and sum")
        for line, account, amount in entry["postings"]:
            if account == f"member:{me}:energy" and line in booked:
                booked[line] += amount if line in ("received", "imported") else -amount
            elif account == f"member:{me}:money" and line in ("received", "sold"):
                booked[MONEYS[line == "sold"]] += amount if line == "sold" else -amount
    return booked


def check_day(day: Table, document: Table, pools: Table, readings: Table, key: Ed25519PublicKey) -> int:
    """Check one day from the readings up to its totals and money; returns how many intervals were withheld."""
    place, me, coop = f"day {day['day']}", document["member"]["id"], document["coop"]["id"]
    booked = check_entries(day, coop, me, key)
    require(day["day"] in pools, place, "the pool series has no such day")
    pool = pools[day["day"]]
    found, named = hashlib.sha256(canonical(pool)).hexdigest(), day["root"]["document"]["pool"].values()
    require(found in named, f"{place} pool series", "not the one the hub signed for")
    same([day["rule"], day["run"]["key"]], [pool["rule"], pool["run"]], f"{place} rule and run")
    text = document["rules"][day["rule"]]
    version, rule = hashlib.sha256(b"commonwatt rulebook v1\n" + text.encode()).hexdigest(), json.loads(text)
    same([version, rule["aggregate"]], [day["rule"], day["step"]], f"{place} rule version and step")
    withheld = check_intervals(day, rule, me, pool, readings)
    surplus, demand, received, sold = (sum(wh or 0 for wh in day[name]) for name in ENERGIES[:4])
    totals = dict(zip(ENERGIES, (surplus, demand, received, sold, demand - received, surplus - sold), strict=True))
    same(day["totals"], totals, f"{place} totals")
    prices, money = rule["prices"], dict.fromkeys(MONEYS)
    debit, credit = received * prices["buy"], sold * prices["sell"]
    if prices["retail"] is not None and prices["feedin"] is not None:
        alone = demand * prices["retail"] - surplus * prices["feedin"]
        cost = totals["imported"] * prices["retail"] - totals["exported"] * prices["feedin"] + debit - credit
        money |= {"benefit_nano": alone - cost, "alone_nano": alone, "cost_nano": cost}
    same(day["money"], money | {"debit_nano": debit, "credit_nano": credit}, f"{place} money")
    same(booked, {name: (totals | day["money"])[name] for name in booked}, f"{place} entries")
    return withheld


def check_month(document: Table) -> None:
    """Check the month's calendar, state, totals, money, rounding and tax against its days."""
    month, days, me = document["month"], document["days"], document["member"]["id"]
    every = [f"{month}-{n:02d}" for n in range(1, calendar.monthrange(int(month[:4]), int(month[5:7]))[1] + 1)]
    stated = document["days_before"] + sorted([day["day"] for day in days] + document["missing_days"])
    same(stated, every, "days, days_before and missing_days")
    for day, following in pairwise(days):
        far = following["first_slot"] - day["first_slot"] - len(day["surplus"]) * day["step"]
        follows = far == 0 or (every.index(following["day"]) - every.index(day["day"]) > 1 and far > 0)
        require(follows, f"day {following['day']} first_slot", "does not follow the day before")
    kinds, whole = {day["run"]["kind"] for day in days}, not document["missing_days"]
    same(document["state"], "final" if kinds <= {"RF", "X"} and whole else "provisional", "state")
    same(document["billed"], whole and "D" not in kinds, "billed")
    same(document["totals"], {name: sum(day["totals"][name] for day in days) for name in ENERGIES}, "totals")
    columns = {name: [day["money"][name] for day in days] for name in MONEYS}
    money: Table = {name: None if None in numbers else sum(numbers) for name, numbers in columns.items()}
    for side in ("debit", "credit"):
        for unit, unit_nano in UNITS.items():
            whole_units, rest = divmod(money[f"{side}_nano"], unit_nano)
            money[f"{side}_{unit}"] = whole_units + unit_left(rest, document["rounding"][unit][side], me)
    same(document["money"], money, "money")
    postings = (row for day in days for each in day["entries"] for row in json.loads(each["entry"])["postings"])
    fee = -sum(amount for line, account, amount in postings if (line, account) == ("fee", f"member:{me}:money"))
    for bill in document["tax"]:
        check_bill(bill, money, fee)


def check_bill(bill: Table, money: Table, fee_nano: int) -> None:
    """Check a bill or credit note: energy, fee within a cent, tax by rate (half cents round up), sums, amount due."""
    place, lines, side = f"tax {bill['kind']} {bill['number']}", bill["lines"], bill["lines"][0]["name"]
    same(sum(line["net_cent"] for line in lines if line["name"] == side), money[SIDES[side]], f"{place} {side}")
    fee = sum(line["net_cent"] for line in lines if line["name"] == "fee")
    require(side == "sold" or abs(fee * UNITS["cent"] - fee_nano) < UNITS["cent"], f"{place} fee", "not as booked")
    taxes = []
    for rate in sorted({tuple(line[name] for name in TAX[:2]) for line in lines}):
        net = sum(line["net_cent"] for line in lines if tuple(line[name] for name in TAX[:2]) == rate)
        taxes.append((*rate, net, (2 * net * rate[0] + 1_000_000) // 2_000_000))
    same(bill["taxes"], [dict(zip(TAX, tax, strict=True)) for tax in taxes], f"{place} taxes")
    net, charged = sum(tax[2] for tax in taxes), sum(tax for _, reverse, _, tax in taxes if not reverse)
    same([bill["net_cent"], bill["tax_cent"], bill["gross_cent"]], [net, charged, net + charged], f"{place} sums")
    same(bill["due_cent"], net + charged - (bill["replaces"] or {"gross_cent": 0})["gross_cent"], f"{place} due")


def verify(signed: Table, own: Table, published: Table, key: Ed25519PublicKey) -> str:
    """Verify everything and return a one-line result. Raises: StatementCheckError at the first place that is wrong."""
    place, withheld = "statement", 0
    try:
        document = signed["document"]
        rows = own["readings"]
        require(document["format"] in FORMATS, "format", "not a statement that this script knows")
        same(own["member"], document["member"]["id"], "member of the readings")
        pools, readings = {p["day"]: p for p in published["days"]}, {at: wh[:2] for at, *wh in rows if "late" not in wh}
        for day in document["days"]:
            place = f"day {day['day']}"
            withheld += check_day(day, document, pools, readings, key)
        place = "month"
        check_month(document)
        for name, (_, now) in ((document["changes"] or {}).get("month") or {}).items():
            same(now, {**document["totals"], **document["money"]}[name], f"changes {name}")
        if payment := signed.get("payment"):
            check_signature(payment, key, "payment")
            same(payment["document"]["statement"], hashlib.sha256(canonical(document)).hexdigest(), "payment statement")
        marks = [mark for day in document["days"] for _, mark, *_ in day.get("marks", ())]
        marks += ["late, for the next run" for row in rows if "late" in row]
    except BROKEN as error:
        raise StatementCheckError(f"{place}: malformed ({type(error).__name__}: {str(error)[:80]})") from None
    check_signature(signed, key, "statement signature")
    note = f"; {withheld} of them only within bounds, as too few homes took part" if withheld else ""
    note += "".join(f"; {marks.count(mark)} slots {mark}" for mark in sorted({*marks}))
    count = sum(len(day["surplus"]) for day in document["days"])
    return f"{document['month']} of {document['member']['id']}: right in all of {count} intervals{note}"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Recompute a statement from your own readings and the pool series.")
    for name in ("statement", "readings", "pool"):
        parser.add_argument(name, metavar=f"{name}.json")
    parser.add_argument("--hub-key", required=True, metavar="HEX", help="the hub's Ed25519 public key, 64 hex digits")
    files, path, chosen = [], "--hub-key", parser.parse_args()
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(chosen.hub_key))
        for path in (chosen.statement, chosen.readings, chosen.pool):
            with Path(path).open("rb") as file:
                files.append(json.loads(file.read(MAX_BYTES)))
        sys.stdout.write(verify(files[0], files[1], files[2], key) + "\n")
    except StatementCheckError as wrong:
        sys.stdout.write(f"{wrong}\n")
        return 1
    except (OSError, *BROKEN) as error:
        sys.stderr.write(f"{path}: cannot be read: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
