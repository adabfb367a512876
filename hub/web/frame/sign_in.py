"""Who is visiting: a one-time link becomes a session, a session becomes a visit. Only hashes of tokens are stored."""

import secrets
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response

from hub.storage.access_records import BOARD, SELF
from hub.storage.household_records import SeenHome
from hub.storage.records import Access, Home, Member
from hub.web.frame.guard import PageError, read_form
from hub.web.frame.services import HubParts
from hub.web.frame.tokens import TOKEN_BYTES, hash_token
from hub.web.frame.translation import SOURCE_LANGUAGE, Localizer, languages, translatable

_DAY_S: Final = 86_400
_MAX_TOKEN_CHARS: Final = 128
HOME_COOKIE: Final = "cw-home"
"""Which of several homes the pages show. It opens nothing: a home that the visitor does not see is passed over."""


class SignInNeededError(Exception):
    """The page is for members, but nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One page view by a signed-in member, at one moment of the hub's clock.

    `member` is the person who looks. `seen` is the home they look at, one of `homes`; None if they see none.
    """

    member: Member
    seen: SeenHome | None
    words: Localizer
    now_s: float
    link_by: str = ""
    homes: tuple[SeenHome, ...] = ()

    @property
    def home(self) -> Home | None:
        """The home whose pages these are."""
        return None if self.seen is None else self.seen.home

    @property
    def holder(self) -> Member:
        """The membership that the home is settled, billed and paid under."""
        return self.member if self.seen is None else self.seen.holder

    @property
    def memberships(self) -> frozenset[str]:
        """The memberships of all homes that the visitor holds or lives in: their own matter."""
        return frozenset({self.member.id, *(each.holder.id for each in self.homes)})

    def own_access(self, reason: str = "") -> Access:
        """The member's own look, as the log is to record it: it names who made the sign-in link, if it was not them."""
        return Access(self.member.id, SELF, "own.view", reason, link_by=self.link_by)

    def board_access(self, purpose: str, reason: str) -> Access:
        """A look by a member of the board at others' values."""
        return Access(self.member.id, BOARD, purpose, reason, link_by=self.link_by)

    def own_home(self) -> Home:
        """Raises: PageError(404) for a member whose home is not set up."""
        if self.home is None:
            raise PageError(404, self.words.text("No home is registered in your name. Ask the board to add it."))
        return self.home

    def paid_home(self) -> Home:
        """The home, for what only whoever holds its contract may see or do. Raises: PageError(403) or (404)."""
        home = self.own_home()
        if self.holder.person != self.member.id:
            sentence = self.words.text(
                "%(name)s holds this home's contract. Only they can do this.", name=self.holder.name
            )
            raise PageError(403, sentence)
        return home


def cookie_name(parts: HubParts) -> str:
    """The session cookie's name. The prefix makes browsers refuse it unless it is secure and for this host only."""
    return "__Host-cw-session" if parts.secure_cookies else "cw-session"


async def redeem_link(parts: HubParts, token: str) -> str:
    """A new session token for a valid link; the link is used up in the same transaction.

    Raises: PageError(403) for a link that is unknown, used or expired.
    """
    now = int(parts.clock.now())
    session = secrets.token_urlsafe(TOKEN_BYTES)
    member = None
    if len(token) <= _MAX_TOKEN_CHARS:
        member = await parts.store.redeem_sign_in(
            hash_token(token),
            session_hash=hash_token(session),
            expires_at=now + parts.session_days * _DAY_S,
            now=now,
        )
    if member is None:
        sentence = translatable("This sign-in link has been used or has expired. Ask the board for a new one.")
        raise PageError(403, sentence)
    return session


def set_session(response: Response, parts: HubParts, *, session: str) -> None:
    """Set the cookie: scripts cannot read it, and browsers do not send it with another site's forms."""
    response.set_cookie(
        cookie_name(parts),
        session,
        max_age=parts.session_days * _DAY_S,
        path="/",
        secure=parts.secure_cookies,
        httponly=True,
        samesite="lax",
    )


async def end_session(parts: HubParts, request: Request, *, response: Response) -> None:
    """Delete the session in the store and its cookie in the browser."""
    token = request.cookies.get(cookie_name(parts))
    if token is not None:
        await parts.store.end_session(hash_token(token))
        parts.known_board.forget(hash_token(token))
    for name in (cookie_name(parts), HOME_COOKIE):
        response.delete_cookie(name, path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")


async def visit_of(parts: HubParts, request: Request) -> Visit:
    """The signed-in member and the home they chose, or the first they see.

    Raises: SignInNeededError without a valid session.
    """
    token = request.cookies.get(cookie_name(parts), "")
    now_s = parts.clock.now()
    session = None
    if 0 < len(token) <= _MAX_TOKEN_CHARS:
        session = await parts.store.session(hash_token(token), now=int(now_s))
    if session is None:
        raise SignInNeededError
    member = session.member
    language = member.language if member.language in languages() else SOURCE_LANGUAGE
    words = Localizer(language, parts.coop.tz, parts.coop.currency)
    parts.known_board.note(hash_token(token), words, is_board=member.is_board, now_s=now_s)
    homes = await parts.store.seen_homes(member.id)
    chosen = request.cookies.get(HOME_COOKIE, "")
    seen = next((each for each in homes if each.home.id == chosen), homes[0] if homes else None)
    return Visit(member, seen, words, now_s, session.link_by, homes)


def known_board_member(parts: HubParts, request: Request) -> Localizer | None:
    """The language of the board member who asks, as this process knows them without the store; None if it does not."""
    token = request.cookies.get(cookie_name(parts), "")
    return parts.known_board.words(hash_token(token), now_s=parts.clock.now())


async def read_home_form(request: Request, visit: Visit) -> dict[str, str]:
    """The fields of a form about the home shown.

    Raises: PageError(409) if another home was chosen since the form was opened.
    """
    fields = await read_form(request)
    if visit.home is not None and fields.pop("home", visit.home.id) != visit.home.id:
        sentence = visit.words.text("You chose another home in the meantime. Nothing was changed. Open the page again.")
        raise PageError(409, sentence)
    return fields


def set_home(response: Response, parts: HubParts, *, home: str) -> None:
    """Remember which of the visitor's homes the pages show."""
    response.set_cookie(
        HOME_COOKIE,
        home,
        max_age=parts.session_days * _DAY_S,
        path="/",
        secure=parts.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def require_board(visit: Visit) -> None:
    """Raises: PageError(403) for members who are not on the board."""
    if not visit.member.is_board:
        raise PageError(403, visit.words.text("This page is for the board."))
