"""One batch: a home's readings for one slot, as integers, in the exact form that is signed and sent.

Encodes and decodes only. `consent.reduction` decides what may be in a batch; `envelope` seals it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from operator import lt
from typing import Any, NamedTuple

from protocols.quantities import SENT_GAPS, Gap, Mark, Measure
from protocols.slots import SLOTS_PER_HOUR, SLOTS_PER_UTC_DAY, Slot
from protocols.wire import strict_cbor
from protocols.wire.chain import Header, check_header, header_fields, read_header
from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded, is_padded_from
from protocols.wire.refusal_reasons import WireError, garbage

VERSION = 1
SPANS = (1, SLOTS_PER_HOUR, SLOTS_PER_UTC_DAY)
MAX_SCALE = 3
MAX_ENERGY_WH = 10**9
MAX_SLOT = 2**32 - 1
MAX_NUMBER = 2**32 - 1
MAX_LONG_INTERVALS = 32
MAX_LONG_SLOTS = 366 * SLOTS_PER_UTC_DAY
MAX_DEVICES = 32

_KEYS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, PAD_KEY)
_MEASURES = {int(measure): measure for measure in Measure}
_MARKS = {int(mark): mark for mark in Mark}
_GAPS = {int(gap): gap for gap in SENT_GAPS}
_NO_GAP, _NEVER_ARRIVED, _MISSING, _PARTIAL = Gap.NONE, Gap.NEVER_ARRIVED, Mark.MISSING, Mark.PARTIAL
_MAX_SCALED = tuple(MAX_ENERGY_WH // 10**scale for scale in range(MAX_SCALE + 1))

# A batch as nearly every one is: numbers of up to 32 bits in their only form, no long intervals. What matches is read
# as the slow way reads it; what does not match is left to that, which says what is wrong.
_NUMBER = rb"[\x00-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff].|\x1a(?!\x00\x00)...."
_HEAD = rb"[\x01-\x17](?:[\x00-\x17]|\x18[\x18-\xff])"
_TAIL = rb"[\x00-\x17]{3}"
_USUAL_COLUMNS = re.compile(rb"\x86(%b)(\xf6|%b)(%b)" % (_HEAD, _NUMBER, _TAIL), re.DOTALL)
_USUAL = re.compile(
    rb"\xae\x01\x01\x02([\x61-\x77]|\x78[\x18-\x20])([a-z0-9-]+)\x03(%b)\x04(%b)\x05\x58\x20(.{32})\x06(%b)\x07([\x00-\x02])"
    rb"\x08(%b)\x09(%b)\x0a(%b)\x0b([\x80-\x97])((?:\x86%b(?:\xf6|%b)%b)*)\x0c\x80\x0d"
    % (*6 * (_NUMBER,), _HEAD, _NUMBER, _TAIL),
    re.DOTALL,
)
_COLUMNS_KEPT = 8192
"""How many columns are kept, about 2 MB: the same few numbers come again and again."""


class ClockTrust(IntEnum):
    """How far the agent could trust its clock when it measured the slot."""

    TRUSTED = 0
    BACKFILLED = 1
    ESTIMATED = 2


class Liveness(StrEnum):
    """How well a device has been responding lately; says nothing about power."""

    OK = "ok"
    SLOW = "slow"
    SILENT = "silent"
    REFUSING = "refusing"
    ASLEEP = "asleep"


_LIVENESS = tuple(Liveness)
_CLOCKS = tuple(ClockTrust)


class Column(NamedTuple):
    """One measure's energy over `span` slots that end with the batch's slot.

    Units: energy * 10**scale Wh; None if missing, with the reason in `gap`.
    """

    measure: Measure
    span: int
    energy: int | None
    scale: int
    mark: Mark
    gap: Gap

    @property
    def energy_wh(self) -> int | None:
        """The energy in whole Wh."""
        return self.energy if self.energy is None or not self.scale else int(self.energy * 10**self.scale)


@dataclass(frozen=True, slots=True)
class LongInterval:
    """Energy known only as a total over several slots, as after an outage: evidence, never settled silently."""

    measure: Measure
    first_slot: Slot
    slots: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class DeviceState:
    """Whether a device answers. Units: age_s is the time since its last valid response."""

    name: str
    state: Liveness
    age_s: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that leaves a home for one slot.

    `boot` counts the agent's starts; `made_at` is when the batch was closed, in Unix seconds.
    """

    agent: str
    epoch: int
    seq: int
    previous: bytes
    boot: int
    clock: ClockTrust
    consent_version: int
    made_at: int
    slot: Slot
    columns: tuple[Column, ...]
    long_intervals: tuple[LongInterval, ...] = ()
    devices: tuple[DeviceState, ...] = ()

    @property
    def header(self) -> Header:
        """Its place in the agent's chain."""
        return Header(self.agent, self.epoch, self.seq, self.previous)


