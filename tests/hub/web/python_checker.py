"""Finds unmarked and glued sentences in the pages' code: literals that people read, and texts joined by hand.

A marked sentence is the literal of `words.text`, of `said` or of `translatable`, or one of the two of `words.plural`
or of `counted`. A translated
text is what these return, and what is made of it: a variable, a choice, an entry of a dictionary, the result of a
function of ours that returns one. Whole sentences are joined with `words.sentences`, items with `words.listed`.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.hub.web.sentence_rules import WORDS, is_set_off, shape_problems

MARKERS = {"text": 1, "plural": 2, "translatable": 1, "said": 1, "counted": 2}
UNBOUND = {"translatable", "said", "counted"}
"""Functions of their own; the others are methods of `words`."""

JOINS = {"sentences", "listed"}
LOGGERS = {"log"}

ONE, MANY = "one", "many"
"""What an expression holds: one translated text, or several in a list, a tuple or a dictionary."""


def own_name(node: ast.AST) -> str:
    """The last name of a called or plain name: `text` of `visit.words.text`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_marked(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or own_name(node.func) not in MARKERS:
        return False
    if isinstance(node.func, ast.Attribute):
        return own_name(node.func.value) == "words"
    return own_name(node.func) in UNBOUND


def sentences_of(call: ast.Call) -> list[ast.expr]:
    return call.args[: MARKERS[own_name(call.func)]]


def literal_problems(tree: ast.Module) -> list[str]:
    """Literals of two words or more that are not marked, except in logs, errors of programs, keys and comparisons."""
    return sorted(set(_loose(tree)))


def _loose(node: ast.AST) -> Iterator[str]:
    for child in _read_children(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            if WORDS.search(child.value):
                yield child.value
        elif isinstance(child, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in child.values)
            if WORDS.search(text):
                yield text
            for part in child.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _loose(part)
        else:
            yield from _loose(child)


def _read_children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and own_name(node.func.value) in LOGGERS:
            return
        marked = sentences_of(node) if is_marked(node) else []
        yield from (child for child in ast.iter_child_nodes(node) if child not in marked)
    elif isinstance(node, ast.Raise):
        if not (isinstance(node.exc, ast.Call) and own_name(node.exc.func).endswith(("ValueError", "RenderError"))):
            yield from ast.iter_child_nodes(node)
    elif isinstance(node, ast.Dict):
        yield from node.values
    elif isinstance(node, ast.Compare):
        return
    elif isinstance(node, ast.Subscript):
        yield node.value
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    else:
        yield from ast.iter_child_nodes(node)


def translating_functions(trees: list[ast.Module]) -> dict[str, str]:
    """Functions that return translated text, by name, with what they return."""
    found: dict[str, str] = {}
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    while True:
        more = {f.name: kind for f in functions if (kind := _returns(f, found)) and f.name not in found}
        if not more:
            return found
        found |= more


def _returns(function: ast.FunctionDef, known: Mapping[str, str]) -> str:
    returned = "" if function.returns is None else ast.unparse(function.returns)
    if "str" not in returned or "object" in returned:
        return ""
    scope = _Scope(function, known)
    values = [n.value for n in ast.walk(function) if isinstance(n, ast.Return | ast.Yield) and n.value is not None]
    if not any(scope.holds(value) for value in values):
        return ""
    return ONE if returned == "str" else MANY


@dataclass
class _Scope:
    """Which names of one function hold translated text."""

    function: ast.FunctionDef | ast.AsyncFunctionDef
    known: Mapping[str, str]

    def __post_init__(self) -> None:
        self.names: dict[str, str] = {}
        for _ in range(3):
            for node in ast.walk(self.function):
                self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._assign(target, node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            if self.holds(node.iter) == MANY:
                for name in ast.walk(node.target):
                    if isinstance(name, ast.Name):
                        self.names[name.id] = ONE
        elif isinstance(node, ast.Call) and own_name(node.func) in {"append", "insert", "extend"}:
            assert isinstance(node.func, ast.Attribute)
            if any(self.holds(argument) for argument in node.args) and isinstance(node.func.value, ast.Name):
                self.names[node.func.value.id] = MANY

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            values = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
            for each, part in zip(target.elts, values, strict=False):
                held = self.holds(part)
                if held and isinstance(each, ast.Name):
                    self.names[each.id] = held if isinstance(value, ast.Tuple) else ONE
        elif isinstance(target, ast.Name) and (held := self.holds(value)):
            self.names[target.id] = held

    def holds(self, node: ast.expr) -> str:
        """ONE, MANY or nothing."""
        if is_marked(node):
            return ONE
        if isinstance(node, ast.Name):
            return self.names.get(node.id, "")
        if isinstance(node, ast.IfExp):
            return self.holds(node.body) or self.holds(node.orelse)
        if isinstance(node, ast.BoolOp):
            return next(filter(None, (self.holds(value) for value in node.values)), "")
        if isinstance(node, ast.Subscript):
            return ONE if self.holds(node.value) else ""
        if isinstance(node, ast.Dict):
            return MANY if any(self.holds(value) for value in node.values) else ""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return MANY if any(self.holds(value) for value in node.elts) else ""
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            return MANY if self.holds(node.elt) else ""
        if isinstance(node, ast.DictComp):
            return MANY if self.holds(node.value) else ""
        if isinstance(node, ast.Starred):
            return self.holds(node.value)
        if isinstance(node, ast.Call):
            return self._held_by_call(node)
        return ""

    def _held_by_call(self, node: ast.Call) -> str:
        name = own_name(node.func)
        if name == "get" and isinstance(node.func, ast.Attribute) and self.holds(node.func.value):
            return ONE
        if name in {"tuple", "list", "sorted", "filter", "reversed"} and any(self.holds(each) for each in node.args):
            return MANY
        if name in JOINS:
            return ONE if any(self.holds(argument) for argument in node.args) else ""
        return self.known.get(name, "")


def glue_problems(tree: ast.Module, known: Mapping[str, str]) -> list[str]:
    """Marked sentences that are not whole, and translated texts that are joined by hand."""
    found: set[str] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            scope = _Scope(function, known)
            for node in ast.walk(function):
                found |= {f"{function.name}: {problem}" for problem in _glued(node, scope)}
    return sorted(found)


def _glued(node: ast.AST, scope: _Scope) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        if ONE in (scope.holds(node.left), scope.holds(node.right)):
            yield f"joined by hand: {ast.unparse(node)}"
    elif isinstance(node, ast.AugAssign):
        if scope.holds(node.value) == ONE:
            yield f"joined by hand: {ast.unparse(node)}"
    elif isinstance(node, ast.JoinedStr):
        if any(isinstance(part, ast.FormattedValue) and scope.holds(part.value) for part in node.values):
            yield f"joined by hand: {ast.unparse(node)}"
    elif isinstance(node, ast.IfExp):
        if is_marked(node.body) and is_marked(node.orelse) and _compares_with_one(node.test):
            yield f"plural by hand: {ast.unparse(node)}"
    elif isinstance(node, ast.Call):
        if is_marked(node):
            yield from _marked_problems(node, scope)
        elif _formats_literal(node) and any(scope.holds(argument) for argument in node.args):
            yield f"joined by hand: {ast.unparse(node)}"


def _formats_literal(call: ast.Call) -> bool:
    is_method = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant)
    return is_method and own_name(call.func) in {"join", "format"}


def _compares_with_one(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and any(
        isinstance(each, ast.Constant) and each.value == 1 for each in (test.left, *test.comparators)
    )


def _marked_problems(call: ast.Call, scope: _Scope) -> Iterator[str]:
    sentences = sentences_of(call)
    literals = [each.value for each in sentences if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if len(literals) != len(sentences) or len(sentences) != MARKERS[own_name(call.func)]:
        yield f"cannot be extracted: {ast.unparse(call)}"
    for literal in literals:
        yield from shape_problems(literal, is_plural=len(literals) > 1)
        for part in call.keywords:
            if part.arg is not None and scope.holds(part.value) and not is_set_off(literal, part.arg):
                yield f"a translated fragment is filled into {literal!r}"
