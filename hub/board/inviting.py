"""Invites members with their homes, or gives a known member's home a new token, for a command or the board's pages."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.folder.setting_values import is_name
from hub.notices.invitation_mail import invitation_notice
from hub.notices.sealing import SecretSeal
from hub.storage.contract import Store
from hub.storage.household_records import SeenHome, new_member
from hub.storage.life_records import is_email
from hub.storage.records import Home, Member
from hub.trust.invitation_keys import mask_key
from protocols.enrolment.token import SECRET_BYTES, TOKEN_LIFE_S, EnrolToken, hub_hash_of, token_text
from protocols.errors import RequestError

MOST_AGENTS: Final = 8
NAME_WORDS: Final = "a name of 1 to 80 printable characters"
EMAIL_WORDS: Final = "an address like ana@example.org"


@dataclass(frozen=True, slots=True)
class InviteWish:
    """What was asked for one person; None where nothing was said. `replaces` allows a home's agent to be replaced.

    `agent` is the one to be replaced; it may be left out where the home has only one. With `is_further` the new agent
    comes beside those that the home has.

    `follows` is the home whose place a new home takes at the same grid connection. `by` is who invites: a board member,
    or nobody while nobody is on the board; `link_by` made the sign-in link of the session they do it in. `new_home_for`
    is the known member who gets another home; no address is given then.
    """

    email: str = ""
    name: str | None = None
    home_name: str | None = None
    is_board: bool | None = None
    language: str | None = None
    since: date | None = None
    replaces: bool = False
    agent: str | None = None
    is_further: bool = False
    follows: str | None = None
    by: str | None = None
    new_home_for: str | None = None
    link_by: str = ""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A member with a home and the one-time token for its agent. The token is secret and stored nowhere.

    `replaces` is the agent that the new one takes over from; `beside` are those that go on working.
    """

    member: Member
    home: Home
    token: str
    is_new: bool
    replaces: str | None = None
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InvitingHub:
    """What invitations need of a hub: its store, its identity's public key and its own secret."""

    store: Store
    identity: bytes
    secret: bytes = field(repr=False)


