"""The project's own source files and what they import, read as text; nothing of the project is run."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tests.one_rule import held_by_each

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("protocols", "edge_agent", "hub", "simulator")


@dataclass(frozen=True)
class Import:
    """One imported module with the line that imports it."""

    module: str
    line: int


@dataclass(frozen=True)
class Source:
    """One module of a room."""

    path: Path
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Parsed when a rule looks at it, not whenever tests are collected: all modules take seconds."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the syntax tree; walking it takes most of the time of the tests that read it."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every module imported anywhere in the file, names of `from x import y` as x and as x.y."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[Import]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield Import(node.module, node.lineno)
                for alias in node.names:
                    yield Import(f"{node.module}.{alias.name}", node.lineno)
            elif isinstance(node, ast.ImportFrom) and node.level:
                raise AssertionError(f"{self.path}:{node.lineno}: write the whole module name, not a relative import")


@cache
def sources() -> tuple[Source, ...]:
    """All modules of all rooms."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found.append(Source(path, name, text))
    assert len(found) > 20, "the rooms stand where this test looks for them"
    return tuple(found)


def in_room(source: Source, room: str) -> bool:
    """Whether the module belongs to the room (a dotted prefix)."""
    return source.name == room or source.name.startswith(f"{room}.")


def held_by_all(checked: Iterable[Source]) -> Callable[[Callable[[Source], None]], Callable[..., None]]:
    """One test of a rule that each of the modules must hold; it names all that do not."""
    return held_by_each({str(source.path.relative_to(ROOT)): source for source in checked})
