"""What the hub tells a home's agent of the home's own settled days. Encodes and decodes only.

The newest days in one notice, so that a notice that was lost needs no other answer than the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.slots import Slot, start_of
from protocols.wire import strict_cbor
from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import garbage

VERSION: Final = 1
MAX_DAYS: Final = 7
MAX_SLOT: Final = 2**32 - 1
MAX_DAY_SLOTS: Final = 104
"""More than any local day has: one of 24 hours has 96, and clocks are never set back by more than two."""

MAX_ENERGY_WH: Final = 10**12
_ROW_FIELDS: Final = 7


@dataclass(frozen=True, slots=True)
class CreditDay:
    """What one local day came to for one home, of `slots` quarter hours from the first one on.

    `received_wh`: neighbours' surplus that this home used; `given_wh`: its own surplus that neighbours used; what
    remains, the grid gave and took. Not settled: a later run may still change it.
    """

    first_slot: Slot
    slots: int
    is_settled: bool
    received_wh: int
    given_wh: int
    imported_wh: int
    exported_wh: int

    @property
    def end_s(self) -> int:
        """When the day is over, in Unix seconds."""
        return start_of(self.first_slot + self.slots)


@dataclass(frozen=True, slots=True)
class CreditsNotice:
    """A home's newest settled days in order, as they stand at `at` (Unix seconds)."""

    agent: str
    at: int
    days: tuple[CreditDay, ...]


def encode_credits(notice: CreditsNotice) -> bytes:
    """The payload of a notice, padded. Raises: WireError if it breaks a rule of this module."""
    _check(notice)
    rows = [
        [
            day.first_slot, day.slots, int(day.is_settled),
            day.received_wh, day.given_wh, day.imported_wh, day.exported_wh,
        ]
        for day in notice.days
    ]  # fmt: skip
    return encode_padded({1: VERSION, 2: notice.agent, 3: notice.at, 4: rows})


def decode_credits(data: bytes) -> CreditsNotice:
    """The exact inverse of `encode_credits`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, PAD_KEY), "a notice of credits", version=VERSION)
    days = []
    for first, slots, settled, *energies in strict_cbor.require_rows(fields[4], _ROW_FIELDS):
        days.append(CreditDay(first, slots, bool(require_number(settled, "whether it is settled", most=1)), *energies))
    notice = CreditsNotice(fields[2], fields[3], tuple(days))
    _check(notice)
    return notice


def _check(notice: CreditsNotice) -> None:
    require_id(notice.agent, "the agent's")
    require_number(notice.at, "the time in Unix seconds", most=MAX_SECONDS)
    if not 1 <= len(notice.days) <= MAX_DAYS:
        raise garbage(f"not 1 to {MAX_DAYS} days")
    next_free = 0
    for day in notice.days:
        first = require_number(day.first_slot, "the first slot of a day", least=next_free, most=MAX_SLOT)
        next_free = first + require_number(day.slots, "the slots of a day", least=1, most=MAX_DAY_SLOTS)
        for energy_wh in (day.received_wh, day.given_wh, day.imported_wh, day.exported_wh):
            require_number(energy_wh, "an energy in Wh", most=MAX_ENERGY_WH)
    if notice.days[-1].end_s > notice.at:
        raise garbage("a day that is not over cannot be settled")
