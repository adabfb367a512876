"""The shape of the house: no crowded folder, no circle between rooms, every core and protocols module has its test."""

import ast
import re
from collections import Counter, defaultdict

import pytest

from tests.house.source_tree import ROOT, Source, held_by_all, sources

FLAT_MODULES_MAX = 15
HUB_ROOMS_MAX = 29
CORE_ROOMS_MAX = 14
TEST = re.compile(r"^(async )?def test_", re.MULTILINE)


def rooms_below(prefix: str) -> set[str]:
    """The files and folders directly below a package, as dotted names."""
    depth = prefix.count(".") + 2
    names = {".".join(s.name.split(".")[:depth]) for s in sources() if s.name.startswith(f"{prefix}.")}
    return {name for name in names if not name.endswith(".__init__")}


def module_names() -> set[str]:
    return {source.name.removesuffix(".__init__") for source in sources()}


def imported_modules(source: Source, known: set[str]) -> set[str]:
    """Our modules that this one imports; a package's own file does not count."""
    found = {each.module for each in source.imports}
    return {name for name in found if name in known and (ROOT / (name.replace(".", "/") + ".py")).is_file()}


def arrows(prefix: str) -> dict[str, set[str]]:
    """Which room directly below the package imports which."""
    depth = prefix.count(".") + 2
    known = module_names()
    drawn: dict[str, set[str]] = defaultdict(set)
    for source in sources():
        if not source.name.startswith(f"{prefix}.") or source.name.endswith(".__init__"):
            continue
        here = ".".join(source.name.split(".")[:depth])
        for name in imported_modules(source, known):
            if name.startswith(f"{prefix}."):
                drawn[here].add(".".join(name.split(".")[:depth]))
        drawn[here].discard(here)
    return drawn


def find_circle(drawn: dict[str, set[str]]) -> list[str]:
    """A circle of rooms, or nothing."""
    done: set[str] = set()

    def walk(room: str, path: list[str]) -> list[str]:
        if room in path:
            return [*path[path.index(room) :], room]
        if room in done:
            return []
        for target in sorted(drawn.get(room, ())):
            circle = walk(target, [*path, room])
            if circle:
                return circle
        done.add(room)
        return []

    return next((circle for room in sorted(drawn) if (circle := walk(room, []))), [])


def test_no_folder_is_crowded() -> None:
    held = Counter(source.path.parent for source in sources() if source.path.name != "__init__.py")
    crowded = {str(folder.relative_to(ROOT)): count for folder, count in held.items() if count > FLAT_MODULES_MAX}
    assert not crowded, (
        f"more than {FLAT_MODULES_MAX} modules in one folder: move those of one subject into a folder of it"
    )


def test_the_hub_and_its_core_have_few_rooms() -> None:
    assert len(rooms_below("hub")) <= HUB_ROOMS_MAX, sorted(rooms_below("hub"))
    assert len(rooms_below("hub.core")) <= CORE_ROOMS_MAX, sorted(rooms_below("hub.core"))


@pytest.mark.parametrize(
    "package", ["protocols", "edge_agent", "hub", "hub.core", "hub.web", "hub.web.views", "simulator"]
)
def test_no_circle_between_rooms(package: str) -> None:
    assert not find_circle(arrows(package))


def test_a_circle_would_be_found() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_a_file_does_not_repeat_its_folder() -> None:
    for source in sources():
        folder, stem = source.path.parent.name, source.path.stem
        if source.path.parent.parent == ROOT or stem == "__init__":
            continue
        # `order_files` in money/ is fine; `grid_austria` in grid/ and `grid` in grid/ are not.
        assert stem != folder, f"{source.path} repeats its folder"
        assert not stem.startswith(f"{folder}_"), f"{source.path} repeats its folder"
        assert not stem.endswith(f"_{folder}"), f"{source.path} repeats its folder"


@held_by_all([s for s in sources() if s.path.name != "__init__.py"])
def test_core_and_protocols_modules_have_a_test_file_of_their_own(source: Source) -> None:
    if not source.name.startswith(("protocols.", "hub.core.")):
        return
    mirror = ROOT / "tests" / source.path.relative_to(ROOT).with_name(f"test_{source.path.name}")
    assert mirror.is_file(), f"{source.path.relative_to(ROOT)} has no {mirror.relative_to(ROOT)}"
    assert TEST.search(mirror.read_text(encoding="utf-8")), f"{mirror.relative_to(ROOT)} tests nothing"


def test_no_two_rooms_define_the_same_public_class() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for source in sources():
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(source.name)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice, "one word, one thing: see docs/glossary.md"
