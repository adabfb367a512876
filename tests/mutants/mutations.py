"""Small wrong changes to a module, one at a time: each a new text of the whole module and the words for a person.

A change is one that a tired programmer makes: a comparison turned or shifted by its boundary, `and` for `or`, plus for
minus, a number off by one, a `not` lost, a statement lost, a value not returned. Left alone is what no test of
behaviour can notice or should: annotations, decorators, texts, assertions, and the words of errors.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Div,
    ast.Div: ast.FloorDiv,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
SHOWN_MAX = 90


@dataclass(frozen=True)
class Mutant:
    """One changed module."""

    module: str
    line: int
    within: str
    change: str
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.within}: {self.change}"


@dataclass(frozen=True)
class _Change:
    """A place in the tree and how to change it and back."""

    node: ast.AST
    words: str
    apply: Callable[[], Callable[[], None]]


def mutants(module: str, text: str) -> Iterator[Mutant]:
    """Every mutant of the module, in the order of its lines."""
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    parts = [ast.unparse(statement) for statement in tree.body]
    for number, statement in enumerate(tree.body):
        alone = ast.Module([statement], [])
        seen = {parts[number]}
        for change in sorted(_changes(alone), key=lambda each: (_place(each.node), each.words)):
            undo = change.apply()
            changed = ast.unparse(alone)
            undo()
            if changed in seen:
                continue
            seen.add(changed)
            line = _place(change.node)[0]
            around = [each.name for each in functions if each.lineno <= line <= (each.end_lineno or each.lineno)]
            whole = "\n".join([*parts[:number], changed, *parts[number + 1 :]]) + "\n"
            yield Mutant(module, line, around[-1] if around else "module", change.words, whole)


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _changes(tree: ast.AST) -> Iterator[_Change]:
    for parent, name, place, node in _children(tree):
        if isinstance(node, ast.expr):
            for new in _other_expressions(node):
                yield _swap(parent, name, place, node, new)
        elif isinstance(node, ast.stmt):
            for new in _other_statements(node):
                yield _swap(parent, name, place, node, new)


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Each node below with its parent, the parent's field and the place in it; what is left alone is passed over."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases", "type_comment"}:
            continue
        for place, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Assert):
                continue
            if _is_docstring(child) or _is_for_types(child):
                continue
            yield node, name, place, child
            if not isinstance(child, ast.Raise):
                yield from _children(child)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _swap(parent: ast.AST, name: str, place: int | None, node: ast.AST, new: ast.AST) -> _Change:
    def put(value: ast.AST) -> None:
        if place is None:
            setattr(parent, name, value)
        else:
            getattr(parent, name)[place] = value

    def apply() -> Callable[[], None]:
        put(new)
        return lambda: put(node)

    after = "nothing" if isinstance(new, ast.Pass) else _shown(new)
    return _Change(node, f"{_shown(node)}  ->  {after}", apply)


def _shown(node: ast.AST) -> str:
    """The code as one short line; of an `if` or `while` its condition."""
    whole = ast.unparse(node.test if isinstance(node, ast.If | ast.While) else node)
    line = " ".join(whole.split())
    return line if len(line) <= SHOWN_MAX else line[: SHOWN_MAX - 1] + "…"


def _other_expressions(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(ops=ops):
            for place, operator in enumerate(ops):
                for other in COMPARISONS[type(operator)]:
                    yield ast.Compare(node.left, [*ops[:place], other(), *ops[place + 1 :]], node.comparators)
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.BinOp() if type(node.op) in OPERATORS and not _is_text(node):
            yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield ast.Call(ast.Name(CALLS[name], ast.Load()), node.args, node.keywords)
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)


def _is_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(isinstance(each, ast.JoinedStr | ast.List | ast.Tuple) or _is_string(each) for each in sides)


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _other_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(None)
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield ast.Pass()
        case ast.If() | ast.While():
            if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                opposite = ast.UnaryOp(ast.Not(), node.test)
                yield type(node)(opposite, node.body, node.orelse)
