"""A wrong argument gets one line that names the program and its help, and exit status 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from protocols.command_line import FAILED, INTERRUPTED, OneLineParser, run_command
from protocols.errors import CommonwattError, RequestError


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
        (["run", "--folder", ".", "more"], "hub run: unrecognized arguments: more; see `hub run --help`\n"),
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["release", "meter", "other", "--by", "m01"],
        ["release", "--by", "m01", "meter", "other"],
        ["--by", "m01", "release", "meter", "other"],
    ],
)
def test_names_may_come_after_an_option(arguments: list[str]) -> None:
    parser = OneLineParser(prog="hub maps")
    parser.add_argument("what", nargs="?", default="list")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--by")
    parsed = parser.parse_args(arguments)
    assert (parsed.what, parsed.names, parsed.by) == ("release", ["meter", "other"], "m01")


@pytest.mark.parametrize(
    "arguments", [["allow", "--home", "h01", "prompt.shift"], ["--home", "h01", "allow", "prompt.shift"]]
)
def test_a_second_word_that_may_be_left_out_is_found_after_an_option(arguments: list[str]) -> None:
    parser = OneLineParser(prog="agent consent")
    parser.add_argument("action", nargs="?", default="show")
    parser.add_argument("purpose", nargs="?")
    parser.add_argument("--home")
    parsed = parser.parse_args(arguments)
    assert (parsed.action, parsed.purpose, parsed.home) == ("allow", "prompt.shift", "h01")
    parsed = parser.parse_args(["--home", "h01"])
    assert (parsed.action, parsed.purpose, parsed.home) == ("show", None, "h01")


@pytest.mark.parametrize("arguments", [["--po", "8080", "run", "--folder", "books"], ["run", "--fold", "books"]])
def test_an_option_is_never_guessed_from_its_first_letters(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(arguments)
    assert caught.value.code == 2


class OtherStatusError(CommonwattError):
    """An error with a status of its own."""

    exit_status = 7


def raised_by(error: BaseException) -> int:
    def command() -> int:
        raise error

    return run_command("hub", command)


def test_a_command_ends_with_its_status_or_that_of_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("hub", lambda: 3) == 3
    assert raised_by(RequestError("no such member")) == 1
    assert raised_by(OtherStatusError("what to do")) == 7
    assert raised_by(KeyboardInterrupt()) == INTERRUPTED
    assert capsys.readouterr().err == "hub: no such member\nhub: what to do\n"


FAULTS = [
    ValueError("a fault"),
    PermissionError(13, "denied", "file"),
    OSError(5, "broken"),
    BrokenPipeError(32, "another pipe than that of the output"),
]


def test_what_a_file_or_an_argument_says_moves_no_cursor(capfd: pytest.CaptureFixture[str]) -> None:
    """An error repeats what it found: a text with an escape sequence could hide the line, or pretend another."""
    assert raised_by(RequestError("map \x1b[2J\x9b1A\u202e is not there")) == FAILED
    assert capfd.readouterr().err == "hub: map \\x1b[2J\\x9b1A\\u202e is not there\n"
    with pytest.raises(SystemExit):
        make_parser().parse_args(["\x1b[2J"])
    assert "\x1b" not in capfd.readouterr().err


@pytest.mark.parametrize("error", FAULTS)
def test_a_fault_of_the_program_is_not_hidden(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled(), pytest.raises(type(error)):
        raised_by(error)


LONG_OUTPUT = """
import sys
from protocols.command_line import run_command
sys.exit(run_command("hub", lambda: print("x" * int(sys.argv[1])) or 0))
"""


@pytest.mark.parametrize("options", [[], ["-u"]], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("characters", [10, 1_000_000])
def test_a_reader_that_has_gone_is_no_traceback(characters: int, options: list[str]) -> None:
    command = [sys.executable, *options, "-c", LONG_OUTPUT, str(characters)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    child.stdout.close()
    assert child.wait(60) == FAILED
    assert child.stderr is not None
    assert child.stderr.read() == b""
    child.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("characters", [10, 1_000_000])
def test_a_full_disk_is_one_line(characters: int) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", LONG_OUTPUT, str(characters)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (FAILED, 1)
    assert done.stderr.startswith(b"hub: No space left on device: free space")


ROOT = Path(__file__).parents[2]
