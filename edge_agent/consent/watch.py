"""The household's consent file beside a running agent: a higher version is put into force without a restart."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from edge_agent.household import read_consent
from edge_agent.outbox.messages import OutboxError
from protocols.consent.rules import ConsentSet
from protocols.errors import SettingsError

log = logging.getLogger("commonwatt.agent")

Signature = tuple[int, int, int]


class ConsentWatch:
    """Looks at the file when asked; whatever is wrong with it is logged once and changes nothing.

    `put_into_force` stores a consent in the chain and returns the one that then holds.
    """

    def __init__(self, path: Path, home: str, put_into_force: Callable[[ConsentSet], Awaitable[ConsentSet]]) -> None:
        self._path = path
        self._home = home
        self._put_into_force = put_into_force
        self._seen: Signature | None = None
        """Not what is there now: the household may have changed it since the program read it."""

    async def look(self, held: ConsentSet) -> ConsentSet:
        """The consent in force from now on: the file's if it has changed and can be used, otherwise `held`."""
        signature = self._signature()
        if signature is None or signature == self._seen:
            return held
        try:
            text = self._path.read_text(encoding="utf-8")
            wanted = read_consent(text, name=self._path.name, home=self._home)
            consent = held if wanted == held else await self._put_into_force(wanted)
        except (OSError, UnicodeDecodeError, SettingsError) as cause:
            log.error("%s: not taken up, version %d stays in force: %s", self._path.name, held.version, cause)
            self._seen = signature
            return held
        except OutboxError as cause:
            # Tried again at the next look: until it is stored, nothing may be sealed under it.
            log.error("%s: not taken up yet: %s", self._path.name, cause)
            return held
        self._seen = signature
        if consent != held:
            log.info("%s: version %d is in force", self._path.name, consent.version)
        return consent

    def _signature(self) -> Signature | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)
