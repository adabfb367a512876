"""Which devices do not answer, and since when: written by the running agent when it changes, read by `status`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from protocols.durable_files import write_durably
from protocols.wire.readings import DeviceState, Liveness

log = logging.getLogger("commonwatt.agent")

FILE_NAME: Final = "device-states.json"
MAX_BYTES: Final = 64 * 1024
CALM: Final = frozenset({Liveness.OK, Liveness.ASLEEP})
SLACK_S: Final = 2


@dataclass(frozen=True, slots=True)
class Trouble:
    """A device that gives no readings as it should. `since`: its last valid answer, or the refusal; Unix seconds."""

    device: str
    state: Liveness
    since: int


class TroubleLog:
    """Keeps the troubles in a file of the data folder. Nothing is written while nothing changes.

    `started_s`: when this run began; a device without any answer since then keeps what an earlier run knew of it.
    """

    def __init__(self, folder: Path, *, started_s: float) -> None:
        self._path = folder / FILE_NAME
        self._started_s = started_s
        self._known = {each.device: each for each in read_troubles(folder)}
        self._is_stuck = False

    def note(self, states: Iterable[DeviceState], *, now_s: float) -> None:
        """Take in the states of all devices. A file that cannot be written is logged once; the agent goes on."""
        found = {each.name: self._trouble(each, now_s) for each in states if each.state not in CALM}
        if found == self._known and not self._is_stuck:
            return
        content = json.dumps([asdict(found[name]) for name in sorted(found)], indent=2).encode()
        try:
            write_durably(self._path, content, replace=True)
        except OSError as cause:
            if not self._is_stuck:
                log.error("%s: cannot be written: %s: `status` does not see it", self._path, cause.strerror or cause)
            self._is_stuck = True
            return
        self._known, self._is_stuck = found, False

    def _trouble(self, state: DeviceState, now_s: float) -> Trouble:
        known = self._known.get(state.name)
        answered_at = int(now_s) - state.age_s
        if known is not None and known.state is state.state:
            # One that refuses some registers answers others, so its age says nothing about how long.
            if state.state is Liveness.REFUSING or answered_at <= max(self._started_s, known.since) + SLACK_S:
                return known
        elif known is not None and answered_at <= self._started_s + SLACK_S:
            return Trouble(state.name, state.state, known.since)
        return Trouble(state.name, state.state, answered_at)


def read_troubles(folder: Path) -> tuple[Trouble, ...]:
    """The troubles as last written; none from a file that is absent or damaged: the agent writes it again."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            rows = json.loads(file.read(MAX_BYTES))
        return tuple(Trouble(str(row["device"]), Liveness(row["state"]), int(row["since"])) for row in rows)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ()
