"""Reads a passphrase: from a private file, from standard input, or asked at the terminal. Never from an argument."""

import getpass
import os
import stat
import sys
from pathlib import Path
from typing import Final

from protocols.errors import RequestError

LEAST_CHARS: Final = 12
MAX_BYTES: Final = 1024
STANDARD_INPUT: Final = Path("-")
OPTION: Final = "--passphrase-file"
OPTION_WORDS: Final = (
    "read the passphrase from this file, which only its owner may read; - reads standard input; asked at the terminal"
    " without it"
)


def can_ask() -> bool:
    """Whether there is a person at a terminal to ask."""
    return sys.stdin.isatty()


def read_passphrase(file: Path | None, *, words: str, is_new: bool, can_wait: bool = False) -> bytes:
    """The passphrase for what `words` names: from this file or, without one, asked (twice if it is new).

    With `can_wait` a person may give none: the answer is then empty.

    Raises: RequestError if there is nobody to ask, the file cannot be used, or a new passphrase is too short.
    """
    if file is not None:
        given = _from_file(file)
    elif can_ask():
        given = _asked(f"{words} (Enter alone: later)" if can_wait else words, is_new=is_new)
        if can_wait and not given:
            return b""
    else:
        raise RequestError(f"there is no terminal to ask for the passphrase of {words}: give it with {OPTION} FILE")
    if is_new and len(given) < LEAST_CHARS:
        raise RequestError(
            f"a passphrase needs at least {LEAST_CHARS} characters: four or five words that do not belong together"
        )
    return given.encode("utf-8")


def _from_file(path: Path) -> str:
    try:
        if path == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(MAX_BYTES + 1)
            if stat.S_ISREG(mode) and mode & 0o077:
                raise RequestError(f"{path}: other users can read the passphrase; fix it with: chmod 600 {path}")
        text = content.decode("utf-8")
    except OSError as error:
        raise RequestError(f"{path}: cannot read the passphrase: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError(f"{path}: expected a passphrase as text (UTF-8)") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if len(content) > MAX_BYTES or not line or "\n" in line:
        raise RequestError(f"{path}: expected the passphrase alone, on one line of at most {MAX_BYTES} bytes")
    return line


def _asked(words: str, *, is_new: bool) -> str:
    given = getpass.getpass(f"passphrase for {words}: ")
    if is_new and given and getpass.getpass("the same again: ") != given:
        raise RequestError("the two passphrases differ; nothing was written")
    return given
