"""The changes about a member that the board's forms can ask for: read from the form, said in a sentence, and made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

from hub.core.ledger.objections import clean_reason
from hub.core.local_dates import parse_day
from hub.storage.contract import Store
from hub.storage.household_records import new_member
from hub.storage.life_records import COUNTS, ROLES, VERDICTS, MemberEdit, end_of_membership, is_email
from hub.storage.records import Member
from hub.web.frame.guard import PageError
from hub.web.frame.sign_in import Visit
from hub.web.views.changes import role_name

MAX_NAME_CHARS: Final = 80
Make = Callable[[], Awaitable[str | int | None]]


@dataclass(frozen=True, slots=True)
class AskedChange:
    """One change: what the board member confirms, and how it is made. `make` returns a refusal or nothing."""

    sentence: str
    make: Make


def asked_change(
    store: Store, visit: Visit, member: Member, sent: Mapping[str, str], *, sends_mail: bool
) -> AskedChange:
    """The change that this form asks for. Raises: PageError(422) for anything that is not one."""
    forms: Mapping[str, Callable[[Store, Visit, Member, Mapping[str, str]], AskedChange]] = {
        "edit": partial(_edit, sends_mail=sends_mail),
        "begin-role": _role,
        "end-role": _role,
        "end-sessions": _sessions,
        "move-out": _move_out,
        "stay": _stay,
        "add-adult": _add_adult,
        "end-adult": _end_adult,
        "revoke": _revoke,
        "decide": _decide,
    }
    form = forms.get(sent.get("do", ""))
    if form is None:
        raise PageError(422, visit.words.text("Choose one of the buttons."))
    return form(store, visit, member, sent)


def _edit(store: Store, visit: Visit, member: Member, sent: Mapping[str, str], *, sends_mail: bool) -> AskedChange:
    name, email, words = sent.get("name", "").strip(), sent.get("email", "").strip(), visit.words
    if not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable()):
        raise PageError(422, words.text("Enter a name of 1 to 80 printable characters."))
    if not is_email(email):
        raise PageError(422, words.text("Enter an e-mail address."))
    sentence = words.text("Change %(who)s to %(name)s, %(email)s.", who=member.id, name=name, email=email)
    edit = MemberEdit(name, email, is_mailed=sends_mail)
    return AskedChange(sentence, lambda: store.edit_member(member.id, edit, by=visit.member.id, link_by=visit.link_by))


def _role(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    role, begins, words = sent.get("role", ""), sent["do"] == "begin-role", visit.words
    if role not in ROLES:
        raise PageError(422, words.text("Choose one of the buttons."))
    shown = role_name(role, words)
    sentence = (
        words.text("%(role)s: %(who)s from now on.", role=shown, who=member.id)
        if begins
        else words.text("%(role)s: %(who)s no longer.", role=shown, who=member.id)
    )
    return AskedChange(
        sentence, lambda: store.change_role(member.id, role, begins=begins, by=visit.member.id, link_by=visit.link_by)
    )


def _sessions(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    del sent
    sentence = visit.words.text("Sign %(who)s out everywhere and void open sign-in links.", who=member.id)

    async def make() -> str | None:
        ended = await store.end_sessions(member.id, by=visit.member.id, link_by=visit.link_by)
        return ended if isinstance(ended, str) else None

    return AskedChange(sentence, make)


def _move_out(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    words = visit.words
    try:
        last_day: date = parse_day(sent.get("last_day", ""))
    except ValueError:
        raise PageError(422, words.text("Enter the last day, such as 2026-06-30.")) from None
    left_at = end_of_membership(last_day, today=words.local(visit.now_s).date(), tz=words.tz)
    if isinstance(left_at, str):
        raise PageError(422, left_at)
    day = last_day.isoformat()
    sentence = words.text("The last day of %(who)s is %(day)s.", who=member.id, day=words.full_day(last_day))
    return AskedChange(
        sentence, lambda: store.set_left(member.id, left_at, last_day=day, by=visit.member.id, link_by=visit.link_by)
    )


def _stay(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    del sent
    left_at = member.left_at
    day = "" if left_at is None else visit.words.local(left_at - 1).date().isoformat()
    sentence = visit.words.text("%(who)s does not move out.", who=member.id)
    return AskedChange(
        sentence, lambda: store.set_left(member.id, None, last_day=day, by=visit.member.id, link_by=visit.link_by)
    )


def _add_adult(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    home, name, email, words = (
        sent.get("home", ""),
        sent.get("name", "").strip(),
        sent.get("email", "").strip(),
        visit.words,
    )
    known = sent.get("adult", "").strip()
    if not known and not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and is_email(email)):
        raise PageError(422, words.text("Enter a member's id, or the name and e-mail address of somebody new."))
    who = known or name
    sentence = words.text("%(who)s lives in home %(home)s and sees its pages.", who=who, home=home)

    async def make() -> str | None:
        members = await store.members()
        if known:
            found = next((each for each in members if each.id == known), None)
            if found is None:
                return words.text("There is no member %(id)s.", id=known[:40])
            return await store.add_adult(home, found, by=visit.member.id, link_by=visit.link_by)
        if taken := next((each.id for each in members if each.email.casefold() == email.casefold()), None):
            return words.text("Member %(id)s has this address: enter the id.", id=taken)
        new = new_member(members, name=name, email=email, language=None, joined_at=int(visit.now_s))
        return await store.add_adult(home, new, by=visit.member.id, link_by=visit.link_by)

    return AskedChange(sentence, make)


def _end_adult(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    home = sent.get("home", "")
    sentence = visit.words.text("%(who)s no longer sees the pages of home %(home)s.", who=member.id, home=home)
    return AskedChange(sentence, lambda: store.end_adult(home, member.id, by=visit.member.id, link_by=visit.link_by))


def _revoke(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    del member
    agent, reason = sent.get("agent", ""), _reason(visit, sent)
    sentence = visit.words.text("Shut agent %(agent)s out: nothing it signs is taken any more.", agent=agent)
    return AskedChange(
        sentence, lambda: store.revoke_agent(agent, by=visit.member.id, link_by=visit.link_by, reason=reason)
    )


def _decide(store: Store, visit: Visit, member: Member, sent: Mapping[str, str]) -> AskedChange:
    del member
    agent, verdict, reason, words = sent.get("agent", ""), sent.get("verdict", ""), _reason(visit, sent), visit.words
    if verdict not in VERDICTS:
        raise PageError(422, words.text("Choose one of the buttons."))
    sentence = (
        words.text("Accept agent %(agent)s in spite of the objection.", agent=agent)
        if verdict == COUNTS
        else words.text("Refuse agent %(agent)s: none of its readings will be settled.", agent=agent)
    )
    make = lambda: store.decide_agent(agent, verdict=verdict, by=visit.member.id, link_by=visit.link_by, reason=reason)  # noqa: E731
    return AskedChange(sentence, make)


def _reason(visit: Visit, sent: Mapping[str, str]) -> str:
    reason = clean_reason(sent.get("reason", ""))
    if reason is None:
        raise PageError(422, visit.words.text("Say why: every member can read it."))
    return reason
