"""The household's consent file: left there at enrolment, and written again with its next version when it decides.

At enrolment no file is overwritten; a later version replaces the file whole, and the one before is kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protocols.consent.rules import ConsentSet
from protocols.consent.text import consent_toml
from protocols.durable_files import write_durably
from protocols.errors import RequestError

CONSENT_HINT = """
# Without a rule only this leaves the home: what the grid's meter counts, each quarter hour, which the membership
# contract needs, and whether each device answers (off = ["device.health"] below the version keeps that at home too).
# What panels, wind turbine and battery do stays here until a rule allows it.
#
# To change this: `commonwatt-agent consent allow PURPOSE`, or `withdraw`; or edit here and raise the version by one.
# The running agent takes it up within seconds.
# It goes for what this agent measures. Another agent of the home has a consent of its own: lowering one is enough for
# what that one measures; to allow a purpose for the whole home, allow it at each.
# Purposes: prompt.shift, forecast.hood, forecast.home, peers.view, grid.flex; resolutions: PT15M, PT1H, P1D.
# [[rule]]
# purpose = "prompt.shift"
# resolution = "PT15M"
# valid_from = "2026-06-01T00:00Z"
"""


class ConsentDraft:
    """A place for the consent file that is known to be writable; without a place, writing does nothing."""

    def __init__(self, path: Path | None, part: Path | None) -> None:
        self._path = path
        self._part = part
        self.is_written = False

    def write(self, consent: ConsentSet) -> None:
        """Write the file. Raises: RequestError."""
        if self._path is None or self._part is None:
            return
        try:
            self._part.write_text(consent_toml(consent) + CONSENT_HINT, encoding="utf-8")
            self._part.rename(self._path)
        except OSError as cause:
            raise RequestError(
                f"enrolled, but cannot write {self._path}: {cause.strerror}: create it yourself"
            ) from None
        self.is_written = True


@contextmanager
def consent_draft(path: Path | None) -> Iterator[ConsentDraft]:
    """A draft beside the file, removed unless it was written. Raises: RequestError if nothing can be written there."""
    if path is None or path.exists():
        yield ConsentDraft(None, None)
        return
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(CONSENT_HINT, encoding="utf-8")
    except OSError as cause:
        raise RequestError(
            f"cannot write {path}: {cause.strerror}: nothing was sent, the token is still good; make the folder"
            " writable, or name another file under consent"
        ) from None
    try:
        yield ConsentDraft(path, part)
    finally:
        part.unlink(missing_ok=True)


def write_next_version(path: Path, consent: ConsentSet) -> Path | None:
    """Replace the household's file by this version; returns where the one before is kept, if there was one.

    Raises: RequestError; then the file is as it was.
    """
    kept = path.with_name(path.name + ".before")
    try:
        had = path.read_bytes() if path.exists() else None
        if had is not None:
            write_durably(kept, had, replace=True)
        write_durably(path, (consent_toml(consent) + CONSENT_HINT).encode(), replace=True)
    except OSError as cause:
        raise RequestError(f"cannot write {path}: {cause.strerror or cause}: nothing has changed") from None
    return kept if had is not None else None
