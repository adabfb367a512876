"""A stated day taken apart: what is the same for every member, and each member's own part, as bytes that can be kept.

Put together again for one member, the parts are a day of that member alone, from which the same statement is made.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from hub.core.ledger.entries import read_entry
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import Settlement
from hub.core.settlement.slot_marks import SlotMarks
from hub.core.statements.month import RunNote, SettledDay, StatedDay, StatedEntry, day_sums
from hub.core.statements.seals import Seals

Nano = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class DayParts:
    """`head` is every member's, `sums` what the day debits and credits each of them, `own` each member's part."""

    head: bytes
    sums: bytes
    own: Mapping[str, bytes]


class DayHead(msgspec.Struct, frozen=True):
    """What a day's statement says to every member. `root` is signed, `pool` the series as members may see it."""

    day: str
    run: RunNote
    rule: str
    slots: tuple[int, ...]
    provisional: tuple[bool, ...]
    by_day: tuple[bool, ...]
    pool: msgspec.Raw
    root: dict[str, object]


class _KeptEntry(msgspec.Struct, frozen=True, array_like=True):
    """A ledger entry's place in the day's tree, its own bytes, its text as the member gets it, and its proof."""

    place: int
    canonical: str
    text: str
    salt: bytes
    proof: tuple[bytes, ...]


class _OwnPart(msgspec.Struct, frozen=True):
    """A member's column, empty for who took no part, and their entries. Units: Wh."""

    present: tuple[bool, ...] = ()
    surplus: tuple[int, ...] = ()
    demand: tuple[int, ...] = ()
    alloc: tuple[int, ...] = ()
    sold: tuple[int, ...] = ()
    marks: SlotMarks = SlotMarks()
    window: tuple[int, int | None] | None = None
    entries: tuple[_KeptEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptPool:
    """A day's pool series, as far as members may see it."""

    rule: str
    by_day: tuple[bool, ...]
    document: bytes

    def for_members(self) -> dict[str, object]:
        """The series that every member may see, as plain data."""
        return msgspec.json.decode(self.document, type=dict[str, object])


@dataclass(frozen=True, slots=True)
class KeptProofs:
    """The proofs of some of a day's entries, by their place in its tree."""

    proofs: Mapping[int, tuple[bytes, ...]]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The sibling hashes from this leaf up to the root, lowest first. Raises: KeyError for another member's."""
        return self.proofs[index]


def take_apart(stated: StatedDay) -> DayParts:
    """The parts of a day that was stated for all members."""
    source, settled = stated.source, stated.source.settled
    head = DayHead(
        source.day,
        source.run,
        settled.rule.version(),
        settled.slots,
        tuple(settled.provisional.tolist()),
        stated.pool.by_day,
        msgspec.Raw(msgspec.json.encode(stated.pool.for_members())),
        dict(stated.root),
    )
    own = {member: _own_part(stated, member) for member in {*settled.members, *stated.mine}}
    return DayParts(_packed(head), _packed(day_sums(settled)), own)


def own_part_of_nobody() -> bytes:
    """The part of somebody whom the day does not know."""
    return _packed(_OwnPart())


def read_head(head: bytes) -> DayHead:
    """The day's head. Raises: ValueError for other bytes."""
    return msgspec.json.decode(_unpacked(head), type=DayHead)


def read_sums(sums: bytes) -> Nano:
    """What the day debits and credits each member, by side, in nano-currency. Raises: ValueError for other bytes."""
    return msgspec.json.decode(_unpacked(sums), type=dict[str, dict[str, int]])


def put_together(head: DayHead, own: bytes, member: str, *, rule: Rule, seals: Seals) -> StatedDay:
    """The day for this member alone. `rule` is the one whose hash the head names. Raises: ValueError."""
    part = msgspec.json.decode(_unpacked(own), type=_OwnPart)
    energies = (part.surplus, part.demand, part.alloc, part.sold)
    shape = len(head.slots), int(bool(part.present))
    surplus, demand, alloc, sold = (np.array(each, dtype=np.int64).reshape(shape) for each in energies)
    settled = Settlement(
        rule=rule,
        members=(member,) if part.present else (),
        slots=head.slots,
        present=np.array(part.present, dtype=np.bool_).reshape(shape),
        provisional=np.array(head.provisional, dtype=np.bool_),
        surplus_wh=surplus,
        demand_wh=demand,
        alloc_wh=alloc,
        sold_wh=sold,
        marks={member: part.marks} if part.marks else {},
    )
    windows = {} if part.window is None else {member: part.window}
    entries = tuple(
        StatedEntry(each.place, read_entry(each.canonical.encode("utf-8")), each.text, each.salt)
        for each in part.entries
    )
    return StatedDay(
        source=SettledDay(head.day, head.run, settled, (), windows),
        seals=seals,
        pool=KeptPool(head.rule, head.by_day, bytes(head.pool)),
        tree=KeptProofs({each.place: each.proof for each in part.entries}),
        root=head.root,
        mine={member: entries} if entries else {},
    )


def _own_part(stated: StatedDay, member: str) -> bytes:
    settled, column = stated.source.settled, stated.source.settled.columns.get(member)
    entries = tuple(
        _KeptEntry(
            each.place, each.entry.canonical().decode("utf-8"), each.text, each.salt, stated.tree.proof(each.place)
        )
        for each in stated.mine.get(member, ())
    )
    if column is None:
        return _packed(_OwnPart(entries=entries))
    part = _OwnPart(
        present=tuple(settled.present[:, column].tolist()),
        surplus=tuple(settled.surplus_wh[:, column].tolist()),
        demand=tuple(settled.demand_wh[:, column].tolist()),
        alloc=tuple(settled.alloc_wh[:, column].tolist()),
        sold=tuple(settled.sold_wh[:, column].tolist()),
        marks=settled.marks.get(member, SlotMarks()),
        window=stated.source.windows.get(member),
        entries=entries,
    )
    return _packed(part)


def _packed(part: object) -> bytes:
    return zlib.compress(msgspec.json.encode(part))


def _unpacked(part: bytes) -> bytes:
    try:
        return zlib.decompress(part)
    except zlib.error as error:
        raise ValueError(f"not a part of a day: {error}") from None
