"""What a store keeps about the rulebook: its rules, who proposed and who adopted them; no I/O here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from hub.storage.records import EntryRow
from protocols.slots import slots_of_day


@dataclass(frozen=True, slots=True)
class RuleAdoption:
    """Which member of the board adopted a rule, and when (unix seconds)."""

    by: str
    at: int


@dataclass(frozen=True, slots=True)
class NewProposal:
    """A rule that a member of the board proposes; `source` says from what: a preset's id or a file's name."""

    hash: str
    canonical: bytes
    valid_from_day: str
    source: str
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class RuleProposal:
    """A stored proposal; `follows` is the position of the newest rule that the proposer saw.

    `withdrawn_by` is who took it back, and empty while it stands.
    """

    id: int
    follows: int
    content: NewProposal
    withdrawn_by: str = ""

    def plain(self, tz: str) -> dict[str, object]:
        """The proposal for JSON."""
        new = self.content
        return {
            "proposal": self.id,
            "rule": new.hash,
            "valid_from": new.valid_from_day,
            "valid_from_slot": slots_of_day(date.fromisoformat(new.valid_from_day), tz).start,
            "proposed_by": new.by,
            "proposed_on": day_of(new.at, tz),
            "source": new.source,
            "content": json.loads(new.canonical),
        }


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A version of the rulebook as it is. `adopted` is the (hash, first day) that was adopted; None if nothing was.

    `adopted_by` is empty for the founding act alone, which nobody proposed.
    """

    position: int
    hash: str
    canonical: bytes
    valid_from_day: str
    adopted: tuple[str, str] | None = None
    adopted_by: str = ""
    adopted_at: int = 0
    proposal: RuleProposal | None = None

    @property
    def is_adopted(self) -> bool:
        """Whether two people agreed to this very rule from this day on, or it is the founding act."""
        return self.adopted == (self.hash, self.valid_from_day) and (not self.adopted_by or self.is_by_two)

    @property
    def is_by_two(self) -> bool:
        """Whether one person proposed it and another adopted it."""
        return self.proposal is not None and self.proposal.content.by not in ("", self.adopted_by)

    @property
    def people(self) -> tuple[str, ...]:
        """Who proposed and who adopted it; nobody for the founding act."""
        proposer = () if self.proposal is None else (self.proposal.content.by,)
        return (*proposer, self.adopted_by) if self.adopted_by else ()

    def plain(self, tz: str) -> dict[str, object]:
        """The version for JSON; the founding act has no people, and its first day is no quarter hour of the books."""
        is_first = not self.adopted_by
        new = None if is_first or self.proposal is None else self.proposal.content
        return {
            "rule": self.hash,
            "valid_from": self.valid_from_day,
            "valid_from_slot": None if is_first else slots_of_day(date.fromisoformat(self.valid_from_day), tz).start,
            "proposed_by": new.by if new else None,
            "proposed_on": day_of(new.at, tz) if new else None,
            "source": new.source if new else "hub.toml",
            "adopted_by": self.adopted_by or None,
            "adopted_on": None if is_first else day_of(self.adopted_at, tz),
            "content": json.loads(self.canonical),
        }


@dataclass(frozen=True, slots=True)
class StoredRulebook:
    """The rulebook at one moment: its versions, and all proposals. `today` is a local day like 2026-05-01."""

    rules: tuple[StoredRule, ...]
    proposals: tuple[RuleProposal, ...]
    today: str

    @property
    def in_force(self) -> StoredRule | None:
        """The version that holds today."""
        held = [rule for rule in self.rules if rule.is_adopted and rule.valid_from_day <= self.today]
        return max(held, key=lambda rule: (rule.valid_from_day, rule.position), default=None)

    @property
    def waiting(self) -> tuple[RuleProposal, ...]:
        """The proposals that nobody has adopted or taken back."""
        adopted = {rule.proposal.id for rule in self.rules if rule.proposal is not None}
        return tuple(each for each in self.proposals if each.id not in adopted and not each.withdrawn_by)

    @property
    def withdrawn(self) -> tuple[RuleProposal, ...]:
        """The proposals that were taken back."""
        return tuple(each for each in self.proposals if each.withdrawn_by)

    def is_stale(self, proposal: RuleProposal) -> bool:
        """Whether it can no longer be adopted: its first day is there, or another rule came after it was made."""
        newest = max((rule.position for rule in self.rules), default=0)
        return proposal.follows != newest or proposal.content.valid_from_day <= self.today

    def plain(self, tz: str) -> dict[str, object]:
        """The rulebook for JSON."""
        held = self.in_force
        return {
            "today": self.today,
            "in_force": None if held is None else held.hash,
            "versions": [rule.plain(tz) | {"is_in_force": rule == held} for rule in self.rules],
            "proposals": [each.plain(tz) | {"is_stale": self.is_stale(each)} for each in self.waiting],
            "withdrawn": [each.plain(tz) | {"withdrawn_by": each.withdrawn_by} for each in self.withdrawn],
        }


@dataclass(frozen=True, slots=True)
class RunEntries:
    """A run with entries on a local day: how many, and the position of the last."""

    day: str
    run_key: str
    entries: int
    position: int


class RuleStore(Protocol):
    """The part of the store that holds the rulebook. A rule without its adoption is never in force."""

    async def add_rule(self, rule_hash: str, *, canonical: bytes, valid_from_day: str) -> None:
        """Add the store's first rule; adding it again changes nothing. Raises: StoreError for any other rule."""
        ...

    async def propose_rule(self, new: NewProposal) -> int:
        """Store a proposal and return its number. Raises: StoreError if it may not be made."""
        ...

    async def booked_runs(self, *, days: tuple[str, str]) -> tuple[RunEntries, ...]:
        """The runs that booked something on these local days, both included; no entry is read but the last of each."""
        ...

    async def run_record(self, run_key: str) -> bytes:
        """The packed record of one run of any kind; empty bytes if there is no such run."""
        ...

    async def entries_before(self, day: str, *, position: int, most: int) -> tuple[EntryRow, ...]:
        """The day's `most` newest entries up to this position, the newest first."""
        ...

    async def rule_proposals(self) -> tuple[RuleProposal, ...]: ...
    async def rulebook(self, today: str) -> StoredRulebook: ...
    async def adopt_rule(self, proposal: int, *, adopted: RuleAdoption) -> None:
        """Make a proposal a version of the rulebook. Raises: StoreError if this member may not, or not any more."""
        ...

    async def withdraw_rule(self, proposal: int, *, by: str, at: int) -> None:
        """Take a proposal back. Raises: StoreError if this member may not, or it is adopted or withdrawn already."""
        ...

    async def rule_on(self, day: str) -> tuple[str, bytes]: ...
    async def rule_hashes(self, days: Sequence[str]) -> dict[str, str]:
        """The hash of the rule in force on each of these local days; days before the first rule are omitted."""
        ...


def day_of(at: int, tz: str) -> str:
    """The local day of a time, as rules name their first day: 2026-05-01."""
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(tz)).date().isoformat()
