"""Device maps in the store: the files added, what the board proposed and released of them; no I/O here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MOST_AHEAD: Final = 10_000
"""How many bundles a hub that was restored from a backup can have forgotten. Serials only rise, and there is a last."""


@dataclass(frozen=True, slots=True)
class MapFile:
    """A checked map as it was added; `digest` is SHA-256 of the text, hexadecimal. The quality is the map's own."""

    digest: str
    map: str
    quality: str
    text: str
    added_by: str
    added_at: int


@dataclass(frozen=True, slots=True)
class MapProposal:
    """The whole set of maps that one member of the board wants released, by their digests in order of their ids.

    `follows` is the serial of the release that the proposer saw, 0 for none. `withdrawn_by` is empty until somebody
    took it back.
    """

    id: int
    follows: int
    digests: tuple[str, ...]
    proposed_by: str
    proposed_at: int
    withdrawn_by: str = ""


@dataclass(frozen=True, slots=True)
class MapRelease:
    """A proposal that a second member of the board confirmed, as the bundle homes get.

    `bronze` is how many of its maps are bronze: with none, nobody's unproven meter is released by it.
    """

    serial: int
    proposal: int
    bronze: int
    bundle: bytes
    released_by: str
    released_at: int


class MapStore(Protocol):
    """Device maps and their release; append-only."""

    async def add_map_file(self, new: MapFile) -> None:
        """Keep a checked map; one that is there changes nothing. Raises: StoreError for anyone off the board."""
        ...

    async def map_files(self) -> tuple[MapFile, ...]:
        """Every map that was ever added, oldest first."""
        ...

    async def propose_maps(self, digests: Sequence[str], *, by: str, at: int) -> int:
        """Store a proposal and return its number. Raises: StoreError for anyone off the board or a map not added."""
        ...

    async def map_proposals(self) -> tuple[MapProposal, ...]:
        """Every proposal, oldest first."""
        ...

    async def withdraw_maps(self, proposal: int, *, by: str, at: int) -> None:
        """Take a proposal back; it can never be released afterwards.

        Raises: StoreError unless its proposer does, or a member of the board if the proposer left the board.
        """
        ...

    async def release_maps(self, release: MapRelease) -> None:
        """Put a release into force.

        Raises: StoreError unless it is a second member of the board's and nothing was released since the proposal.
        """
        ...

    async def newest_map_release(self) -> MapRelease | None:
        """The release in force; None before the first."""
        ...

    async def map_releases(self) -> tuple[MapRelease, ...]:
        """Every release, oldest first: the last one is in force."""
        ...
