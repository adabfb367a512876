"""The nightly backup as a job of the timetable; when it fails, the older backups are as they were."""

import asyncio
from pathlib import Path

from hub.backups.service import back_up
from hub.folder.backup_settings import BackupSettings
from hub.storage.records import Coop
from hub.timetable import JobError
from protocols.errors import CommonwattError
from protocols.timeline import Clock


class BackupJob:
    """Makes a backup each time it is due, in a thread of its own."""

    def __init__(self, folder: Path, *, coop: Coop, settings: BackupSettings, clock: Clock) -> None:
        self._folder, self._coop, self._settings, self._clock = folder, coop, settings, clock

    async def __call__(self, _due_s: int) -> None:
        """Make the backup; its name says when it was made. Raises: JobError with one line."""
        made_at = int(self._clock.now())
        try:
            await asyncio.to_thread(back_up, self._folder, coop=self._coop, settings=self._settings, made_at=made_at)
        except CommonwattError as error:
            raise JobError(str(error)) from None
