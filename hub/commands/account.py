"""`commonwatt-hub account`: the board enters a member's bank account and mandate from a letter, or views the history.

An IBAN is read from a file or standard input, never from the command line, where other programs could see it.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from hub.commands.members.named_look import typed_reason
from hub.commands.periods import local_today
from hub.core.local_dates import parse_day
from hub.core.payments.accounts import clean_holder, iban_length, iban_problem, is_mandate_id, masked
from hub.core.payments.sepa import compact
from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.account_records import AccountRow, BankDetails, NewAccount, mandate_fields
from hub.storage.contract import Store
from hub.storage.records import Access, Member
from protocols.errors import RequestError
from protocols.timeline import Clock

MAX_LETTER_BYTES: Final = 1000
STANDARD_INPUT: Final = "-"
PURPOSE: Final = "bank.pay"


@dataclass(frozen=True, slots=True)
class AccountInstruction:
    """A member's letter: an account, a mandate signed on a day, or the end of the mandate."""

    iban: str | None
    holder: str | None
    signed_on: date | None
    mandate: str | None
    is_revoked: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--member", required=True, metavar="ID", help="whose account it is, such as m03")
    parser.add_argument("--by", required=True, metavar="ID", help="the board member who enters or reads it")
    parser.add_argument("--reason", metavar="TEXT", help="without a letter: why you look; the member reads it")
    parser.add_argument("--iban-file", metavar="FILE", help="a file with the IBAN alone; - reads standard input")
    parser.add_argument("--holder", metavar="NAME", help="the account's holder; the member's name without it")
    parser.add_argument("--mandate-signed", metavar="DAY", help="the member signed a direct-debit mandate on this day")
    parser.add_argument("--mandate", metavar="ID", help="with --mandate-signed: the mandate's own id on the letter")
    parser.add_argument("--revoke-mandate", action="store_true", help="the member has revoked the mandate")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Enter what the letter says and show the history. Raises: RequestError with a one-line message."""
    if (args.holder is not None and args.iban_file is None) or (args.mandate and args.mandate_signed is None):
        raise RequestError("account: --holder goes with --iban-file, --mandate with --mandate-signed")
    if args.revoke_mandate and args.mandate_signed is not None:
        raise RequestError("account: --revoke-mandate and --mandate-signed are two letters: enter one after the other")
    signed_on = None if args.mandate_signed is None else _day(args.mandate_signed)
    iban = None if args.iban_file is None else read_iban(args.iban_file)
    letter = AccountInstruction(iban, args.holder, signed_on, args.mandate, args.revoke_mandate)
    is_letter = iban is not None or signed_on is not None or args.revoke_mandate
    # A board member who only looks says why. A letter is its own reason.
    reason = "the member's letter" if is_letter else "the member's own account"
    if args.reason is not None or not (is_letter or args.by == args.member):
        reason = typed_reason(args.reason, command="account")
    found = asyncio.run(
        enter_instruction(
            args.data, letter, member=args.member, by=args.by, reason=reason, clock=open_clock(args.clock)
        )
    )
    sys.stdout.write(json.dumps(found) + "\n" if args.json else _lines(found))
    return 0


def read_iban(name: str) -> str:
    """The IBAN from a file or standard input, checked. Raises: RequestError, which never repeats the IBAN."""
    try:
        if name == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MAX_LETTER_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_LETTER_BYTES + 1)
    except OSError as error:
        raise RequestError(f"cannot read {name}: {error.strerror}") from None
    text = content.decode("utf-8", errors="replace").strip()
    if len(content) > MAX_LETTER_BYTES or len(text.splitlines()) != 1:
        raise RequestError("account: expected one line with the IBAN and nothing else")
    problem = iban_problem(text)
    if problem == "country":
        raise RequestError("account: the IBAN does not begin with the two letters of a SEPA country")
    if problem == "length":
        raise RequestError(f"account: the IBAN has {len(compact(text))} characters, not {iban_length(text)}")
    if problem is not None:
        raise RequestError("account: the IBAN's check digits are wrong: check every character")
    return compact(text)


async def enter_instruction(
    folder: Path, letter: AccountInstruction, *, member: str, by: str, reason: str, clock: Clock
) -> dict[str, object]:
    """Enter it whole; returns the member's history, accounts masked. Raises: RequestError; nothing is then entered."""
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        who = await _check_people(store, member, by)
        name = None if letter.holder is None else clean_holder(letter.holder)
        if letter.holder is not None and name is None:
            raise RequestError(
                "account: --holder: expected a name a bank can read: up to 70 Latin, Greek or Cyrillic letters"
            )
        if letter.signed_on is not None and letter.signed_on > local_today(clock, settings.coop.tz):
            raise RequestError(
                f"account: the mandate cannot be signed on {letter.signed_on}: that day is in the future"
            )
        if letter.mandate is not None and not is_mandate_id(letter.mandate):
            raise RequestError("account: --mandate: expected 1 to 33 letters, digits and signs that banks accept")
        at, access = int(clock.now()), Access(actor=by, role="board", purpose=PURPOSE, reason=reason)
        _require_free(letter, await store.bank_details([member], access=access), member=member)
        if letter.iban is not None:
            await store.add_account(NewAccount(member, name or who.name, letter.iban, by, at))
        await _enter_mandate(store, letter, member=member, by=by, at=at)
        return _history(await store.bank_details([member], access=access), await store.members())
    finally:
        await store.close()