class Inviter:
    """Invites people into one open hub. `refusal` changes nothing; `invite` is for wishes without one.

    With `is_mailed`, each token is queued as a mail to its member as well.
    """

    def __init__(self, opened: InvitingHub, *, tz: str, now_s: int, is_mailed: bool = False) -> None:
        self._store = opened.store
        self._identity, self._secret = opened.identity, opened.secret
        self._tz = tz
        self._now_s = now_s
        self._seal = SecretSeal(opened.secret) if is_mailed else None

    async def known(self, wish: InviteWish) -> Member | None:
        """The member with this e-mail address."""
        people = [member for member in await self._store.members() if member.held_by is None]
        return next((member for member in people if member.email.casefold() == wish.email.casefold()), None)

    async def homes_of(self, person: str, wish: InviteWish) -> list[SeenHome]:
        """The homes whose contract this person holds: the one with the name that was given, or else all that last."""
        held = [each for each in await self._store.seen_homes(person) if each.is_paid_by(person)]
        named = [each for each in held if wish.home_name in (each.home.name, each.home.id)]
        lasting = [each for each in held if each.holder.left_at is None]
        return named or lasting or held

    async def agents_of(self, home: Home) -> tuple[str, ...]:
        """The agents that work for the home now, by seat."""
        agents = sorted(await self._store.agents(), key=lambda agent: agent.seat)
        return tuple(a.id for a in agents if a.home_id == home.id and a.revoked_at is None)

    async def refusal(self, wish: InviteWish) -> str | None:
        """Why this person cannot be invited like this, apart from a home that has its agent; None if they can."""
        by = None if wish.by is None else await self._store.member(wish.by)
        if wish.by is not None and (by is None or not by.is_board):
            return f"--by {wish.by[:40]!r}: not on the board"
        if wish.by is None and any(member.is_board for member in await self._store.members()):
            return "say who invites: --by with a board member's id; the log of changes names them"
        if wish.new_home_for is not None:
            return await self._new_home_refusal(wish, wish.new_home_for)
        member = await self.known(wish)
        if member is not None:
            return await self._known_refusal(wish, member)
        if wish.replaces or wish.is_further:
            option = "--replace" if wish.replaces else "--another-agent"
            return f"{option}: no member has the address {wish.email}"
        if wish.name is None:
            return f"{wish.email} is new here: give --member NAME as well"
        return None if wish.follows is None else await self._succession_refusal(wish, wish.follows)

    async def _known_refusal(self, wish: InviteWish, member: Member) -> str | None:
        """Why a home of this known member cannot get a token like this; None if it can."""
        whose, homes = f"{wish.email} is the known member {member.id}", await self.homes_of(member.id, wish)
        if not homes:
            return f"{whose}, who holds no home's contract; for a home of their own: --new-home-for {member.id}"
        if len(homes) > 1:
            names = ", ".join(f"{each.home.id} {each.home.name!r}" for each in homes)
            return f"{whose}, who has several homes ({names}): say which, with --home and its id"
        return self._home_refusal(wish, member, homes[0], whose=whose)

    def _home_refusal(self, wish: InviteWish, member: Member, seen: SeenHome, *, whose: str) -> str | None:
        """What was said of a known member and their home and is not so; None if all is."""
        home, holder = seen.home, seen.holder
        if holder.left_at is not None:
            return f"{whose}, who has moved out or will: invite them anew with another address, or use members stay"
        if wish.follows not in (None, home.follows):
            return f"--follows: {whose}, and a known member's home does not change; leave it out"
        if wish.name not in (None, member.name):
            return f"--member {wish.name!r}: {whose} {member.name!r}; leave the name out, or use another address"
        if wish.home_name not in (None, home.name, home.id):
            return (
                f"--home {wish.home_name!r}: {whose}, whose home is {home.id} {home.name!r}; for another home of"
                f" theirs: --new-home-for {member.id} instead of --email"
            )
        if wish.is_board not in (None, member.is_board):
            way = f"commonwatt-hub board {'--appoint' if wish.is_board else '--remove'} {member.id}"
            return f"--board: {whose}; an invitation does not change who is on the board; use: {way}"
        if wish.language not in (None, member.language):
            return f"--language {wish.language}: {whose}, whose language is {member.language}; leave it out"
        if wish.since is not None and self._midnight(wish.since) != holder.joined_at:
            return f"--since {wish.since}: {whose}, and the day on which a member joined cannot change; leave it out"
        return None

    async def _new_home_refusal(self, wish: InviteWish, person: str) -> str | None:
        """Why this known member cannot get another home; None if they can."""
        member = await self._store.member(person)
        if member is None or member.held_by is not None:
            return f"--new-home-for {person[:40]!r}: there is no such member; commonwatt-hub members lists them"
        if wish.home_name is None:
            return "--new-home-for: give --home NAME, so that the homes can be told apart"
        held = [each.home for each in await self._store.seen_homes(person) if each.is_paid_by(person)]
        if same := next((home.id for home in held if wish.home_name == home.name), None):
            return f"--home {wish.home_name!r}: {person} has a home of this name, {same}: give another name"
        return None if wish.follows is None else await self._succession_refusal(wish, wish.follows)

    async def _succession_refusal(self, wish: InviteWish, follows: str) -> str | None:
        """Why this new member cannot take the place of that home; None if they can."""
        homes = await self._store.homes()
        before = next((home for home in homes if home.id == follows), None)
        if before is None:
            return f"--follows {follows[:40]!r}: there is no such home"
        if taken := next((home.id for home in homes if home.follows == follows), None):
            return f"--follows {follows}: home {taken} has taken its place already"
        earlier = await self._store.member(before.member_id)
        if earlier is None or earlier.left_at is None:
            return (
                f"--follows {follows}: {before.member_id} is a member there: enter the last day with members move-out"
            )
        if self._joined_at(wish) < earlier.left_at:
            return f"--follows {follows}: {earlier.id} is still a member then: give --since with a later day"
        return None

    def _joined_at(self, wish: InviteWish) -> int:
        return self._now_s if wish.since is None else self._midnight(wish.since)

    async def agent_refusal(self, wish: InviteWish) -> str | None:
        """Why the home's agent stands in the way, with the ways on; None if it does not."""
        member = await self.known(wish)
        if member is None:
            return None
        home = (await self.homes_of(member.id, wish))[0].home
        agents = await self.agents_of(home)
        if wish.is_further:
            return _further_refusal(home, agents, member=member.id)
        if wish.replaces:
            return _replace_refusal(home, agents, wish.agent, member=member.id)
        if not agents:
            return None
        is_one = len(agents) == 1
        held = f"the agent {agents[0]}" if is_one else f"the agents {', '.join(agents)}"
        way = (
            "A new agent in its place: add --replace" if is_one else "A new agent in place of one: add --replace AGENT"
        )
        return (
            f"{wish.email} is the known member {member.id} {member.name}, whose home {home.id} has {held};"
            f" nothing was changed. {way}; the old one is then shut out."
            " A second meter: add it to an agent's agent.toml, or, where no agent reaches it, add --another-agent for"
            f" one more agent. Another home of theirs: --new-home-for {member.id} instead of --email"
        )

    async def invite(self, wish: InviteWish) -> Invitation:
        """Add the member if new, and make the token. Earlier unused tokens of the home become void."""
        known = await self.known(wish)
        is_added = known is None or wish.new_home_for is not None
        if known is None or is_added:
            member, home = await self._add(wish)
        else:
            seen = (await self.homes_of(known.id, wish))[0]
            member, home = seen.holder, seen.home
        agents = await self.agents_of(home)
        replaces = None if wish.is_further else wish.agent or next(iter(agents), None)
        token = EnrolToken(secrets.token_bytes(SECRET_BYTES), hub_hash_of(self._identity))
        until = self._now_s + TOKEN_LIFE_S
        await self._store.add_invite(
            token.id,
            home_id=home.id,
            expires_at=until,
            masked_key=mask_key(token.key, token_id=token.id, secret=self._secret),
            replaces=replaces,
            by="" if is_added else wish.by or "",
            link_by=wish.link_by,
            is_further=wish.is_further,
        )
        is_new = known is None and wish.new_home_for is None
        beside = tuple(agent for agent in agents if agent != replaces)
        made = Invitation(member, home, token_text(token), is_new=is_new, replaces=replaces, beside=beside)
        if self._seal is not None:
            mark = token.id.hex()[:16]
            notice = invitation_notice(self._seal, member, home, token=made.token, mark=mark, until=until)
            await self._store.add_notices([notice])
        return made

    async def _add(self, wish: InviteWish) -> tuple[Member, Home]:
        members, at = await self._store.members(), self._joined_at(wish)
        if wish.new_home_for is not None:
            person = next(each for each in members if each.id == wish.new_home_for)
            name, email, language = person.name, person.email, person.language
            member = new_member(members, name=name, email=email, language=language, joined_at=at, held_by=person.id)
        else:
            assert wish.name is not None, "refusal() asks for the name of a new member"
            is_board = wish.is_board or False
            member = new_member(
                members, name=wish.name, email=wish.email, language=wish.language, joined_at=at, is_board=is_board
            )
        home = Home(f"h{member.id[1:]}", wish.home_name or member.name, member.id, wish.follows)
        await self._store.add_member(member, home, by=wish.by or "", link_by=wish.link_by)
        return member, home

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self._tz)).timestamp())


