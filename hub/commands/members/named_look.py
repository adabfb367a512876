"""The person behind a command that shows members' values: who looks and why, for the log of each home concerned."""

import argparse
from typing import Final

from hub.core.ledger.objections import REASON_CHARS_MAX, clean_reason
from hub.storage.access_records import BOARD
from hub.storage.contract import Store
from hub.storage.records import Access, Member
from protocols.errors import RequestError

BY_HELP: Final = "the board member who looks, such as m01; the log of every home concerned names them"
REASON_HELP: Final = "why you look at this member's values; the member reads it"
OWN_BY_COMMAND: Final = "a command on the hub, in the name of this home's own member"


async def board_member(store: Store, by: str | None, *, command: str) -> Member:
    """The board member who uses the command. Raises: RequestError if nobody is named, or somebody who is not on it."""
    if by is None:
        raise RequestError(f"{command}: say who looks: --by with a board member's id")
    member = await store.member(by)
    if member is None or not member.is_board:
        if not any(each.is_board for each in await store.members()):
            raise RequestError(f"{command}: nobody is on the board yet: commonwatt-hub board --appoint ID")
        raise RequestError(f"{command}: {by[:40]!r} is not on the board: give --by with a board member's id")
    return member


async def look_at_all(store: Store, by: str | None, *, command: str, purpose: str, reason: str) -> Access:
    """A look at all homes' values by a named person. Raises: RequestError."""
    return Access((await board_member(store, by, command=command)).id, BOARD, purpose, reason)


async def look_at_one(
    store: Store, by: str | None, *, member: str, reason: str | None, command: str, purpose: str
) -> Access:
    """A look at one member's values by a named person, who gives a reason unless the values are their own.

    A command does not prove who uses it, so a look at one's own values is the board's too, and its reason says what it
    was. Raises: RequestError.
    """
    who = await board_member(store, by, command=command)
    if who.id == member and reason is None:
        return Access(who.id, BOARD, purpose, OWN_BY_COMMAND)
    return Access(who.id, BOARD, purpose, typed_reason(reason, command=command))


async def log_others(store: Store, look: Access, *, member: str | None, fields: str) -> None:
    """Name who looked in the log of every home but this member's, whose values a command reads beside the member's."""
    homes = [home.id for home in await store.homes() if home.member_id != member]
    await store.log_access(look, homes, fields=fields, rows=1)


def typed_reason(reason: str | None, *, command: str) -> str:
    """The reason in one line. Raises: RequestError if there is none or it is too long."""
    words = None if reason is None else clean_reason(reason)
    if words is None:
        raise RequestError(f"{command}: say why: --reason in 1 to {REASON_CHARS_MAX} characters; the member reads it")
    return words


def add_by(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add --by."""
    parser.add_argument("--by", required=required, metavar="ID", help=BY_HELP)


def add_by_and_reason(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add --by and --reason."""
    add_by(parser, required=required)
    parser.add_argument("--reason", metavar="TEXT", help=REASON_HELP)