def encode_batch(batch: Batch) -> bytes:
    """The payload of a batch, padded to its size class.

    Raises: WireError if the batch breaks a rule of this module: nothing is signed that a recipient would refuse.
    """
    _check_batch(batch)
    fields = header_fields(batch.header, version=VERSION) | {
        6: batch.boot,
        7: int(batch.clock),
        8: batch.consent_version,
        9: batch.made_at,
        10: batch.slot,
        11: [[int(c.measure), c.span, c.energy, c.scale, int(c.mark), int(c.gap)] for c in batch.columns],
        12: [[int(i.measure), i.first_slot, i.slots, i.energy_wh] for i in batch.long_intervals],
        13: [[d.name, _LIVENESS.index(d.state), d.age_s] for d in batch.devices],
    }
    return encode_padded(fields)


def decode_batch(data: bytes) -> Batch:
    """The batch that these bytes encode; the exact inverse of `encode_batch`.

    Raises: WireError(GARBAGE) for bytes that `encode_batch` would not produce.
    """
    return _usual_batch(data) or _any_batch(data)


def _usual_batch(data: bytes) -> Batch | None:
    """The batch if it has the usual form, in half the time; None says nothing about the bytes."""
    found = _USUAL.match(data)
    if found is None:
        return None
    length, name, epoch, seq, previous, boot, clock, consent, made_at, slot_bytes, count, columns_bytes = found.groups()
    slot, last = _number(slot_bytes), 0
    columns: list[Column] = []
    for each in _USUAL_COLUMNS.findall(columns_bytes):
        column = _usual_column(*each)
        if column is None or column[0] <= last or (slot + 1) % column[1]:
            return None
        last = column[0]
        columns.append(column)
    try:
        header = Header(name.decode("ascii"), _number(epoch), _number(seq), previous)
        check_header(header)
        devices, at = _devices_at(data, found.end())
    except WireError:
        return None
    name_bytes = length[1] if len(length) == 2 else length[0] - 0x60
    if len(name) != name_bytes or len(columns) != count[0] - 0x80 or not is_padded_from(data, at):
        return None
    return Batch(
        *(header.agent, header.epoch, header.seq, previous, _number(boot), _CLOCKS[clock[0]]),
        consent_version=_number(consent),
        made_at=_number(made_at),
        slot=slot,
        columns=tuple(columns),
        devices=devices,
    )


@lru_cache(maxsize=_COLUMNS_KEPT)
def _usual_column(head: bytes, energy: bytes, tail: bytes) -> Column | None:
    """The column that these bytes encode, if it ends with its hour or day; None if there is no such column."""
    measure, span = _MEASURES.get(head[0]), _number(head[1:])
    mark, gap = _MARKS.get(tail[1]), _GAPS.get(tail[2])
    if measure is None or mark is None or gap is None:
        return None
    column = Column(measure, span, None if energy == b"\xf6" else _number(energy), tail[0], mark, gap)
    try:
        _check_column(column, span - 1)
    except WireError:
        return None
    return column


def _devices_at(data: bytes, at: int) -> tuple[tuple[DeviceState, ...], int]:
    """The devices, and where they end. Raises: WireError."""
    if data.startswith(b"\x80", at):
        return (), at + 1
    rows, at = strict_cbor.item_at(data, at)
    devices = tuple([_device(item) for item in strict_cbor.require_rows(rows, 3)])
    _check_devices(devices)
    if not data.startswith(b"\x17", at):
        raise garbage("no padding behind the devices")
    return devices, at


def _number(raw: bytes) -> int:
    return raw[0] if len(raw) == 1 else int.from_bytes(raw[1:])


