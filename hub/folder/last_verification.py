"""What the hub remembers of the last verification of all parts: when it was, and whether everything held."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.folder.paths import VERIFICATION_NAME
from protocols.durable_files import write_durably

OLD_AFTER_S: Final = 72 * 3600
MAX_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class LastVerification:
    """`wrong` contradictions were found at `checked_at` (unix s); None: there was no verification yet."""

    checked_at: int | None = None
    wrong: int = 0


def read_last_verification(folder: Path) -> LastVerification:
    """What this hub remembers; nothing if it was never verified, or if what was written down cannot be read."""
    try:
        with (folder / VERIFICATION_NAME).open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
        return LastVerification(int(found["checked_at"]), int(found["wrong"]))
    except (OSError, ValueError, KeyError, TypeError):
        return LastVerification()


def write_last_verification(folder: Path, last: LastVerification) -> None:
    """Remember this. Raises: OSError."""
    write_durably(folder / VERIFICATION_NAME, json.dumps(asdict(last)).encode("ascii"), replace=True)


def verification_warning(folder: Path, *, now_s: float, every_days: int = 1) -> str | None:
    """What the board should know: something does not hold, or nobody has looked for days. It names no home.

    `every_days` is how often the hub verifies itself; with 0 nobody is expected to look.
    """
    last = read_last_verification(folder)
    if last.checked_at is None:
        return None  # it is made in the first night
    said_at = _said_at(last.checked_at)
    if last.wrong:
        things = "one thing does" if last.wrong == 1 else f"{last.wrong} things do"
        return f"of what is stored, {things} not hold (verified on {said_at})"
    if every_days and now_s - last.checked_at > OLD_AFTER_S + (every_days - 1) * 86_400:
        return f"what is stored was last verified on {said_at}"
    return None


def verification_words(folder: Path, *, now_s: float, every_days: int = 1) -> str:
    """The same in one line for `commonwatt-hub status`: the warning, or when everything held."""
    last = read_last_verification(folder)
    warning = verification_warning(folder, now_s=now_s, every_days=every_days)
    if warning is not None:
        return f"WARNING: {warning}"
    if last.checked_at is None:
        when = "at night, or now with" if every_days else "with"
        return f"none yet: it is made {when}: commonwatt-hub verify"
    return f"everything held on {_said_at(last.checked_at)}"


def _said_at(checked_at: int) -> str:
    return datetime.fromtimestamp(checked_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
