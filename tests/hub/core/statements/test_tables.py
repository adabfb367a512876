"""What is read from a statement: tables that add up, marks of intervals, late readings, and what has changed."""

import csv
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.signed_document import document_hash
from hub.core.payments.tax_terms import TaxRates, TaxTerms
from hub.core.statements.document import state_month
from hub.core.statements.tables import (
    SLOT_COLUMNS,
    bills_csv,
    changes_since,
    interval_marks,
    late_slots,
    statement_csv,
)
from tests.hub.core.statements.statement_street import (
    Street,
    bills_of,
    make_readings,
    make_rule,
    make_street,
    street_members,
)

DAYS = ("2026-03-28", "2026-03-29", "2026-03-30")  # the clocks go forward on the second
bounded = settings(deadline=None, derandomize=True, max_examples=200)


def street_of(*, seed: int = 1, kind: str = "M1", changed: str | None = None) -> Street:
    members = street_members(6)
    readings = {
        day: make_readings(members, day, seed=99 if day == changed else seed + n, gaps=0.02)
        for n, day in enumerate(DAYS)
    }
    return make_street(readings, make_rule("equal", members, seed=2), kind=kind)


STREET = street_of()


def stated(street: Street = STREET, member: str = "a", **more: Any) -> Any:
    return state_month(street.month, member, name=member, made_at="2026-04-08T08:00Z", **more)


def test_the_table_has_one_line_for_each_interval_and_adds_up() -> None:
    document = stated()
    rows = list(csv.DictReader(statement_csv(document).splitlines()))
    assert tuple(rows[0]) == SLOT_COLUMNS
    together = [row for row in rows if row["state"] == "together"]
    assert len(rows) == 96 + 92 + 96 + len(together)
    assert [row["day"] for row in together] == [day["day"] for day in document["days"]], "fewer than five homes"
    for name in ("surplus", "demand", "received", "sold", "imported", "exported"):
        assert sum(int(row[f"{name}_wh"] or 0) for row in rows) == document["totals"][name]
    assert {row["state"] for row in rows} == {"complete", "provisional", "together"}
    first = document["days"][0]
    assert (rows[0]["start_utc"], rows[0]["slot"]) == ("2026-03-27T23:00Z", str(first["first_slot"]))
    assert (rows[0]["run"], rows[0]["run_kind"], rows[0]["rule"]) == (first["run"]["key"], "M1", first["rule"])


def test_a_statement_read_back_from_its_file_gives_the_same_tables() -> None:
    document = stated(bills=bills_of(STREET, "a", None))
    again = json.loads(json.dumps(document))
    assert (statement_csv(again), bills_csv(again)) == (statement_csv(document), bills_csv(document))


def test_a_marked_interval_is_named_by_its_mark_and_has_no_energy_where_it_was_not_settled() -> None:
    document = json.loads(json.dumps(stated()))
    day = document["days"][0]
    place = day["surplus"].index(None)
    slot = day["first_slot"] + place
    day["marks"] = [[slot, "rejected", None, None, 1]]
    row = list(csv.DictReader(statement_csv(document).splitlines()))[place]
    assert row["state"] == "rejected"
    assert [row[name] for name in SLOT_COLUMNS if name.endswith("_wh")] == [""] * 6


def test_the_bills_come_line_by_line() -> None:
    terms = TaxTerms((), (TaxRates("2026-01-01", 200_000, 130_000, 100_000),))
    bills = bills_of(STREET, "a", terms)
    rows = list(csv.DictReader(bills_csv(stated(bills=bills)).splitlines()))
    for bill in bills:
        gross = [row["cent"] for row in rows if row["number"] == bill["number"] and row["line"] == "gross"]
        assert gross == [str(bill["gross_cent"])]
    assert len(rows) == len(bills) * 6
    assert bills_csv(stated()).count("\n") == 1, "without bills there is the header"


