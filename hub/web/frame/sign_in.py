"""Who is looking: one-time links become sessions, sessions become a visit. Tokens are kept only as hashes."""

import secrets
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response

from hub.storage.records import Home, Member
from hub.web.frame.guard import PageError
from hub.web.frame.services import HubParts
from hub.web.frame.tokens import TOKEN_BYTES, hash_token
from hub.web.frame.translation import SOURCE_LANGUAGE, Localizer, languages

_DAY_S: Final = 86_400
_MAX_TOKEN_CHARS: Final = 128


class SignInNeededError(Exception):
    """The page is for members and nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in member's look at one page, at one time of the hub's clock."""

    member: Member
    home: Home | None
    words: Localizer
    now_s: float

    def own_home(self) -> Home:
        """Raises: PageError(404) for a member whose home is not set up."""
        if self.home is None:
            raise PageError(404, self.words.say("No home is registered in your name. The board can add it."))
        return self.home


def cookie_name(parts: HubParts) -> str:
    """The prefix makes browsers refuse the cookie unless it is secure and belongs to this host alone."""
    return "__Host-cw-session" if parts.secure_cookies else "cw-session"


async def redeem_link(parts: HubParts, token: str) -> str:
    """A fresh session token for a link that is good; the link is spent in the same transaction.

    Raises: PageError(403) for a link that is unknown, used or too old.
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
        raise PageError(403, "This sign-in link has been used or is too old. Ask the board for a new one.")
    return session


def set_session(response: Response, parts: HubParts, *, session: str) -> None:
    """Out of reach of scripts, and never sent along with another site's forms."""
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
    """Forget the session here and in the browser."""
    token = request.cookies.get(cookie_name(parts))
    if token is not None:
        await parts.store.end_session(hash_token(token))
    response.delete_cookie(cookie_name(parts), path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")


async def visit_of(parts: HubParts, request: Request) -> Visit:
    """The signed-in member with the home that is theirs.

    Raises: SignInNeededError without a session that is good now.
    """
    token = request.cookies.get(cookie_name(parts), "")
    now_s = parts.clock.now()
    member = None
    if 0 < len(token) <= _MAX_TOKEN_CHARS:
        member = await parts.store.session_member(hash_token(token), now=int(now_s))
    if member is None:
        raise SignInNeededError
    language = member.language if member.language in languages() else SOURCE_LANGUAGE
    words = Localizer(language, parts.coop.tz, parts.coop.currency)
    return Visit(member, await parts.store.home_of(member.id), words, now_s)


def require_board(visit: Visit) -> None:
    """Raises: PageError(403) for members who are not on the board."""
    if not visit.member.is_board:
        raise PageError(403, visit.words.say("This page is for the board."))
