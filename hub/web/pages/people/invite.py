"""The board's page that invites: a new member, a new agent for a home, another home. The token is shown once."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from fastapi import FastAPI, Request, Response
from markupsafe import Markup

from hub.core.local_dates import parse_day
from hub.storage.invite_records import AskedInvitation, MadeInvitation
from hub.storage.life_records import MAX_EMAIL_CHARS, is_email
from hub.web.frame.guard import PageError, read_form
from hub.web.frame.sign_in import Visit
from hub.web.pages.board import require_board_visit
from hub.web.pages.people.asked_changes import MAX_NAME_CHARS
from hub.web.rendering import PageContext

ADDRESS: Final = "/board/invite"
CONFIRMED: Final = "yes"
ON: Final = "on"
FIELDS: Final = ("name", "email", "home_name", "since", "follows", "mail")
"""Of the form for a new member: what was typed stays when it is shown again."""


def add_invite_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the form for a new member, and what it and the forms on a member's page ask for."""

    @app.get(ADDRESS)
    async def form(request: Request) -> Response:
        return await _form(site, await require_board_visit(site, request), sent={})

    @app.post(ADDRESS)
    async def invite(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        sent = await read_form(request)
        asked = _asked(visit, sent)
        if sent.pop("confirmed", "") != CONFIRMED:
            if problem := await site.parts.invitations.refusal(asked, by=visit.member.id):
                return await _form(site, visit, sent=sent, problem=problem)
            return await site.page(
                visit, "board_member_confirm.html", place="more", sentence=_sentence(visit, asked), sent=sent,
                action=ADDRESS, back=_back(asked), confirmed=CONFIRMED,
            )  # fmt: skip
        made = await site.parts.invitations.invite(asked, by=visit.member.id, link_by=visit.link_by)
        if isinstance(made, str):
            return await _form(site, visit, sent=sent, problem=made)
        return await _shown(site, visit, made, is_mailed=asked.is_mailed)


def _asked(visit: Visit, sent: Mapping[str, str]) -> AskedInvitation:
    """What the form asks for. Raises: PageError(422)."""
    words, do = visit.words, sent.get("do", "")
    is_mailed = sent.get("mail", "") == ON
    if do == "agent":
        home, replaces, is_further = (
            sent.get("home", ""),
            sent.get("replaces", ""),
            sent.get("further", "") == CONFIRMED,
        )
        if is_further and replaces:
            raise PageError(422, words.text("Choose one of the buttons."))
        return AskedInvitation(home=home, replaces=replaces, is_further=is_further, is_mailed=is_mailed)
    home_name, since = sent.get("home_name", "").strip(), _day(visit, sent.get("since", ""))
    if do == "home":
        if not _is_name(home_name):
            raise PageError(422, words.text("Enter a name of 1 to 80 printable characters."))
        member = sent.get("member", "")
        return AskedInvitation(home_name=home_name, since=since, for_member=member, is_mailed=is_mailed)
    if do != "new":
        raise PageError(422, words.text("Choose one of the buttons."))
    name, email, follows = sent.get("name", "").strip(), sent.get("email", "").strip(), sent.get("follows", "")
    if not _is_name(name) or (home_name and not _is_name(home_name)):
        raise PageError(422, words.text("Enter a name of 1 to 80 printable characters."))
    if not is_email(email):
        raise PageError(422, words.text("Enter an e-mail address."))
    return AskedInvitation(name, email, home_name, since, follows, is_mailed=is_mailed)


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME_CHARS and text.isprintable()


def _day(visit: Visit, text: str) -> date | None:
    if not text:
        return None
    try:
        return parse_day(text)
    except ValueError:
        raise PageError(422, visit.words.text("Enter the first day, such as 2026-07-01, or leave it empty.")) from None


def _sentence(visit: Visit, asked: AskedInvitation) -> str:
    words = visit.words
    if asked.home and asked.is_further:
        said = words.text(
            "Invite a further agent for home %(home)s, which works beside those it has, with a consent of its own."
            " Earlier invitations of the home that were not used no longer work.",
            home=asked.home,
        )
    elif asked.home and asked.replaces:
        said = words.text(
            "Invite a new agent for home %(home)s in place of %(agent)s, which is shut out once the new one"
            " enrols. Earlier invitations of the home that were not used no longer work.",
            home=asked.home,
            agent=asked.replaces,
        )
    elif asked.home:
        said = words.text(
            "Invite an agent for home %(home)s. Earlier invitations of the home that were not used no longer work.",
            home=asked.home,
        )
    elif asked.for_member:
        said = words.text(
            "Another home for %(who)s: %(home)s, settled, billed and paid on its own.",
            who=asked.for_member,
            home=asked.home_name,
        )
    else:
        said = words.text(
            "Add %(name)s, %(email)s, as a member with the home %(home)s, and invite its agent.",
            name=asked.name,
            email=asked.email,
            home=asked.home_name or asked.name,
        )
    return said


def _back(asked: AskedInvitation) -> str:
    return f"/board/members/{asked.for_member}" if asked.for_member else "/board/members" if asked.home else ADDRESS


async def _form(site: PageContext, visit: Visit, *, sent: Mapping[str, str], problem: str = "") -> Response:
    store = site.parts.store
    homes, members = await store.homes(), {each.id: each for each in await store.members()}
    taken = {home.follows for home in homes}
    free = [home.id for home in homes if members[home.member_id].left_at is not None and home.id not in taken]
    return await site.page(
        visit,
        "board_invite.html",
        place="more",
        status=409 if problem else 200,
        problem=problem,
        sent={name: sent.get(name, "") for name in FIELDS},
        free=free,
        sends_mail=site.parts.sends_mail,
        most=MAX_NAME_CHARS,
        most_email=MAX_EMAIL_CHARS,
    )


async def _shown(site: PageContext, visit: Visit, made: MadeInvitation, *, is_mailed: bool) -> Response:
    picture = Markup(made.picture)  # noqa: S704 - drawn by the hub; it holds no text of anybody
    return await site.page(visit, "board_invited.html", place="more", made=made, picture=picture, is_mailed=is_mailed)
