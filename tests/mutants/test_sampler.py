"""The sampler of mutants: it makes the changes it says, draws the same ones by a seed, and sees what tests see."""

import ast
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests.mutants.__main__ import HARMLESS, ROOT, all_mutants, draw, harmless, main, report_lines
from tests.mutants.mutations import Mutant, mutants
from tests.mutants.subjects import SUBJECTS, asked_about, mirror_of, modules_of
from tests.mutants.trial import Outcome, StoppedError, Tree, Trials, UnsoundError, copy_tree

MODULE = '''"""What it is."""

def clipped(value: int, low: int = 0) -> int:
    """Never below low."""
    return low if value < low else value
'''


@cache
def ours(subject: str) -> list[Mutant]:
    """The subject's mutants; making all of them takes seconds."""
    return all_mutants(subject, ROOT)


def changes(text: str) -> list[str]:
    return [each.change for each in mutants("m.py", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = a < b", ["a < b  ->  a <= b", "a < b  ->  a >= b"]),
        ("x = a == b", ["a == b  ->  a != b"]),
        ("x = a not in b", ["a not in b  ->  a in b"]),
        ("x = a and b", ["a and b  ->  a or b"]),
        ("x = a + b", ["a + b  ->  a - b"]),
        ("x = a // b", ["a // b  ->  a / b"]),
        ("x = 7", ["7  ->  6", "7  ->  8"]),
        ("x = True", ["True  ->  False"]),
        ("x = not a", ["not a  ->  a"]),
        ("x = -a", ["-a  ->  a"]),
        ("x = min(a, b)", ["min(a, b)  ->  max(a, b)"]),
        ("x = a if b else c", ["a if b else c  ->  c if b else a"]),
        ("check(a)", ["check(a)  ->  nothing"]),
        ("a += b", ["a += b  ->  nothing"]),
        ("a[b] = c", ["a[b] = c  ->  nothing"]),
        ("raise Wrong('at 1')", ["raise Wrong('at 1')  ->  nothing"]),
        ("if a:\n    b = c", ["a  ->  not a"]),
        ("def f():\n    return a", ["return a  ->  return"]),
    ],
)
def test_each_kind_of_change_is_made(text: str, expected: list[str]) -> None:
    assert sorted(changes(text)) == sorted(expected)


@pytest.mark.parametrize(
    "text",
    [
        '"""A text."""',
        "x = f'{a + 1}'",
        "assert a < b",
        "x: tuple[1, 2]",
        "@d(frozen=True)\nclass C:\n    pass",
        "x = 'a' + b",
        "if TYPE_CHECKING:\n    import a",
        "def f():\n    return None",
    ],
)
def test_what_no_test_should_notice_is_left_alone(text: str) -> None:
    assert changes(text) == []


def test_a_mutant_is_the_whole_module_with_one_change_and_says_where() -> None:
    found = list(mutants("m.py", MODULE))
    assert {each.within for each in found} == {"clipped"}
    assert len({each.text for each in found}) == len(found)
    shifted = next(each for each in found if each.change == "value < low  ->  value <= low")
    assert ast.dump(ast.parse(shifted.text)) == ast.dump(ast.parse(MODULE.replace("value < low", "value <= low")))
    assert str(shifted) == "m.py:5 clipped: value < low  ->  value <= low"
    assert {each.line for each in found if each.change.startswith("0 ")} == {3}


def test_the_same_seed_draws_the_same_mutants() -> None:
    every = list(mutants("m.py", "\n".join(f"x{n} = {n}" for n in range(50))))
    drawn = draw("ledger", every, number=9, seed=4)
    assert drawn == draw("ledger", every, number=9, seed=4)
    assert [each.line for each in drawn] == sorted(each.line for each in drawn)
    assert len(drawn) == 9
    assert drawn != draw("ledger", every, number=9, seed=5)
    assert drawn != draw("payments", every, number=9, seed=4)
    assert draw("ledger", every, number=None, seed=4) == every
    assert draw("ledger", every, number=1000, seed=4) == every


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_has_modules_with_mutants(subject: str) -> None:
    for glob in SUBJECTS[subject]:
        assert any(ROOT.glob(glob)), f"{subject}: nothing is called {glob}"
    assert modules_of(subject, ROOT)
    assert len(ours(subject)) > 20


def test_a_module_is_mirrored_by_one_test_file() -> None:
    assert mirror_of("hub/core/ledger/merkle.py") == "tests/hub/core/ledger/test_merkle.py"


