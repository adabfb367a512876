"""Sends what waits in the queue and notes what became of it. What is said, and to whom, is decided elsewhere.

A try is stored before the mail is handed over and its result after that. If the hub dies in between, nobody can know
whether the mail server took the mail: it is sent once more, with the same Message-ID.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from hub.folder.mail_settings import MailSettings
from hub.notices.messages import AddressError, OutgoingMail, Sender, mail_message
from hub.notices.smtp import MailAnswer, MailServerError, MailSession
from hub.notices.writing import MailStores, MailWriter
from hub.storage.notice_records import Notice, NoticeKind, NoticeState
from protocols.errors import SettingsError
from protocols.timeline import Clock

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 40
RETRY_S: Final = 60
RETRY_S_MAX: Final = 4 * 3600
REST_S_MAX: Final = 900
KEPT_S: Final = 400 * 86_400
"""How long a settled notice is remembered, so that the same thing is not said again."""

SHORT_LIVED: Final = frozenset({NoticeKind.INVITATION, NoticeKind.SIGN_IN})
TOO_LATE: Final = "its time was over before a mail server took it"


class MailJob:
    """Sends the waiting mail. A mail server that cannot be used gets a rest that grows to a quarter of an hour."""

    def __init__(
        self,
        store: MailStores,
        *,
        settings: MailSettings,
        coop_name: str,
        writer: MailWriter,
        clock: Clock,
        open_session: Callable[[MailSettings], MailSession] = MailSession,
    ) -> None:
        self._store, self._settings, self._writer, self._clock = store, settings, writer, clock
        self._sender = Sender(coop_name, settings.sender, settings.reply_to)
        self._open_session = open_session
        self._rest_until_s, self._failures, self._problem = 0, 0, ""
        self._swept_day = 0

    async def __call__(self, due_s: int) -> None:
        """Send what is due now; `due_s` does not matter, because a late mail is sent late."""
        now_s = int(self._clock.now())
        if self._swept_day != (today := now_s // 86_400):
            await self._store.forget_notices(before=now_s - KEPT_S)
            self._swept_day = today
        if now_s < self._rest_until_s:
            return
        waiting = await self._store.due_notices(now=now_s, most=MOST_AT_ONCE)
        if not waiting:
            return
        session = self._open_session(self._settings)
        try:
            for notice in waiting:
                await self._send(notice, session)
        except (MailServerError, SettingsError) as error:
            await self._rest(str(error), waiting)
        else:
            self._rest_until_s, self._failures, self._problem = 0, 0, ""
        finally:
            await asyncio.to_thread(session.close)

    async def _send(self, notice: Notice, session: MailSession) -> None:
        now_s = int(self._clock.now())
        if notice.kind in SHORT_LIVED and now_s > notice.last_try_at:
            await self._store.settle_notice(notice.id, NoticeState.GIVEN_UP, answer=notice.answer or TOO_LATE)
            return
        wait_s = min(RETRY_S * 4**notice.tries, RETRY_S_MAX)
        next_try_at = max(now_s + RETRY_S, min(now_s + wait_s, notice.last_try_at))
        # If power fails after this commit and before the next one, the mail is sent again at next_try_at.
        await self._store.note_try(notice.id, next_try_at=next_try_at)
        mail = await self._writer.write(notice, now_s=now_s)
        if isinstance(mail, str):
            await self._store.settle_notice(notice.id, NoticeState.DROPPED, answer=mail)
            return
        answer = await self._handed_over(mail, session)
        if notice.kind is NoticeKind.ADDRESS:
            pass  # the address is nobody's any more
        elif answer.state is NoticeState.BOUNCED:
            await self._store.note_bounce(mail.address, answer.words)
        elif answer.state is NoticeState.SENT:
            await self._store.note_bounce(mail.address, None)
        if answer.state is not None:
            await self._store.settle_notice(notice.id, answer.state, answer=answer.words)
        else:
            await self._delay(notice, answer.words)

    async def _handed_over(self, mail: OutgoingMail, session: MailSession) -> MailAnswer:
        try:
            message = mail_message(mail, self._sender)
        except AddressError as error:
            return MailAnswer(NoticeState.BOUNCED, str(error))
        sending = asyncio.ensure_future(asyncio.to_thread(session.send, message))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            session.abort()
            await asyncio.wait({sending})
            raise

    async def _delay(self, notice: Notice, answer: str) -> None:
        """Keep it for its next try, or give it up if this was the last one."""
        if int(self._clock.now()) >= notice.last_try_at:
            await self._store.settle_notice(notice.id, NoticeState.GIVEN_UP, answer=answer)
        else:
            await self._store.note_delay(notice.id, answer)

    async def _rest(self, problem: str, waiting: tuple[Notice, ...]) -> None:
        """The server is the problem, so every mail waits. The log says it once until it changes."""
        if problem != self._problem:
            log.warning("%s; mail waits, see: commonwatt-hub mail queue", problem)
        self._problem, self._failures = problem, self._failures + 1
        self._rest_until_s = int(self._clock.now()) + min(RETRY_S * 2 ** (self._failures - 1), REST_S_MAX)
        for notice in waiting:
            await self._delay(notice, problem)
