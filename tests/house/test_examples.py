"""The examples in docstrings of protocols and the core are right, and the functions a newcomer meets first have one."""

import doctest
import importlib

import pytest

from tests.house.source_tree import sources

ROOMS = ("protocols.", "hub.core.")
MODULES = [s.name for s in sources() if s.name.startswith(ROOMS) and not s.name.endswith(".__init__")]
# Module -> how many examples it has at least.
FIRST_READ = {
    "protocols.maps.registers": 1,
    "protocols.slots": 1,
    "protocols.consent.reduction": 1,
    "hub.core.allocation.surplus": 9,
    "hub.core.ledger.entries": 1,
}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_right(name: str) -> None:
    module = importlib.import_module(name)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    tried = 0
    for found in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        outcome = runner.run(found, out=report.append)
        assert outcome.failed == 0, "".join(report)
        tried += outcome.attempted
    assert tried >= FIRST_READ.get(name, 0), f"{name} has {tried} examples"


def test_a_wrong_example_would_be_found() -> None:
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner().run(wrong, out=lambda _text: None).failed == 1
