"""Whose signature counts as the hub's: the hub key that the co-op's identity key vouches for, the newest one known.

The identity's public key is pinned at enrolment. Certificates of later hub keys come under `down/keys` and are kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.durable_files import write_durably
from protocols.hub_keys import MAX_CERTIFICATE_CHARS, HubKeyCertificate, open_certificate
from protocols.wire.envelope import open_sealed
from protocols.wire.refusal_reasons import RefusalReason, WireError

log = logging.getLogger("commonwatt.agent")

Take = Callable[[bytes, bytes], Awaitable[None]]
"""Takes in what the hub has sealed: the payload, and the bytes as they came."""

FILE: Final = "hub-keys.json"
MAX_FILE_BYTES: Final = 4 * MAX_CERTIFICATE_CHARS


class KnownHubKeys:
    """The hub key in use and, for a while, the one before it. `now` is real time in Unix seconds.

    `first` is the certificate from the enrolment, empty if the hub then signed with its identity key itself.
    """

    def __init__(self, folder: Path, *, coop: str, identity: bytes, first: str, now: Callable[[], float]) -> None:
        self._path = folder / FILE
        self._coop = coop
        self._identity = identity
        self.real_now = now
        self._held: list[tuple[str, HubKeyCertificate]] = []
        self._is_end_said = False
        self.note_opened: Callable[[], None] = lambda: None
        if first:
            self._take(first)
        try:
            for text in _kept(self._path):
                self._take(text)
        except ValueError as error:
            log.error("%s: cannot be used: %s; the hub sends its newest key again", self._path, error)

    def open(self, sealed: bytes, topic: str) -> bytes:
        """The payload that the hub sealed under this topic. Raises: WireError, BAD_SIGNATURE if it did not."""
        if (trouble := self.trouble()) is not None:
            if not self._is_end_said:
                log.error("%s", trouble)
            self._is_end_said = True
            raise WireError(RefusalReason.BAD_SIGNATURE, "the hub key has ended")
        payload = self._opened(sealed, topic)
        self.note_opened()
        return payload

    def _opened(self, sealed: bytes, topic: str) -> bytes:
        newest = self._newest
        try:
            return open_sealed(sealed, topic, _key(self._identity if newest is None else newest.public_key))
        except WireError as error:
            before = self._key_before()
            if error.reason is not RefusalReason.BAD_SIGNATURE or before is None:
                raise
        return open_sealed(sealed, topic, _key(before))

    def note(self, payload: bytes) -> None:
        """Take in a certificate that came down; an older one changes nothing.

        It is on disk before it counts, if the disk takes it. Raises: WireError if the identity key has not signed it.
        """
        try:
            is_newer = self._take(payload.decode("ascii"))
        except ValueError as error:
            raise WireError(RefusalReason.BAD_SIGNATURE, str(error)) from None
        if not is_newer:
            return
        self._is_end_said = False
        content = json.dumps({"certificates": [text for text, _ in self._held]}).encode("ascii")
        try:
            # If power fails before this line, the hub sends the certificate again.
            write_durably(self._path, content, replace=True)
        except OSError as error:
            log.error("%s: cannot be written: %s; the hub's new key is asked for again", self._path, error.strerror)
        log.info("the hub signs with its key number %d from now on", self._held[-1][1].number)

    @property
    def certificates(self) -> tuple[str, ...]:
        """What vouches for the hub keys that count now, the oldest first."""
        return tuple(text for text, _ in self._held)

    def trouble(self) -> str | None:
        """Why nothing that the hub sends counts, and what to do; None if it does."""
        newest = self._newest
        if newest is None or self.real_now() < newest.valid_until:
            return None
        ended = datetime.fromtimestamp(newest.valid_until, UTC).strftime("%Y-%m-%d")
        clock = datetime.fromtimestamp(self.real_now(), UTC).strftime("%Y-%m-%d")
        return (
            f"the hub's key has ended on {ended}, or this computer's clock is wrong ({clock}): no receipt counts until"
            " the co-op's board has renewed it; measuring goes on and nothing is lost"
        )

    def _take(self, text: str) -> bool:
        """Whether the certificate in this text is newer than what is known. Raises: ValueError."""
        found = open_certificate(text, coop=self._coop, identity=self._identity)
        newest = self._newest
        if newest is not None and (found.number, found.valid_from) <= (newest.number, newest.valid_from):
            return False
        # Of two with one number the later counts: a hub restored from a backup has made its next key once more.
        before = [each for each in self._held if each[1].number == found.number - 1]
        self._held = [*before[-1:], (text, found)]
        return True

    @property
    def _newest(self) -> HubKeyCertificate | None:
        return self._held[-1][1] if self._held else None

    def _key_before(self) -> bytes | None:
        """The key before the one in use, while messages under it still count."""
        newest, now_s = self._newest, self.real_now()
        # After a theft at no time: this computer's clock may be behind, even by years.
        if newest is None or newest.previous_until == newest.valid_from or now_s >= newest.previous_until:
            return None
        if newest.number == 1:
            return self._identity
        before = [each for _, each in self._held if each.number < newest.number and now_s < each.valid_until]
        return before[0].public_key if before else None


def _kept(path: Path) -> list[str]:
    """The certificates of the file, the oldest first; they are checked by whoever takes them."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ValueError("too large")
        found = json.loads(raw)["certificates"]
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise ValueError("expected texts")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        log.error("%s: cannot be used; the hub sends its newest key again", path)
        return []
    return found


def _key(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)
