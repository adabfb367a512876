"""Prepares a local month of settled days for statements: signed day roots, pool series, and how cents were rounded.

This is done once for all members; document.py makes each member's statement from it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Final, Protocol

from hub.core.allocation.published_steps import part_rests
from hub.core.ledger.entries import BookedEntry, Entry, read_entry
from hub.core.ledger.merkle import build_tree
from hub.core.ledger.signed_document import Signer, document_hash, sign_document
from hub.core.rules.group_size import GroupRule
from hub.core.settlement.disclosure import Reasons
from hub.core.settlement.money import CENT_NANO, MICRO_NANO
from hub.core.settlement.period import Settlement
from hub.core.settlement.pool_series import ANYBODY, pool_series
from hub.core.settlement.prepared_readings import Window
from hub.core.statements.seals import Seals
from protocols.slots import slots_of_day

ROOT_FORMAT: Final = "commonwatt-day-root-2"
UNITS_NANO: Final = {"micro": MICRO_NANO, "cent": CENT_NANO}
SIDES: Final = ("debit", "credit")


@dataclass(frozen=True, slots=True)
class CoopName:
    """The co-op that a statement comes from."""

    id: str
    name: str
    tz: str
    currency: str

    def plain(self) -> dict[str, object]:
        """The co-op as a table for JSON."""
        return {"id": self.id, "name": self.name, "tz": self.tz, "currency": self.currency}


@dataclass(frozen=True, slots=True)
class AdoptedRule:
    """A version of the rulebook with its first day, and who adopted it when; `by` is empty for the founding act."""

    rule: str
    valid_from: str
    adopted_on: str
    by: tuple[str, ...] = ()

    def plain(self) -> dict[str, object]:
        """The adoption as a table for JSON."""
        return {"rule": self.rule, "valid_from": self.valid_from, "adopted_on": self.adopted_on, "by": list(self.by)}


@dataclass(frozen=True, slots=True)
class RunNote:
    """The run a day rests on: its key, kind (D, M1, R1, R2, RF, X), state and time in Unix seconds."""

    key: str
    kind: str
    state: str
    made_at: int = 0

    def plain(self, seals: Seals) -> dict[str, object]:
        """The run as a table for JSON, with the name under which members know it."""
        return {"key": seals.run(self.key), "kind": self.kind, "state": self.state}


@dataclass(frozen=True)
class SettledDay:
    """A local day as settled by a run, with the ledger's entries for it up to that run, by position.

    `windows` are the memberships that begin or end within the day. `attested` is the number and hash of the ledger's
    own signed root for the day, if there is one. `group`, `totals`, `is_correction` and `reasons` decide what members
    see of the pool series: see pool_series.
    """

    day: str
    run: RunNote
    settled: Settlement
    booked: Sequence[BookedEntry]
    windows: Mapping[str, Window] = field(default_factory=dict)
    attested: tuple[int, str] | None = None
    group: GroupRule = ANYBODY
    totals: Mapping[int, Set[str]] = field(default_factory=dict)
    is_correction: bool = False
    reasons: Reasons | None = None


@dataclass(frozen=True, slots=True)
class StatedEntry:
    """A ledger entry with its place in the day's tree; `text`, after the secret `salt`, is the leaf there."""

    place: int
    entry: Entry
    text: str
    salt: bytes

    @property
    def leaf(self) -> bytes:
        """The bytes that the tree covers."""
        return self.salt + self.text.encode("utf-8")


class MembersPool(Protocol):
    """A day's pool series as members may see it."""

    @property
    def rule(self) -> str: ...
    @property
    def by_day(self) -> tuple[bool, ...]: ...
    def for_members(self) -> dict[str, object]: ...


class EntryProofs(Protocol):
    """The proofs that a day's entries are in its tree."""

    def proof(self, index: int) -> tuple[bytes, ...]: ...


@dataclass(frozen=True)
class StatedDay:
    """A settled day with its pool series, the proofs of its salted entries and the signed root.

    `mine` holds each member's entries. A day of one member has that member alone, in each of its parts.
    """

    source: SettledDay
    seals: Seals
    pool: MembersPool
    tree: EntryProofs
    root: Mapping[str, object]
    mine: Mapping[str, tuple[StatedEntry, ...]]


@dataclass(frozen=True)
class StatementMonth:
    """A month ready for statements. `missing` are its days that no run has settled yet.

    `before` are its days from before the co-op began. `shown` has the days that a member sees as an earlier or later
    run, by day; `corrects` says whether the statement counts the difference, as one total of the month.
    `rulebook` has all rules adopted until the month's end, in their order.
    """

    coop: CoopName
    month: str
    days: tuple[StatedDay, ...]
    missing: tuple[str, ...]
    nano: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    shown: Mapping[str, StatedDay] = field(default_factory=dict)
    corrects: bool = True
    rulebook: tuple[AdoptedRule, ...] = ()

    def seen_by(self, days: Sequence[StatedDay], shown: Mapping[str, StatedDay], *, corrects: bool) -> "StatementMonth":
        """The month for a member: its days as that member's, and those that the member sees as other runs."""
        seen = replace(self, days=tuple(days), shown=shown, corrects=corrects)
        vars(seen)["bars"] = self.bars  # they are of the sums, which are the same for every member
        return seen

    @property
    def seen(self) -> tuple[StatedDay, ...]:
        """The days as the member sees them."""
        return tuple(self.shown.get(day.source.day, day) for day in self.days)

    @cached_property
    def bars(self) -> dict[str, dict[str, tuple[int | None, str | None]]]:
        """Who got the units left over when the month's amounts were rounded: (bar, before) by unit and side."""
        bars: dict[str, dict[str, tuple[int | None, str | None]]] = {}
        for name, unit_nano in UNITS_NANO.items():
            bars[name] = {}
            for side in SIDES:
                members = sorted(self.nano[side], key=lambda member: member.encode("utf-8"))
                rests = [self.nano[side][member] % unit_nano for member in members]
                bars[name][side] = part_rests(rests, unit_nano, members)
        return bars


