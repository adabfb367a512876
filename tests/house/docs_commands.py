"""The commands that documents may name: our programs' own argument parsers, the Makefile, and Python's modules."""

import argparse
import importlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

OPTION = re.compile(r"--[a-z][a-z0-9-]*")
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*|\.\.\.|…|<.*>")


@dataclass(frozen=True)
class Command:
    """A program or one of its subcommands: its options with the values each takes, and what may follow it."""

    name: str
    options: Mapping[str, frozenset[str]]
    subcommands: Mapping[str, "Command"] = field(default_factory=dict)

    def walk(self) -> Iterator["Command"]:
        """This command and everything below it."""
        yield self
        for each in self.subcommands.values():
            yield from each.walk()


class _ParserSeenError(Exception):
    """Carries the parser a program was about to read its arguments with."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__(parser.prog)
        self.parser = parser


def _stop_at(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
    raise _ParserSeenError(parser)


def _parser_of(entry_point: str, arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser a program makes for these arguments; the program goes no further."""
    module, function = entry_point.split(":")
    main = getattr(importlib.import_module(module), function)
    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", _stop_at),
        mock.patch.object(sys, "argv", [entry_point, *arguments]),
    ):
        try:
            main()
        except _ParserSeenError as seen:
            return seen.parser
    raise AssertionError(f"{entry_point} reads its arguments in a way docs-check does not know")


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


def _command(name: str, parser: argparse.ArgumentParser) -> Command:
    options = {
        option: frozenset(str(choice) for choice in action.choices or ())
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
        for option in action.option_strings
    }
    below = {word: _command(f"{name} {word}", each) for word, each in _subparsers(parser).items()}
    return Command(name, options, below)


def program(name: str, entry_point: str) -> Command:
    """The command tree of an installed program; a subcommand's options are asked for under its own name."""
    top = _parser_of(entry_point, [])
    below = {
        word: _command(f"{name} {word}", _subparsers(_parser_of(entry_point, [word]))[word])
        for word in _subparsers(top)
    }
    return Command(name, _command(name, top).options, below)


def programs(root: Path) -> dict[str, Command]:
    """All programs that pyproject.toml installs."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {name: program(name, entry_point) for name, entry_point in project["scripts"].items()}


def make_targets(makefile: str) -> set[str]:
    """Names that `make NAME` knows."""
    return set(re.findall(r"^([A-Za-z][\w-]*)\s*:(?!=)", makefile, re.MULTILINE))


def words_of(text: str) -> list[str]:
    """A command line as words: no comment, no brackets of a synopsis, nothing after a pipe or a redirection."""
    text = re.sub(r"(?:^|\s)#.*", "", text)
    text = re.sub(r"\s(?:\d?>|<).*", "", text)
    words = (word.rstrip(",:") for word in re.sub(r"[\[\]()\"';]", " ", text).split())
    return [word for word in words if word and word != "|"]


def wrong_words(command: Command, words: Sequence[str]) -> Iterator[str]:
    """What a command line names that the command does not have."""
    current = command
    for place, word in enumerate(words):
        if word.startswith("--"):
            yield from _wrong_option(current, word, words[place + 1 :])
        elif word in current.subcommands:
            current = current.subcommands[word]
        elif current is command and place == 0 and not PLACEHOLDER.fullmatch(word):
            yield f"{command.name} has no command {word}"
            return


def _wrong_option(command: Command, word: str, rest: Sequence[str]) -> Iterator[str]:
    option, _, attached = word.partition("=")
    if option not in command.options:
        yield f"{command.name} has no option {option}"
        return
    choices = command.options[option]
    values = attached or (rest[0] if rest else "")
    if not choices or not values or values.startswith("-"):
        return
    for value in values.split("|"):
        if value not in choices and not PLACEHOLDER.fullmatch(value):
            yield f"{command.name} {option} does not take {value} but {', '.join(sorted(choices))}"


def is_module(name: str, *, root: Path) -> bool:
    """Whether `python -m NAME` finds something to run."""
    place = root.joinpath(*name.split("."))
    if (place / "__main__.py").is_file() or place.with_suffix(".py").is_file():
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
