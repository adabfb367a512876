"""How a command gets its name, its help and `--config`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

Run = Callable[[argparse.Namespace], int]


def add_plain_command(commands: Commands, name: str, *, run: Run, words: str) -> argparse.ArgumentParser:
    """A command with its one-sentence help; `run` returns the exit status. It does its own imports when it runs."""
    parser = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.set_defaults(command=run)
    return parser


def add_command(commands: Commands, name: str, *, run: Run, words: str) -> argparse.ArgumentParser:
    """The same for a command that reads the home's configuration."""
    parser = add_plain_command(commands, name, run=run, words=words)
    help_text = "the home's configuration (default: agent.toml)"
    parser.add_argument("--config", type=Path, default=Path("agent.toml"), metavar="FILE", help=help_text)
    return parser


def add_json(parser: argparse.ArgumentParser, words: str = "print JSON") -> None:
    """`--json`, where a program may read the output."""
    parser.add_argument("--json", action="store_true", help=words)


def count(text: str) -> int:
    """A whole number of 0 or more. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number of 0 or more")
    return int(text)
