"""The settlement case file: one JSON document in, one out, for boards who try a rule and auditors who recompute.

It reads text and tables, never files.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, cast

import numpy as np

from hub.core.allocation.rounding import Energy
from hub.core.rules.input_checks import MAX_INTEGER, RejectedInputError, one_line, require_integer
from hub.core.rules.rulebook import Prices, Rule, check_rule, require_mapping, require_sequence, sort_members
from hub.core.settlement.money import CENT_NANO, MICRO_NANO
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import MISSING_WH, Readings, Window
from protocols.slots import slots_of_day

MAX_CASE_BYTES: Final = 64 * 2**20
MAX_DIGITS: Final = 60

Table = Mapping[str, object]


def settle_case(case: object, previous: object = None) -> dict[str, object]:
    """The answer to a case, with an earlier answer also the difference; a Refusal if any part is out of order."""
    table = require_mapping(case, "the case file")
    if "cases" in table and "members" not in table:
        raise RejectedInputError("malformed", "this file holds a list of cases; settle takes one of them at a time")
    readings, rule = read_case(table)
    answer = answer_case(settle(readings, rule))
    if previous is not None:
        answer["delta"] = _difference(require_mapping(answer["money"], "money"), previous)
    return answer


def parse_case(text: bytes) -> object:
    """The JSON document in these bytes; refuses doubled keys, NaN, endless numbers and what is not JSON."""
    if len(text) > MAX_CASE_BYTES:
        raise RejectedInputError("malformed", f"the file is larger than {MAX_CASE_BYTES // 2**20} MiB")
    try:
        return json.loads(
            text.decode("utf-8-sig"),
            object_pairs_hook=_single_keys,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
        )
    except UnicodeDecodeError:
        raise RejectedInputError("malformed", "the file is not UTF-8 text") from None
    except json.JSONDecodeError as broken:
        where = f"line {broken.lineno} column {broken.colno}"
        raise RejectedInputError("malformed", f"not JSON: {where}: {broken.msg}") from None
    except RecursionError:
        raise RejectedInputError("malformed", "lists and tables are nested too deep") from None


def read_case(case: Table) -> tuple[Readings, Rule]:
    """A case's readings and rule, everything in it checked; members in byte order and slots ascending."""
    members = sort_members(require_sequence(_named(case, "members"), "members"))
    rule = Rule(
        method=cast(str, case.get("method")),
        params=require_mapping(case.get("params", {}), "params"),
        aggregate=cast(int, case.get("aggregate", 1)),
        participation_percent=cast(Mapping[str, int], case.get("participation", {})),
        missing=cast(str, case.get("missing", "exclude")),
        prices=_read_prices(case.get("prices")),
    )
    check_rule(rule, members)
    windows = _read_windows(case.get("windows", {}), members)
    intervals = require_sequence(_named(case, "intervals"), "intervals")
    rows: dict[int, tuple[Table, Table]] = {}
    for i, interval in enumerate(intervals):
        row = require_mapping(interval, f"intervals[{i}]")
        slot = require_integer(row.get("t", i), f"intervals[{i}].t")
        if slot in rows:
            raise RejectedInputError("duplicate_interval", f"intervals[{i}] is slot {slot}, which stands already")
        rows[slot] = (_side(row, "s", i), _side(row, "d", i))
    slots = tuple(sorted(rows))
    surplus = _read_energy([rows[slot][0] for slot in slots], members, side="s", slots=slots)
    demand = _read_energy([rows[slot][1] for slot in slots], members, side="d", slots=slots)
    _check_day(case, len(intervals))
    return Readings(members, slots, surplus, demand, windows), rule


def answer_case(settled: Settlement) -> dict[str, object]:
    """The settlement as the case file's answer, members in byte order."""
    members = settled.members
    columns = {
        "alloc": settled.alloc_wh.tolist(),
        "sold": settled.sold_wh.tolist(),
        "import": settled.import_wh.tolist(),
        "export": settled.export_wh.tolist(),
    }
    present, provisional = settled.present.tolist(), settled.provisional.tolist()
    intervals = []
    for t in range(len(settled.slots)):
        here = [i for i, there in enumerate(present[t]) if there]
        interval: dict[str, object] = {name: {members[i]: rows[t][i] for i in here} for name, rows in columns.items()}
        interval["used"] = sum(columns["alloc"][t])
        interval["state"] = "provisional" if provisional[t] else "complete"
        intervals.append(interval)
    totals = {name: dict(zip(members, settled.totals_wh[name], strict=True)) for name in columns}
    return {"intervals": intervals, "totals": totals, "money": _answer_money(settled)}


def local_day_slots(day: object, tz: object) -> int:
    """How many quarter hours a local day has: 92, 96 or 100 almost everywhere."""
    try:
        return len(slots_of_day(date.fromisoformat(cast(str, day)), cast(str, tz)))
    except (TypeError, ValueError, OverflowError):
        raise RejectedInputError("malformed", f"day {one_line(day)} in tz {one_line(tz)} is no local day") from None


