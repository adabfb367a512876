"""Invites everybody on a list at once: a CSV file from any spreadsheet, fully checked before it is used."""

import csv
import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from hub.commands.members.invitations import (
    EMAIL_WORDS,
    NAME_WORDS,
    Invitation,
    check_language,
    invite,
    is_email,
)
from hub.core.local_dates import parse_day
from hub.folder.settings import is_name
from protocols.errors import RequestError
from protocols.timeline import Clock

COLUMNS: Final = ("name", "email", "home", "since", "board")
LIST_BYTES_MAX: Final = 1_000_000
_YES_NO: Final = {"yes": True, "no": False, "": False}


@dataclass(frozen=True, slots=True)
class ListedMember:
    """One line of the list."""

    name: str
    email: str
    home: str
    since: date | None
    is_board: bool


def read_list(text: str, *, name: str) -> tuple[ListedMember, ...]:
    """The members on the list. Raises: RequestError naming file, line and what was expected."""
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise RequestError(f"{name}: not a CSV file: {error}") from None
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        raise RequestError(f"{name}: line 1: expected the heading {','.join(COLUMNS)}")
    listed = [_member(cells, where=f"{name}: line {number}") for number, cells in enumerate(rows[1:], 2) if any(cells)]
    emails = [member.email.casefold() for member in listed]
    for number, email in enumerate(emails):
        if email in emails[:number]:
            raise RequestError(f"{name}: {listed[number].email} is listed twice")
    if not listed:
        raise RequestError(f"{name}: the list is empty")
    return tuple(listed)


async def invite_list(folder: Path, path: Path, *, language: str, clock: Clock) -> list[Invitation]:
    """Invite everybody on the list, in order. Running it again adds nobody twice; it gives fresh tokens.

    Raises: RequestError before anybody is invited.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LIST_BYTES_MAX + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: cannot be read as a CSV file in UTF-8 ({type(error).__name__})") from None
    if len(content) > LIST_BYTES_MAX:
        raise RequestError(f"{path}: larger than {LIST_BYTES_MAX} bytes")
    listed = read_list(text, name=str(path))
    check_language(language)
    return [
        await invite(
            folder,
            name=member.name,
            email=member.email,
            home_name=member.home or None,
            is_board=member.is_board,
            language=language,
            since=member.since,
            clock=clock,
        )
        for member in listed
    ]


def _member(cells: list[str], *, where: str) -> ListedMember:
    if len(cells) != len(COLUMNS):
        raise RequestError(f"{where}: {len(cells)} fields, expected {len(COLUMNS)}: {','.join(COLUMNS)}")
    name, email, home, since, board = (cell.strip() for cell in cells)
    if board.casefold() not in _YES_NO:
        raise RequestError(f"{where}: board is {board[:20]!r}, expected yes or no")
    if not is_name(name):
        raise RequestError(f"{where}: name is {name[:20]!r}, expected {NAME_WORDS}")
    if home and not is_name(home):
        raise RequestError(f"{where}: home is {home[:20]!r}, expected {NAME_WORDS}")
    if not is_email(email):
        raise RequestError(f"{where}: email is {email[:60]!r}, expected {EMAIL_WORDS}")
    try:
        day = parse_day(since) if since else None
    except ValueError:
        raise RequestError(f"{where}: since is {since[:20]!r}, expected a day like 2026-11-21") from None
    return ListedMember(name, email, home, day, _YES_NO[board.casefold()])