def add_sums(days: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """What these days debit and credit each member together, by side, in nano-currency."""
    nano: dict[str, dict[str, int]] = {side: defaultdict(int) for side in SIDES}
    for day in days:
        for side in SIDES:
            for member, amount in day[side].items():
                nano[side][member] += amount
    return {side: dict(table) for side, table in nano.items()}


def day_sums(settled: Settlement) -> dict[str, dict[str, int]]:
    """What a settled day debits and credits each member, by side, in nano-currency."""
    sides = zip(SIDES, (settled.money.debit_nano, settled.money.credit_nano), strict=True)
    return {side: dict(zip(settled.members, amounts, strict=True)) for side, amounts in sides}


def gather_month(
    coop: CoopName,
    month: str,
    *,
    days: Iterable[StatedDay],
    missing: Iterable[str],
    before: Iterable[str],
    rulebook: Iterable[AdoptedRule] = (),
) -> StatementMonth:
    """The month made up of these stated days; the caller makes sure that each belongs to it and appears once."""
    stated = tuple(sorted(days, key=lambda day: day.source.day))
    sums = add_sums(day_sums(day.source.settled) for day in stated)
    return StatementMonth(
        coop, month, stated, tuple(sorted(missing)), sums, tuple(sorted(before)), rulebook=tuple(rulebook)
    )


def state_day(coop: CoopName, source: SettledDay, *, key: Signer, seals: Seals) -> StatedDay:
    """The day with its pool series, its tree of entries and a root signed with the hub's key.

    Raises: ValueError where the run does not settle exactly this day, or the books differ from what it settled.
    """
    _check_slots(coop, source)
    pool = pool_series(
        source.settled,
        coop=coop.id,
        day=source.day,
        run=seals.run(source.run.key),
        group=source.group,
        totals=source.totals,
        is_correction=source.is_correction,
        reasons=source.reasons,
    )
    booked = sorted(source.booked, key=lambda row: row.position)
    mine: dict[str, list[StatedEntry]] = defaultdict(list)
    leaves = []
    for place, row in enumerate(booked):
        entry = read_entry(row.canonical)
        if entry.day != source.day:
            raise ValueError(f"an entry of {entry.day} does not belong to {source.day}")
        stated = StatedEntry(place, entry, seals.shown(entry), seals.salt(row))
        mine[entry.member].append(stated)
        leaves.append(stated.leaf)
    tree = build_tree(leaves)
    for member in sorted({*mine, *source.settled.members}):
        entries = [each.entry for each in mine.get(member, ())]
        if booked_amounts(entries, member) != settled_amounts(source.settled, member):
            raise ValueError(f"{source.day}: the books of {member} differ from what run {source.run.key} settled")
    root = {
        "format": ROOT_FORMAT,
        "coop": coop.id,
        "day": source.day,
        "entries": tree.size,
        "root": tree.root.hex(),
        "attested": None if source.attested is None else [source.attested[0], seals.attested(source.attested[1])],
        "pool": {
            "members": document_hash(pool.for_members()),
            "auditor": document_hash(pool.for_auditor(seals.pool(source.run.key))),
        },
    }
    entries_by_member = {name: tuple(rows) for name, rows in mine.items()}
    return StatedDay(source, seals, pool, tree, sign_document(root, key), entries_by_member)


def booked_amounts(entries: Sequence[Entry], member: str) -> dict[str, int]:
    """What settlement runs booked for a member: Wh received, sold, imported and exported; nano debited and credited."""
    lines: dict[str, int] = dict.fromkeys(("received", "sold", "imported", "exported", "debit_nano", "credit_nano"), 0)
    signs = {"received": 1, "sold": -1, "imported": 1, "exported": -1}
    for entry in entries:
        for posting in entry.postings:
            if posting.account == f"member:{member}:energy" and entry.unit == "Wh" and posting.line in signs:
                lines[posting.line] += signs[posting.line] * posting.amount
            elif posting.account == f"member:{member}:money" and posting.line == "received":
                lines["debit_nano"] -= posting.amount
            elif posting.account == f"member:{member}:money" and posting.line == "sold":
                lines["credit_nano"] += posting.amount
    return lines


def settled_amounts(settled: Settlement, member: str) -> dict[str, int]:
    """The same amounts according to the run itself; zeros for a member who took no part in it."""
    if (column := settled.columns.get(member)) is None:
        return booked_amounts((), member)
    totals = settled.totals_wh
    return {
        "received": totals["alloc"][column],
        "sold": totals["sold"][column],
        "imported": totals["import"][column],
        "exported": totals["export"][column],
        "debit_nano": settled.money.debit_nano[column],
        "credit_nano": settled.money.credit_nano[column],
    }


def _check_slots(coop: CoopName, source: SettledDay) -> None:
    whole = slots_of_day(date.fromisoformat(source.day), coop.tz)
    if source.settled.slots != tuple(whole[:: source.settled.rule.aggregate]):
        raise ValueError(f"the run of {source.day} does not settle exactly the slots of that day in {coop.tz}")