async def _check_people(store: Store, member: str, by: str) -> Member:
    who, board = await store.member(member), await store.member(by)
    if who is None or await store.home_of(member) is None:
        raise RequestError(f"account: there is no member {member[:40]!r} with a home")
    if board is None or not board.is_board:
        raise RequestError(f"account: {by[:40]!r} is not on the board: give --by with a board member's id")
    return who


def _require_free(letter: AccountInstruction, details: BankDetails, *, member: str) -> None:
    """Raises: RequestError if the letter does not fit the current account, before any part of it is entered."""
    account, mandate = details.account_of(member), details.mandate_of(member)
    if letter.is_revoked and mandate is None:
        raise RequestError(f"account: {member} has no mandate in force")
    if letter.signed_on is None:
        return
    if account is None and letter.iban is None:
        raise RequestError(f"account: {member} has no account yet: give --iban-file too")
    if mandate is not None and account is not None and letter.iban in (None, account.iban):
        raise RequestError(f"account: {member} already has a mandate: end it with --revoke-mandate")
    if letter.mandate in {row.id for row in details.mandates}:
        raise RequestError(f"account: the mandate {letter.mandate} already exists: give each mandate its own id")


async def _enter_mandate(store: Store, letter: AccountInstruction, *, member: str, by: str, at: int) -> None:
    if letter.is_revoked:
        await store.end_mandate(member, made_by=by, made_at=at)
    if letter.signed_on is None:
        return
    signed = letter.signed_on.isoformat()
    problem = await store.add_mandate(member, signed_on=signed, made_by=by, made_at=at, mandate=letter.mandate)
    if problem is not None:
        raise RequestError(f"account: the mandate was not entered ({problem}): somebody else has just entered one")


def _history(details: BankDetails, members: tuple[Member, ...]) -> dict[str, object]:
    names = {member.id: member.name for member in members}
    return {
        "accounts": [_account_json(row, names) for row in details.accounts],
        "mandates": [mandate_fields(row) for row in details.mandates],
    }


def _account_json(row: AccountRow, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "member": row.member,
        "name": row.name,
        "iban": masked(row.iban),
        "made_by": row.made_by,
        "made_by_name": names.get(row.made_by, row.made_by),
        "made_at": row.made_at,
    }


def _lines(found: Mapping[str, object]) -> str:
    accounts, mandates = found["accounts"], found["mandates"]
    assert isinstance(accounts, list)
    assert isinstance(mandates, list)
    lines = [f"{row['iban']}  {row['name']}, entered by {row['made_by']}" for row in accounts]
    lines += [
        f"mandate {row['id']} signed on {row['signed_on']}"
        + ("" if row["ended_at"] is None else f", ended by {row['ended_by']}")
        for row in mandates
    ]
    return "\n".join(lines or ["no bank account yet"]) + "\n"


def _day(text: str) -> date:
    try:
        return parse_day(text)
    except ValueError:
        raise RequestError(f"account: --mandate-signed {text[:20]!r} is not a day like 2026-11-21") from None
