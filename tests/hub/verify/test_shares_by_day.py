"""The script and shares that are told by day: right as the hub states them, and nothing else may be left out."""

import copy
import json
from typing import Any

import numpy as np
import pytest

from hub.core.ledger.signed_document import sign_document
from hub.core.settlement.prepared_readings import Readings
from hub.core.statements.document import state_month
from hub.verify.statement import verify
from hub.verify.statement_files import StatementCheckError
from tests.hub.core.statements.statement_street import (
    HUB_KEY,
    Street,
    make_readings,
    make_rule,
    make_street,
    street_members,
)

DAY, NOON = "2026-03-31", 48
MEMBERS = street_members(12)


@pytest.fixture(scope="module")
def street() -> Street:
    """Twelve homes, six of them makers, of which only the first feeds in at noon."""
    readings = make_readings(MEMBERS, DAY, seed=3)
    surplus, demand = readings.surplus_wh.copy(), np.maximum(readings.demand_wh, 40)
    surplus[NOON] = 0
    surplus[NOON, 0] = 300
    whole = Readings(MEMBERS, readings.slots, surplus, demand)
    return make_street({DAY: whole}, make_rule("proportional", MEMBERS, seed=2), kind="D")


def statement_of(street: Street) -> Any:
    return json.loads(json.dumps(state_month(street.month, MEMBERS[9], name="Ann", made_at="2026-04-08T08:00Z")))


def said(street: Street, statement: Any, *, auditor: bool = False) -> str:
    files = [sign_document(statement, HUB_KEY), street.own(MEMBERS[9]), street.pool(auditor=auditor)]
    return verify([json.loads(json.dumps(each)) for each in files], HUB_KEY.public_key())[0]


def test_the_quarter_hour_of_one_maker_is_in_the_days_sum_only(street: Street) -> None:
    statement = statement_of(street)
    (day,) = statement["days"]
    (pool,) = street.pool()["days"]
    left_out = [i for i, wh in enumerate(day["received"]) if wh is None]
    assert NOON in left_out
    assert left_out == [i for i, wh in enumerate(day["sold"]) if wh is None]
    assert [pool["slots"][i]["withheld"] for i in left_out] == [["uneven"]] * len(left_out)
    assert None not in day["demand"]
    assert day["totals"]["received"] > sum(wh or 0 for wh in day["received"])
    assert f"within bounds: {len(left_out)} intervals" in said(street, statement)
    assert "withheld" not in said(street, statement, auditor=True)


@pytest.mark.parametrize("auditor", [False, True])
def test_nothing_else_may_be_left_out_or_added(street: Street, auditor: bool) -> None:
    true = statement_of(street)
    less, more = copy.deepcopy(true), copy.deepcopy(true)
    shown = next(i for i, wh in enumerate(true["days"][0]["received"]) if wh)
    less["days"][0]["received"][shown] = less["days"][0]["sold"][shown] = None
    more["days"][0]["totals"]["received"] += sum(true["days"][0]["demand"])
    for lie, words in ((less, "left out"), (more, "told together add")):
        if auditor and lie is less:
            continue  # the auditor's series says exactly what was received, so nothing is lost
        with pytest.raises(StatementCheckError, match=words):
            said(street, lie, auditor=auditor)
