"""What the board's pages can do with invitations: the same checks, token and line of the log as the command has."""

import asyncio
from pathlib import Path
from typing import Final

from hub.board.inviting import Inviter, InviteWish, InvitingHub
from hub.folder.agents_address import whole_invitation
from hub.folder.settings import HubSettings
from hub.notices.invitation_mail import agent_install_lines
from hub.storage.errors import StoreConflictError
from hub.storage.invite_records import AskedInvitation, InstallWords, MadeInvitation
from hub.trust.invitation_code import inline_code
from protocols.timeline import Clock

CROSSED: Final = "somebody else was added at the same moment; try again"


class InvitationService:
    """Refusals are one line, and nothing was changed."""

    def __init__(self, folder: Path, *, settings: HubSettings, hub: InvitingHub, clock: Clock) -> None:
        self._folder, self._settings, self._hub, self._clock = folder, settings, hub, clock
        self._store = hub.store

    async def refusal(self, asked: AskedInvitation, *, by: str) -> str | None:
        """Why this invitation cannot be made; None if it can."""
        wish = await self._wish(asked, by=by, link_by="")
        return wish if isinstance(wish, str) else await self._problem(wish, asked)

    async def invite(self, asked: AskedInvitation, *, by: str, link_by: str) -> MadeInvitation | str:
        """Make the invitation, which is shown once and, if asked for, mailed."""
        wish = await self._wish(asked, by=by, link_by=link_by)
        if isinstance(wish, str):
            return wish
        if problem := await self._problem(wish, asked):
            return problem
        try:
            made = await self._inviter(asked).invite(wish)
        except StoreConflictError:
            return CROSSED
        whole = whole_invitation(self._settings, made.token) or ""
        lines = await asyncio.to_thread(agent_install_lines, self._folder, self._settings)
        return MadeInvitation(
            member=made.member,
            home=made.home,
            token=made.token,
            whole=whole,
            picture=inline_code(whole) if whole else "",
            install=tuple(InstallWords(each.architecture, each.command, each.sha256) for each in lines),
        )

    def _inviter(self, asked: AskedInvitation) -> Inviter:
        return Inviter(
            self._hub,
            tz=self._settings.coop.tz,
            now_s=int(self._clock.now()),
            is_mailed=asked.is_mailed,
        )

    async def _wish(self, asked: AskedInvitation, *, by: str, link_by: str) -> InviteWish | str:
        if asked.is_mailed and self._settings.mail is None:
            return "the hub sends no mail"
        name, since, follows = asked.home_name or None, asked.since, asked.follows or None
        if asked.for_member:
            return InviteWish(home_name=name, since=since, by=by, new_home_for=asked.for_member, link_by=link_by)
        if not asked.home:
            return InviteWish(asked.email, asked.name, name, None, None, since, follows=follows, by=by, link_by=link_by)
        holder = next((home.member_id for home in await self._store.homes() if home.id == asked.home), None)
        member = None if holder is None else await self._store.member(holder)
        person = None if member is None else await self._store.member(member.person)
        if person is None:
            return f"there is no home {asked.home[:40]!r}"
        return InviteWish(
            person.email,
            home_name=asked.home,
            replaces=bool(asked.replaces),
            agent=asked.replaces or None,
            is_further=asked.is_further,
            by=by,
            link_by=link_by,
        )

    async def _problem(self, wish: InviteWish, asked: AskedInvitation) -> str | None:
        inviter = self._inviter(asked)
        if wish.new_home_for is None and not asked.home and (known := await inviter.known(wish)) is not None:
            return f"{known.id} {known.name} has this address: invite from the page of that member"
        if problem := await inviter.refusal(wish):
            return problem
        if not asked.home:
            return None
        known = await inviter.known(wish)
        if known is None or [each.home.id for each in await inviter.homes_of(known.id, wish)] != [asked.home]:
            return f"home {asked.home} cannot be told from another one by its name; use commonwatt-hub invite"
        agents = await self._store.agents()
        if asked.replaces and asked.replaces not in [
            each.id for each in agents if each.home_id == asked.home and each.revoked_at is None
        ]:
            return f"{asked.replaces[:40]!r} does not work for home {asked.home} any more; open the member's page again"
        return await inviter.agent_refusal(wish)
