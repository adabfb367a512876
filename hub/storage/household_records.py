"""Who lives in which home, and which homes a person sees: the records and the store's slice; no I/O here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hub.storage.records import Home, Member


@dataclass(frozen=True, slots=True)
class SeenHome:
    """A home that a person sees on their pages, with the membership it is settled, billed and paid under."""

    home: Home
    holder: Member

    def is_paid_by(self, person: str) -> bool:
        """Whether this person holds the home's contract: they pay, are paid, and object."""
        return self.holder.person == person


@dataclass(frozen=True, slots=True)
class HomeAdult:
    """A member who lives in a home whose contract another member holds."""

    home: str
    member: str
    since_at: int


def persons_of_memberships(members: Sequence[Member]) -> dict[str, str]:
    """Who holds each membership of a further home."""
    return {member.id: member.person for member in members if member.held_by is not None}


def persons_of_homes(homes: Sequence[Home], members: Sequence[Member]) -> dict[str, str]:
    """Who holds each home's contract."""
    person = {member.id: member.person for member in members}
    return {home.id: person[home.member_id] for home in homes}


class HouseholdStore(Protocol):
    """Members and the homes they live in. A method that refuses returns one line and has written nothing."""

    async def add_adult(self, home: str, member: Member, *, by: str) -> str | None:
        """Let a member see a home's pages as an adult who lives there; a new member is added with it."""
        ...

    async def end_adult(self, home: str, member: str, *, by: str) -> str | None: ...
    async def adults(self) -> tuple[HomeAdult, ...]:
        """All adults besides the contracts' holders, by home and member."""
        ...

    async def seen_homes(self, person: str) -> tuple[SeenHome, ...]:
        """The homes whose pages this person sees: first those they hold, by id, then those they live in."""
        ...

    async def residents(self) -> Mapping[str, frozenset[str]]:
        """For each home, the people whose matter it is: the contract's holder and the other adults."""
        ...
