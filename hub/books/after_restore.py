"""What a hub that was restored from a backup may not do yet, and how its later bills differ from those it forgot.

Between the backup and the restore, bills may have been published and money paid of which this hub knows nothing.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hub.storage.audit_records import RestoreRow, RestoreStore
from protocols.errors import RequestError


async def require_confirmed(store: RestoreStore) -> None:
    """Refuse to publish or pay while no board member has confirmed the restore. Raises: RequestError."""
    if open_restore := next((each for each in await store.restores() if each.checked_at is None), None):
        raise RequestError(restore_words(open_restore))


def restore_words(restore: RestoreRow) -> str:
    """What was restored, and what is to be done, in one line."""
    return (
        f"this hub was restored on {_utc(restore.restored_at)} from a backup of {_utc(restore.backup_made_at)}: nothing"
        " is published or paid until the board has looked at what happened in between (docs/the-server-died.md) and"
        " confirmed it with: commonwatt-hub restore confirm --data DIR --by ID"
    )


async def forgotten_mark(store: RestoreStore, month: str, *, tz: str) -> str:
    """What a series of bills of this month is marked with, such as `-R2611291042`: numbers without it may be taken.

    Empty for months that began after the newest restore: no forgotten bill can be of them.
    """
    restores = await store.restores()
    if not restores:
        return ""
    at = datetime.fromtimestamp(restores[-1].restored_at, UTC)
    return at.strftime("-R%y%m%d%H%M") if month <= at.astimezone(ZoneInfo(tz)).strftime("%Y-%m") else ""


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