def _further_refusal(home: Home, agents: Sequence[str], *, member: str) -> str | None:
    if not agents:
        return f"--another-agent: home {home.id} of {member} has no agent yet; invite without --another-agent"
    if len(agents) >= MOST_AGENTS:
        return f"--another-agent: home {home.id} has {len(agents)} agents, and no home may have more"
    return None


def _replace_refusal(home: Home, agents: Sequence[str], agent: str | None, *, member: str) -> str | None:
    if not agents:
        return f"--replace: home {home.id} of {member} has no agent; invite without --replace"
    if agent is None and len(agents) > 1:
        return f"--replace: home {home.id} has several agents: name the one: --replace {' or --replace '.join(agents)}"
    if agent is not None and agent not in agents:
        return f"--replace {agent[:40]!r}: no working agent of home {home.id}; it has: {', '.join(agents)}"
    return None


def check_person(wish: InviteWish) -> None:
    """Raises: RequestError naming the argument that is wrong."""
    if wish.name is not None and not is_name(wish.name):
        raise RequestError(f"--member: expected {NAME_WORDS}")
    if wish.home_name is not None and not is_name(wish.home_name):
        raise RequestError(f"--home: expected {NAME_WORDS}")
    if wish.new_home_for is None and not is_email(wish.email):
        raise RequestError(f"--email {wish.email[:60]!r}: expected {EMAIL_WORDS}")
    if wish.language is not None:
        check_language(wish.language)


def check_language(language: str) -> None:
    """Raises: RequestError if this is not the code of a language."""
    if not (2 <= len(language) <= 8 and language.isascii() and language.replace("-", "").isalpha()):
        raise RequestError(f"--language {language[:20]!r}: expected a code like en or es")
