"""The house's style as tests: lengths, module openings, no leftovers, no path of anybody's machine."""

import ast
import re
import shutil
import subprocess

import pytest

from tests.house.source_tree import ROOT, Source, held_by_all, sources

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SILENT = re.compile(r"except[^\n]*:\s*\n\s*pass\b")


@held_by_all(sources())
def test_a_module_opens_with_what_it_is_and_stays_readable(source: Source) -> None:
    opening = ast.get_docstring(source.tree)
    assert len(opening or "") >= 20, f"{source.path} does not say what it is"
    assert len(source.text.splitlines()) <= FILE_LINES_MAX, f"{source.path}: is it two things?"


@held_by_all(sources())
def test_functions_fit_a_screen(source: Source) -> None:
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{source.path}:{node.lineno} {node.name} has {lines} lines"


@held_by_all(sources())
def test_nothing_is_left_for_later_or_swallowed(source: Source) -> None:
    assert not LEFTOVERS.search(source.text), f"{source.path} leaves something for later"
    assert not SILENT.search(source.text), f"{source.path} swallows an error without a word"
    for node in source.nodes:
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name):
            assert node.exc.id != "NotImplementedError", f"{source.path}:{node.lineno} is a stub"


def test_file_names_are_nouns_with_a_meaning() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "managers", "data", "misc", "common", "base"}
    for source in sources():
        assert source.path.stem not in vague, f"{source.path}: name it for what it holds"


def tracked_files() -> list[str]:
    if shutil.which("git") is None:
        pytest.skip("git is not installed: the list of tracked files is unknown")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: the list of tracked files is unknown")
    return [name for name in listed.stdout.decode().split("\0") if name]


def test_no_tracked_file_names_a_machine_or_an_index() -> None:
    home_path = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/[A-Za-z0-9_.-]+")
    index_line = re.compile(r"^\s*(?:--index-url|--extra-index-url|-i|--find-links)\b", re.MULTILINE)
    for name in tracked_files():
        path = ROOT / name
        if not path.is_file() or name == "LICENSE" or path.suffix in {".png", ".jpg"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not home_path.search(text), f"{name} holds a path of somebody's machine: {home_path.search(text)}"
        if name.startswith(".ci/lock/"):
            assert not index_line.search(text), f"{name} names an index"
            assert "://" not in text, f"{name} names a host"


def test_no_large_file_is_tracked() -> None:
    for name in tracked_files():
        path = ROOT / name
        if path.is_file():
            assert path.stat().st_size <= 300_000, f"{name}: built files and measured data belong in packages"
