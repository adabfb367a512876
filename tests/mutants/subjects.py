"""What is mutated, in one table, and which tests are asked about a module: its mirror first."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

# subject -> its folders and files, as globs below the root; each glob must match something.
SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "settlement": ("hub/core/settlement/*.py",),
    "allocation": ("hub/core/allocation/*.py",),
    "ledger": ("hub/core/ledger/*.py",),
    "payments": ("hub/core/payments/*.py",),
    "consent": ("protocols/consent/*.py", "hub/core/homes/consents.py"),
    "envelope": ("protocols/wire/envelope.py", "protocols/wire/strict_cbor.py", "protocols/wire/chain.py"),
    "readings": ("protocols/wire/readings.py",),
    "counters": (
        "edge_agent/metering/counters.py",
        "edge_agent/metering/integration.py",
        "edge_agent/metering/shaping.py",
    ),
}
ROOMS = ("protocols", "hub", "edge_agent", "simulator", "tests")
# Tests of whole programs, pages and journeys say too late and too slowly what is wrong in a module.
TEST_FOLDERS = ("tests/protocols", "tests/conformance", "tests/hub/core", "tests/edge_agent")
# Tests that are slow by nature: they start programs, or wait for real time.
TOO_SLOW = ("program", "command", "uplink", "modbus", "readout", "restored", "run_loop", "accuracy", "campaign")


def modules_of(subject: str, root: Path) -> list[str]:
    """The subject's modules as paths below root; what only holds text or nothing is left out by the sampler itself."""
    found = {path for glob in SUBJECTS[subject] for path in root.glob(glob)}
    return sorted(path.relative_to(root).as_posix() for path in found if path.name != "__init__.py")


def mirror_of(module: str) -> str:
    """The test file that mirrors a module: hub/core/ledger/merkle.py -> tests/hub/core/ledger/test_merkle.py."""
    path = Path(module)
    return (Path("tests") / path.parent / f"test_{path.name}").as_posix()


@cache
def asked_about(module: str, root: Path) -> tuple[tuple[str, ...], ...]:
    """Groups of test files, each asked only where the one before noticed nothing.

    The mirror; the tests that import the module themselves; those that reach it through one module, through two, ...
    """
    graph = import_graph(root)
    mirror = mirror_of(module)
    distances = {name: _distance(name, module, graph) for name in graph if _is_quick_test(name) and name != mirror}
    rings = sorted({distance for distance in distances.values() if distance is not None})
    groups = (sorted(name for name, distance in distances.items() if distance == ring) for ring in rings)
    return (*([(mirror,)] if mirror in graph else []), *(tuple(group) for group in groups))


def _is_quick_test(name: str) -> bool:
    stem = Path(name).stem
    return name.startswith(TEST_FOLDERS) and stem.startswith("test_") and not any(word in stem for word in TOO_SLOW)


@cache
def import_graph(root: Path) -> Mapping[str, frozenset[str]]:
    """Which of our files each of our files imports, wherever in the file the import stands."""
    paths = [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]
    names = {path.relative_to(root).as_posix() for path in paths}
    return {
        path.relative_to(root).as_posix(): frozenset(_imports(path.read_text(encoding="utf-8"), names))
        for path in paths
    }


def _imports(text: str, names: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        dotted: list[str] = []
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            dotted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for each in dotted:
            place = each.replace(".", "/")
            yield from (name for name in (f"{place}.py", f"{place}/__init__.py") if name in names)


def _distance(name: str, module: str, graph: Mapping[str, frozenset[str]]) -> int | None:
    """Imports on the shortest way from one file to another; None where there is no way."""
    seen, ring, steps = {name}, {name}, 0
    while ring and module not in ring:
        ring = {each for start in ring for each in graph.get(start, ())} - seen
        seen |= ring
        steps += 1
    return steps if ring else None
