"""`make docs-check`: every relative link, anchor, command and file that README and docs name exists.

It prints one line for each thing that is missing, as file:line. Addresses of pages are checked elsewhere
(tests/hub/web); what lies behind an address with a scheme is not looked up.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from tests.house.docs_commands import (
    OPTION,
    PLACEHOLDER,
    Command,
    is_module,
    make_targets,
    programs,
    words_of,
    wrong_words,
)
from tests.house.docs_text import Piece, anchors, links, shell_lines, spans

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "firmware_configs/README.md")
# Names in the examples of these pages that look like files of the repository but are none: name, reason.
EXAMPLES: dict[str, str] = {}
SOURCE_ENDINGS = (".py", ".md", ".svg", ".png", ".sh")
DATA_ENDINGS = (".toml", ".json", ".csv", ".txt", ".sqlite", ".sql", ".xlsx", ".pdf")
FILE_NAME = re.compile(r"[\w.*-]+")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
NOT_OURS = {".git", ".venv", "build", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}


@dataclass(frozen=True)
class Missing:
    """One thing a page names that is not there."""

    page: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Repository:
    """What pages may name: files below root, our programs, the Makefile's targets."""

    root: Path
    commands: Mapping[str, Command]
    examples: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def files(self) -> frozenset[str]:
        """Every file of the repository as a path below root."""
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in NOT_OURS]
            found += [(Path(folder) / name).relative_to(self.root).as_posix() for name in names]
        return frozenset(found)

    @cached_property
    def makefile(self) -> str:
        """The Makefile's text; empty where there is none."""
        path = self.root / "Makefile"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @cached_property
    def code(self) -> str:
        """All program text, to find names of files that a program makes or reads."""
        ours = (name for name in sorted(self.files) if name.endswith(".py") and not name.startswith("tests/house/"))
        return "\n".join((self.root / name).read_text(encoding="utf-8") for name in ours)

    @cached_property
    def made_here(self) -> frozenset[str]:
        """What .gitignore lists: names of things that commands make in the checkout."""
        path = self.root / ".gitignore"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return frozenset(line.strip().strip("/") for line in lines if line.strip())


def pages(root: Path) -> list[Path]:
    """The documents that are checked."""
    return sorted({path for pattern in PAGES for path in root.glob(pattern)})


def check(repository: Repository) -> list[Missing]:
    """Everything that is missing, in the order of pages and lines."""
    found: list[Missing] = []
    named: set[str] = set()
    for path in pages(repository.root):
        name = path.relative_to(repository.root).as_posix()
        text = path.read_text(encoding="utf-8")
        for piece in links(text):
            found += [Missing(name, piece.line, what) for what in _wrong_link(path, piece.text, repository)]
        for piece in (*spans(text), *shell_lines(text)):
            named.update(example for example in repository.examples if example in piece.text)
        for piece in shell_lines(text):
            found += [Missing(name, piece.line, what) for what in _wrong_line(path, piece, repository)]
        around: dict[int, Path] = {}
        for piece in spans(text):
            folder = around.setdefault(piece.line, repository.root / piece.text)
            found += [Missing(name, piece.line, what) for what in _wrong_span((path, folder), piece, repository)]
    place = "tests/house/docs_check.py"
    unused = sorted(set(repository.examples) - named)
    found += [Missing(place, 1, f"no page names {example!r} any more: take it out of EXAMPLES") for example in unused]
    return sorted(set(found), key=lambda each: (each.page, each.line, each.what))


def _wrong_link(page: Path, target: str, repository: Repository) -> Iterator[str]:
    if SCHEME.match(target) or target.startswith("//"):
        return
    path_part, _, anchor = unquote(target).partition("#")
    path = page
    if path_part:
        path = (repository.root / path_part[1:]) if path_part.startswith("/") else (page.parent / path_part)
        path = path.resolve()
        if not path.is_relative_to(repository.root.resolve()):
            yield f"the link {target} leaves the repository"
            return
        if not path.exists():
            yield f"the link {target} leads nowhere"
            return
    if anchor and path.suffix == ".md" and anchor not in anchors(path.read_text(encoding="utf-8")):
        yield f"the link {target} names a heading that does not exist"


def _wrong_line(page: Path, piece: Piece, repository: Repository) -> Iterator[str]:
    """A line of a code block: the commands in it and the paths of this repository in their arguments."""
    for part in re.split(r"&&|;|\s\|\s", re.sub(r"(?:^|\s)#.*", "", piece.text)):
        words = words_of(part)
        yield from _wrong_command(words, repository)
        for word in words[1:]:
            if "/" in word:
                yield from _wrong_path((page,), word, repository)


def _wrong_span(around: tuple[Path, ...], piece: Piece, repository: Repository) -> Iterator[str]:
    """Code in a sentence: a command, options of ours without their command, or a file or folder.

    A path may start at the root, beside the page, or in the folder that the line names first.
    """
    words = words_of(piece.text)
    if not words:
        return
    if _is_command(words, repository):
        yield from _wrong_command(words, repository)
    elif OPTION.search(piece.text):
        yield from _wrong_options(words, repository)
    if len(words) == 1 and not words[0].startswith("-"):
        yield from _wrong_path(around, words[0], repository)
    elif words[0] in {"pytest", "python", "python3", "sh", "git"}:
        for word in words[1:]:
            yield from _wrong_path(around, word, repository)


