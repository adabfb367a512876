"""What the hub remembers of the last verification of all parts: when it was, whether everything held, and whether it
had to begin from the beginning."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.folder.paths import REFUSED_CHECKPOINT_NAME, VERIFICATION_NAME
from protocols.durable_files import write_durably

OLD_AFTER_S: Final = 72 * 3600
MAX_BYTES: Final = 4_096
REFUSAL_SHOWN_S: Final = 7 * 86_400
MOST_WORDS: Final = 300
"""Of the reason why a checkpoint was refused. Units: characters."""


@dataclass(frozen=True, slots=True)
class LastVerification:
    """`wrong` contradictions were found at `checked_at` (unix s); None: there was no verification yet.

    At `refused_at` (unix s) the checkpoint to go on from was refused, for this reason; None: that never happened.
    """

    checked_at: int | None = None
    wrong: int = 0
    refused_at: int | None = None
    refused_why: str = ""


def read_last_verification(folder: Path) -> LastVerification:
    """What this hub remembers; nothing if it was never verified, or if what was written down cannot be read."""
    try:
        with (folder / VERIFICATION_NAME).open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
        checked_at, refused_at = found["checked_at"], found.get("refused_at")
        return LastVerification(
            None if checked_at is None else int(checked_at),
            int(found["wrong"]),
            None if refused_at is None else int(refused_at),
            str(found.get("refused_why", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return LastVerification()


def write_last_verification(folder: Path, last: LastVerification) -> None:
    """Remember this. Raises: OSError."""
    write_durably(folder / VERIFICATION_NAME, json.dumps(asdict(last)).encode("ascii"), replace=True)


def note_refused_checkpoint(folder: Path, *, at: int, why: str) -> None:
    """Remember for the board that a checkpoint was refused at this time, and why. Raises: OSError."""
    said = "".join(each if each.isprintable() else "?" for each in why[:MOST_WORDS])
    write_last_verification(folder, replace(read_last_verification(folder), refused_at=at, refused_why=said))


def refused_checkpoint_warning(folder: Path, *, now_s: float) -> str | None:
    """That a checkpoint was refused, told for a week: someone may have changed it. It names no home."""
    last = read_last_verification(folder)
    if last.refused_at is None or not 0 <= now_s - last.refused_at <= REFUSAL_SHOWN_S:
        return None
    return (
        f"the checkpoint that the last verification had left could not be used on {_said_at(last.refused_at)}"
        f" ({last.refused_why}): everything is verified from the beginning; the file is kept as"
        f" {REFUSED_CHECKPOINT_NAME}. Unless a full disk, a wrong clock or an ended hub key explains it, somebody has"
        " changed it"
    )


def verification_warning(folder: Path, *, now_s: float, every_days: int = 1) -> str | None:
    """All that the board should know: what was found, and that a checkpoint was refused. It names no home."""
    said = (
        found_warning(folder, now_s=now_s, every_days=every_days),
        refused_checkpoint_warning(folder, now_s=now_s),
    )
    return "; ".join(each for each in said if each) or None


def found_warning(folder: Path, *, now_s: float, every_days: int = 1) -> str | None:
    """That something does not hold, or that nobody has looked for days.

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


def verification_words(warning: str | None, checked_at: int | None, *, every_days: int = 1) -> str:
    """The last verification in one line for `commonwatt-hub status`: the warning, or when everything held."""
    if warning:
        return f"WARNING: {warning}"
    if checked_at is None:
        when = "at night, or now with" if every_days else "with"
        return f"none yet: it is made {when}: commonwatt-hub verify"
    return f"everything held on {_said_at(checked_at)}"


def _said_at(checked_at: int) -> str:
    return datetime.fromtimestamp(checked_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
