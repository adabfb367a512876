"""The commands beside `run`: make a hub, invite members, give sign-in links, say how it stands."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from hub.folder.identity import load_key, make_key
from hub.folder.opening import open_hub, open_store
from hub.folder.paths import KEY_NAME, STORE_NAME, is_running, web_address
from hub.folder.settings import FILE_NAME, HubSettings, is_currency, is_name, is_zone, settings_text
from hub.storage.contract import Store
from hub.storage.records import Coop, Home, Member
from hub.web.frame.tokens import TOKEN_BYTES, hash_token
from protocols.durable_files import write_durably
from protocols.enrolment import handshake as enrolment
from protocols.errors import RequestError
from protocols.slots import format_slot, slot_of
from protocols.timeline import Clock
from protocols.wire.topics import is_id

LINK_LIFE_S: Final = 86_400
MAX_EMAIL_CHARS: Final = 254
OWN_NAMES: Final = (KEY_NAME, STORE_NAME, FILE_NAME)
"""What `init` itself leaves when it is interrupted, also with an ending: the same command then goes on."""
NAME_WORDS: Final = "a name of 1 to 80 printable characters"
EMAIL_WORDS: Final = "an address like ana@example.org"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A member with a home and the one-time token for its agent. The token is secret and stored nowhere."""

    member: Member
    home: Home
    token: str
    is_new: bool


async def init_hub(folder: Path, *, coop: Coop, clock: Clock) -> None:
    """Make a hub in `folder`. hub.toml is written last: until it stands there, the same command finishes the work.

    Raises: RequestError for a folder that holds a hub or something else, or a wrong argument.
    """
    _check_coop(coop)
    _make_folder(folder)
    store = await open_store(folder, clock=clock, create=True)
    try:
        await store.set_coop(coop)
    finally:
        await store.close()
    try:
        write_durably(folder / FILE_NAME, settings_text(coop).encode("utf-8"))
    except OSError as error:
        raise RequestError(f"{folder / FILE_NAME}: cannot be written: {error.strerror}") from None


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

    Raises: RequestError for a wrong argument.
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


async def sign_in_links(folder: Path, *, member_ids: Sequence[str], clock: Clock) -> list[str]:
    """A one-time link for each of these members. Raises: RequestError, before any is made, when one is unknown."""
    settings, _, store = await open_hub(folder, clock=clock, takes_rule=False)
    try:
        known = [member.id for member in await store.members()]
        for member_id in member_ids:
            if member_id not in known:
                raise RequestError(f"there is no member {member_id[:40]!r}; members: {', '.join(known) or 'none yet'}")
        expires_at, links = int(clock.now()) + LINK_LIFE_S, []
        for member_id in member_ids:
            token = secrets.token_urlsafe(TOKEN_BYTES)
            await store.add_sign_in(hash_token(token), member_id=member_id, expires_at=expires_at)
            links.append(f"{_pages_at(folder, settings)}/sign-in/{token}")
        return links
    finally:
        await store.close()


async def status_of(folder: Path, *, clock: Clock) -> Mapping[str, object]:
    """How the hub stands, read from its store: no member's values."""
    settings, _, store = await open_hub(folder, clock=clock, takes_rule=False)
    try:
        now_slot = slot_of(clock.now())
        fleet = await store.fleet(slots=range(now_slot - 96, now_slot))
        return {
            "coop": settings.coop.id,
            "is_running": is_running(folder),
            "pages": _pages_at(folder, settings),
            "members": len(await store.members()),
            "messages_stored": await store.message_count(),
            "refused": [
                {"agent": r.agent, "reason": r.reason, "count": r.count, "detail": r.detail}
                for r in await store.refusals()
            ],
            "homes": [
                {
                    "home": row.home,
                    "agent": row.agent,
                    "last_slot": None if row.last_slot is None else format_slot(row.last_slot),
                    "messages": row.stored_messages,
                    "waiting_or_missing_of_last_96": sum(p in ("waiting", "missing") for p in row.presence),
                }
                for row in fleet
            ],
            "last_settled_day": await store.last_settled_day(),
            "jobs": [
                {"name": j.name, "due_at": _utc(j.due_at), "last_error": j.last_error} for j in await store.jobs()
            ],
        }
    finally:
        await store.close()


def status_lines(status: Mapping[str, object]) -> str:
    """The status for people."""
    return "\n".join(f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in status.items()) + "\n"


def _shown(value: object) -> str:
    if isinstance(value, list):
        rows = (", ".join(f"{key.replace('_', ' ')}: {_shown(part)}" for key, part in row.items()) for row in value)
        return "".join(f"\n  {row}" for row in rows) or "none"
    return "yes" if value is True else "no" if value is False else "none yet" if value is None else str(value)


def _pages_at(folder: Path, settings: HubSettings) -> str:
    host = "127.0.0.1" if settings.web.host in ("0.0.0.0", "::") else settings.web.host  # noqa: S104 - compared
    return web_address(folder, default=f"http://{host}:{settings.web.port}")


async def _add_member(store: Store, member: Member, *, home_name: str | None) -> tuple[Member, Home]:
    number = 1 + max((_number(known.id) for known in await store.members()), default=0)
    added = Member(*(f"m{number:02d}", member.name, member.email, member.language), member.is_board, member.joined_at)
    home = Home(f"h{number:02d}", home_name or member.name, added.id)
    await store.add_member(added, home)
    return added, home


async def _home_of(store: Store, member: Member) -> Home:
    home = await store.home_of(member.id)
    if home is None:
        raise RequestError(f"member {member.id} has no home")
    return home


def _make_folder(folder: Path) -> None:
    if (folder / FILE_NAME).exists():
        raise RequestError(f"{folder}: there is a hub here already ({FILE_NAME})")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = sorted(path.name for path in folder.iterdir() if not path.name.startswith(OWN_NAMES))
    except OSError as error:
        raise RequestError(f"{folder}: cannot make the folder: {error.strerror}") from None
    if others:
        raise RequestError(f"{folder}: not empty ({others[0][:40]} is there): give --data a folder of the hub's own")
    if (folder / KEY_NAME).exists():
        load_key(folder / KEY_NAME)
    else:
        make_key(folder / KEY_NAME)


def _number(member_id: str) -> int:
    return int(member_id[1:]) if member_id[:1] == "m" and member_id[1:].isdecimal() else 0


def _check_coop(coop: Coop) -> None:
    if not is_id(coop.id):
        raise RequestError(f"--coop {coop.id[:40]!r}: expected 1 to 32 of a-z, 0-9 and -")
    if not is_name(coop.name):
        raise RequestError("--name: expected 1 to 80 printable characters")
    if not is_zone(coop.tz):
        raise RequestError(f"--tz {coop.tz[:40]!r}: expected a time zone like Europe/Madrid")
    if not is_currency(coop.currency):
        raise RequestError(f"--currency {coop.currency[:40]!r}: expected three capital letters like EUR")


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
    """Raises: RequestError when this is not the code of a language."""
    if not (2 <= len(language) <= 8 and language.isascii() and language.replace("-", "").isalpha()):
        raise RequestError(f"--language {language[:20]!r}: expected a code like en or es")


def is_email(text: str) -> bool:
    """Whether a letter could be sent there: something, an at sign, something, and no space."""
    box, at, host = text.rpartition("@")
    return bool(box and at and host) and len(text) <= MAX_EMAIL_CHARS and text.isprintable() and " " not in text


def _midnight(day: date, tz: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).timestamp())


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