def street(root: Path, *, test: str) -> Path:
    """A repository of one module, its mirror, and one test that reaches it through another module."""
    for name, text in {
        "hub/__init__.py": "",
        "hub/core/__init__.py": "",
        "hub/core/clip.py": MODULE,
        "hub/core/user.py": "from hub.core.clip import clipped\n\ndef used(value):\n    return clipped(value)\n",
        "tests/hub/core/test_clip.py": test,
        "tests/hub/core/test_user.py": "from hub.core.user import used\n\ndef test_used():\n    assert used(5) == 5\n",
        "tests/mutants/quick.py": "",
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\npythonpath = ["."]\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


SEES_A_LITTLE = "from hub.core.clip import clipped\n\ndef test_it():\n    assert clipped(-1) <= 0\n"


def test_the_mirror_is_asked_first_and_what_reaches_the_module_last(tmp_path: Path) -> None:
    root = street(tmp_path, test=SEES_A_LITTLE)
    assert asked_about("hub/core/clip.py", root) == (("tests/hub/core/test_clip.py",), ("tests/hub/core/test_user.py",))
    assert asked_about("hub/core/user.py", root) == (("tests/hub/core/test_user.py",),)


def test_what_the_tests_notice_is_noticed_and_the_original_is_put_back(tmp_path: Path) -> None:
    original = street(tmp_path / "original", test=SEES_A_LITTLE)
    tree = copy_tree(original, tmp_path / "copy")
    found = {each.change: each for each in mutants("hub/core/clip.py", MODULE)}
    by_mirror = found["0  ->  1"]
    by_user = found["low if value < low else value  ->  value if value < low else low"]
    survivor = found["value < low  ->  value <= low"]
    endless = Mutant("hub/core/clip.py", 1, "module", "x", "import time\ntime.sleep(600)\n")
    assert Trials([tree]).outcomes([by_mirror, by_user, survivor]) == [
        Outcome.NOTICED,
        Outcome.NOTICED,
        Outcome.SURVIVED,
    ]
    assert (tree.root / endless.module).read_text(encoding="utf-8") == MODULE
    tree.write(endless.module, endless.text)
    assert tree.run(("tests/hub/core/test_clip.py",), limit_s=2) is Outcome.TOO_LONG
    assert (original / "hub/core/clip.py").read_text(encoding="utf-8") == MODULE


def test_tests_that_fail_by_themselves_judge_nothing(tmp_path: Path) -> None:
    root = street(tmp_path, test="def test_it():\n    assert False\n")
    with pytest.raises(UnsoundError, match=r"test_clip\.py fails without any change"):
        Trials([Tree(root)]).outcomes(mutants("hub/core/clip.py", MODULE))


def test_a_stopped_tree_starts_nothing_more(tmp_path: Path) -> None:
    tree = Tree(street(tmp_path, test="import time\n\ndef test_it():\n    time.sleep(600)\n"))
    with ThreadPoolExecutor() as pool:
        running = pool.submit(tree.run, ("tests/hub/core/test_clip.py",), limit_s=300)
        while tree._child is None:
            assert not running.done(), running.result()
            time.sleep(0.01)
        tree.stop()
        assert running.result(30) is Outcome.NOTICED
    with pytest.raises(StoppedError):
        tree.run(("tests/hub/core/test_clip.py",), limit_s=300)


def test_a_module_without_tests_lets_everything_pass(tmp_path: Path) -> None:
    root = street(tmp_path, test=SEES_A_LITTLE)
    (root / "hub/core/alone.py").write_text("x = 1\n", encoding="utf-8")
    outcomes = Trials([Tree(root)]).outcomes(mutants("hub/core/alone.py", "x = 1\n"))
    assert set(outcomes) == {Outcome.SURVIVED}


def test_the_report_names_the_survivors_with_the_score() -> None:
    one, two, three = list(mutants("m.py", "x = a < b\ny = True"))
    lines = report_lines("ledger", 30, [(one, Outcome.NOTICED), (two, Outcome.TOO_LONG), (three, Outcome.SURVIVED)])
    assert lines == [
        "ledger: 67 %: 2 of 3 noticed, 1 of them by running too long (30 mutants in all)",
        "  survived m.py:2 module: True  ->  False",
    ]


def test_every_mutant_called_harmless_exists() -> None:
    known = {(each.module, each.within, each.change) for subject in SUBJECTS for each in ours(subject)}
    assert not harmless(HARMLESS) - known, "these mutants are gone: take them out of harmless.toml"


def test_a_harmless_mutant_needs_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "harmless.toml"
    path.write_text('[[harmless]]\nmodule = "m"\nwithin = "f"\nchange = "c"\nwhy = " "\n', encoding="utf-8")
    with pytest.raises(ValueError, match="exactly module, within, change and why"):
        harmless(path)


def test_a_wrong_number_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--number", "few"])
    assert "'few' is neither a number from 1 on nor all" in capsys.readouterr().err
