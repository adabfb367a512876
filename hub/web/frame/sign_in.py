"""Who is visiting: a one-time link becomes a session, a session becomes a visit. Only hashes of tokens are stored."""

import secrets
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response

from hub.storage.access_records import BOARD, SELF
from hub.storage.records import Access, Home, Member
from hub.web.frame.guard import PageError
from hub.web.frame.services import HubParts
from hub.web.frame.tokens import TOKEN_BYTES, hash_token
from hub.web.frame.translation import SOURCE_LANGUAGE, Localizer, languages, translatable

_DAY_S: Final = 86_400
_MAX_TOKEN_CHARS: Final = 128


class SignInNeededError(Exception):
    """The page is for members, but nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One page view by a signed-in member, at one moment of the hub's clock."""

    member: Member
    home: Home | None
    words: Localizer
    now_s: float
    link_by: str = ""

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
    response.delete_cookie(cookie_name(parts), path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")


async def visit_of(parts: HubParts, request: Request) -> Visit:
    """The signed-in member and their home.

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
    return Visit(member, await parts.store.home_of(member.id), words, now_s, session.link_by)


def require_board(visit: Visit) -> None:
    """Raises: PageError(403) for members who are not on the board."""
    if not visit.member.is_board:
        raise PageError(403, visit.words.text("This page is for the board."))
