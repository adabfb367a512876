"""Queues the sign-in links that people ask for by mail, within limits; whoever asks learns nothing from the answer."""

import asyncio
import ipaddress
import logging
from collections import OrderedDict
from typing import Final, Protocol

from hub.storage.contract import MemberStore
from hub.storage.notice_records import NewNotice, NoticeKind, NoticeStore
from protocols.errors import CommonwattError
from protocols.timeline import Clock

log = logging.getLogger(__name__)

MOST_PER_MEMBER: Final = 3
MOST_PER_CLIENT: Final = 10
HOUR_S: Final = 3600
CLIENTS_KEPT: Final = 4096
MOST_AT_ONCE: Final = 16
MAX_ADDRESS_CHARS: Final = 254


class LinkStores(MemberStore, NoticeStore, Protocol):
    """The parts of the store that asking for a link needs."""


class AskedLinks:
    """Three links an hour for a member, ten requests an hour from one computer; what is over that is passed over.

    The store is asked after the page has answered, so that the time taken says nothing about the address either.
    """

    def __init__(self, store: LinkStores, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._clients: OrderedDict[str, list[float]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, address: str, *, client: str) -> None:
        """Queue a link to whoever has this address, if it is a member's and the limits allow it."""
        if not 0 < len(address) <= MAX_ADDRESS_CHARS or len(self._tasks) >= MOST_AT_ONCE or not self._may_ask(client):
            return
        task = asyncio.create_task(self._queue(address.strip().casefold()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until everything asked for so far is queued."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _queue(self, address: str) -> None:
        now_s = int(self._clock.now())
        try:
            for member in await self._store.members():
                if member.email.casefold() == address and member.held_by is None:
                    until, about = now_s + HOUR_S, str(now_s // 60)
                    link = NewNotice(
                        NoticeKind.SIGN_IN, member.id, about, last_try_at=until, most_an_hour=MOST_PER_MEMBER
                    )
                    await self._store.add_notices([link])
        except CommonwattError as error:
            log.warning("a sign-in link could not be queued: %s", error)

    def _may_ask(self, client: str) -> bool:
        now_s, network = self._clock.now(), _network_of(client)
        recent = [at for at in self._clients.pop(network, []) if at > now_s - HOUR_S]
        is_within = len(recent) < MOST_PER_CLIENT
        self._clients[network] = [*recent, now_s] if is_within else recent
        if len(self._clients) > CLIENTS_KEPT:
            self._clients.popitem(last=False)
        return is_within


def _network_of(client: str) -> str:
    """An IPv6 client has a whole /64 of addresses to itself.

    >>> _network_of("2001:db8::1"), _network_of("192.0.2.1")
    ('2001:db8::/64', '192.0.2.1')
    """
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client[:64]
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
