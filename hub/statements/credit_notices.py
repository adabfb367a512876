"""Tells each home's agents what its newest settled days came to: after each settlement, and again in case of loss."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.statements.own_days import OwnDays
from hub.storage.contract import MemberStore
from hub.storage.records import Access
from protocols.timeline import Clock
from protocols.wire import topics
from protocols.wire.credits.notices import MAX_DAYS, CreditsNotice, encode_credits
from protocols.wire.envelope import seal

ACCESS: Final = Access(actor="job:credits", role="job", purpose="settle.share")
AT_ONCE: Final = 200
PAUSE_S: Final = 1.0
"""Receipts share the way to the broker, whose queue is short: so many notices at a time leave room for them."""

SendCredits = Callable[[CreditsNotice], None]


class NoticePublisher(Protocol):
    """The part of the broker link that is needed here."""

    def publish(self, topic: str, sealed: bytes) -> None: ...


class CreditsSender:
    """Signs a notice for its agent's topic and hands it to the broker."""

    def __init__(self, *, coop: str, key: Ed25519PrivateKey, link: NoticePublisher) -> None:
        self._coop, self._key, self._link = coop, key, link

    def send(self, notice: CreditsNotice) -> None:
        """Send it once; what is lost is told again with the next notice."""
        topic = topics.downlink_topic(self._coop, notice.agent, kind="credits")
        self._link.publish(topic, seal(self._key, topic, encode_credits(notice)))


class CreditsJob:
    """Tells the last MAX_DAYS local days, as far as they are settled. It keeps nothing of what it told."""

    def __init__(
        self, members: MemberStore, *, days: OwnDays, send: SendCredits, tz: str, clock: Clock, pause_s: float = PAUSE_S
    ) -> None:
        self._members, self._days, self._send = members, days, send
        self._tz, self._clock, self._pause_s = tz, clock, pause_s

    async def __call__(self, due_s: int) -> None:
        """Tell every home of which something is booked. Raises: RequestError for damaged books."""
        now_s = int(self._clock.now())
        today = datetime.fromtimestamp(min(due_s, now_s), UTC).astimezone(ZoneInfo(self._tz)).date()
        agents = await self._agents(now_s)
        if not agents:
            return
        days = [today - timedelta(days=back) for back in range(MAX_DAYS, 0, -1)]
        found = await self._days.read(days, access=ACCESS)
        told = [CreditsNotice(agent, now_s, found[member]) for agent, member in agents if member in found]
        for sent, notice in enumerate(told, start=1):
            self._send(notice)
            if sent % AT_ONCE == 0:
                await asyncio.sleep(self._pause_s)

    async def _agents(self, now_s: int) -> list[tuple[str, str]]:
        """(agent, member): the agents that are told, each with the member whose home it is in.

        Not a new one that the household may still object to: it would learn what the home used before.
        """
        waiting = {key.agent for key in await self._members.new_agent_keys() if not key.counts(now_s)}
        member_of = {home.id: home.member_id for home in await self._members.homes()}
        return [
            (agent.id, member_of[agent.home_id])
            for agent in await self._members.agents()
            if agent.revoked_at is None and agent.id not in waiting
        ]
