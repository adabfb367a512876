"""The stand-alone script's second part: each day of a statement recomputed.

hub/statements/script.py joins it with statement_files.py, statement_bills.py and statement.py.
"""

import hashlib
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.verify.statement_files import SignedFiles, Table, check_fields, hash_of, read_json, require, same

ENERGIES = ("surplus", "demand", "received", "sold", "imported", "exported")
MONEYS = ("debit_nano", "credit_nano", "benefit_nano", "alone_nano", "cost_nano")
VERDICTS = {"held": (None,), "rejected": ("reject", "estimate"), "estimated": ("estimate",), "derived": ()}
BY_DAY = {"few_homes", "few_makers", "single_homes", "uneven", "correction"}


def largest(total: int, weights: list[int]) -> list[int]:
    """A total shared by weight, with the units left over to the largest remainders, the first of equal ones first."""
    whole, order = sum(weights) or 1, range(len(weights))
    shares = [total * weight // whole for weight in weights]
    left = total - sum(shares) if any(weights) else 0
    for i in sorted(order, key=lambda i: (-(total * weights[i] % whole), i))[:left]:
        shares[i] += 1
    return shares


def netted(surplus: int, demand: int) -> list[int]:
    """Surplus and demand within one time, of which the lesser is taken off both."""
    return [surplus - min(surplus, demand), demand - min(surplus, demand)]


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
    if None in buy or method == "proportional":
        return None if None in buy else share(buy[0], demand, me)
    if method in ("equal", "weighted"):
        return fill(buy[0], demand, 1 if method == "equal" else params["weights"][me], me)
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
    received = received_of(rule, me, slot, demand) if slot.get("buy") is not None else None
    return received, None if slot.get("sell") is None else share(slot["sell"], surplus, me)


def check_sums(rule: Table, slot: Table, place: str) -> None:
    """Check that all homes together sold what all of them bought: the lesser of all surplus and all demand."""
    buy, sell, method = slot.get("buy"), slot.get("sell"), rule["method"]
    withheld = {slot[name] is None for name in ("demand", "buy", "sell") if name in slot}
    require(len(withheld) < 2, place, "only some of its numbers are withheld")
    if not sell or buy is None:
        return
    (used, pool), wanted = sell[:2], slot.get("demand")
    require(0 <= used <= (pool if wanted is None else min(pool, wanted)), place, "more sold than given or drawn")
    if wanted is not None and method not in ("weighted", "static", "static_rounds"):
        same(used, min(pool, wanted), f"{place} sold by all homes")
    if None not in buy and method in ("proportional", "priority"):
        sums = [sum(step[0] for step in buy), sum(step[1] for step in buy)]
        same(sums, [used, wanted], f"{place} bought and drawn by all homes")
    if None not in buy and len(buy) > (method == "static_then_proportional") and method.startswith("static"):
        same(buy[0][0], pool, f"{place} shared in the first round")
    if None not in buy and method == "weighted" and buy[0][1]:
        same(used, pool, f"{place} sold by all homes")


def local_day(slot: int, tz: str) -> str:
    return datetime.fromtimestamp(slot * 900, UTC).astimezone(ZoneInfo(tz)).date().isoformat()


class RecomputedDays(SignedFiles):
    """A statement with the files it is checked against; each method raises StatementCheckError where one is wrong."""

    def __init__(self, document: Table, readings: Table, pools: Table, key: Ed25519PublicKey) -> None:
        super().__init__(document, key)
        self.readings, self.pools, self.me, self.days = readings, pools, document["member"]["id"], document["days"]
        self.seen: Counter[str] = Counter()
        self.open: list[range] = []
        self.together: list[list[tuple[int, int]]] = []  # bounds of received and sold, by interval told by day only

    def netting(self, rule: Table) -> str:
        """Within which time my surplus and demand are netted: my grid operator's, or the co-op's."""
        return str(rule.get("netting_of", {}).get(self.me, rule.get("netting", "none")))

    def own_reading(self, day: Table, parts: range, netting: str) -> list[int] | None:
        """My settled surplus and demand in one interval; None if missing, held or rejected, or if not a member."""
        marked: Table = {at: energy[:2] for at, mark, *energy in day["marks"] if mark != "derived"}
        pairs: list[Any] = [marked.get(part) or self.readings.get(part, (None, None)) for part in parts]
        known = self.is_member(day, parts) and not any(None in pair for pair in pairs)
        if not known:
            return None
        pairs = [netted(*pair) for pair in pairs] if netting == "15min" else pairs
        sums = [sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)]
        return netted(*sums) if netting == "60min" else sums

    def is_member(self, day: Table, parts: range) -> bool:
        first, end = day["window"] or (parts[0], None)
        return bool(first <= parts[0] and (end is None or parts[-1] < end))

    def check_marks(self, day: Table, rule: Table, slots: range) -> None:
        """Each mark rests on a finding and, where one is needed, a decision; missing and derived readings need none."""
        findings, marked = {each["number"]: each for each in day["findings"]}, [mark[0] for mark in day["marks"]]
        same(marked, sorted({*marked} & {*slots}), f"day {day['day']} marks")
        used = sorted({mark[4] for mark in day["marks"]} - {None})
        same([each["number"] for each in day["findings"]], used, f"day {day['day']} findings")
        for slot, mark, *energy, number in day["marks"]:
            place = f"day {day['day']} slot {slot}"
            require(mark in VERDICTS, place, "is not marked with a word that this script knows")
            kinds = {type(wh) for wh in energy}
            known = int if mark == "estimated" else type(None)
            require(kinds == {known}, place, f"{mark}: only estimates have energy")
            if number is None:
                due = mark == "estimated" and "estimate" in rule and None in self.readings.get(slot, (None,))
                due |= mark == "derived" and "derived" in rule and None not in self.readings.get(slot, (None,))
                require(due, place, f"{mark} without a finding")
                self.seen[mark] += 1
                continue
            finding = findings[number]
            verdict = (finding["decision"] or {"verdict": None})["verdict"]
            fits = 0 <= slot - finding["first_slot"] < finding["slots"] and verdict in VERDICTS[mark]
            require(fits, place, f"{mark}, but finding {number} and its decision do not say so")
            decision = f", decision {finding['decision']['number']}" if finding["decision"] else ""
            self.seen[f"{mark} (finding {number}, {finding['code']}{decision})"] += 1

    def check_intervals(self, day: Table, rule: Table, pool: Table) -> None:
        """Check every interval of a day against my readings and the pool series; count what cannot be recomputed."""
        self.together = []
        unsure, estimated = [], {mark[0] for mark in day["marks"] if mark[1] == "estimated"}
        for i, (slot, *stated) in enumerate(zip(pool["slots"], *(day[name] for name in ENERGIES[:4]), strict=True)):
            place, parts = f"day {day['day']} slot {slot['slot']}", range(slot["slot"], slot["slot"] + day["step"])
            same(day["first_slot"] + i * day["step"], slot["slot"], f"{place} number of the interval")
            check_sums(rule, slot, place)
            mine = self.own_reading(day, parts, self.netting(rule))
            if self.is_member(day, parts) and (mine is None or estimated & {*parts}):
                unsure.append(slot["slot"])
            by_day = stated[2:] == [None, None]
            if mine is None or None in stated[: 2 if by_day else 4]:
                same(stated, [None] * 4 if mine is None else [*mine, 0, 0], f"{place} surplus, demand, received, sold")
                self.open += [parts] if self.is_member(day, parts) else []
                continue
            same(stated[:2], mine, f"{place} surplus and demand by your readings")
            received, sold = recompute(rule, self.me, slot, *mine)
            self.seen["withheld"] += received is None or sold is None
            if by_day:  # only the day's sum says what I received and sold here; the auditor's series says it exactly
                require("salt" in pool or {*slot["withheld"]} & BY_DAY, place, "what I received and sold is left out")
                sides = zip((received, sold), mine[::-1], strict=True)
                self.together.append([(0, most) if wh is None else (wh, wh) for wh, most in sides])
                continue
            within = 0 <= stated[2] <= mine[1] and 0 <= stated[3] <= mine[0]
            require(within, place, "more received or sold than metered")
            found = [stated[2] if received is None else received, stated[3] if sold is None else sold]
            same(stated[2:], found, f"{place} received, sold")
        every = range(day["first_slot"], day["first_slot"] + len(day["surplus"]) * day["step"], day["step"])
        same(day["provisional"], sorted({*day["provisional"], *unsure} & {*every}), f"day {day['day']} provisional")
        same(day["run"]["state"], "provisional" if day["provisional"] else "complete", f"day {day['day']} run state")

    def with_rest(self, day: Table, side: int, known: int, place: str) -> int:
        """The day's received (0) or sold (1): the total, if the intervals told together can add what it is above."""
        name = ENERGIES[2 + side]
        total: int = day["totals"][name]
        least, most = (sum(bounds[side][n] for bounds in self.together) for n in (0, 1))
        fits = type(total) is int and least <= total - known <= most
        require(fits, f"{place} totals {name}", f"the intervals told together add {least} to {most} Wh to {known}")
        return total

    def check_entries(self, day: Table) -> dict[str, int]:
        """Check the day's signed root and my entries under it; returns what they book."""
        place, root = f"day {day['day']}", day["root"]["document"]
        self.check_signature(day["root"], f"{place} root")
        named = [root["format"], root["coop"], root["day"]]
        same(named, ["commonwatt-day-root-2", self.coop["id"], day["day"]], f"{place} root format, coop and day")
        booked, places = dict.fromkeys((*ENERGIES[2:], *MONEYS[:2]), 0), [each["place"] for each in day["entries"]]
        same(places, sorted(set(places)), f"{place} order of entries")
        for each in day["entries"]:
            at, entry = f"{place} entry {each['place']}", read_json(each["entry"])
            check_fields(entry, "entry")
            require(len(each["salt"]) == 64, at, "its salt is not 32 bytes")
            leaf = bytes.fromhex(each["salt"]) + each["entry"].encode()
            found = root_of(leaf, each["place"], root["entries"], list(map(bytes.fromhex, each["proof"])))
            require(found.hex() == root["root"], at, "is not under the day's signed root")
            stated = [entry["day"], entry["member"], sum(amount for _, _, amount in entry["postings"])]
            same(stated, [day["day"], self.me, 0], f"{at} day, member and sum")
            for line, account, amount in entry["postings"]:
                if account == f"member:{self.me}:energy" and line in booked:
                    booked[line] += amount if line in ("received", "imported") else -amount
                elif account == f"member:{self.me}:money" and line in ("received", "sold"):
                    booked[MONEYS[line == "sold"]] += amount if line == "sold" else -amount
        return booked

    def check_day(self, day: Table) -> None:
        """Check one day from the readings up to its totals and money."""
        place, booked = f"day {day['day']}", self.check_entries(day)
        slots = range(day["first_slot"], day["first_slot"] + len(day["surplus"]) * day["step"])
        ends = (slots[0] - 1, slots[0], slots[-1], slots[-1] + 1)
        before, *same_day, after = (local_day(slot, self.coop["tz"]) for slot in ends)
        require(before < day["day"] < after and {*same_day} == {day["day"]}, f"{place} first_slot", "not the local day")
        require(day["day"] in self.pools, place, "the pool series has no such day")
        run = (day["day"], day["run"]["key"])
        pool = self.pools[run if run in self.pools else day["day"]]
        named = day["root"]["document"]["pool"].values()
        require(hash_of(pool) in named, f"{place} pool series", "not the one the hub signed for")
        require(pool["for"] == ("auditor" if "salt" in pool else "members"), f"{place} pool series", "for nobody known")
        stated = [pool["format"], pool["coop"], pool["rule"], pool["run"]]
        found = ["commonwatt-pool-series-2", self.coop["id"], day["rule"], day["run"]["key"]]
        same(stated, found, f"{place} rule and run, format and coop of the pool series")
        text = self.document["rules"][day["rule"]]
        version, rule = hashlib.sha256(b"commonwatt rulebook v1\n" + text.encode()).hexdigest(), read_json(text)
        check_fields(rule, "rule")
        same([version, rule["aggregate"]], [day["rule"], day["step"]], f"{place} rule version and step")
        self.check_marks(day, rule, slots)
        self.check_intervals(day, rule, pool)
        surplus, demand, received, sold = (sum(wh or 0 for wh in day[name]) for name in ENERGIES[:4])
        if self.together:
            received, sold = (self.with_rest(day, side, known, place) for side, known in enumerate((received, sold)))
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
