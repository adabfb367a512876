"""What a store keeps about the life of members and homes: changes, who made them and when; no I/O here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_EMAIL_CHARS: Final = 254

BOARD_ROLE: Final = "board"
ROLES: Final = (BOARD_ROLE, "treasurer", "data-steward")
"""Roles that members hold. The board's opens the board's pages; the others are offices that every member sees."""


class ChangeKind(StrEnum):
    """What was changed about a member; `subject` of a change is named beside each."""

    JOINED = "joined"  # the home
    NAMED = "named"
    ADDRESSED = "addressed"
    ADULT_BEGUN = "adult begun"  # the home
    ADULT_ENDED = "adult ended"  # the home
    HOME_ADDED = "home added"  # the home
    INVITED = "invited"  # the home, which was there before
    ROLE_BEGUN = "role begun"  # the role
    ROLE_ENDED = "role ended"  # the role
    AGENT_ENROLLED = "agent enrolled"  # the agent
    AGENT_REPLACED = "agent replaced"  # the agent that was shut out
    AGENT_OBJECTED = "agent objected to"  # the agent
    AGENT_COUNTS = "agent counts"  # the agent
    AGENT_REVOKED = "agent revoked"  # the agent
    AGENT_LET_IN = "agent let in"  # the agent that had been cut off
    SESSIONS_ENDED = "sessions ended"
    READINGS_ERASED = "readings erased"  # the home
    PERSON_ERASED = "person erased"
    MOVE_OUT_PLANNED = "move-out planned"  # the last day
    MOVE_OUT_CANCELLED = "move-out cancelled"  # the last day that no longer holds


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One line of the log of changes. `by` is empty where no person was named; `reason` may be empty.

    `link_by` made the sign-in link of the session in which the change was made, if somebody else did.
    """

    id: int
    at: int
    by: str
    kind: str
    member: str
    subject: str
    reason: str
    link_by: str = ""

    def plain(self) -> dict[str, object]:
        """The line for JSON and CSV."""
        return {
            "number": self.id, "at": self.at, "by": self.by, "change": self.kind, "member": self.member,
            "subject": self.subject, "reason": self.reason, "link_by": self.link_by,
        }  # fmt: skip


NO_LINE: Final = 2**62
"""Stands in for the number of a line of the log that every other line is before."""

ERASED_NAME: Final = "erased"
"""What stands in for the name of a member whose personal data was erased."""


@dataclass(frozen=True, slots=True)
class HomeErasure:
    """A home whose readings were erased by the retention rule: `months` after its membership ended at `left_at`."""

    home: str
    member: str
    left_at: int
    months: int
    messages: int
    erased_at: int


@dataclass(frozen=True, slots=True)
class PersonErasure:
    """A membership whose name, address and bank details were erased."""

    member: str
    months: int
    erased_at: int


class ErasureStore(Protocol):
    """Erases what the co-op's retention rule says. What rests on it stays: the chains by hashes, the books by ids."""

    async def erase_homes(self, *, left_before: int, months: int) -> tuple[str, ...]:
        """Erase the readings of homes whose membership ended by this time; which they were.

        A home with a working agent or an undecided objection waits.
        """
        ...

    async def people_due(self, *, left_before: int) -> tuple[str, ...]:
        """Members who left every home by this time and whose homes are erased, but not they themselves yet."""
        ...

    async def erase_person(self, member: str, *, months: int) -> None:
        """Erase a member's name, address, bank details, sessions and links. Their id stays in the books."""
        ...

    async def erasures(self) -> tuple[HomeErasure, ...]: ...
    async def person_erasures(self) -> tuple[PersonErasure, ...]: ...


@dataclass(frozen=True, slots=True)
class MemberEdit:
    """New words for a member; None leaves them as they are. `is_mailed`: the hub sends mail, so the former address is
    told of a new one.
    """

    name: str | None = None
    email: str | None = None
    is_mailed: bool = False


def is_email(text: str) -> bool:
    """Whether the text looks like an address: something, an at sign, something, and no space."""
    box, at, host = text.rpartition("@")
    return bool(box and at and host) and len(text) <= MAX_EMAIL_CHARS and text.isprintable() and " " not in text


def end_of_membership(last_day: date, *, today: date, tz: str) -> int | str:
    """The first second after a membership's last day, or why that day is too early: settled days stand."""
    earliest = today - timedelta(days=1)
    if last_day < earliest:
        return f"the last day can be {earliest} at the earliest: what was settled for days before it stands"
    after = last_day + timedelta(days=1)
    return int(datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(tz)).timestamp())


