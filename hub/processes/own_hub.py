"""The hub as one of its parts has it open, and what every part can do; it opens and starts nothing itself."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hub.folder.settings import HubSettings
from hub.storage.contract import Store
from protocols.hub_keys import HubSigner
from protocols.timeline import Clock


@dataclass(frozen=True, slots=True)
class OwnHub:
    """Folder, settings, signer, store and clock of the hub, as a part uses them."""

    folder: Path
    settings: HubSettings
    signer: HubSigner
    store: Store
    clock: Clock


class Part(Protocol):
    """A part of the hub, made in its own process."""

    async def run(self) -> None:
        """Serve until cancelled. Raises: CommonwattError if it cannot start."""

    async def answer(self, what: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the running hub asks or says."""

    async def health(self) -> Mapping[str, Any]:
        """What it says of its health, by subject."""


def cpu_s() -> float:
    """The processor time of this process and of its children that have ended. Units: s."""
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
