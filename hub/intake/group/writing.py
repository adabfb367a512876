"""What intake needs of the store and of the broker link, and how several writes of one group end."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Protocol

from hub.broker.connection import Delivery
from hub.storage.contract import MemberStore, PromptStore, ReadingStore
from hub.storage.fleet_records import CutOffStore, MeterNoticeStore
from hub.storage.maps.records import MapStore


class BrokerClient(Protocol):
    """The part of the broker link that intake needs."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...
    def publish(self, topic: str, sealed: bytes) -> None: ...
    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None: ...


class IntakeStore(MemberStore, ReadingStore, PromptStore, CutOffStore, MeterNoticeStore, MapStore, Protocol):
    """The slices of the store that intake uses."""


async def all_ended(*writes: Coroutine[object, object, None]) -> None:
    """Raise the first error, but only when every write has ended: what is read from the store after it is then final.

    Otherwise the chains would be read again while a group is still being stored, and lack it from then on.
    """
    for ended in await asyncio.gather(*writes, return_exceptions=True):
        if ended is not None:
            raise ended
