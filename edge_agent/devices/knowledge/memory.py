"""What devices have taught, kept in a file of the data folder, so that a restart asks nothing a second time.

It holds for one device as it called itself then, and for a month: new firmware, another device or time unlearns it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from edge_agent.devices.knowledge.learned import LearnedMap, Refusal
from protocols.durable_files import write_durably
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import Span
from protocols.maps.sunspec import SunSpecDiscovery, SunSpecModel

log = logging.getLogger("commonwatt.agent")

FILE_NAME: Final = "device-knowledge.json"
FORMAT: Final = 1
MAX_BYTES: Final = 256 * 1024
KEPT_S: Final = 30 * 86400


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What one device has taught since `since_s` (Unix seconds); `identity` is how it called itself.

    `refused`: function, address, count, exception and how often. `holes` and `no_read`: function, address, count.
    `models`: id, address and length of each SunSpec model; `words`: those at the beginning of its chain.
    """

    family: str
    identity: str
    since_s: int
    refused: tuple[tuple[int, int, int, int, int], ...] = ()
    max_registers: int = 0
    holes: tuple[tuple[int, int, int], ...] = ()
    no_read: tuple[tuple[int, int, int], ...] = ()
    base: int = 0
    models: tuple[tuple[int, int, int], ...] = ()
    words: tuple[tuple[int, int], ...] = ()

    def apply(self, bare: ResolvedMap, now_s: float) -> LearnedMap:
        """The map with what was learned; refused registers are asked for again after the pause they had reached."""
        learned = LearnedMap(bare)
        for function, address, count, code, times in self.refused:
            learned = learned.recall(Refusal(Span(function, address, count), code, times, now_s))
        limits = bare.limits
        if not (self.max_registers or self.holes or self.no_read):
            return learned
        limits = replace(
            limits,
            max_registers=min(limits.max_registers, self.max_registers or limits.max_registers),
            holes=(*limits.holes, *(Span(*each) for each in self.holes)),
            no_read=(*limits.no_read, *(Span(*each) for each in self.no_read)),
        )
        return replace(learned, resolved=replace(bare, limits=limits))

    @property
    def chain(self) -> SunSpecDiscovery | None:
        """The models that were found, if it is a SunSpec device."""
        if not self.models:
            return None
        return SunSpecDiscovery(self.base, tuple(SunSpecModel(*each) for each in self.models), dict(self.words), True)


def knowledge_of(
    learned: LearnedMap, bare: ResolvedMap, chain: SunSpecDiscovery | None, *, family: str, identity: str, since_s: int
) -> Knowledge:
    """What of a device's map is worth keeping."""
    limits, first = learned.resolved.limits, bare.limits
    return Knowledge(
        family=family,
        identity=identity,
        since_s=since_s,
        refused=tuple((*_place(each.span), each.code, each.times) for each in learned.refusals),
        max_registers=limits.max_registers if limits.max_registers < first.max_registers else 0,
        holes=tuple(_place(each) for each in limits.holes if each not in first.holes),
        no_read=tuple(_place(each) for each in limits.no_read if each not in first.no_read),
        base=chain.base if chain else 0,
        models=tuple((each.id, each.address, each.length) for each in chain.models) if chain else (),
        words=tuple(sorted(chain.words.items())) if chain else (),
    )


class DeviceMemory:
    """The file with what all devices of the home have taught. Written only when something new was learned."""

    def __init__(self, folder: Path | None, *, now: Callable[[], float] = time.time) -> None:
        self._path = None if folder is None else folder / FILE_NAME
        self.now = now
        self._known = _read(self._path) if self._path else {}
        self._is_stuck = False

    def recall(self, device: str, family: str) -> Knowledge | None:
        """What this device taught, unless it is another family now or a month has passed."""
        known = self._known.get(device)
        if known is None or known.family != family or self.is_old(known.since_s):
            return None
        return known

    def is_old(self, since_s: int) -> bool:
        """Whether what was learned then has to be learned again."""
        return self.now() - since_s > KEPT_S

    def keep(self, device: str, knowledge: Knowledge) -> None:
        """Keep it over a restart. A file that cannot be written is logged once; the agent goes on."""
        if _without_counts(self._known.get(device)) == _without_counts(knowledge):
            return
        self._known[device] = knowledge
        if self._path is None:
            return
        devices = {name: asdict(each) for name, each in sorted(self._known.items())}
        try:
            write_durably(self._path, json.dumps({"format": FORMAT, "devices": devices}).encode(), replace=True)
            self._is_stuck = False
        except OSError as cause:
            if not self._is_stuck:
                log.error("%s: cannot be written: %s: a restart learns again", self._path, cause.strerror or cause)
            self._is_stuck = True


def _without_counts(knowledge: Knowledge | None) -> Knowledge | None:
    """How often a register was refused changes every hour and is not worth a write."""
    if knowledge is None:
        return None
    return replace(knowledge, refused=tuple(sorted((*each[:4], 0) for each in knowledge.refused)))


def _place(span: Span) -> tuple[int, int, int]:
    return span.function, span.address, span.count


def _read(path: Path) -> dict[str, Knowledge]:
    """What was kept; nothing from a file that is absent, damaged or of another format: it is learned again."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(MAX_BYTES))
        if content["format"] != FORMAT:
            return {}
        return {str(name): _knowledge(each) for name, each in content["devices"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _knowledge(row: Mapping[str, Any]) -> Knowledge:
    numbers = {
        key: tuple(tuple(int(number) for number in each) for each in row[key])
        for key in ("refused", "holes", "no_read", "models", "words")
    }
    lengths = {"refused": 5, "holes": 3, "no_read": 3, "models": 3, "words": 2}
    if any(len(each) != lengths[key] or min(each) < 0 for key, rows in numbers.items() for each in rows):
        raise ValueError("not as it was written")
    whole = {key: int(row[key]) for key in ("since_s", "max_registers", "base")}
    return Knowledge(family=str(row["family"]), identity=str(row["identity"]), **whole, **numbers)  # type: ignore[arg-type]
