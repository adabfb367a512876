"""What the log of changes to members shows, and the board's list of members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.storage.household_records import MemberCardRows
from hub.storage.life_records import ROLES, ChangeKind, LoggedChange
from hub.storage.records import Agent, Home, Member
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Who holds which role now, and a page of changes, the newest first: when, and what in one sentence."""

    roles: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MemberCard:
    """One member for the board: id, heading, and lines of a label and a value."""

    id: str
    heading: str
    lines: tuple[tuple[str, str], ...]


def changes_page(
    changes: Sequence[LoggedChange],
    holders: Mapping[str, Sequence[str]],
    words: Localizer,
    *,
    members: Sequence[Member],
    reader: str,
) -> ChangesPage:
    """The page of these changes, which are given oldest first, for one reader.

    `members` are those whose names may be shown (see `named_in`); others have their id.
    """
    names = {member.id: f"{member.name} ({member.id})" for member in members}
    names[reader] = words.text("you")
    return ChangesPage(
        tuple((role_name(role, words), _listed(holders[role], names, words)) for role in ROLES),
        tuple((words.dated(each.at), _sentence(each, names, words)) for each in reversed(changes)),
    )


def named_in(
    changes: Sequence[LoggedChange], holders: Mapping[str, Sequence[str]], roles: Sequence[LoggedChange]
) -> set[str]:
    """Whose names the page of these changes shows: of those who hold or held a role, or made or enabled a change.

    `roles` are all changes of roles there ever were.
    """
    return (
        {each.member for each in roles}
        | {who for each in changes for who in (each.by, each.link_by) if who}
        | {member for held in holders.values() for member in held}
    )


def plain_changes(changes: Sequence[LoggedChange]) -> list[dict[str, object]]:
    """The whole log for files, oldest first."""
    return [change.plain() for change in changes]


def member_cards(
    rows: MemberCardRows, holders: Mapping[str, Sequence[str]], words: Localizer
) -> tuple[MemberCard, ...]:
    """These members for the board, each with the homes they hold or live in."""
    by_id = {home.id: home for home in rows.homes}
    refused = {each.address: each.answer for each in rows.bounces}
    return tuple(
        _card(
            each, holders, words, agents=rows.agents,
            homes=[home for home in rows.homes if home.member_id == each.id],
            lived=[by_id[adult.home] for adult in rows.adults if adult.member == each.id],
            refusal=refused.get(each.email.casefold()),
        )
        for each in rows.members
    )  # fmt: skip


def role_name(role: str, words: Localizer) -> str:
    """The role in the reader's language."""
    return {
        "board": words.text("Board"),
        "treasurer": words.text("Treasurer"),
        "data-steward": words.text("Data steward"),
    }.get(role, role)


def _card(
    member: Member, holders: Mapping[str, Sequence[str]], words: Localizer, *, homes: Sequence[Home],
    agents: Sequence[Agent], lived: Sequence[Home], refusal: str | None,
) -> MemberCard:  # fmt: skip
    lines = [(words.text("E-mail"), member.email)]
    if refusal is not None:
        said = words.text("The address refuses mail: %(answer)s Ask for another one and enter it.", answer=refusal)
        lines.append((words.text("Mail"), said))
    held = [role_name(role, words) for role in ROLES if member.id in holders[role]]
    if held:
        lines.append((words.text("Roles"), words.listed(held)))
    for home in homes:
        live = [agent.id for agent in agents if agent.home_id == home.id and agent.revoked_at is None]
        agent = words.listed(live) if live else words.text("no agent")
        place = words.text("%(name)s (%(home)s), %(agent)s", name=home.name, home=home.id, agent=agent)
        lines.append((words.text("Home"), place))
    for home in lived:
        place = words.text(
            "%(name)s (%(home)s), whose contract %(member)s holds", name=home.name, home=home.id, member=home.member_id
        )
        lines.append((words.text("Lives in"), place))
    if member.held_by is not None:
        lines.append((words.text("Contract holder"), member.held_by))
    lines.append((words.text("Member since"), words.full_day(words.local(member.joined_at).date())))
    if member.left_at is not None:
        lines.append((words.text("Last day"), words.full_day(words.local(member.left_at - 1).date())))
    return MemberCard(member.id, f"{member.name} ({member.id})", tuple(lines))


def _listed(members: Sequence[str], names: Mapping[str, str], words: Localizer) -> str:
    return words.listed([names.get(member, member) for member in members]) if members else words.text("nobody")


def _sentence(change: LoggedChange, names: Mapping[str, str], words: Localizer) -> str:
    who = names.get(change.member, change.member)
    role = role_name(change.subject, words)
    subject = change.subject
    what = {
        ChangeKind.JOINED: words.text("New member: %(who)s.", who=who),
        ChangeKind.NAMED: words.text("New name for %(who)s.", who=who),
        ChangeKind.ADDRESSED: words.text("New e-mail address for %(who)s.", who=who),
        ChangeKind.ADULT_BEGUN: words.text("%(who)s lives in home %(home)s and sees its pages.", who=who, home=subject),
        ChangeKind.ADULT_ENDED: words.text("%(who)s no longer sees the pages of home %(home)s.", who=who, home=subject),
        ChangeKind.HOME_ADDED: words.text("Another home for %(who)s: %(home)s.", who=who, home=subject),
        ChangeKind.INVITED: words.text("Invitation for an agent of %(who)s, home %(home)s.", who=who, home=subject),
        ChangeKind.READINGS_ERASED: words.text("The readings of home %(home)s were erased by rule.", home=subject),
        ChangeKind.PERSON_ERASED: words.text("The personal data of %(who)s was erased by rule.", who=who),
        ChangeKind.ROLE_BEGUN: words.text("%(role)s: %(who)s from now on.", role=role, who=who),
        ChangeKind.ROLE_ENDED: words.text("%(role)s: %(who)s no longer.", role=role, who=who),
        ChangeKind.AGENT_ENROLLED: words.text("New agent %(agent)s for %(who)s.", agent=subject, who=who),
        ChangeKind.AGENT_REPLACED: words.text("Agent %(agent)s of %(who)s was replaced.", agent=subject, who=who),
        ChangeKind.AGENT_OBJECTED: words.text("%(who)s objected to the new agent %(agent)s.", agent=subject, who=who),
        ChangeKind.AGENT_COUNTS: words.text("The board accepted agent %(agent)s.", agent=subject),
        ChangeKind.AGENT_REVOKED: words.text("Agent %(agent)s of %(who)s was shut out.", agent=subject, who=who),
        ChangeKind.AGENT_LET_IN: words.text(
            "Agent %(agent)s of %(who)s, cut off for sending too much, was let in again.", agent=subject, who=who
        ),
        ChangeKind.SESSIONS_ENDED: words.text("All sessions ended for %(who)s.", who=who),
        ChangeKind.MOVE_OUT_PLANNED: words.text("Last day %(day)s for %(who)s.", day=subject, who=who),
        ChangeKind.MOVE_OUT_CANCELLED: words.text("No last day any more for %(who)s.", who=who),
    }.get(ChangeKind(change.kind)) if change.kind in set(ChangeKind) else None  # fmt: skip
    parts = [what or change.kind]
    if change.by:
        parts.append(words.text("By %(name)s.", name=names.get(change.by, change.by)))
    if change.link_by:
        maker = names.get(change.link_by, change.link_by)
        parts.append(words.text("Signed in with a link made by %(maker)s.", maker=maker))
    if change.reason:
        parts.append(words.text("Reason: %(reason)s", reason=change.reason))
    return words.sentences(*parts)
