"""A rule that no module can break proves nothing: each one that breaks it is named."""

from pathlib import Path

import pytest

from tests.house.source_tree import ROOT, Source, held_by_all
from tests.one_rule import held_by_each


def module(name: str, text: str = "") -> Source:
    return Source(ROOT / f"{name.replace('.', '/')}.py", name, text)


THREE = [module("hub.one", "import os"), module("hub.two"), module("hub.three", "import os")]


def test_every_module_that_breaks_a_rule_is_named_and_no_other() -> None:
    @held_by_all(THREE)
    def rule(source: Source) -> None:
        assert not source.imports, f"{source.path}: imports something"

    with pytest.raises(AssertionError, match="imports something") as found:
        rule()
    lines = str(found.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["hub/one.py", "hub/three.py"]


def test_a_rule_that_all_hold_passes_and_looks_at_each() -> None:
    seen = []

    @held_by_all(THREE)
    def rule(source: Source) -> None:
        seen.append(source.name)

    rule()
    assert seen == ["hub.one", "hub.two", "hub.three"]


def test_a_rule_about_no_module_is_refused() -> None:
    with pytest.raises(AssertionError, match="about nothing"):
        held_by_all([])


def test_cases_may_be_made_when_the_test_runs_and_none_are_refused_then() -> None:
    made: list[str] = []

    def cases() -> dict[str, int]:
        made.append("made")
        return dict.fromkeys(made, 0)

    seen: list[int] = []
    rule = held_by_each(cases)(seen.append)
    assert made == []
    rule()
    assert (made, seen) == (["made"], [0])
    with pytest.raises(AssertionError, match="about nothing"):
        held_by_each(dict)(seen.append)()


def test_a_check_that_ends_in_an_error_hides_no_other() -> None:
    @held_by_each({"a": 0, "b": 1, "c": 2})
    async def rule(case: int) -> None:
        assert 1 // case == 1, "too large"

    with pytest.raises(AssertionError) as found:
        rule()
    assert str(found.value).splitlines() == ["a: ZeroDivisionError integer division or modulo by zero", "c: too large"]
    assert isinstance(found.value.__cause__, ZeroDivisionError), "the first one with its traceback"


@pytest.fixture
def limit() -> int:
    return 2


@held_by_each({"a": 0, "b": 1})
def test_a_rule_may_ask_for_fixtures(case: int, limit: int, tmp_path: Path) -> None:
    assert case < limit
    assert tmp_path.is_dir()


@pytest.mark.parametrize("limit", [3, 4])
@held_by_each({"a": 0, "b": 2})
def test_a_rule_may_have_parameters(case: int, limit: int) -> None:
    assert case < limit
