"""What a store keeps about the rulebook: its rules and who adopted them; no I/O here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class RuleAdoption:
    """Which member of the board entered a rule, and when (unix seconds). `by` is empty for the founding act."""

    by: str
    at: int


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A version of the rulebook as it is. `adopted` is the (hash, first day) that was adopted; None if nothing was."""

    position: int
    hash: str
    canonical: bytes
    valid_from_day: str
    adopted: tuple[str, str] | None = None
    adopted_by: str = ""
    adopted_at: int = 0

    @property
    def is_adopted(self) -> bool:
        """Whether the adoption is of this very rule from this day on."""
        return self.adopted == (self.hash, self.valid_from_day)


class RuleStore(Protocol):
    """The part of the store that holds the rulebook. A rule without its adoption is never in force."""

    async def add_rule(
        self, rule_hash: str, *, canonical: bytes, valid_from_day: str, adopted: RuleAdoption | None = None
    ) -> None:
        """Add a rule with its adoption. Raises: StoreError if it would hold before that or nobody adopted it."""
        ...

    async def rule_on(self, day: str) -> tuple[str, bytes]: ...
    async def rule_hashes(self, days: Sequence[str]) -> dict[str, str]:
        """The hash of the rule in force on each of these local days; days before the first rule are omitted."""
        ...


def day_of(at: int, tz: str) -> str:
    """The local day of a time, as rules name their first day: 2026-05-01."""
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(tz)).date().isoformat()
