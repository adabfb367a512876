"""Invites one member with a home, or gives a known member a fresh token. It checks its arguments."""

import secrets
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from hub.folder.opening import open_hub
from hub.folder.settings import is_name
from hub.storage.contract import Store
from hub.storage.records import Home, Member
from protocols.enrolment import token as enrolment
from protocols.errors import RequestError
from protocols.timeline import Clock

MAX_EMAIL_CHARS: Final = 254
NAME_WORDS: Final = "a name of 1 to 80 printable characters"
EMAIL_WORDS: Final = "an address like ana@example.org"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A member with a home and the one-time token for its agent. The token is secret and stored nowhere."""

    member: Member
    home: Home
    token: str
    is_new: bool


async def invite(
    folder: Path,
    *,
    name: str,
    email: str,
    home_name: str | None,
    is_board: bool,
    language: str,
    since: date | None,
    clock: Clock,
) -> Invitation:
    """A new member with a home, or a fresh token for the member who has this e-mail address.

    Raises: RequestError if an argument is wrong.
    """
    check_person(name, email=email, home_name=home_name, language=language)
    settings, _, store = await open_hub(folder, clock=clock, takes_rule=False)
    try:
        now = int(clock.now())
        known = next((m for m in await store.members() if m.email.casefold() == email.casefold()), None)
        if known is None:
            joined_at = now if since is None else _midnight(since, settings.coop.tz)
            member, home = await _add_member(
                store, Member("", name, email, language, is_board, joined_at), home_name=home_name
            )
        else:
            member, home = known, await _home_of(store, known)
        secret = secrets.token_bytes(enrolment.TOKEN_BYTES)
        await store.add_invite(enrolment.token_hash(secret), home_id=home.id, expires_at=now + enrolment.TOKEN_LIFE_S)
        return Invitation(member, home, enrolment.token_text(secret), is_new=known is None)
    finally:
        await store.close()


async def _add_member(store: Store, member: Member, *, home_name: str | None) -> tuple[Member, Home]:
    number = 1 + max((_number(known.id) for known in await store.members()), default=0)
    added = replace(member, id=f"m{number:02d}")
    home = Home(f"h{number:02d}", home_name or member.name, added.id)
    await store.add_member(added, home)
    return added, home


async def _home_of(store: Store, member: Member) -> Home:
    home = await store.home_of(member.id)
    if home is None:
        raise RequestError(f"member {member.id} has no home")
    return home


def _number(member_id: str) -> int:
    return int(member_id[1:]) if member_id[:1] == "m" and member_id[1:].isdecimal() else 0


def check_person(name: str, *, email: str, home_name: str | None, language: str) -> None:
    """Raises: RequestError naming the argument that is wrong."""
    if not is_name(name):
        raise RequestError(f"--member: expected {NAME_WORDS}")
    if home_name is not None and not is_name(home_name):
        raise RequestError(f"--home: expected {NAME_WORDS}")
    if not is_email(email):
        raise RequestError(f"--email {email[:60]!r}: expected {EMAIL_WORDS}")
    check_language(language)


def check_language(language: str) -> None:
    """Raises: RequestError if this is not the code of a language."""
    if not (2 <= len(language) <= 8 and language.isascii() and language.replace("-", "").isalpha()):
        raise RequestError(f"--language {language[:20]!r}: expected a code like en or es")


def is_email(text: str) -> bool:
    """Whether the text looks like an address: something, an at sign, something, and no space."""
    box, at, host = text.rpartition("@")
    return bool(box and at and host) and len(text) <= MAX_EMAIL_CHARS and text.isprintable() and " " not in text


def _midnight(day: date, tz: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).timestamp())
