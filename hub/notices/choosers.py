"""Who has switched a kind of mail on and whose address takes mail. It reads no home's values."""

from typing import Protocol

from hub.storage.contract import MemberStore
from hub.storage.notice_records import BOARD_KINDS, NoticeKind, NoticeStore
from hub.storage.records import Member


class ChooserStores(NoticeStore, MemberStore, Protocol):
    """The parts of the store that say who wants mail."""


async def choosers(store: ChooserStores, kind: NoticeKind) -> tuple[Member, ...]:
    """The members who get this kind, by id."""
    wanted = {each.member for each in await store.notice_choices() if each.kind is kind and each.is_on}
    if not wanted:
        return ()
    refused = {each.address for each in await store.bounces()}
    return tuple(
        each
        for each in await store.members()
        if each.id in wanted and each.email.casefold() not in refused and (each.is_board or kind not in BOARD_KINDS)
    )
