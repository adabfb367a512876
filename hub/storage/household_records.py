"""Who lives in which home, and which homes a person sees: the records and the store's slice; no I/O here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hub.storage.notice_records import Bounce
from hub.storage.records import Agent, Home, Member

DEFAULT_LANGUAGE: Final = "en"


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


@dataclass(frozen=True, slots=True)
class MemberPlace:
    """A member's place in the board's list, then by id.

    `rank`: 0 the address refuses mail, 1 a home is without an agent, 2 neither, 3 the membership has ended.
    """

    rank: int
    member: str


@dataclass(frozen=True, slots=True)
class MemberCardRows:
    """Some members, the homes they hold or live in, the agents of those they hold, and their addresses that refused."""

    members: tuple[Member, ...] = ()
    homes: tuple[Home, ...] = ()
    agents: tuple[Agent, ...] = ()
    adults: tuple[HomeAdult, ...] = ()
    bounces: tuple[Bounce, ...] = ()


class MemberListStore(Protocol):
    """The board's list of members, a page at a time."""

    async def member_places(
        self, *, text: str, left_by: int, after: MemberPlace | None, most: int
    ) -> tuple[MemberPlace, ...]:
        """The next members after this place, those that need somebody first.

        `text` is part of a name, id or address, or of a home's name; empty for all. Left by `left_by` comes last.
        """
        ...

    async def member_cards(self, members: Sequence[str]) -> MemberCardRows:
        """What the list shows of these members, in their order."""
        ...

    async def people_and_board(self) -> tuple[int, tuple[str, ...]]:
        """How many people are members, whichever homes they hold, and who of the members is on the board."""
        ...


def known_together(lives: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each home, one id for all homes that are linked by people who know them: of (home, person) pairs.

    >>> known_together([("h1", "m1"), ("h2", "m1"), ("h2", "m2"), ("h3", "m2"), ("h4", "m4")])
    {'h1': 'h1', 'h2': 'h1', 'h3': 'h1', 'h4': 'h4'}
    """
    above: dict[str, str] = {}
    of_person: dict[str, str] = {}
    for home, person in sorted(lives):
        one, other = _top(above, above.setdefault(home, home)), _top(above, of_person.setdefault(person, home))
        above[max(one, other)] = min(one, other)
    return {home: _top(above, home) for home in above}


def _top(above: dict[str, str], home: str) -> str:
    """The first home of those linked with this one. What lies between is linked to it directly, so that each is gone
    through once.
    """
    top = home
    while above[top] != top:
        top = above[top]
    while home != top:
        above[home], home = top, above[home]
    return top


def new_member(
    known: Sequence[Member],
    *,
    name: str,
    email: str,
    language: str | None,
    joined_at: int,
    is_board: bool = False,
    held_by: str | None = None,
) -> Member:
    """A member with the next free id."""
    number = 1 + max((_number(each.id) for each in known), default=0)
    spoken = language or DEFAULT_LANGUAGE
    return Member(f"m{number:02d}", name, email, spoken, is_board, joined_at, held_by=held_by)


def _number(member_id: str) -> int:
    return int(member_id[1:]) if member_id[:1] == "m" and member_id[1:].isdecimal() else 0


class HouseholdStore(MemberListStore, Protocol):
    """Members and the homes they live in. A method that refuses returns one line and has written nothing."""

    async def add_adult(self, home: str, member: Member, *, by: str, link_by: str = "") -> str | None:
        """Let a member see a home's pages as an adult who lives there; a new member is added with it."""
        ...

    async def end_adult(self, home: str, member: str, *, by: str, link_by: str = "") -> str | None: ...
    async def adults(self) -> tuple[HomeAdult, ...]:
        """All adults besides the contracts' holders, by home and member."""
        ...

    async def seen_homes(self, person: str) -> tuple[SeenHome, ...]:
        """The homes whose pages this person sees: first those they hold, by id, then those they live in."""
        ...

    async def known_together(self) -> Mapping[str, str]:
        """For each home, one id for all homes linked by people who hold them, live there or ever did.

        Whoever knows several homes' values can subtract them all: in a published sum these homes count as one.
        """
        ...

    async def residents(self) -> Mapping[str, frozenset[str]]:
        """For each home, the people whose matter it is: the contract's holder and the other adults."""
        ...
