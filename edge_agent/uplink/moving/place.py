"""Where the agent's broker is: as enrolled, or where the hub's signed notice sends it once the hub answers there.

A new address is tried. Until the hub has answered through it, the one before stays the agent's own, also on disk.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Final

from protocols.durable_files import write_durably
from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.broker_notices import BrokerNotice, decode_broker, encode_broker
from protocols.wire.refusal_reasons import WireError

log = logging.getLogger("commonwatt.agent")

Address = tuple[str, int]

FILE: Final = "broker-place.json"
MAX_FILE_BYTES: Final = 4096
TRIAL_S: Final = 120.0
"""How long the hub has to answer through a new address, once connecting there has begun, before the agent returns."""

TRIAL_WAIT_S: Final = 20.0
"""What the agent waits at most between two attempts during a trial, so that one that fails does not use it up."""

AGAIN_FIRST_S: Final = 600.0
AGAIN_MAX_S: Final = 6 * 3600.0
AHEAD_S: Final = 86_400
"""A notice from further ahead than this is not taken: it would make every later one look old."""


class BrokerPlace:
    """The address to use now. Times are of a clock that never jumps, but for `now`, which is real time."""

    def __init__(
        self,
        enrolled: Address,
        *,
        agent: str = "",
        folder: Path | None = None,
        now: Callable[[], float] = lambda: 0.0,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Without a folder it stays as enrolled. `is_up` is whether the broker in use knows the subscription."""
        self._agent = agent
        self._path = None if folder is None else folder / FILE
        self._now = now
        self._monotonic = monotonic
        kept = None if folder is None else kept_notice(folder, agent)
        self._own = enrolled if kept is None else (kept.host, kept.port)
        self._taken_at = -1 if kept is None else kept.at
        self._tried: BrokerNotice | None = None
        self._until_s = inf
        self._failed: dict[Address, tuple[float, float]] = {}
        self.moved: Callable[[], None] = lambda: None
        self.is_up: Callable[[], bool] = lambda: False

    @property
    def address(self) -> Address:
        """Where to connect now: the agent's own broker, or the one it is trying."""
        return self._own if self._tried is None else (self._tried.host, self._tried.port)

    @property
    def longest_wait_s(self) -> float:
        """What the agent may wait at most before it connects to the address in use once more."""
        return inf if self._tried is None else TRIAL_WAIT_S

    async def note(self, payload: bytes, _sealed: bytes = b"") -> None:
        """Take in a notice whose signature was checked. Raises: WireError if it is none."""
        notice = decode_broker(payload)
        is_newer = self._taken_at < notice.at <= self._now() + AHEAD_S
        if notice.agent != self._agent or not is_newer or self._path is None:
            return
        self._taken_at = notice.at
        place = (notice.host, notice.port)
        if place == self._own:
            self._tried = None
        elif place != self.address and self._monotonic() >= self._failed.get(place, (-inf, 0.0))[0]:
            self._tried, self._until_s = notice, inf
            log.info("the hub sends this agent to the broker at %s:%d: trying it", *place)
        self.moved()

    def note_begun(self) -> None:
        """Connecting to the address in use begins now: the time of a trial runs from the first time on."""
        if self._tried is not None and self._until_s == inf:
            self._until_s = self._monotonic() + TRIAL_S

    def look(self) -> None:
        """Give up on an address through which the hub has not answered in time."""
        if self._tried is None or self._monotonic() < self._until_s:
            return
        place = self.address
        pause_s = min(AGAIN_MAX_S, 2 * self._failed.get(place, (0.0, AGAIN_FIRST_S / 2))[1])
        self._failed[place] = (self._monotonic() + pause_s, pause_s)
        self._tried = None
        log.warning(
            "the hub did not answer through the broker at %s:%d within %.0f s: back to %s:%d; nothing is lost. It is"
            " tried again when the hub says so, at the earliest in %.0f min",
            *(*place, TRIAL_S, *self._own, pause_s / 60),
        )

    def note_answered(self) -> None:
        """The hub has answered, signed: through the address in use if that is up."""
        if self._tried is None or not self.is_up() or self._path is None:
            return
        kept, self._tried = self._tried, None
        self._own = (kept.host, kept.port)
        self._failed.clear()
        content = {"agent": kept.agent, "at": kept.at, "host": kept.host, "port": kept.port}
        try:
            # If power fails before this line, the agent begins at the broker before, where the hub tells it again.
            write_durably(self._path, json.dumps(content).encode("ascii"), replace=True)
        except OSError as error:
            log.error("%s: cannot be written: %s; used until the next start", self._path, error.strerror)
        log.warning("this agent's broker is at %s:%d from now on: the hub has answered through it", *self._own)


def address_of(folder: Path, enrolment: EnrolAnswer) -> Address:
    """Where the agent of this data folder has its broker: as it was enrolled, or where it was moved to."""
    kept = kept_notice(folder, enrolment.agent)
    return (enrolment.broker_host, enrolment.broker_port) if kept is None else (kept.host, kept.port)


def kept_notice(folder: Path, agent: str) -> BrokerNotice | None:
    """The last notice that this agent has followed; None if there is none, or none that can be read."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        found = json.loads(raw) if len(raw) <= MAX_FILE_BYTES else None
        if not isinstance(found, dict) or set(found) != {"agent", "at", "host", "port"}:
            raise ValueError("expected agent, at, host and port")
        notice = BrokerNotice(**found)
        encode_broker(notice)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, WireError, RecursionError):
        log.error("%s: cannot be used; the hub says again where the broker is", path)
        return None
    # A file of an agent that was enrolled here before says nothing of this one.
    return notice if notice.agent == agent else None
