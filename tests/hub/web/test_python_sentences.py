"""Every sentence in the pages' code is marked for translation and whole. Planted faults test the checker itself."""

import ast
from functools import cache
from pathlib import Path

import pytest

from hub.web.frame.guard import CONTENT_POLICY
from tests.hub.web.python_checker import glue_problems, literal_problems, translating_functions

WEB = Path(__file__).parents[3] / "hub" / "web"
HEALTH = WEB.parent / "health"
SAYING = sorted(
    [
        *(path for room in ("pages", "views") for path in (WEB / room).rglob("*.py")),
        *(WEB / name for name in ("app.py", "rendering.py")),
        HEALTH / "checks.py",
        *(WEB / "frame" / name for name in ("guard.py", "request_dates.py", "sign_in.py")),
    ]
)


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in SAYING}


@cache
def known() -> dict[str, str]:
    return translating_functions(list(trees().values()))


NOT_READ = {
    'attachment; filename="…"': "a response header",
    "text/csv; charset=utf-8": "a response header",
    "text/x-python; charset=utf-8": "a response header",
    "public, max-age=31536000, immutable": "a response header",
    CONTENT_POLICY: "a response header",
    "being worked out: ask again": "a state in JSON, for programs",
    "credits by day": "stored in the access log, never shown",
    "grid import and export by quarter hour": "stored in the access log, never shown",
    "energy measured for prompts": "stored in the access log, never shown",
    "approving an order": "stored in the access log as the reason, in the co-op's language",
    "withdrawing an order": "stored in the access log as the reason, in the co-op's language",
    "bank account": "stored in the access log, compared only",
    "the list of objections": "stored in the access log as the reason, in the co-op's language",
    "an objection is decided": "stored in the access log as the reason, in the co-op's language",
    "payment orders": "stored in the access log as the reason, in the co-op's language",
    "never settled": "the overview's code, compared only",
    "enrolment request: expected the content type application/json": "an error for programs",
    "python verify_statement.py statement.json readings.json pool.json \\\n  --hub-key {key}": "a command to type",
}
"""Literals of two words or more that nobody reads in a language, each with the reason."""


@pytest.mark.parametrize("path", SAYING, ids=lambda path: str(path.relative_to(WEB.parent)))
def test_what_a_page_says_is_marked(path: Path) -> None:
    assert [each for each in literal_problems(trees()[path]) if each not in NOT_READ] == []


@pytest.mark.parametrize("path", SAYING, ids=lambda path: str(path.relative_to(WEB.parent)))
def test_what_a_page_says_is_whole(path: Path) -> None:
    assert glue_problems(trees()[path], known()) == []


def test_every_exception_is_still_needed() -> None:
    found = {each for tree in trees().values() for each in literal_problems(tree)}
    assert set(NOT_READ) <= found, "remove these exceptions"


@pytest.mark.parametrize(
    "fault",
    [
        'raise PageError(404, "There is no such month.")',
        'raise PageError(404, f"Entry {i} is wrong.")',
        'view = Page(headline="Nothing is settled")',
        'return "not known yet"',
        'lines.append("Nothing is settled")',
        'names = {"a": "the first one"}',
        'x = words.number(1, "a second literal")',
        'x = words.text("A whole sentence.", part="a loose part")',
        'LABEL = "two words"',
        'return days or "nothing yet"',
    ],
)
def test_an_unmarked_sentence_is_found(fault: str) -> None:
    assert literal_problems(parse(fault)), fault


@pytest.mark.parametrize(
    "fine",
    [
        'raise PageError(404, words.text("There is no such month."))',
        'raise PageError(404, translatable("There is no such month."))',
        'raise ValueError("not a record of this kind")',
        'log.warning("a statement failed: %s", problem)',
        'if problem == "no account":\n    pass',
        'names = {"new readings": words.text("readings have arrived")}',
        'x = row["two words"]',
        '"""A docstring of several words."""',
        'x = words.plural("%(n)s day is over.", "%(n)s days are over.", n)',
    ],
)
def test_what_nobody_reads_and_what_is_marked_passes(fine: str) -> None:
    assert literal_problems(parse(fine)) == []


@pytest.mark.parametrize(
    "fault",
    [
        'return words.text("You gave ") + amount',
        'return words.text("You gave") + amount',
        "return f\"{words.text('You gave')} {amount}\"",
        'return f"{gap_name(gap, words)}: {amount}"',
        'before = words.text("You gave it.")\nreturn f"{before} {amount}"',
        'before = words.text("You gave it.")\nbefore += " again"\nbefore += words.text("You did.")',
        'first, last = words.text("first"), amount\nreturn first + last',
        'names = {1: words.text("one")}\nreturn names[1] + amount',
        'names = {1: words.text("one")}\nreturn names.get(1, amount) + amount',
        'return " ".join([words.text("You gave it."), amount])',
        'return " ".join(words.text("You gave it.") for each in days)',
        'parts = []\nparts.append(words.text("sun"))\nreturn ", ".join(parts)',
        'return "{} {}".format(words.text("You gave it."), amount)',
        'return words.text("You gave it.") % amount',
        'return words.text("It used %(what)s today", what=words.text("nothing"))',
        'label = words.text("a") if x else words.text("b")\nreturn words.text("It used %(what)s", what=label)',
        'return words.plural("the %(what)s of %(n)s", "the %(what)s of %(n)s", n, what=gap_name(gap, words))',
        'return words.text("one home") if n == 1 else words.text("homes")',
        'return words.text("%(n)s homes", n=n)',
        'return words.text("You gave,")',
        'return words.text("You gave it to ")',
        "return words.text(sentence)",
        'return words.text(f"You gave {amount}.")',
        'return words.plural("%(n)s day", many, n)',
    ],
)
def test_a_glued_sentence_is_found(fault: str) -> None:
    assert glue_problems(parse(fault), {"gap_name": "one"}), fault


@pytest.mark.parametrize(
    "fine",
    [
        'return words.sentences(words.text("You gave it."), words.text("You got it."))',
        'return words.listed(words.text("sun") for each in days)',
        'return words.text("%(what)s: %(amount)s", what=words.text("sun"), amount=amount)',
        'return words.text("Settled by: %(method)s.", method=words.text("equal shares"))',
        'return words.text("You gave it.") if x > 0 else words.text("You got it.")',
        'return words.plural("%(n)s home", "%(n)s homes", n)',
        'rows = [words.text("sun")]\nrows += [words.text("wind")]\nreturn (*rows, words.text("grid"))',
        'return f"{words.kwh(1)} {words.kwh(2)}"',
        'return response.text + "more"',
    ],
)
def test_a_whole_marked_sentence_passes(fine: str) -> None:
    assert glue_problems(parse(fine), {}) == []


def test_functions_that_return_translated_text_are_known() -> None:
    tree = ast.parse(
        "def name(x, words) -> str:\n    return {1: words.text('one')}[x]\n"
        "def names(words) -> dict[str, str]:\n    return {'a': name(1, words)}\n"
        "def page(words) -> Page:\n    return Page(words.text('one'))\n"
        "def code(x) -> str:\n    return x.upper()\n"
    )
    assert translating_functions([tree]) == {"name": "one", "names": "many"}
    assert "labels" in known()
    assert "measure_words" in known()


def parse(body: str) -> ast.Module:
    """The lines as the body of a function, as most of them are found."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return ast.parse(f"def view(words):\n{lines}\n")
