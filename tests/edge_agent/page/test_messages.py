"""Translators get every sentence of the page, and a language counts when its file names only sentences there are."""

import ast

from edge_agent.page.catalogs import LOCALE, read_catalog
from tests.edge_agent.page.messages import KEYWORDS, MESSAGES, PAGE, messages


def test_the_sentences_for_translators_are_current() -> None:
    assert MESSAGES.read_text(encoding="utf-8") == messages(), "run: make messages"
    assert "Nothing is sent since %(moment)s." in messages()


def test_a_language_translates_only_sentences_there_are() -> None:
    known = read_catalog(messages())
    for path in LOCALE.glob("*/pages.po"):
        assert set(read_catalog(path.read_text(encoding="utf-8"))._sentences) <= set(known._sentences), path


def test_only_whole_constant_sentences_are_marked() -> None:
    """What is joined from pieces or computed could not be found by translators."""
    wrong = []
    for path in PAGE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in KEYWORDS and path.name not in ("words.py", "catalogs.py"):
                first = call.args[0]
                if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                    wrong.append(f"{path.name}:{call.lineno}")
    assert not wrong
