"""Turns a waiting notice into the mail to its member, or says why none is sent any more. It sends nothing."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from hub.notices.messages import OutgoingMail, one_line
from hub.notices.sealing import SecretSeal
from hub.notices.texts import MailFrame, mail_text
from hub.storage.access_records import LINK_FIELDS, SELF, AccessLog
from hub.storage.contract import MemberStore
from hub.storage.life_records import ChangeKind, LifeStore
from hub.storage.notice_records import (
    BOARD_KINDS,
    CHOSEN_KINDS,
    Notice,
    NoticeKind,
    NoticeStore,
    read_former_address,
)
from hub.storage.records import Access, Coop, Member
from hub.trust.agent_packages import InstallLine
from hub.trust.invitation_code import png_code
from hub.web.frame.tokens import TOKEN_BYTES, hash_token
from hub.web.frame.translation import SOURCE_LANGUAGE, Localizer, languages
from protocols.enrolment.token import parse_token

MAILED_LINK_LIFE_S: Final = 3600
ASKED_BY_MAIL: Final = "sent to your e-mail address on request from the sign-in page"
CHOICES_PAGE: Final = "/notices"


class MailStores(NoticeStore, MemberStore, LifeStore, AccessLog, Protocol):
    """The parts of the store that mail reads and writes."""


class MailWriter:
    """Writes mails for one co-op. `pages` gives the address of the pages as members reach them, `whole` makes a token
    an invitation with the hub's address; None if no agent could reach the hub with it. `install` gives the lines that
    install the agent.
    """

    def __init__(
        self,
        store: MailStores,
        *,
        coop: Coop,
        seal: SecretSeal,
        pages: Callable[[], str],
        whole: Callable[[str], str | None],
        install: Callable[[], Sequence[InstallLine]] = tuple,
    ) -> None:
        self._store, self._coop, self._seal, self._pages, self._whole = store, coop, seal, pages, whole
        self._install = install

    async def write(self, notice: Notice, *, now_s: int) -> OutgoingMail | str:
        """The mail, or one line that says why it is not sent."""
        member = await self._store.member(notice.member)
        if member is None:
            return "there is no such member any more"
        if not member.email:
            return "the member's address was erased"
        if notice.kind is NoticeKind.ADDRESS:
            return await self._to_former(notice, member)
        if is_chosen(notice.kind) and (why := await self._unwanted(notice.kind, member)):
            return why
        if notice.kind is NoticeKind.SIGN_IN:
            link, notice = await self._link(notice, member, now_s=now_s)
            return self._mail(notice, member, secret=link)
        if notice.kind is NoticeKind.INVITATION:
            return await self._invitation(notice, member, now_s=now_s)
        return self._mail(notice, member)

    async def _invitation(self, notice: Notice, member: Member, *, now_s: int) -> OutgoingMail | str:
        secret = self._seal.open(notice.secret, place=place_of(notice))
        if secret is None:
            return "its token cannot be read any more: invite the member again"
        if (why := await self._store.invite_refusal(parse_token(secret).id, now=now_s)) is not None:
            return why.value
        invitation = self._whole(secret)
        if invitation is None:
            return self._mail(notice, member, secret=secret)
        install = await asyncio.to_thread(self._install)
        return replace(self._mail(notice, member, secret=invitation, install=install), picture=png_code(invitation))

    async def _to_former(self, notice: Notice, member: Member) -> OutgoingMail | str:
        address, name = read_former_address(notice.secret)
        if not address:
            return "the former address is not known any more"
        if await self._store.bounces(address=address.casefold()):
            return "the former address refused an earlier mail"
        return self._mail(notice, replace(member, email=address, name=name))

    async def _unwanted(self, kind: NoticeKind, member: Member) -> str | None:
        choices = await self._store.notice_choices(member=member.id)
        if not any(each.kind == kind and each.is_on for each in choices):
            return "the member has switched this kind off"
        if kind in BOARD_KINDS and not member.is_board:
            return "the member is not on the board any more"
        if await self._store.bounces(address=member.email.casefold()):
            return "the address refused an earlier mail"
        return None

    async def _link(self, notice: Notice, member: Member, *, now_s: int) -> tuple[str, Notice]:
        """A new link for each try: it is made when the mail is, so that no link stands in the store.

        Whoever entered the address for the member may read its mail: the log names them, as for a link they made.
        """
        token, until = secrets.token_urlsafe(TOKEN_BYTES), now_s + MAILED_LINK_LIFE_S
        addressed = (each for each in await self._store.member_changes() if each.member == member.id)
        by = [each.link_by or each.by for each in addressed if each.kind == ChangeKind.ADDRESSED][-1:]
        maker = by[0] if by and by[0] != member.id else ""
        if homes := [seen.home.id for seen in await self._store.seen_homes(member.id)]:
            look = Access(member.id, SELF, "own.view", ASKED_BY_MAIL, link_by=maker)
            await self._store.log_access(look, homes, fields=LINK_FIELDS, rows=1)
        await self._store.add_sign_in(hash_token(token), member_id=member.id, expires_at=until, made_by=maker)
        return f"{self._pages()}/sign-in/{token}", replace(notice, facts={"until": str(until)})

    def _mail(
        self, notice: Notice, member: Member, *, secret: str = "", install: Sequence[InstallLine] = ()
    ) -> OutgoingMail:
        language = member.language if member.language in languages() else SOURCE_LANGUAGE
        words, pages = Localizer(language, self._coop.tz, self._coop.currency), self._pages()
        off_link = f"{pages}{CHOICES_PAGE}" if is_chosen(notice.kind) else ""
        name, coop = one_line(member.name, 80), one_line(self._coop.name, 80)
        frame = MailFrame(name, coop, pages, off_link)
        subject, text = mail_text(notice.kind, words, frame=frame, facts=notice.facts, secret=secret, install=install)
        return OutgoingMail(
            mark=f"{self._coop.id}.{notice.id}.{notice.made_at}",
            name=name,
            address=member.email,
            subject=subject,
            text=text,
            made_at=notice.made_at,
            off_link=off_link,
        )


def is_chosen(kind: NoticeKind) -> bool:
    """Whether a member gets this kind only after switching it on."""
    return kind in CHOSEN_KINDS or kind in BOARD_KINDS


def place_of(notice: Notice) -> tuple[str, str, str]:
    """What a notice's secret is sealed for."""
    return notice.kind.value, notice.member, notice.about
