"""Reads TOML as people save it: with or without the byte-order mark that some editors put in front.

Every TOML file of the project is read through here. Takes what was read from the file, never a path.
"""

import codecs
import tomllib
from decimal import Decimal
from typing import Any

from protocols.errors import InputError

_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TomlTextError(InputError):
    """The text is not TOML; one line says why, without the name of the file."""


def read_toml(content: bytes | str, *, exact: bool = False) -> dict[str, Any]:
    """The tables of a TOML text. With `exact`, numbers with a point are Decimal, just as written.

    Raises: TomlTextError.

    >>> read_toml(b"\\xef\\xbb\\xbfdays = 3")
    {'days': 3}
    """
    text = content if isinstance(content, str) else _decoded(content)
    try:
        return tomllib.loads(text.removeprefix("\ufeff"), parse_float=Decimal if exact else float)
    except RecursionError:
        raise TomlTextError("tables or lists are nested too deeply") from None
    except (ValueError, ArithmeticError) as cause:
        raise TomlTextError(str(cause).splitlines()[0]) from None


def _decoded(content: bytes) -> str:
    if content.startswith(_OTHER_MARKS):
        raise TomlTextError("saved as UTF-16, expected UTF-8: save it again with that encoding")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        raise TomlTextError(f"line {line} is not UTF-8: save it again with that encoding") from None
