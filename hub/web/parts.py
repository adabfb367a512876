"""What the pages are made from, handed in by the program that starts them. It opens and starts nothing itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from hub.core.statement import StatementFiles
from hub.storage.contract import Store
from hub.storage.records import Access, Coop, Home, Member
from protocols.timeline import Clock

Enrol = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""The body of POST /api/enrol in; the HTTP status and the JSON body of the answer out."""

Status = Callable[[], Awaitable[Mapping[str, object]]]
"""The fields of GET /api/status.json, ready for JSON. No member's values."""


class Statements(Protocol):
    """Makes a member's statement of a month, given by its first day; None where nothing of it is settled."""

    async def state(self, member: Member, home: Home, *, month: date, access: Access) -> StatementFiles | None: ...


@dataclass(frozen=True, slots=True)
class HubParts:
    """Everything the pages lean on. `secure_cookies` is True wherever the hub is reached over HTTPS."""

    store: Store
    clock: Clock
    coop: Coop
    enrol: Enrol
    status: Status
    statements: Statements
    secure_cookies: bool = False
    session_days: int = 30
