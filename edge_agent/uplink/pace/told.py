"""The pace the hub has asked for in a signed notice, for as long as it holds; without one the agent goes by itself.

It only ever delays connecting and sending, within the limits of the notice. Measuring and storing know nothing of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Final

from protocols.durable_files import sync_folder, write_durably
from protocols.wire.pace.notices import PaceNotice, decode_pace, encode_pace
from protocols.wire.refusal_reasons import WireError

log = logging.getLogger("commonwatt.agent")

FILE: Final = "pace.json"
MAX_FILE_BYTES: Final = 1024
AHEAD_S: Final = 86_400
"""A notice from further ahead than this is not taken: it would make every later one look old."""

FRESH_BOOT_S: Final = 600.0
"""A computer that was switched on this recently may be one of many that had no power."""

_KEYS = {"agent", "at", "reconnect_s", "spread_s", "hold_s"}


class HubPace:
    """What the hub asks now. `monotonic` is a clock since the computer was switched on, `now` real time."""

    def __init__(
        self,
        agent: str,
        *,
        folder: Path | None = None,
        now: Callable[[], float] = lambda: 0.0,
        monotonic: Callable[[], float] = lambda: inf,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Without a folder nothing is kept over a restart."""
        self.uniform = uniform
        self._agent = agent
        self._folder = folder
        self._now = now
        self._monotonic = monotonic
        self._notice: PaceNotice | None = None
        self._kept: PaceNotice | None = None
        self._until_s = -inf
        self._send_at_s = -inf
        if folder is not None and (kept := read_kept(folder, agent)) is not None and self._take(kept):
            self._kept = kept

    @property
    def reconnect_s(self) -> int:
        """Within what time the hub wants its homes to come back; 0 if it has asked for nothing."""
        return self._in_force.reconnect_s if self._in_force is not None else 0

    @property
    def spread_s(self) -> int:
        """Over what time the hub wants its homes to spread what they send after a slot."""
        return self._in_force.spread_s if self._in_force is not None else 0

    async def note(self, payload: bytes, _sealed: bytes = b"") -> None:
        """Take in a notice whose signature was checked. Raises: WireError if it is none."""
        notice = decode_pace(payload)
        before = (self.reconnect_s, self.spread_s)
        if notice.agent != self._agent or not self._take(notice):
            return
        if (self.reconnect_s, self.spread_s) != before:
            log.info(
                "the hub asks its homes to come back within %d s after an outage, and to send within %d s of a slot's"
                " end",
                *(self.reconnect_s, self.spread_s),
            )
        await self._keep(notice)

    def first_wait_s(self) -> float:
        """How long to wait before the first connection: only after a start of the computer is there any need."""
        return self.uniform(0.0, self.reconnect_s) if self._monotonic() < FRESH_BOOT_S else 0.0

    def hold(self) -> None:
        """A slot was stored: what waits is sent at a random moment of the time the hub asks for."""
        if self.held_s() == 0:
            self._send_at_s = self._monotonic() + self.uniform(0.0, self.spread_s) if self.spread_s else -inf

    def release(self) -> None:
        """Somebody waits for an answer: hold nothing back now."""
        self._send_at_s = -inf

    def held_s(self) -> float:
        """How long what waits is still held back; 0 if it may go."""
        return max(0.0, self._send_at_s - self._monotonic())

    @property
    def _in_force(self) -> PaceNotice | None:
        return self._notice if self._monotonic() < self._until_s else None

    def _take(self, notice: PaceNotice) -> bool:
        """Go by this notice if it is the newest and still holds; whether it is."""
        now_s = self._now()
        left_s = min(notice.hold_s, notice.at + notice.hold_s - now_s)
        is_newest = self._notice is None or notice.at >= self._notice.at
        if not is_newest or notice.at > now_s + AHEAD_S or left_s <= 0:
            return False
        self._notice, self._until_s = notice, self._monotonic() + left_s
        return True

    async def _keep(self, notice: PaceNotice) -> None:
        """Write it down for the next start if that says something new: most repeat the one before."""
        folder, kept = self._folder, self._kept
        if folder is None or (kept is None and not (notice.reconnect_s or notice.spread_s)):
            return
        says = (notice.reconnect_s, notice.spread_s)
        if kept is not None and says == (kept.reconnect_s, kept.spread_s) and notice.at - kept.at < kept.hold_s / 2:
            return
        try:
            await asyncio.to_thread(write_kept, folder, notice)
        except OSError as error:
            log.error("%s: cannot be written: %s; used until the next start", folder / FILE, error.strerror)
            return
        self._kept = notice if any(says) else None


def write_kept(folder: Path, notice: PaceNotice) -> None:
    """Keep a notice over a restart; one that asks for nothing leaves no file. Raises: OSError."""
    path = folder / FILE
    if not (notice.reconnect_s or notice.spread_s):
        path.unlink(missing_ok=True)
        sync_folder(folder)
        return
    content = {name: getattr(notice, name) for name in _KEYS}
    # If power fails before this line, the next start goes by the notice before, which the hub replaces within the hour.
    write_durably(path, json.dumps(content, sort_keys=True).encode("ascii"), replace=True)


def read_kept(folder: Path, agent: str) -> PaceNotice | None:
    """The notice that was kept; None if there is none of this agent, or none that can be read."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        found = json.loads(raw) if len(raw) <= MAX_FILE_BYTES else None
        if not isinstance(found, dict) or set(found) != _KEYS:
            raise ValueError("expected the five fields of a notice")
        notice = PaceNotice(**found)
        encode_pace(notice)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, WireError, RecursionError):
        log.error("%s: cannot be used; the hub says its pace again", path)
        return None
    return notice if notice.agent == agent else None
