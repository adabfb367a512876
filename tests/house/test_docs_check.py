"""README and docs name only what exists; and the check that says so finds what does not."""

import re
from pathlib import Path

import pytest

from tests.house.docs_check import EXAMPLES, ROOT, Repository, check, pages
from tests.house.docs_commands import Command, programs
from tests.house.docs_text import anchors, links, shell_lines, spans

AGENT = Command(
    "commonwatt-agent",
    {"--help": frozenset()},
    {
        "read": Command("commonwatt-agent read", {"--device": frozenset(), "--json": frozenset()}),
        "answer": Command("commonwatt-agent answer", {"--choice": frozenset({"yes", "no"})}),
    },
)
SOUND = """# A page

See [the other](docs/other.md#second-part), ![a picture](docs/a.png) and [below](#below), made by `hub/tool.py`.

```
make test N=3 && commonwatt-agent read --device meter    # one device
python -m hub.tool
python tool.py --fast
python given.py
```

Code is in `hub/`, tests in `tests/test_tool.py::test_it`, the settings in `tool.toml`, pages at `/my-home`,
results in `build/x.json`.
`tests/` has `test_tool.py` and `inner/`.
 `commonwatt-agent answer --choice yes|no` and `--device NAME`.

## Below
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "README.md": SOUND,
        "docs/other.md": "# Other\n\n## Second part\n",
        "docs/a.png": "",
        "hub/tool.py": 'open("tool.toml"); option = "--fast"; address = "/given.py"\n',
        "tests/inner/a.txt": "",
        "tests/test_tool.py": "def test_it():\n",
        "Makefile": "test: setup\n\t@run $(N)\n",
        ".gitignore": "build/\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def found(tree: Path, text: str | None = None) -> list[str]:
    if text is not None:
        (tree / "README.md").write_text(text, encoding="utf-8")
    return [str(each) for each in check(Repository(tree, {"commonwatt-agent": AGENT}))]


def test_the_documents_of_this_repository_name_only_what_exists() -> None:
    missing = check(Repository(ROOT, programs(ROOT), EXAMPLES))
    assert not missing, "\n".join(str(each) for each in missing)


def test_the_documents_are_all_read() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in pages(ROOT)}
    assert {"README.md", "CHANGELOG.md", "docs/architecture.md", "docs/decisions/README.md"} <= names
    assert "firmware_configs/README.md" in names


def test_a_sound_page_is_sound(tree: Path) -> None:
    assert found(tree) == []


@pytest.mark.parametrize(
    ("sound", "wrong", "what"),
    [
        ("docs/other.md#", "docs/another.md#", "the link docs/another.md#second-part leads nowhere"),
        ("#second-part", "#third-part", "the link docs/other.md#third-part names a heading that does not exist"),
        ("(#below)", "(#above)", "the link #above names a heading that does not exist"),
        ("docs/a.png", "docs/b.png", "the link docs/b.png leads nowhere"),
        ("docs/a.png", "../outside.png", "the link ../outside.png leaves the repository"),
        ("`hub/tool.py`", "`hub/tol.py`", "there is no file or folder hub/tol.py"),
        ("`hub/`", "`hubs/`", "there is no folder hubs/"),
        ("::test_it", "::test_that", "tests/test_tool.py has no test test_that"),
        ("`tool.toml`", "`tools.toml`", "there is no file tools.toml, and no program makes one"),
        ("make test N=3", "make tests N=3", "the Makefile has no target tests"),
        ("make test N=3", "make test SEED=3", "the Makefile does not read SEED"),
        ("read --device", "reed --device", "commonwatt-agent has no command reed"),
        ("read --device", "read --devices", "commonwatt-agent read has no option --devices"),
        ("--choice yes|no", "--choice yes|maybe", "commonwatt-agent answer --choice does not take maybe but no, yes"),
        ("`--device NAME`", "`--devices NAME`", "no command of ours has the option --devices"),
        ("`--device NAME`", "`answer --device NAME`", "commonwatt-agent answer has no option --device"),
        ("-m hub.tool", "-m hub.tools", "there is no module hub.tools to run"),
        ("python tool.py", "python tools.py", "there is no script tools.py, and no page hands one out"),
        ("`test_tool.py`", "`test_tol.py`", "there is no file test_tol.py, and no program makes one"),
        ("`inner/`", "`iner/`", "there is no folder iner/"),
        ("python given.py", "python gvn.py", "there is no script gvn.py, and no page hands one out"),
        ("--fast", "--slow", "tool.py has no option --slow"),
    ],
)
def test_what_is_missing_is_named_with_its_line(tree: Path, sound: str, wrong: str, what: str) -> None:
    assert SOUND.count(sound) == 1
    line = SOUND[: SOUND.index(sound)].count("\n") + 1
    assert found(tree, SOUND.replace(sound, wrong)) == [f"README.md:{line}: {what}"]


def test_an_example_that_no_page_names_any_more_is_found(tree: Path) -> None:
    repository = Repository(tree, {"commonwatt-agent": AGENT}, {"hub/gone.toml": "made by hand"})
    assert [each.what for each in check(repository)] == [
        "no page names 'hub/gone.toml' any more: take it out of EXAMPLES"
    ]


def test_pages_in_folders_of_docs_are_read(tree: Path) -> None:
    (tree / "docs" / "decisions").mkdir()
    (tree / "docs" / "decisions" / "one.md").write_text("[gone](../gone.md)\n", encoding="utf-8")
    assert found(tree) == ["docs/decisions/one.md:1: the link ../gone.md leads nowhere"]


def test_our_programs_are_read_with_all_their_commands() -> None:
    known = programs(ROOT)
    assert set(known) == {"commonwatt-agent", "commonwatt-hub", "commonwatt-sim"}
    assert "--config" in known["commonwatt-agent"].subcommands["run"].options
    assert "--json" in known["commonwatt-hub"].subcommands["findings"].options
    assert "--cau" in known["commonwatt-hub"].subcommands["grid-file"].subcommands["spain"].options
    assert "--once" in known["commonwatt-sim"].subcommands["demo"].options


def test_markdown_is_read_as_it_is_shown() -> None:
    text = "# A `b` & [c](d)\n\n# A b & c\n\nx `code\nwrapped`\n\n    indented one\n    two\n\n"
    text += "```sh\n$ first \\\n  on\n\nlast\n```\n"
    assert anchors(text) == {"a-b--c", "a-b--c-1"}
    assert [(each.line, each.text) for each in spans(text)] == [(1, "b"), (5, "code wrapped")]
    assert [(each.line, each.text) for each in shell_lines(text)] == [
        (12, "first    on"),
        (15, "last"),
        (8, "indented one"),
        (9, "two"),
    ]
    assert [each.text for each in links(text)] == ["d"]


def test_what_is_code_is_no_link() -> None:
    assert not list(links("`[a](b)`\n\n```\n[a](b)\n```\n"))
    assert re.fullmatch(r"x\.md", next(links('<a href="x.md">x</a>')).text)
