"""Every SQL statement that the store's modules can execute, as text: collected from their source, not by running them.

A statement is a string that begins with SELECT, INSERT, UPDATE, DELETE or WITH. What a function puts into it is worked
out from the function's own assignments, or stands in STAND_INS; a statement that cannot be completed is an error, so
that none escapes.
"""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from hub.storage.sql.people.board_lists import FOUND_HOME, FOUND_MEMBER

ROOT: Final = Path(__file__).parents[3]
ROOMS: Final = (ROOT / "hub/storage/sql", ROOT / "hub/storage/sqlite")
"""The statements of all databases, and those of SQLite alone."""
SERVER_ROOMS: Final = (
    ROOT / "hub/storage/sql",
    *(ROOT / "hub/storage/postgres" / name for name in ("connection.py", "connections.py", "statements.py")),
)
"""The statements of all databases, and those of PostgreSQL alone; to prepare, copy and
verify a store is to walk all of it."""

_VERBS: Final = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_LEFT_OPEN: Final = re.compile(r"\{(\w+)\}")

STAND_INS: Final[Mapping[tuple[str, str], Sequence[Any]]] = {
    ("messages", "marks"): ("?",),
    ("keeping", "marks"): ("?",),
    ("sums", "marks"): ("?",),
    ("series", "marks"): ("?",),
    ("accounts", "theirs"): ("", " WHERE member_id IN (?)"),
    ("accounts", "asked"): ("", " WHERE a.member IN (?)"),
    ("books", "kinds"): ("?",),
    ("books", "wanted"): ("", " AND kind IN (?)"),
    ("made_up", "marks"): ("?",),
    ("fleet", "and_home"): ("", "AND home.id IN (?)"),
    ("fleet", "with_id"): ("", " WHERE id IN (?)"),
    ("fleet", "and_agent"): ("", "AND agent.home_id IN (?)"),
    ("fleet", "with_home"): ("", " WHERE home IN (?)"),
    ("fleet", "with_agent"): ("", " WHERE agent IN (SELECT id FROM agent WHERE home_id IN (?))"),
    ("board_lists", "marks"): ("?",),
    ("board_lists", "found_home"): ("", FOUND_HOME),
    ("board_lists", "found_member"): ("", FOUND_MEMBER),
    ("outgoing", "marks"): ("?",),
    ("guarded", "marks"): ("?",),
    ("members", "columns"): ("member.id",),
    ("erasures", "ids"): ("(SELECT id FROM member WHERE ?1 IN (id, held_by))",),
    ("erasures", "agents"): ("agent IN (SELECT id FROM agent WHERE home_id = ?)",),
    ("erasures", "marks"): ("?",),
    ("erasures", "table"): ("reading", "long_interval", "device", "appliance", "prompt"),
    ("connection", "table"): ("job",),
    ("connection", "columns"): (("name", "due_at", "last_run_at", "last_error"),),
    ("connection", "places"): ("?, ?, ?, ?",),
    ("statements", "lists"): ("$1::bigint[]",),
    ("install", "key"): ("id",),
    ("install", "content"): ("name",),
    ("install", "says"): ("''",),
    ("install", "columns"): ("INSERT INTO row_log_waiting (source, row_key, change, content, says)",),
    ("install", "form"): (SimpleNamespace(table="member"),),
    ("view", "table"): ("member",),
    ("view", "key"): ("id",),
    ("view", "content"): ("name",),
}
"""(module, name): what a function makes of its arguments, where that ends up in a statement."""

BODIES_OF_TRIGGERS: Final = frozenset({"triggers"})
"""Modules whose strings only become parts of triggers: each sees the one row that changed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One text that the store can execute, and the line of its source."""

    place: str
    text: str


def all_statements(rooms: Sequence[Path] = ROOMS) -> tuple[Statement, ...]:
    """The statements of all modules in these rooms."""
    found: list[Statement] = []
    for path in sorted(path for room in rooms for path in ([room] if room.is_file() else room.rglob("*.py"))):
        if path.stem in BODIES_OF_TRIGGERS:
            continue
        relative = path.relative_to(ROOT)
        module = importlib.import_module(".".join(relative.with_suffix("").parts).removesuffix(".__init__"))
        found += statements_of(path.read_text(encoding="utf-8"), module, name=path.stem)
    return tuple(found)


def statements_of(source: str, module: ModuleType, *, name: str) -> Iterator[Statement]:
    """The statements of one module. Raises: AssertionError for one that cannot be completed."""
    tree = ast.parse(source)
    for function, node in _strings(tree, None):
        place = f"{name}:{node.lineno}"
        if _VERBS.match(_beginning(node, name, vars(module))):
            for text in _completed(node, function, module, tree, name=name, place=place):
                yield Statement(place, text)


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _strings(node: ast.AST, function: _Function | None) -> Iterator[tuple[_Function | None, ast.expr]]:
    """All string expressions with the function they stand in, none inside another; docstrings are no statements."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Constant | ast.JoinedStr):
            if isinstance(child, ast.JoinedStr) or isinstance(child.value, str):
                yield function, child
        elif not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
            yield from _strings(child, child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function)


def _beginning(node: ast.expr, name: str, names: Mapping[str, Any]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    first = node.values[0] if node.values else None
    if isinstance(first, ast.FormattedValue) and isinstance(first.value, ast.Name):
        known = STAND_INS.get((name, first.value.id), ("",))
        return str(names.get(first.value.id, known[0]))
    return str(first.value) if isinstance(first, ast.Constant) else ""


def _completed(
    node: ast.expr, function: _Function | None, module: ModuleType, tree: ast.Module, *, name: str, place: str
) -> Iterator[str]:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - set(vars(module)) - {"str"}
    spread: list[dict[str, Any]] = [{}]
    for local in sorted(names):
        values = (
            STAND_INS.get((name, local))
            or _assigned(local, function, module)
            or (_passed(local, function, tree, module))
        )
        assert values, f"{place}: what {local} puts into a statement is not known; name it in STAND_INS"
        spread = [{**known, local: value} for known in spread for value in values]
    for known in spread:
        yield from _filled(str(_value(node, {**vars(module), **known})), name=name, place=place)


def _filled(text: str, *, name: str, place: str) -> Iterator[str]:
    """The text with what `format` puts into it."""
    left = _LEFT_OPEN.search(text)
    if left is None:
        yield text
        return
    values = STAND_INS.get((name, left[1]))
    assert values, f"{place}: {left[1]} is left open in a statement; name it in STAND_INS"
    for value in values:
        yield from _filled(text.replace(left[0], str(value)), name=name, place=place)


def _assigned(local: str, function: _Function | None, module: ModuleType) -> tuple[str, ...]:
    """The values that the function gives this name; none if they do not all follow from the module's own constants."""
    found = []
    for each in ast.walk(function) if function is not None else ():
        if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == local for t in each.targets):
            branches = [each.value.body, each.value.orelse] if isinstance(each.value, ast.IfExp) else [each.value]
            try:
                found += [str(_value(branch, vars(module))) for branch in branches]
            except NameError:
                return ()
    return tuple(found)


def _passed(local: str, function: _Function | None, tree: ast.Module, module: ModuleType) -> tuple[str, ...]:
    """What the module's own calls of this function pass for this argument, made of the module's own constants."""
    arguments = [each.arg for each in function.args.args if each.arg != "self"] if function is not None else []
    if function is None or local not in arguments:
        return ()
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and _name_of(each.func) == function.name]
    return tuple(dict.fromkeys(str(_value(each.args[arguments.index(local)], vars(module))) for each in calls))


def _name_of(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "<statement>", "eval"), dict(names))
