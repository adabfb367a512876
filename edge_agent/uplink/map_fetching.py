"""Asks the hub for the co-op's newest bundle of device maps, and takes in what comes, part by part.

The parts come through `KnownHubKeys`, so the hub has signed each for this agent. What is checked here: size, form,
co-op, a serial that only rises, and each map by the agent's own rules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Final

from edge_agent.maps.coop.kept import keep_bundle, new_map_lines, read_bundle, released_digests
from edge_agent.uplink.sealing import AgentSigner
from protocols.maps.proof.judging import judge_text
from protocols.wire.map_bundles.content import MapBundle, ReleasedMap, decode_bundle
from protocols.wire.map_bundles.parts import BundleAssembly, decode_part
from protocols.wire.map_bundles.question import MapQuestion, encode_map_question
from protocols.wire.refusal_reasons import RefusalReason, WireError

log = logging.getLogger("commonwatt.agent")

ASK_EVERY_S: Final = 6 * 3600.0
ASK_SOON_S: Final = 900.0
"""While parts are missing."""


class CoopMaps:
    """What the co-op has released, as this run of the agent knows it. `used`: the text's digest of each map in use.

    `note_asked` hears of each question that left.
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
    ) -> None:
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
        self._bundle = read_bundle(folder)
        self._released = released_digests(self._bundle)
        self.changed: Callable[[], None] = lambda: None

    @property
    def serial(self) -> int:
        """The serial of the bundle that is held, 0 for none."""
        return 0 if self._bundle is None else self._bundle.serial

    def is_released(self, family: str) -> bool:
        """Whether the map in use for this family is, byte for byte, one that the board has released."""
        return self._used.get(family) in self._released

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

    async def note(self, payload: bytes) -> None:
        """Take in a part; with the last one the bundle counts, once it is kept. Raises: WireError."""
        part = decode_part(payload)
        if part.serial <= self.serial:
            self._refuse_old(part.serial)
            return
        data = self._assembly.add(part)
        if data is None:
            return
        bundle = decode_bundle(data)
        if bundle.coop != self._coop:
            raise WireError(RefusalReason.WRONG_COOP, "a bundle of maps of another co-op")
        if bundle.serial != part.serial:
            raise WireError(RefusalReason.GARBAGE, "the bundle has another serial than its parts")
        usable = await asyncio.to_thread(_usable_maps, bundle)
        try:
            await asyncio.to_thread(keep_bundle, self._folder, usable)
        except OSError as error:
            log.error("the co-op's maps cannot be kept: %s; they are asked for again", error.strerror or error)
            return
        before = [family for family in sorted(self._used) if self.is_released(family)]
        self._bundle, self._released = usable, released_digests(usable)
        log.info("bundle %d of the co-op's maps is here: %d maps", usable.serial, len(usable.maps))
        for line in new_map_lines(usable, self._used):
            log.warning("%s", line)
        for family in before:
            if not self.is_released(family):
                log.warning("the co-op's board has taken back the map %s: it stays in use, no longer released", family)
        self.changed()

    def _refuse_old(self, serial: int) -> None:
        if serial < self.serial and serial not in self._said:
            self._said = {serial}
            log.warning("the hub offers bundle %d of the co-op's maps, and %d is here: not taken", serial, self.serial)


def _usable_maps(bundle: MapBundle) -> MapBundle:
    """The bundle without maps this agent cannot use: a newer hub may know keys that it does not."""
    return replace(bundle, maps=tuple(each for each in bundle.maps if _is_usable(each)))


def _is_usable(released: ReleasedMap) -> bool:
    _, faults = judge_text(released.text, name=f"{released.id}.toml")
    if faults:
        log.error("the co-op's map %s is left out: %s", released.id, faults[0])
    return not faults