@pytest.mark.parametrize("broken", [{}, {"days": [{}]}, {"days": [{"day": 5}]}, {"days": None}, {"tax": [5]}])
def test_another_document_is_no_statement(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Object missing|Expected"):
        statement_csv(broken)
    with pytest.raises(ValueError, match=r"Object missing|Expected"):
        bills_csv(broken)


def test_an_interval_has_the_first_of_held_rejected_and_estimated() -> None:
    marks = [
        [8, "estimated", 5, 0, None], [9, "rejected", None, None, 1], [10, "held", None, None, 2],
        [13, "estimated", 0, 0, None],
    ]  # fmt: skip
    day = {"first_slot": 8, "step": 4, "marks": marks}
    assert interval_marks(day) == {8: "held", 12: "estimated"}
    assert interval_marks(day | {"step": 1}) == {8: "estimated", 9: "rejected", 10: "held", 13: "estimated"}
    assert interval_marks({"first_slot": 8, "step": 4}) == {}


words = st.sampled_from(["held", "rejected", "estimated"])


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 4]), st.dictionaries(st.integers(0, 95), words))
@bounded
def test_every_marked_slot_marks_its_own_interval(first: int, step: int, marks: dict[int, str]) -> None:
    rows = [[first + place, word, None, None, None] for place, word in marks.items()]
    found = interval_marks({"first_slot": first, "step": step, "marks": rows})
    assert set(found) == {first + place // step * step for place in marks}
    for slot, word in found.items():
        here = {marks[place] for place in range(slot - first, slot - first + step) if place in marks}
        assert word == next(each for each in ("held", "rejected", "estimated") if each in here)


def late_day(**changes: Any) -> dict[str, Any]:
    day: dict[str, Any] = {
        "day": "1970-01-01", "run": {"key": "r", "kind": "M1"}, "rule": "x", "window": None, "first_slot": 100,
        "step": 2, "provisional": [], "surplus": [1, None, None],
        **{name: [0, None, None] for name in ("demand", "received", "sold")},
    }  # fmt: skip
    return {"days": [day | changes]}


@pytest.mark.parametrize(
    ("changes", "known", "late"),
    [
        ({}, {102, 103}, {102, 103}),
        ({}, {102}, set()),
        ({}, {100, 101}, set()),
        ({}, set(range(90, 120)), {102, 103, 104, 105}),
        ({"step": 1}, {101}, {101}),
        ({"window": [102, 104]}, set(range(90, 120)), {102, 103}),
        ({"window": [103, None]}, set(range(90, 120)), {104, 105}),
        ({"marks": [[102, "held", None, None, 1]]}, {102, 103}, set()),
        ({"marks": [[102, "estimated", 5, 5, None]]}, {103}, {103}),
    ],
)
def test_a_reading_is_late_where_its_whole_interval_is_known_but_not_stated(
    changes: dict[str, Any], known: set[int], late: set[int]
) -> None:
    assert late_slots(late_day(**changes), known) == late


def test_only_numbers_that_differ_are_changes() -> None:
    last = stated()
    assert changes_since(stated(), last) == {"since": document_hash(last), "month": {}, "days": {}}
    now = stated(street_of(kind="R1", changed=DAYS[1]))
    changes: Any = changes_since(now, last)
    assert set(changes["days"]) == {DAYS[1]}
    assert changes["month"]["received"] == [last["totals"]["received"], now["totals"]["received"]]
    before, after = changes["days"][DAYS[1]]["debit_nano"]
    assert (before, after) == tuple(each["days"][1]["money"]["debit_nano"] for each in (last, now))


def test_a_day_that_only_one_of_them_has_is_a_change() -> None:
    last = json.loads(json.dumps(stated()))
    gone = last["days"].pop(1)
    changes: Any = changes_since(stated(), last)
    assert changes["days"][DAYS[1]]["received"] == [None, gone["totals"]["received"]]


def test_statements_of_others_are_not_compared() -> None:
    for last in (stated(member="Z"), stated() | {"month": "2026-02"}):
        with pytest.raises(ValueError, match="of another member or month"):
            changes_since(stated(), last)
