"""What the hub remembers of its last backup: when it was made, where it lies, and what went wrong since."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from protocols.durable_files import write_durably

STATE_NAME: Final = "backup-state.json"
OLD_AFTER_S: Final = 48 * 3600
MAX_BYTES: Final = 16_384
_ON_SERVER: Final = 'once its own tools do it, write how under [store]: backup = "..."'


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The newest backup that was read back and found whole; `problem` is what went wrong since, or empty.

    Units: made_at and tried_at in unix s.
    """

    made_at: int | None = None
    place: str = ""
    name: str = ""
    size_bytes: int = 0
    tried_at: int | None = None
    problem: str = ""


def read_last_backup(folder: Path) -> LastBackup:
    """What this hub remembers; nothing if it has made no backup, or if what it wrote down cannot be read."""
    try:
        with (folder / STATE_NAME).open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
        return LastBackup(
            made_at=_moment(found["made_at"]),
            place=str(found["place"]),
            name=str(found["name"]),
            size_bytes=int(found["size_bytes"]),
            tried_at=_moment(found["tried_at"]),
            problem=str(found["problem"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return LastBackup()


def write_last_backup(folder: Path, last: LastBackup) -> None:
    """Remember this. Raises: OSError."""
    write_durably(folder / STATE_NAME, json.dumps(asdict(last)).encode("ascii"), replace=True)


def backup_age_s(folder: Path, *, now_s: float) -> int | None:
    """How old the newest whole backup is, or None if this hub has made none. Units: s."""
    made_at = read_last_backup(folder).made_at
    return None if made_at is None else max(int(now_s) - made_at, 0)


def backup_warning(folder: Path, *, now_s: float, is_planned: bool, on_server: str | None = None) -> str | None:
    """What the board should know: no backup is made, the newest is old, or making the last one failed.

    `on_server`: how the server that has the store is backed up, as hub.toml says, perhaps empty; None for a file. A hub
    backs up no server and cannot see who does.
    """
    if on_server is not None:
        return None if on_server else f"hub.toml does not say how the database server is backed up; {_ON_SERVER}"
    last, age_s = read_last_backup(folder), backup_age_s(folder, now_s=now_s)
    if last.problem:
        return f"the last backup failed: {last.problem}"
    if age_s is not None and age_s <= OLD_AFTER_S:
        return None
    if not is_planned:
        return "nothing is backed up: enter where to in hub.toml under [backup]"
    if age_s is None:
        return "no backup was made yet: it is made at night, or now with: commonwatt-hub backup"
    return f"the newest backup is older than {OLD_AFTER_S // 3600} hours"


def backup_words(folder: Path, *, now_s: float, is_planned: bool, on_server: str | None = None) -> str:
    """The same in one line for `commonwatt-hub status`: the warning, or where the newest backup is."""
    if on_server is not None:
        warning = backup_warning(folder, now_s=now_s, is_planned=is_planned, on_server=on_server)
        return f"WARNING: {warning}" if warning else f"of the database server, as hub.toml says: {on_server}"
    last, age_s = read_last_backup(folder), backup_age_s(folder, now_s=now_s)
    warning = backup_warning(folder, now_s=now_s, is_planned=is_planned)
    newest = "" if age_s is None else f"{last.name} in {last.place}, {age_s // 3600} hours old"
    return "; ".join(part for part in (warning and f"WARNING: {warning}", newest and f"newest {newest}") if part)


def _moment(value: object) -> int | None:
    return None if value is None else int(str(value))
