"""Asks the hub for the co-op's newest bundle of device maps, and takes in what comes, part by part.

The parts come through `KnownHubKeys`, so the hub has signed each for this agent. What is checked here: size, form,
co-op, a serial that only rises. It is kept as it came, with the hub's signatures.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Final

from edge_agent.maps.coop.kept import keep_bundle, new_map_lines, read_kept
from edge_agent.maps.coop.sealed import SealedBundle
from edge_agent.uplink.sealing import AgentSigner
from protocols.wire.map_bundles.content import decode_bundle
from protocols.wire.map_bundles.parts import BundleAssembly, decode_part
from protocols.wire.map_bundles.question import MapQuestion, encode_map_question
from protocols.wire.refusal_reasons import RefusalReason, WireError

log = logging.getLogger("commonwatt.agent")

ASK_EVERY_S: Final = 6 * 3600.0
ASK_SOON_S: Final = 900.0
"""While parts are missing."""


class CoopMaps:
    """What the co-op has released, as this run of the agent knows it. `used`: the text's digest of each map in use.

    `note_asked` hears of each question that left; `certificates` gives what vouches for the hub's keys now.
    """

    def __init__(
        self,
        folder: Path,
        *,
        coop: str,
        signer: AgentSigner,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        used: Mapping[str, bytes],
        note_asked: Callable[[str, bytes], None] = lambda _kind, _sealed: None,
        certificates: Callable[[], tuple[str, ...]] = lambda: (),
    ) -> None:
        self._certificates = certificates
        self._parts: dict[int, bytes] = {}
        self._parts_of = (0, b"")
        self._note_asked = note_asked
        self._sealed = b""
        self._folder = folder
        self._coop = coop
        self._signer = signer
        self._now = now
        self._monotonic = monotonic
        self._used = used
        self._assembly = BundleAssembly()
        self._asked_at = -inf
        self._said: set[int] = set()
        self._kept = read_kept(folder)
        self.changed: Callable[[], None] = lambda: None

    @property
    def serial(self) -> int:
        """The serial of the bundle that is held, 0 for none; no lower one is taken."""
        return self._kept.floor

    def is_released(self, family: str) -> bool:
        """Whether the map in use for this family is, byte for byte, one that the board has released."""
        return self._used.get(family) in self._kept.released

    def due(self) -> tuple[str, bytes] | None:
        """The topic and sealed question to send now, if it is time."""
        pause_s = ASK_SOON_S if self._assembly.is_open else ASK_EVERY_S
        if self._monotonic() - self._asked_at < pause_s:
            return None
        at = min(max(0, int(self._now())), 2**40)
        sealed = self._signer.seal("maps", encode_map_question(MapQuestion(self._signer.agent, at, self.serial)))
        self._sealed = sealed.sealed
        return sealed.topic, sealed.sealed

    def told(self) -> None:
        """The question was handed to the broker."""
        self._asked_at = self._monotonic()
        self._note_asked("maps", self._sealed)

    def ask_again(self) -> None:
        """There is a new connection: ask at once."""
        self._asked_at = -inf

    async def note(self, payload: bytes, sealed: bytes) -> None:
        """Take in a part, as it was opened and as it came; with the last one the bundle counts, once it is kept.

        Raises: WireError.
        """
        part = decode_part(payload)
        if part.serial <= self.serial:
            self._refuse_old(part.serial)
            return
        data = self._assembly.add(part)
        bundle_of = part.serial, part.digest
        if bundle_of != self._parts_of and part.serial >= self._parts_of[0]:
            # One bundle at a time, the newest of which a part came, like the assembly.
            self._parts, self._parts_of = {}, bundle_of
        if bundle_of == self._parts_of:
            self._parts[part.number] = sealed
        if data is None:
            return
        parts = tuple(self._parts[number] for number in range(part.parts))
        self._parts, self._parts_of = {}, (0, b"")
        bundle = decode_bundle(data)
        if bundle.coop != self._coop:
            raise WireError(RefusalReason.WRONG_COOP, "a bundle of maps of another co-op")
        if bundle.serial != part.serial:
            raise WireError(RefusalReason.GARBAGE, "the bundle has another serial than its parts")
        kept = SealedBundle(self._signer.agent, self._certificates(), parts)
        try:
            await asyncio.to_thread(keep_bundle, self._folder, kept)
        except OSError as error:
            log.error("the co-op's maps cannot be kept: %s; they are asked for again", error.strerror or error)
            return
        before = [family for family in sorted(self._used) if self.is_released(family)]
        self._kept = await asyncio.to_thread(read_kept, self._folder)
        log.info("bundle %d of the co-op's maps is here: %d maps", bundle.serial, len(bundle.maps))
        for line in (*self._kept.unusable, *new_map_lines(self._kept.bundle, self._used)):
            log.warning("%s", line)
        for family in before:
            if not self.is_released(family):
                log.warning("the co-op's board has taken back the map %s: it stays in use, no longer released", family)
        self.changed()

    def _refuse_old(self, serial: int) -> None:
        if serial < self.serial and serial not in self._said:
            self._said = {serial}
            log.warning("the hub offers bundle %d of the co-op's maps, and %d is here: not taken", serial, self.serial)
