"""The settlement case file, for boards to try out a rule and auditors to recompute one: a JSON document in, one out.

It reads text and tables, never files. Each value is checked as it is read; a problem is reported with the code that
the settlement rules give for it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from hub.core.allocation.rounding import Energy
from hub.core.rules.input_checks import MAX_INTEGER, RejectedInputError, one_line, require_integer
from hub.core.rules.rulebook import (
    NO_NETTING,
    Prices,
    Rule,
    check_rule,
    require_aggregate,
    require_known,
    require_mapping,
    require_method,
    require_missing_policy,
    require_netting,
    require_netting_of,
    require_params,
    require_percents,
    require_sequence,
    sort_members,
)
from hub.core.settlement.money import CENT_NANO, MICRO_NANO
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import MISSING_WH, Readings, Window
from protocols.slots import slots_of_day

MAX_CASE_BYTES: Final = 64 * 2**20
MAX_DIGITS: Final = 60
CASE_KEYS: Final = (
    "method", "params", "members", "intervals", "aggregate", "participation", "windows", "missing", "prices", "day",
    "tz", "netting", "netting_of",
)  # fmt: skip
# A worked case may carry its name and its answer; neither changes what is settled.
WORKED_KEYS: Final = ("id", "title", "expect", "expect_error", "resettles", "expect_delta")
INTERVAL_KEYS: Final = ("s", "d", "t")
INTERVAL_NAMES: Final = frozenset(INTERVAL_KEYS)
PRICE_KEYS: Final = ("buy", "sell", "retail", "feedin")

Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _EarlierMoney:
    """The money in an earlier answer, by member."""

    debit_nano: Mapping[str, int]
    credit_nano: Mapping[str, int]
    coop_margin_nano: int


def settle_case(case: object, previous: object = None) -> dict[str, object]:
    """The answer to a case; with an earlier answer, also the difference from it.

    Raises: RejectedInputError if any part of either is wrong.

    >>> reading = {"s": {"ann": 0, "ben": 900}, "d": {"ann": 400, "ben": 100}}
    >>> answer = settle_case({"method": "equal", "members": ["ann", "ben"], "intervals": [reading]})
    >>> answer["totals"]["alloc"], answer["totals"]["export"]
    ({'ann': 400, 'ben': 100}, {'ann': 0, 'ben': 400})
    """
    table = require_mapping(case, "the case file")
    if "cases" in table and "members" not in table:
        raise RejectedInputError("malformed", "this file has a list of cases: give one of them at a time")
    settled = settle(*read_case(table))
    answer = answer_case(settled)
    if previous is not None:
        answer["delta"] = _difference(settled, _read_earlier(previous))
    return answer


def parse_case(text: bytes) -> object:
    """The JSON document in these bytes.

    Raises: RejectedInputError for repeated keys, NaN, numbers that are too long and bytes that are not JSON.
    """
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
        raise RejectedInputError("malformed", "lists and tables are nested too deeply") from None


def read_case(case: Table) -> tuple[Readings, Rule]:
    """A case's readings and rule, all checked; members in byte order and slots ascending.

    Raises: RejectedInputError, also for a key that a case, an interval, the prices or the method's params do not have.
    """
    if "participation_percent" in case:
        hint = "a case file calls it participation; a rulebook calls it participation_percent"
        raise RejectedInputError("malformed", f"the case has no key participation_percent: {hint}")
    require_known(case, (*CASE_KEYS, *WORKED_KEYS), "the case")
    members = sort_members(require_sequence(_named(case, "members"), "members"))
    method = require_method(case.get("method"))
    aggregate = require_aggregate(case.get("aggregate", 1))
    rule = Rule(
        method=method,
        params=require_params(method, case.get("params", {})),
        aggregate=aggregate,
        netting=require_netting(case.get("netting", NO_NETTING), aggregate=aggregate),
        netting_of=require_netting_of(case.get("netting_of", {}), members, aggregate=aggregate),
        participation_percent=require_percents(case.get("participation", {}), members),
        missing=require_missing_policy(case.get("missing", "exclude")),
        prices=_read_prices(case.get("prices")),
    )
    check_rule(rule, members)
    windows = _read_windows(case.get("windows", {}), members)
    intervals = require_sequence(_named(case, "intervals"), "intervals")
    rows: dict[int, tuple[Table, Table]] = {}
    for i, interval in enumerate(intervals):
        row = require_mapping(interval, f"intervals[{i}]")
        if not row.keys() <= INTERVAL_NAMES:
            require_known(row, INTERVAL_KEYS, f"intervals[{i}]")
        slot = require_integer(row.get("t", i), f"intervals[{i}].t")
        if slot in rows:
            raise RejectedInputError("duplicate_interval", f"intervals[{i}] is slot {slot} again")
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
    """How many quarter hours a local day has: 92, 96 or 100 almost everywhere.

    >>> local_day_slots("2026-03-29", "Europe/Vienna")
    92
    """
    refusal = RejectedInputError("malformed", f"day {one_line(day)} in tz {one_line(tz)} is not a local day")
    if not isinstance(day, str) or not isinstance(tz, str):
        raise refusal
    try:
        return len(slots_of_day(date.fromisoformat(day), tz))
    except (ValueError, OverflowError):
        raise refusal from None


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


def _difference(settled: Settlement, earlier: _EarlierMoney) -> dict[str, object]:
    """What a later run books: this settlement's money less the earlier money, for everyone who is in either."""
    money = settled.money
    sides = (
        ("debit_nano", money.debit_nano, earlier.debit_nano),
        ("credit_nano", money.credit_nano, earlier.credit_nano),
    )
    delta: dict[str, object] = {}
    for name, amounts, before in sides:
        now = dict(zip(settled.members, amounts, strict=True))
        delta[name] = {member: now.get(member, 0) - before.get(member, 0) for member in sorted({*now, *before})}
    delta["coop_margin_nano"] = money.coop_margin_nano - earlier.coop_margin_nano
    return delta


def _read_earlier(previous: object) -> _EarlierMoney:
    table = require_mapping(previous, "the earlier result")
    if "money" not in table:
        raise RejectedInputError("malformed", "money is missing in the earlier result")
    require_known(table, ("intervals", "totals", "money", "delta"), "the earlier result")
    money = require_mapping(table["money"], "money of the earlier result")
    return _EarlierMoney(
        debit_nano=_read_amounts(money, "debit_nano"),
        credit_nano=_read_amounts(money, "credit_nano"),
        coop_margin_nano=_read_amount(_named(money, "coop_margin_nano"), "coop_margin_nano"),
    )


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
            # The usual case comes first: building the text of a refusal costs more than this check.
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
    require_known(table, PRICE_KEYS, "prices")
    return Prices(
        buy_micro_per_kwh=_read_price(table, "buy"),
        sell_micro_per_kwh=_read_price(table, "sell"),
        retail_micro_per_kwh=None if table.get("retail") is None else _read_price(table, "retail"),
        feedin_micro_per_kwh=None if table.get("feedin") is None else _read_price(table, "feedin"),
    )


def _read_price(table: Table, name: str) -> int:
    if name not in table:
        raise RejectedInputError("malformed", f"prices.{name} is missing")
    return require_integer(table[name], f"prices.{name}")


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
        raise RejectedInputError("malformed", f"the key {one_line(doubled)} occurs twice in one table")
    return table


def _refuse_constant(name: str) -> object:
    raise RejectedInputError("not_integer", f"{name} is not an integer")


def _bounded_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise RejectedInputError("out_of_range", f"a number has {len(digits)} digits")
    return int(digits)
