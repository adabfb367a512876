"""What a store keeps about mail to members: notices in a queue, members' choices, refused addresses; no I/O here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol


class NoticeKind(StrEnum):
    """What a mail is about. Each kind has its text in hub/web/templates/mail."""

    INVITATION = "invitation"
    SIGN_IN = "sign-in"
    STATEMENT = "statement"
    DEBIT = "debit"
    SILENT = "silent"
    HOMES = "homes"
    HUB = "hub"
    ADDRESS = "address"


CHOSEN_KINDS: Final = (NoticeKind.STATEMENT, NoticeKind.DEBIT, NoticeKind.SILENT)
"""A member gets these only after switching them on. Invitations and sign-in links are sent when they are asked for, and
a former address is always told of a new one.
"""

BOARD_KINDS: Final = (NoticeKind.HOMES, NoticeKind.HUB)
"""As above, and only for members of the board."""


class NoticeState(StrEnum):
    """Where a notice stands. Only a waiting one is sent."""

    WAITING = "waiting"
    SENT = "sent"
    BOUNCED = "bounced"  # the mail server refused the member's address for good
    REFUSED = "refused"  # the mail server refused the mail itself for good
    GIVEN_UP = "given up"  # the time for the last try is over
    DROPPED = "dropped"  # no longer wanted, or it cannot be written any more


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice to queue. There is one for each kind, member and `about`, so queueing it again changes nothing.

    `facts` fill the text in and hold no household's figures; `secret` is deleted once the notice is settled. It is
    sealed with the hub's key, but for the former address of a member, which `former_address` makes.
    """

    kind: NoticeKind
    member: str
    about: str
    last_try_at: int
    facts: Mapping[str, str] = field(default_factory=dict)
    secret: bytes | None = None
    most_an_hour: int | None = None


def former_address(address: str, name: str) -> bytes:
    """A member's former address and name, as the `secret` of the notice to it.

    >>> read_former_address(former_address("ana@example.org", "Ana"))
    ('ana@example.org', 'Ana')
    """
    return f"{address}\n{name}".encode()


def read_former_address(secret: bytes | None) -> tuple[str, str]:
    """The address and the name; empty ones if there are none."""
    address, _, name = (secret or b"").decode().partition("\n")
    return address, name


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice in the queue. `answer` is the last thing the mail server, or the hub itself, said about it."""

    id: int
    kind: NoticeKind
    member: str
    about: str
    facts: Mapping[str, str]
    secret: bytes | None
    made_at: int
    last_try_at: int
    next_try_at: int
    tries: int
    state: NoticeState
    settled_at: int | None
    answer: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """An address to which a mail server refused delivery for good: when, and what it said."""

    address: str
    at: int
    answer: str


@dataclass(frozen=True, slots=True)
class NoticeChoice:
    """What a member has chosen for one kind, and who entered it."""

    member: str
    kind: NoticeKind
    is_on: bool
    made_by: str
    made_at: int


class NoticeStore(Protocol):
    """The queue of mail. A notice is sent after its try was noted, and settled after that."""

    async def add_notices(self, found: Sequence[NewNotice]) -> int:
        """Queue those that are not known yet and within their limit an hour; how many were new."""
        ...

    async def due_notices(self, *, now: int, most: int) -> tuple[Notice, ...]:
        """Waiting notices whose time has come: those that somebody waits for first, then the oldest."""
        ...

    async def note_try(self, notice: int, *, next_try_at: int) -> None:
        """Count a try that is about to begin, and when the next one is if nothing more is heard of it."""
        ...

    async def note_delay(self, notice: int, answer: str) -> None:
        """Keep why a notice still waits."""
        ...

    async def settle_notice(self, notice: int, state: NoticeState, *, answer: str = "") -> None:
        """End a notice; its secret is deleted."""
        ...

    async def withdraw_notices(self, kind: NoticeKind, about: str, *, answer: str) -> tuple[str, ...]:
        """Drop the waiting notices about this; the members who were told of it, or may have been, by id."""
        ...

    async def notices(self, *, since: int, most: int) -> tuple[Notice, ...]:
        """All that wait, and those settled since then; the newest `most` of them, oldest first."""
        ...

    async def forget_notices(self, *, before: int) -> None:
        """Delete notices settled before this time."""
        ...

    async def note_bounce(self, address: str, answer: str | None) -> None:
        """Keep that an address refused, or with None that it takes mail again."""
        ...

    async def bounces(self, *, address: str | None = None) -> tuple[Bounce, ...]:
        """The addresses that refused, in lower case and in order."""
        ...

    async def notice_choices(self, *, member: str | None = None) -> tuple[NoticeChoice, ...]:
        """What all members have chosen, by member and kind."""
        ...

    async def choose_notice(self, member: str, kind: NoticeKind, *, is_on: bool, by: str) -> None:
        """Switch a kind on or off for a member."""
        ...
