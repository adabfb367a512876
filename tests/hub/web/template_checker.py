"""Finds unmarked and glued sentences in a template: it follows the HTML and every branch of the template's code."""

import re
from collections.abc import Iterable
from typing import Any

from jinja2 import Environment, nodes

from tests.hub.web.sentence_rules import LETTERS, WORDS, is_sentence_end, shape_problems

MARKERS = {"_": 1, "gettext": 1, "ngettext": 2}
READ_ATTRIBUTES = {"alt", "title", "aria-label", "aria-description", "placeholder", "label"}
INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong"}
NOT_WORDS = {"statement.json", "readings.json", "pool.json", "before.json", "verify_statement.py", "JSON"}
"""Names of files and formats: the same in every language."""

_ENVIRONMENT = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True, autoescape=True)
_VALUE = "\x01"
_ATTRIBUTE = re.compile(r'([\w-]+)\s*=\s*"([^"]*)"')


def template_problems(source: str) -> list[str]:
    """One line for each unmarked or glued sentence."""
    tree = _ENVIRONMENT.parse(source)
    walk = _Walk()
    walk.run(tree.body)
    for call in tree.find_all(nodes.Call):
        if _is_marked(call):
            walk.problems |= _call_problems(call)
    return sorted(walk.problems)


def _is_marked(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in MARKERS


def _sentences(call: nodes.Call) -> list[nodes.Expr]:
    assert isinstance(call.node, nodes.Name)
    return call.args[: MARKERS[call.node.name]]


def _call_problems(call: nodes.Call) -> set[str]:
    found: set[str] = set()
    sentences = _sentences(call)
    for each in sentences:
        if not isinstance(each, nodes.Const):
            found.add("a marked sentence must be a literal")
            continue
        found |= set(shape_problems(each.value, is_plural=len(sentences) > 1))
    if any(_holds_marked(part.value) for part in call.kwargs):
        found.add(f"a translated fragment is filled into {_literal(call)!r}")
    return found


def _holds_marked(node: nodes.Node) -> bool:
    return _is_marked(node) or any(_is_marked(call) for call in node.find_all(nodes.Call))


def _literal(call: nodes.Call) -> str:
    first = call.args[0]
    return str(first.value) if isinstance(first, nodes.Const) else ""


class _Walk:
    """The place in the template: inside a tag or in text, and what can come before it in the same run of text.

    `before` is a set of start, value, text, open (a marked fragment without an end), label (the same in a closed
    element) and sentence.
    """

    def __init__(self) -> None:
        self.problems: set[str] = set()
        self.tag = ""
        self.in_code = False
        self.before = {"start"}

    def run(self, body: Iterable[nodes.Node]) -> None:
        for node in body:
            self._node(node)

    def _node(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                if isinstance(part, nodes.TemplateData):
                    self._html(part.data)
                else:
                    self._shown(part)
        elif isinstance(node, nodes.If):
            self._branches([node.body, *(each.body for each in node.elif_), node.else_])
        elif isinstance(node, nodes.For):
            entry = set(self.before)
            for _ in range(2):
                self.run(node.body)
                self.before |= entry
            self.run(node.else_)
        elif isinstance(node, nodes.Macro | nodes.Block | nodes.CallBlock):
            self.before = {"start"}
            if isinstance(node, nodes.CallBlock):
                self._literals(node.call)
            self.run(node.body)
            self.before = {"start"}
        elif isinstance(node, nodes.Assign):
            self._literals(node.node)

    def _branches(self, branches: list[list[nodes.Node]]) -> None:
        entry, after = set(self.before), set()
        for body in branches:
            self.before = set(entry)
            self.run(body)
            after |= self.before
        self.before = after

    def _html(self, data: str) -> None:
        for piece in re.findall(r"<|>|[^<>]+", data):
            if self.tag:
                self.tag += piece
                if piece == ">":
                    self._tag_closed()
            elif piece == "<":
                self.tag = piece
            else:
                self._text(piece)

    def _tag_closed(self) -> None:
        for name, value in _ATTRIBUTE.findall(self.tag):
            is_button = name == "value" and re.match(r'<input[^>]*type="(submit|button|reset)"', self.tag)
            if (name in READ_ATTRIBUTES or is_button) and LETTERS.search(value):
                self.problems.add(f"unmarked {name}: {value.replace(_VALUE, '…')!r}")
        name = re.sub(r"[^\w].*", "", self.tag.lstrip("</"), flags=re.S)
        if name == "code":
            self.in_code = not self.tag.startswith("</")
        if name in INLINE:
            self.before = {"label" if each == "open" else each for each in self.before}
        else:
            self.before = {"start"}
        self.tag = ""

    def _text(self, piece: str) -> None:
        text = re.sub(r"&\w+;", " ", piece).strip()
        if not text or self.in_code:
            return
        if LETTERS.search(text) and text not in NOT_WORDS:
            self.problems.add(f"unmarked text: {text!r}")
        if text[0] in ".!?" and self.before & {"value", "open", "label", "sentence"}:
            self.problems.add(f"the end of a sentence is outside it: {text!r}")
        self.before = {"text"} if LETTERS.search(text) else {"start"}

    def _shown(self, part: nodes.Node) -> None:
        if isinstance(part, nodes.CondExpr):
            self._either(part)
        elif self.tag:
            name = re.search(r'([\w-]+)\s*=\s*"[^"]*$', self.tag)
            if name and name[1] in READ_ATTRIBUTES:
                self._constants(part)
            self.tag += _VALUE if not isinstance(part, nodes.Const) else "h2"
        elif _is_marked(part):
            assert isinstance(part, nodes.Call)
            self._marked(_literal(part))
        elif isinstance(part, nodes.Call):
            self._literals(part)
            self.before = {"start"}
        else:
            self._constants(part)
            if isinstance(part, nodes.Concat | nodes.Add | nodes.Mod) and _holds_marked(part):
                self.problems.add("a marked sentence is joined to something else")
            if "open" in self.before:
                self.problems.add("a marked fragment runs on into a value")
            self.before = {"value"}

    def _either(self, part: nodes.CondExpr) -> None:
        entry, after = set(self.before), set()
        for branch in (part.expr1, part.expr2):
            if branch is not None:
                self.before = set(entry)
                tag = self.tag
                self._shown(branch)
                after |= self.before
                if tag:
                    self.tag = tag
        if self.tag:
            self.tag += _VALUE
        self.before = after

    def _marked(self, sentence: str) -> None:
        if "open" in self.before or (sentence[:1].islower() and self.before & {"value", "text", "label", "sentence"}):
            self.problems.add(f"{sentence!r} continues what is before it")
        self.before = {"sentence"} if is_sentence_end(sentence) else {"open"}

    def _constants(self, part: nodes.Node) -> None:
        for value in _loose_constants(part):
            if LETTERS.search(value):
                self.problems.add(f"unmarked text: {value!r}")

    def _literals(self, part: nodes.Node) -> None:
        """Arguments and names: only what looks like a sentence is one."""
        for value in _loose_constants(part):
            if WORDS.search(value) or value[:1].isupper():
                self.problems.add(f"unmarked text: {value!r}")


def _loose_constants(part: nodes.Node) -> list[str]:
    """String literals of an expression that are not marked, compared or used as a key."""
    if _is_marked(part):
        return []
    if isinstance(part, nodes.Const):
        return [part.value] if isinstance(part.value, str) else []
    if isinstance(part, nodes.Compare):
        return []
    children: Any = [part.node] if isinstance(part, nodes.Getitem) else part.iter_child_nodes()
    return [value for child in children for value in _loose_constants(child)]
