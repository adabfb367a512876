"""A wrong argument gets one line that names the program and its help, and exit status 2."""

from __future__ import annotations

import pytest

from protocols.command_line import OneLineParser


def make_parser() -> OneLineParser:
    parser = OneLineParser(prog="hub")
    parser.add_argument("--port", type=int)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("run").add_argument("--folder", required=True)
    return parser


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--port", "x", "run", "--folder", "."],
            "hub: argument --port: invalid int value: 'x'; see `hub --help`\n",
        ),
        ([], "hub: the following arguments are required: task; see `hub --help`\n"),
        (["run"], "hub run: the following arguments are required: --folder; see `hub run --help`\n"),
        (["run", "--folder", ".", "more"], "hub: unrecognized arguments: more; see `hub --help`\n"),
    ],
)
def test_a_wrong_argument_gets_one_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr() == ("", line)


def test_right_arguments_are_parsed() -> None:
    parsed = make_parser().parse_args(["--port", "8080", "run", "--folder", "books"])
    assert (parsed.port, parsed.task, parsed.folder) == (8080, "run", "books")


def test_help_is_still_the_whole_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(["--help"])
    assert caught.value.code == 0
    assert "--port PORT" in capsys.readouterr().out
