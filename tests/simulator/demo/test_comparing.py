"""Two demonstrations are compared by their hashes, and only if they are of one street."""

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.demo.comparing import compared, comparison_lines, read_report
from simulator.errors import DemoError


def report(**changed: Any) -> dict[str, Any]:
    runs = {"D": {"days": 3, "entries": 9, "hash": "d" * 64}, "M1": {"days": 2, "entries": 4, "hash": "e" * 64}}
    street = {"seed": 1, "homes": 12, "history_days": 35, "live_day": "2026-05-06"}
    return {**street, "settlement_hash": "a" * 64, "settlement": {"runs": runs}, **changed}


def test_equal_hashes_of_one_street_are_the_same() -> None:
    section = compared(report(), report())
    assert section["is_same"]
    lines = comparison_lines(section, name="make demo")
    assert lines[-1] == "the same as make demo"
    assert [line.split()[-1] for line in lines[1:-1]] == ["same"] * 3


@pytest.mark.parametrize(
    "changed",
    [
        {"settlement_hash": "b" * 64},
        {"settlement": {"runs": {"D": {"hash": "d" * 64}, "M1": {"hash": "f" * 64}}}},
        {"settlement": {"runs": {"D": {"hash": "d" * 64}}}},
        {"seed": 2},
        {"live_day": "2026-05-07"},
    ],
)
def test_another_hash_a_run_that_is_not_there_and_another_street_are_not_the_same(changed: dict[str, Any]) -> None:
    for pair in ((report(), report(**changed)), (report(**changed), report())):
        section = compared(*pair)
        assert not section["is_same"]
        assert comparison_lines(section, name="make demo")[-1] == "NOT the same as make demo"


def test_a_difference_shows_both_hashes() -> None:
    other = report(settlement={"runs": {"D": {"hash": "f" * 64}}})
    text = "\n".join(comparison_lines(compared(report(), other), name="make demo"))
    assert f"run D     {'d' * 64}  make demo: {'f' * 64}" in text
    assert f"run M1    {'e' * 64}  make demo: not made" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("not JSON", "not a report that"),
        ("[]", "not a report that"),
        (json.dumps(report(settlement={"runs": {"D": {"days": 1}}})), "not a report that"),
        (json.dumps(report(seed=2)), "seed is 2 there and 1 here"),
        (json.dumps(report(homes=3)), "homes is 3 there and 12 here"),
        (json.dumps(report(history_days=5)), "history_days is 5 there and 35 here"),
    ],
)
def test_a_report_that_cannot_be_compared_is_one_line(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DemoError, match=words) as caught:
        read_report(path, seed=1, homes=12, history_days=35)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_report_of_a_demonstration_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report()))
    assert read_report(path, seed=1, homes=12, history_days=35) == report()
