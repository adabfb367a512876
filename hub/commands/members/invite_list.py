"""Invites everybody on a list at once: a CSV file from any spreadsheet, fully checked before it is used."""

import csv
import io
import re
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from hub.board.inviting import EMAIL_WORDS, NAME_WORDS, Invitation, InviteWish, check_language
from hub.commands.members.opened_inviter import opened_inviter
from hub.core.local_dates import parse_day
from hub.folder.setting_values import is_name
from hub.storage.life_records import is_email
from protocols.errors import RequestError
from protocols.timeline import Clock

COLUMNS: Final = ("name", "email", "home", "since", "board")
LIST_BYTES_MAX: Final = 1_000_000
_YES_NO: Final = {
    "": None,
    **dict.fromkeys(("yes", "ja", "si", "sí", "oui", "sim"), True),
    **dict.fromkeys(("no", "nein", "nee", "non", "não"), False),
}
_DELIMITERS: Final = (",", ";", "\t")
_DOTTED_DAY: Final = re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})", re.ASCII)
STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True)
class ListedInvitation:
    """A member on the list whose home has its agent, so that no token is needed."""

    member: str
    home: str
    agent: str


def read_list(text: str, *, name: str) -> tuple[InviteWish, ...]:
    """The people on the list. Raises: RequestError naming file, line and what was expected."""
    delimiter = _delimiter_of(text)
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True, delimiter=delimiter))
    except csv.Error as error:
        raise RequestError(f"{name}: not a CSV file: {error}") from None
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        raise RequestError(
            f"{name}: line 1: expected the heading {','.join(COLUMNS)}, separated by commas, semicolons or tabs"
        )
    listed = [_member(cells, where=f"{name}: line {number}") for number, cells in enumerate(rows[1:], 2) if any(cells)]
    emails = [member.email.casefold() for member in listed]
    for number, email in enumerate(emails):
        if email in emails[:number]:
            raise RequestError(f"{name}: {listed[number].email} is listed twice")
    if not listed:
        raise RequestError(f"{name}: the list is empty")
    return tuple(listed)


def _delimiter_of(text: str) -> str:
    """What separates the heading. Where decimals use commas, spreadsheets write semicolons."""
    heading = text.partition("\n")[0]
    return max(_DELIMITERS, key=heading.count)


async def invite_list(
    folder: Path, source: str, *, language: str | None, by: str | None = None, clock: Clock, is_mailed: bool = False
) -> list[Invitation | ListedInvitation]:
    """Invite everybody on the list, in order. Running it again adds nobody twice: a known member whose home has no
    agent yet gets a new token, and one whose home has an agent is left alone.

    Raises: RequestError before anybody is invited.
    """
    name = "standard input" if source == STANDARD_INPUT else source
    listed = read_list(_read(source, name=name), name=name)
    if language is not None:
        check_language(language)
    wishes = [replace(wish, language=language, by=by) for wish in listed]
    made: list[Invitation | ListedInvitation] = []
    async with opened_inviter(folder, clock=clock, is_mailed=is_mailed) as inviter:
        for wish in wishes:
            problem = await inviter.refusal(wish)
            if problem is not None:
                raise RequestError(f"{name}: {problem}")
        for wish in wishes:
            member = await inviter.known(wish)
            home = None if member is None else (await inviter.homes_of(member.id, wish))[0].home
            agents = () if home is None else await inviter.agents_of(home)
            if member is not None and home is not None and agents:
                made.append(ListedInvitation(member.id, home.id, " and ".join(agents)))
            else:
                made.append(await inviter.invite(wish))
    return made


def _read(source: str, *, name: str) -> str:
    try:
        if source == STANDARD_INPUT:
            content = sys.stdin.buffer.read(LIST_BYTES_MAX + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(LIST_BYTES_MAX + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise RequestError(f"{name}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise RequestError(f"{name}: not a CSV file in UTF-8: save it from the spreadsheet as CSV UTF-8") from None
    if len(content) > LIST_BYTES_MAX:
        raise RequestError(f"{name}: larger than {LIST_BYTES_MAX} bytes")
    return text


def _member(cells: list[str], *, where: str) -> InviteWish:
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
        day = _day(since) if since else None
    except ValueError:
        raise RequestError(f"{where}: since is {since[:20]!r}, expected a day like 2026-11-21") from None
    return InviteWish(email, name, home or None, _YES_NO[board.casefold()], None, day)


def _day(text: str) -> date:
    """A day as 2026-05-01, or as 01.05.2026: with full stops the day always comes first. Raises: ValueError."""
    written = _DOTTED_DAY.fullmatch(text)
    return parse_day("-".join(reversed(written.groups())) if written else text)
