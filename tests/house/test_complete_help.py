"""Every argument of every command is explained, defaults told, and a wrong one costs the person one line to read."""

import argparse
from collections.abc import Iterator

import pytest

from edge_agent.__main__ import _parser as agent_parser
from edge_agent.__main__ import main as agent
from hub.__main__ import _COMMANDS
from hub.__main__ import _parser as hub_parser
from hub.__main__ import main as hub
from simulator.__main__ import _parser as simulator_parser
from simulator.__main__ import main as simulator


def arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from arguments(each)
        else:
            yield parser.prog, action


def all_arguments() -> Iterator[tuple[str, argparse.Action]]:
    names = ("", *(row[0] for row in _COMMANDS))
    for parser in (agent_parser(), simulator_parser(), *(hub_parser(name) for name in names)):
        yield from arguments(parser)


def test_every_argument_is_explained_with_its_default() -> None:
    for prog, action in all_arguments():
        shown = f"{prog} {action.option_strings or action.dest}"
        assert action.help, shown
        if action.option_strings and action.default not in (None, False, argparse.SUPPRESS):
            told = str(action.default).removesuffix(".0")
            assert told in action.help, f"{shown}: the default {told} is not told"


@pytest.mark.parametrize("program", [agent, hub, simulator])
def test_a_wrong_argument_is_one_line(program, capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["--colour"], [], ["no-such-command"]):
        with pytest.raises(SystemExit) as left:
            program(given)
        assert left.value.code == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert "--help`" in said[0].split("; see `")[1]
