"""What the pages are made from, handed in by the program that starts them. It opens and starts nothing itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hub.storage.contract import Store
from hub.storage.records import Coop
from protocols.timeline import Clock

Enrol = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""The body of POST /api/enrol in; the HTTP status and the JSON body of the answer out."""

Status = Callable[[], Awaitable[Mapping[str, object]]]
"""The fields of GET /api/status.json, ready for JSON. No member's values."""


@dataclass(frozen=True, slots=True)
class HubParts:
    """Everything the pages lean on. `secure_cookies` is True wherever the hub is reached over HTTPS."""

    store: Store
    clock: Clock
    coop: Coop
    enrol: Enrol
    status: Status
    secure_cookies: bool = False
    session_days: int = 30
