"""Which settled days rest on readings that the retention rule erased: their runs stand and are not computed again."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from hub.storage.contract import MemberStore
from hub.storage.rule_records import day_of
from protocols.errors import RequestError
from protocols.slots import slots_of_day, start_of

ErasedSpan = tuple[int, int, str, int]
"""(when the membership began, when it ended, the home, when its readings were erased)."""


class ErasedDaysStore(MemberStore, Protocol):
    """The slice of the store that is needed here."""


async def erased_spans(store: ErasedDaysStore) -> tuple[ErasedSpan, ...]:
    """The time for which each erased home's readings are gone."""
    joined = {member.id: member.joined_at for member in await store.members()}
    return tuple(
        (joined.get(each.member, 0), each.left_at, each.home, each.erased_at) for each in await store.erasures()
    )


def touches(spans: Sequence[ErasedSpan], day: str, *, tz: str) -> ErasedSpan | None:
    """The erased home that was settled on this local day; None if every reading of the day is there."""
    if not spans:
        return None
    slots = slots_of_day(date.fromisoformat(day), tz)
    first, end = start_of(slots.start), start_of(slots.stop)
    return next((span for span in spans if span[0] < end and span[1] > first), None)


async def require_readings(store: ErasedDaysStore, day: str, *, tz: str) -> None:
    """Raises: RequestError if the day was settled with readings that are erased: settling it again would drop them."""
    span = touches(await erased_spans(store), day, tz=tz)
    if span is not None:
        _, _, home, erased_at = span
        raise RequestError(
            f"{day}: the readings of {home} were erased by rule on {day_of(erased_at, tz)}; the day's run stands"
        )
