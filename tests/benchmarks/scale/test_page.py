"""docs/scale.md: its tables are what the model makes of the figures it states, and its commands work."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tests.benchmarks.scale import __main__ as program
from tests.benchmarks.scale.costs import NAMES
from tests.benchmarks.scale.measuring import _intake, measure_intake
from tests.benchmarks.scale.page import stated, with_figures, with_tables

TEXT = program.PAGE.read_text(encoding="utf-8")


def test_the_tables_follow_from_the_figures() -> None:
    assert with_tables(TEXT) == TEXT, "write them again with: python -m tests.benchmarks.scale page"


def test_another_price_is_another_table() -> None:
    dearer = with_figures(TEXT, {"disk_euros": 0.2})
    assert stated(dearer).disk_euros == 0.2
    assert with_tables(dearer) != dearer


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_that_is_missing_or_stands_twice_is_named(name: str) -> None:
    line = next(each for each in TEXT.splitlines() if each.startswith(f"| `{name}` |"))
    for wrong, times in ((TEXT.replace(line, ""), 0), (TEXT.replace(line, f"{line}\n{line}"), 2)):
        with pytest.raises(ValueError, match=f"the page states {name} {times} times"):
            stated(wrong)
        with pytest.raises(ValueError, match=f"the page states {name} {times} times"):
            with_figures(wrong, {name: 1.0})


def test_a_table_without_its_place_is_named() -> None:
    with pytest.raises(ValueError, match="0 places for the table cores"):
        with_tables(TEXT.replace("<!-- cores:", "<!-- kernels:"))


def test_a_storm_is_told_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for more in ((), ("--power",), ("--within", "600")):
        monkeypatch.setattr(sys, "argv", ["scale", "storm", "--homes", "5000", *more])
        assert program.main() == 0
        told.append(json.loads(capsys.readouterr().out))
    assert [each["within_s"] for each in told] == [100, 100, 600]
    assert all(each["stored"] >= 500 * 96 for each in told)


def test_more_homes_than_workers_can_serve_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["scale", "storm", "--homes", "50000000"])
    assert program.main() == 1
    assert capsys.readouterr().err == "never caught up: more comes than 1 workers can store\n"


def test_intake_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.scale.measuring.TRIES", 1)
    assert 0 < asyncio.run(_intake(3, 2)) < 1
    found = asyncio.run(measure_intake())
    assert found.batch_us > 0