def _any_batch(data: bytes) -> Batch:
    fields = read_fields(data, _KEYS, "a batch", version=VERSION)
    header = read_header(fields)
    try:
        batch = Batch(
            agent=header.agent,
            epoch=header.epoch,
            seq=header.seq,
            previous=header.previous,
            boot=fields[6],
            clock=ClockTrust(fields[7]),
            consent_version=fields[8],
            made_at=fields[9],
            slot=fields[10],
            columns=tuple([_column(item) for item in strict_cbor.require_rows(fields[11], 6)]),
            long_intervals=tuple([_long_interval(item) for item in strict_cbor.require_rows(fields[12], 4)]),
            devices=tuple([_device(item) for item in strict_cbor.require_rows(fields[13], 3)]),
        )
    except (ValueError, KeyError, TypeError):
        # An unknown code, or an array or map where a code belongs.
        raise garbage("a field of the batch has the wrong form") from None
    _check_body(batch)
    return batch


def _column(item: list[Any]) -> Column:
    measure, span, energy, scale, mark, gap = item
    return Column(_MEASURES[measure], span, energy, scale, _MARKS[mark], _GAPS[gap])


def _long_interval(item: list[Any]) -> LongInterval:
    measure, first_slot, slots, energy_wh = item
    return LongInterval(_MEASURES[measure], first_slot, slots, energy_wh)


def _device(item: list[Any]) -> DeviceState:
    name, state, age_s = item
    if type(state) is not int or not 0 <= state < len(_LIVENESS):
        raise garbage("an unknown device state")
    return DeviceState(name, _LIVENESS[state], age_s)


def _check_batch(batch: Batch) -> None:
    ClockTrust(batch.clock)
    _check_body(batch)


def _check_body(batch: Batch) -> None:
    require_number(batch.boot, "boot", most=MAX_NUMBER)
    require_number(batch.consent_version, "consent version", most=MAX_NUMBER)
    require_number(batch.made_at, "the time made in Unix seconds", most=MAX_SECONDS)
    require_number(batch.slot, "the slot in quarter hours since 1970", most=MAX_SLOT)
    if not _ascending([column.measure for column in batch.columns]):
        raise garbage("columns are not in ascending order of measure, one per measure")
    for column in batch.columns:
        _check_column(column, batch.slot)
    _check_long_intervals(batch)
    _check_devices(batch.devices)


def _check_devices(devices: Sequence[DeviceState]) -> None:
    for device in devices:
        require_id(device.name, "a device's")
        require_number(device.age_s, "the age of a device in seconds", most=MAX_NUMBER)
    # Only names can be put in order: anything else was refused above.
    if len(devices) > MAX_DEVICES or not _ascending([device.name for device in devices]):
        raise garbage(f"more than {MAX_DEVICES} devices, or not in ascending order of name")


def _check_column(column: Column, slot: Slot) -> None:
    _, span, energy, scale, mark, gap = column
    if span not in SPANS or (slot + 1) % span:
        raise garbage("a column does not end with a quarter hour, an hour or a day")
    if type(span) is not int or type(scale) is not int or not 0 <= scale <= MAX_SCALE:
        raise garbage("a scale is not a number from 0 to 3")
    if gap is _NEVER_ARRIVED:
        raise garbage("a gap that only the hub may report")
    if energy is None:
        if mark is not _MISSING or gap is _NO_GAP:
            raise garbage("an energy is missing without its mark or reason")
        return
    require_number(energy, "the scaled energy in Wh", most=_MAX_SCALED[scale])
    if mark is _MISSING or (mark is _PARTIAL) is (gap is _NO_GAP):
        raise garbage("an energy's mark and gap contradict each other")


def _check_long_intervals(batch: Batch) -> None:
    if len(batch.long_intervals) > MAX_LONG_INTERVALS:
        raise garbage(f"more than {MAX_LONG_INTERVALS} long intervals")
    for interval in batch.long_intervals:
        require_number(interval.first_slot, "the first slot in quarter hours since 1970", most=MAX_SLOT)
        require_number(interval.slots, "number of slots", most=MAX_LONG_SLOTS)
        require_number(interval.energy_wh, "the energy in Wh", most=MAX_ENERGY_WH)
        if interval.slots < 1 or interval.first_slot + interval.slots > batch.slot + 1:
            raise garbage("a long interval is empty or ends after the batch's slot")
    if not _ascending([(interval.measure, interval.first_slot) for interval in batch.long_intervals]):
        raise garbage("long intervals are not in ascending order of measure and slot")


def _ascending(keys: Sequence[Any]) -> bool:
    return all(map(lt, keys, keys[1:]))