class LifeStore(Protocol):
    """Changes to members and agents by a named person. Each writes its line of the log in the same transaction.

    A method that refuses returns one line that says why and has written nothing. `by` must be on the board. `link_by`
    made the sign-in link of the session in which `by` acts; the line says so.
    """

    async def edit_member(self, member: str, edit: MemberEdit, *, by: str, link_by: str = "") -> str | None:
        """Change name or address. With `edit.is_mailed`, a notice to the former address is queued with the change."""
        ...

    async def change_role(self, member: str, role: str, *, begins: bool, by: str, link_by: str = "") -> str | None:
        """Begin or end a role. `by` may be empty while nobody is on the board; one board member always stays."""
        ...

    async def revoke_agent(self, agent: str, *, by: str, reason: str, link_by: str = "") -> str | None:
        """Refuse whatever the agent's key signs from now on; what is stored stays valid."""
        ...

    async def end_sessions(self, member: str, *, by: str, link_by: str = "") -> int | str:
        """End the member's sessions and open sign-in links; how many there were."""
        ...

    async def set_left(
        self, member: str, left_at: int | None, *, last_day: str, by: str, link_by: str = ""
    ) -> str | None:
        """Set when the membership ends, or with None that it goes on; `last_day` is what the log says."""
        ...

    async def revoke_ended(self, *, before: int) -> tuple[str, ...]:
        """Shut out the agents of homes whose membership ended before this time; which they were."""
        ...

    async def member_changes(self, *, newest: int | None = None, before: int = NO_LINE) -> tuple[LoggedChange, ...]:
        """The whole log, or the `newest` of its lines before the one with number `before`, oldest first."""
        ...

    async def role_changes(self) -> tuple[LoggedChange, ...]:
        """The log's lines about roles, oldest first."""
        ...

    async def role_holders(self) -> dict[str, tuple[str, ...]]:
        """The members who hold each role now, by id."""
        ...


EVENT_DAYS: Final = 30
"""How long a home is shown its new agent and can object to it."""

QUIET_S: Final = 86_400
"""A home's new agent counts once a day has passed without an objection."""

COUNTS, REFUSED = "counts", "refused"
VERDICTS: Final = (COUNTS, REFUSED)


@dataclass(frozen=True, slots=True)
class NewAgentKey:
    """An agent that a home got after an earlier one, with the objection and the decision if there are any."""

    agent: str
    home: str
    enrolled_at: int
    revoked_at: int | None
    objected_by: str | None = None
    objection: str = ""
    objected_at: int | None = None
    verdict: str | None = None
    decided_by: str | None = None
    decision: str = ""
    seat: int = 1

    @property
    def waits(self) -> bool:
        """Whether an objection waits for the board's decision."""
        return self.objected_by is not None and self.verdict is None

    def may_turn(self, now_s: float) -> bool:
        """Whether time alone, or what the agent sends next, may change what of the home is settled."""
        if self.counts(now_s):
            return False
        return self.revoked_at is None or not (self.waits or self.verdict == REFUSED)

    def counts(self, now_s: float) -> bool:
        """Whether the home's people have let it in: nobody objected for a day, or the board decided so."""
        is_quiet = now_s >= self.enrolled_at + QUIET_S
        return not self.waits and self.verdict != REFUSED and (self.verdict is not None or is_quiet)

    def is_new(self, now_s: float) -> bool:
        """Whether the home is still shown it."""
        return self.waits or now_s < self.enrolled_at + EVENT_DAYS * 86_400


@dataclass(frozen=True, slots=True)
class SettledPeople:
    """Members with a home in byte order, from when until when (unix seconds), and the homes whose readings wait.

    A member is (member, home, joined, left); a wait is (home, first second, last second or None while it lasts).
    `may_turn`: time or an agent's next message may change it alone; otherwise `settled_mark` changes with it.
    """

    members: tuple[tuple[str, str, int, int], ...]
    held: tuple[tuple[str, int, int | None], ...]
    may_turn: bool = False


class AgentKeyStore(Protocol):
    """New agent keys. A method that refuses returns one line and has written nothing."""

    async def new_agent_keys(self) -> tuple[NewAgentKey, ...]:
        """Every agent that a home got after an earlier one, the newest first."""
        ...

    async def object_to_agent(self, agent: str, *, member: str, reason: str, link_by: str = "") -> str | None:
        """Hold this agent's readings back from settlement. The member must live in its home."""
        ...

    async def decide_agent(self, agent: str, *, verdict: str, by: str, reason: str, link_by: str = "") -> str | None:
        """The board's word on an objection: the agent counts, or it is refused and shut out."""
        ...

    async def settled_people(self) -> SettledPeople:
        """What settlement_members and held_slots are made from, of all time. Reads no home's values."""
        ...

    async def settled_mark(self) -> tuple[int, ...]:
        """The newest numbers of all that settled_people and told_meters are made from: reads no other row."""
        ...

    async def held_slots(self, *, slots: range) -> npt.NDArray[np.bool_]:
        """Where a home's readings wait for a new agent to count: (slots, members), as in settlement_members."""
        ...

    async def stated_errors(self, *, slots: range) -> npt.NDArray[np.int64]:
        """The error that agents state of derived energy, in Wh and in percent, 0 where none: (slots, members, 2)."""
        ...