def _answer_money(settled: Settlement) -> dict[str, object]:
    members, money = settled.members, settled.money
    answer: dict[str, object] = {
        "debit_nano": dict(zip(members, money.debit_nano, strict=True)),
        "credit_nano": dict(zip(members, money.credit_nano, strict=True)),
        "coop_margin_nano": money.coop_margin_nano,
    }
    for name, unit_nano in (("micro", MICRO_NANO), ("cent", CENT_NANO)):
        statement = money.in_units_of(unit_nano)
        answer[f"debit_{name}"] = dict(zip(members, statement.debit, strict=True))
        answer[f"credit_{name}"] = dict(zip(members, statement.credit, strict=True))
        answer[f"coop_margin_{name}"] = statement.coop_margin
    if money.benefit_nano is not None:
        answer["benefit_nano"] = dict(zip(members, money.benefit_nano, strict=True))
    return answer


def _difference(money: Table, previous: object) -> dict[str, object]:
    """What a later run books: this money less the earlier, for everyone who stands in either."""
    table = require_mapping(previous, "the earlier result")
    if "money" not in table:
        raise RejectedInputError("malformed", "money is missing in the earlier result")
    earlier = require_mapping(table["money"], "money of the earlier result")
    delta: dict[str, object] = {}
    for name in ("debit_nano", "credit_nano"):
        now, before = cast(Mapping[str, int], money[name]), _read_amounts(earlier, name)
        everyone = sorted({*now, *before})
        delta[name] = {member: now.get(member, 0) - before.get(member, 0) for member in everyone}
    margin = _read_amount(_named(earlier, "coop_margin_nano"), "coop_margin_nano")
    delta["coop_margin_nano"] = cast(int, money["coop_margin_nano"]) - margin
    return delta


def _read_amounts(earlier: Table, name: str) -> dict[str, int]:
    amounts = require_mapping(_named(earlier, name), f"money.{name}")
    return {member: _read_amount(amount, f"{name}.{one_line(member)}") for member, amount in amounts.items()}


def _read_amount(amount: object, where: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise RejectedInputError("not_integer", f"{where} of the earlier result is not an integer")
    return amount


def _named(table: Table, name: str) -> object:
    if name not in table:
        raise RejectedInputError("malformed", f"{name} is missing")
    return table[name]


def _side(row: Table, side: str, index: int) -> Table:
    where = f"intervals[{index}].{side}"
    if side not in row:
        raise RejectedInputError("malformed", f"{where} is missing")
    return require_mapping(row[side], where)


def _read_energy(rows: Sequence[Table], members: Sequence[str], *, side: str, slots: Sequence[int]) -> Energy:
    columns = {member: column for column, member in enumerate(members)}
    energy: Energy = np.full((len(rows), len(members)), MISSING_WH, dtype=np.int64)
    for t, row in enumerate(rows):
        for member, value in row.items():
            if member not in columns:
                raise RejectedInputError("unknown_member", f"slot {slots[t]} {side}.{one_line(member)}: no such member")
            if value is None:
                continue
            # The everyday value first: words for a refusal cost more than the check.
            if type(value) is int and 0 <= value <= MAX_INTEGER:
                energy[t, columns[member]] = value
            else:
                require_integer(value, f"slot {slots[t]} {side}.{one_line(member)}")
    return energy


def _read_windows(value: object, members: Sequence[str]) -> dict[str, Window]:
    windows: dict[str, Window] = {}
    for member, bounds in require_mapping(value, "windows").items():
        where = f"windows.{one_line(member)}"
        if member not in members:
            raise RejectedInputError("unknown_member", f"{where}: no such member")
        pair = require_sequence(bounds, where)
        if len(pair) != 2:
            raise RejectedInputError("malformed", f"{where} is not [from, to]")
        first = require_integer(pair[0], f"{where}[0]")
        end = None if pair[1] is None else require_integer(pair[1], f"{where}[1]")
        windows[member] = (first, end)
    return windows


def _read_prices(value: object) -> Prices:
    if value is None:
        return Prices()
    table = require_mapping(value, "prices")
    return Prices(
        buy_micro_per_kwh=cast(int, _named_price(table, "buy")),
        sell_micro_per_kwh=cast(int, _named_price(table, "sell")),
        retail_micro_per_kwh=cast("int | None", table.get("retail")),
        feedin_micro_per_kwh=cast("int | None", table.get("feedin")),
    )


def _named_price(table: Table, name: str) -> object:
    if name not in table:
        raise RejectedInputError("malformed", f"prices.{name} is missing")
    return table[name]


def _check_day(case: Table, count: int) -> None:
    if "day" not in case and "tz" not in case:
        return
    expected = local_day_slots(case.get("day"), case.get("tz"))
    if count != expected:
        found = f"{count} intervals given, but {case['day']} has {expected} in {case['tz']}"
        raise RejectedInputError("interval_count", found)


def _single_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for i, name in enumerate(names) if name in names[:i])
        raise RejectedInputError("malformed", f"the key {one_line(doubled)} stands twice in one table")
    return table


def _refuse_constant(name: str) -> object:
    raise RejectedInputError("not_integer", f"{name} is not a number of anything")


def _bounded_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise RejectedInputError("out_of_range", f"a number of {len(digits)} digits")
    return int(digits)
