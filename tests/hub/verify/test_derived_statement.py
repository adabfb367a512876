"""A statement with readings that the agent derived: marked, counted by the rule, recomputed by the script."""

from dataclasses import replace
from pathlib import Path

import pytest

from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule
from hub.core.settlement.slot_marks import SlotMarks
from hub.core.statements.document import own_readings
from hub.core.statements.tables import interval_marks
from tests.hub.core.statements.statement_street import Street, make_readings, make_rule, make_street, street_members
from tests.hub.verify.test_statement import DAYS, run_script, signed_again, signed_statement

MEMBERS = street_members(10)
ME = MEMBERS[0]


def street_with(derived: DerivedRule, *, aggregate: int = 1) -> tuple[Street, dict[str, object]]:
    """The month of a street in which my first three readings of each day are derived, and my readings as exported."""
    readings, marks = {}, []
    for number, day in enumerate(DAYS):
        plain = make_readings(MEMBERS, day, seed=3 + number)
        marks.append(SlotMarks(derived=((plain.slots[0], 3),)))
        readings[day] = replace(plain, marks={ME: marks[-1]})
    rule = replace(make_rule("proportional", MEMBERS, seed=3, aggregate=aggregate), derived=derived)
    street = make_street(readings, rule, fee_nano=2_503_333_333)
    return street, own_readings(ME, street.readings.values(), marks=marks)


@pytest.mark.parametrize("aggregate", [1, 4])
def test_the_script_recomputes_derived_readings_and_counts_them(tmp_path: Path, aggregate: int) -> None:
    street, own = street_with(DerivedRule(50, 10), aggregate=aggregate)
    signed = signed_statement(street, ME)
    code, said = run_script(tmp_path, signed, own, street.pool(auditor=True))
    assert code == 0, said
    assert f"{3 * len(DAYS)} slots derived" in said
    day = signed["document"]["days"][0]
    assert set(interval_marks(day).values()) == {"derived"}
    assert [row[3:] for row in own["readings"]][:4] == [["derived"]] * 3 + [[]]  # type: ignore[attr-defined]


def test_a_derived_reading_without_the_rule_is_found(tmp_path: Path) -> None:
    street, own = street_with(NO_DERIVED)
    code, said = run_script(tmp_path, signed_statement(street, ME), own, street.pool(auditor=True))
    assert (code, "derived without a finding" in said) == (1, True), said


def test_a_mark_without_a_reading_is_found(tmp_path: Path) -> None:
    street, own = street_with(DerivedRule(50, 10))
    signed = signed_statement(street, ME)
    day = signed["document"]["days"][0]
    day["marks"][0][2:4] = [0, 5]
    code, said = run_script(tmp_path, signed_again(signed["document"]), own, street.pool(auditor=True))
    assert code == 1, said
    assert "only estimates have energy" in said