def _is_command(words: list[str], repository: Repository) -> bool:
    return words[0].split("/")[-1] in {*repository.commands, "make", "python", "python3"}


def _wrong_command(words: list[str], repository: Repository) -> Iterator[str]:
    if not words or not _is_command(words, repository):
        return
    name = words[0].split("/")[-1]
    rest = words[1:]
    if name in repository.commands:
        yield from wrong_words(repository.commands[name], rest)
    elif name == "make":
        yield from _wrong_target(rest, repository)
    elif rest[:1] == ["-m"] and len(rest) > 1:
        if not is_module(rest[1], root=repository.root):
            yield f"there is no module {rest[1]} to run"
        rooms = {each.replace("commonwatt-", ""): command for each, command in repository.commands.items()}
        known = rooms.get({"simulator": "sim", "edge_agent": "agent"}.get(rest[1], rest[1]))
        if known is not None:
            yield from wrong_words(known, rest[2:])
    elif rest and rest[0].endswith(".py"):
        yield from _wrong_script(rest, repository)


def _wrong_target(words: list[str], repository: Repository) -> Iterator[str]:
    for word in words:
        name, is_setting, _ = word.partition("=")
        if is_setting:
            if f"$({name}" not in repository.makefile:
                yield f"the Makefile does not read {name}"
        elif name.startswith("-") or PLACEHOLDER.fullmatch(name):
            continue
        elif name not in make_targets(repository.makefile):
            yield f"the Makefile has no target {name}"


def _wrong_script(words: list[str], repository: Repository) -> Iterator[str]:
    script = words[0]
    places = [name for name in repository.files if f"/{name}".endswith(f"/{script}")]
    if not places and f"/{script}" not in repository.code:
        yield f"there is no script {script}, and no page hands one out"
        return
    text = (repository.root / places[0]).read_text(encoding="utf-8") if places else repository.code
    for word in words[1:]:
        if word.startswith("--") and f'"{word.partition("=")[0]}"' not in text:
            yield f"{script} has no option {word}"


def _wrong_options(words: list[str], repository: Repository) -> Iterator[str]:
    """Options named without their program: each must belong to a command called by the first word, or to any."""
    every = [command for top in repository.commands.values() for command in top.walk()]
    called = [command for command in every if command.name.split()[-1] == words[0]]
    for word in words:
        option = word.partition("=")[0]
        if OPTION.fullmatch(option) and not any(option in command.options for command in called or every):
            of_whom = called[0].name if called else "no command of ours"
            yield f"{of_whom} has no option {option}" if called else f"{of_whom} has the option {option}"


def _wrong_path(around: tuple[Path, ...], word: str, repository: Repository) -> Iterator[str]:
    """A word that names a file or folder of the repository, or a file that our programs read or make."""
    path, _, test = word.rstrip(".").partition("::")
    path = path.removeprefix("./")
    parts = path.strip("/").split("/")
    if path.startswith(("/", "~", "-")) or not all(FILE_NAME.fullmatch(part) for part in parts):
        return
    if path in repository.examples or parts[0] in repository.made_here or parts[0] in NOT_OURS:
        return
    ending = Path(parts[-1]).suffix
    is_bare_name = len(parts) == 1 and not path.endswith("/")
    if is_bare_name and ending not in SOURCE_ENDINGS + DATA_ENDINGS:
        return
    if any(PLACEHOLDER.fullmatch(Path(part).stem) and Path(part).suffix not in SOURCE_ENDINGS for part in parts):
        return
    if _is_there(around, path, repository):
        if test and f"def {test.split('[')[0].split('::')[-1]}(" not in (repository.root / path).read_text("utf-8"):
            yield f"{path} has no test {test}"
        return
    top_names = {name.split("/")[0] for name in repository.files if "/" in name}
    if is_bare_name:
        if ending in DATA_ENDINGS and parts[-1] in repository.code:
            return
        yield f"there is no file {path}, and no program makes one"
    elif parts[0] in top_names or path.endswith("/") or ending in SOURCE_ENDINGS:
        yield f"there is no {'folder' if path.endswith('/') else 'file or folder'} {path}"


def _is_there(around: tuple[Path, ...], path: str, repository: Repository) -> bool:
    starts = (repository.root, *(each if each.is_dir() else each.parent for each in around))
    if "*" in path:
        return any(any(start.glob(path)) for start in starts)
    if "/" not in path:
        return any(name == path or name.endswith(f"/{path}") for name in repository.files)
    return any((start / path).exists() for start in starts)


def main() -> int:
    """Print what is missing; 1 if anything is."""
    missing = check(Repository(ROOT, programs(ROOT), EXAMPLES))
    for each in missing:
        print(each)
    if missing:
        print(f"make docs-check: {len(missing)} missing: mend the page, or what it names", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
