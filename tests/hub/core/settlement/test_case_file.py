"""The 24 worked cases that stand in tests/examples: every field of every answer, and every refusal's code."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.case_file import settle_case

EXAMPLES = Path(__file__).parents[3] / "examples" / "settlement_cases.json"
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in json.loads(EXAMPLES.read_text())["cases"]}
ANSWERED = [name for name, case in CASES.items() if "expect" in case]
REFUSED = [name for name, case in CASES.items() if "expect_error" in case]


def test_all_cases_are_either_answered_or_refused() -> None:
    assert len(CASES) == 24
    assert len(ANSWERED) + len(REFUSED) == 24


@pytest.mark.parametrize("name", ANSWERED)
def test_answer(name: str) -> None:
    assert settle_case(CASES[name]) == CASES[name]["expect"]


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    with pytest.raises(RejectedInputError) as refused:
        settle_case(CASES[name])
    assert refused.value.code == CASES[name]["expect_error"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "expect_delta" in case])
def test_difference_to_an_earlier_answer(name: str) -> None:
    case = CASES[name]
    answer = settle_case(case, settle_case(CASES[case["resettles"]]))
    assert answer["delta"] == case["expect_delta"]


@pytest.mark.parametrize("name", ANSWERED)
def test_order_of_members_and_rows_changes_nothing(name: str) -> None:
    case = copy.deepcopy(CASES[name])
    shuffle = random.Random(name).shuffle
    case["intervals"] = [{**interval, "t": t} for t, interval in enumerate(case["intervals"])]
    shuffle(case["intervals"])
    shuffle(case["members"])
    assert json.dumps(settle_case(case)) == json.dumps(settle_case(CASES[name]))
