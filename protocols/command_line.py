"""What the command lines of all our programs share: one-line errors for invalid arguments, and how a command ends.

It writes to the standard streams, so no pure module imports it.
"""

import argparse
import errno
import os
import select
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from protocols.errors import CommonwattError

FAILED = 1
INTERRUPTED = 130


class OneLineParser(argparse.ArgumentParser):
    """Reports invalid arguments in one line that also points to the help, and exits with status 2.

    Options cannot be abbreviated: `--token SECRET` must not be mistaken for `--token-file`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(*arguments, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; a command refuses what it does not know itself, so that the error points to its own help."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and " " in self.prog:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _match_arguments_partial(self, actions: Any, arg_strings_pattern: str) -> list[int]:
        """How many words each positional takes: one that may be left out waits while options still follow.

        argparse of Python 3.11 takes it for left out at the first option, and then knows no word that comes later.
        """
        counts: list[int] = super()._match_arguments_partial(actions, arg_strings_pattern)
        while counts and counts[-1] == 0 and "O" in arg_strings_pattern:
            counts.pop()
        return counts

    def error(self, message: str) -> NoReturn:
        """Print the message and exit. Sub-parsers made from this parser do the same."""
        self.exit(2, f"{self.prog}: {shown_line(message)}; see `{self.prog} --help`\n")


def shown_line(message: str) -> str:
    """A message as a terminal may show it: what a file or an argument brought of control characters stands escaped.

    >>> shown_line("found \\x1b[2J")
    'found \\\\x1b[2J'
    """
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in message)


def _escaped(mark: str) -> str:
    return mark.encode("unicode_escape").decode("ascii")


def run_command(program: str, command: Callable[[], int]) -> int:
    """Run a command and return its exit status; an error that a person can act on is printed as one line.

    If the reader of our output goes away (as `head` does) or the disk is full, the status is 1.
    """
    try:
        status = command()
        sys.stdout.flush()
        return status
    except CommonwattError as error:
        sys.stderr.write(f"{program}: {shown_line(str(error))}\n")
        return error.exit_status
    except BrokenPipeError:
        if not _is_reader_gone():
            raise
        _discard_output()
        return FAILED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _discard_output()
        sys.stderr.write(f"{program}: {error.strerror}: free space where the output or the data folder is\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _is_reader_gone() -> bool:
    """Whether the reader of standard output has gone, rather than the other end of some other pipe."""
    watch = select.poll()
    watch.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def _discard_output() -> None:
    """Discard the rest of the output, including anything still buffered when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
