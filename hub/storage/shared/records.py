"""What the processes of one hub share in its store: leases, who is alive, and what waits to be told to homes.

All times are the database's own, so that no two processes read different clocks. Units: unix milliseconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hub.storage.errors import StoreError
from hub.storage.records import AcceptedMessage
from protocols.quantities import Measure
from protocols.slots import Slot

if TYPE_CHECKING:
    from hub.storage.contract import Store


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` alone may do the work `name`, until somebody else takes it with a higher `token`.

    Nobody takes it before `until_ms`, unless the holder has given it back: then `holder` is empty.
    """

    name: str
    holder: str
    token: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class HubProcess:
    """A process of the hub: `id` is one life of it. `wants_shards` says whether it can take messages from homes now.

    `agents_ms` is when it last read which agents there are; None if it does not.
    """

    id: str
    role: str
    machine: str
    started_ms: int
    heard_ms: int
    wants_shards: bool = False
    agents_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """A process with what it last said of its health, as JSON."""

    process: HubProcess
    facts: str


@dataclass(frozen=True, slots=True)
class LeaseTable:
    """All leases by name and all processes that were heard lately, at one moment."""

    now_ms: int
    leases: Mapping[str, Lease]
    processes: tuple[HubProcess, ...]


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A sealed message that waits until the process that has its shard sends it to the home."""

    id: str
    shard: int
    topic: str
    sealed: bytes
    made_ms: int = 0


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What a verdict on an agent's message rests on that other agents of the home may change.

    The newest source of each meter (agent, first slot), the version of each seat's newest consent, and each seat's
    first slot without an agent, None while one works.
    """

    sources: Mapping[Measure, tuple[str, Slot]] = field(default_factory=dict)
    consents: Mapping[int, int] = field(default_factory=dict)
    vacant_from: Mapping[int, Slot | None] = field(default_factory=dict)


Decide = Callable[[LeaseTable], Sequence[Lease]]
"""Which leases to write, from what they are now. It runs inside the commit that writes them."""

Held = Callable[[], Mapping[str, int]]
"""The leases that a process acts under, with the token of each."""


class SharedStore(Protocol):
    """Leases, processes and messages that wait: for a hub of several processes, on however many machines."""

    async def take_turn(self, own: HubProcess, decide: Decide) -> LeaseTable:
        """Note that this process is alive and write what `decide` says, in one commit; the table after it."""
        ...

    async def lease_table(self) -> LeaseTable: ...
    async def leave(self, process: str) -> None:
        """Forget this process, and give back all that it holds."""
        ...

    @property
    def trouble(self) -> StoreError | None:
        """What keeps the store's server from its work, as the last tries found; None if all is well or it has none."""
        ...

    def fenced(self, *, holder: str, held: Held) -> "Store":
        """This store for who acts under leases: each write first checks, in its own commit, that all are `holder`'s.

        A write raises LeaseLostError and writes nothing as soon as another one has any of them.
        """
        ...

    async def note_process_facts(self, process: str, facts: str) -> None: ...
    async def process_reports(self) -> tuple[int, tuple[ProcessReport, ...]]:
        """(now, what each process that is not forgotten last said). Units: ms."""
        ...

    async def put_outgoing(self, messages: Sequence[OutgoingMessage]) -> None: ...
    async def outgoing(self, shards: Sequence[int], *, limit: int) -> tuple[int, tuple[OutgoingMessage, ...]]:
        """(now, the oldest that wait in these shards). Units: ms."""
        ...

    async def forget_outgoing(self, ids: Sequence[str]) -> None: ...
    async def store_messages_if(self, messages: Sequence[AcceptedMessage], *, assumed: Mapping[str, HomeFacts]) -> None:
        """`store_messages`, if every agent still counts and what was assumed of these homes still holds.

        Raises: HomesChangedError if not; nothing is written.
        """
        ...
