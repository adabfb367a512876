"""The page on threats: it has all of them, and each test that it names is there."""

import re

from tests.house.source_tree import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_each_of_the_threats_has_a_row_that_names_a_test_or_says_open() -> None:
    rows = re.findall(r"^\| T(\d+) \|[^|]+\|[^|]+\|([^|]+)\|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 38))
    assert all("`tests/" in held or held.strip() == "open" for _, held in rows)


def test_each_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::([a-z0-9_]+))?`", PAGE)
    assert len(named) > 30
    for file, test in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in text, f"{file}::{test}"
