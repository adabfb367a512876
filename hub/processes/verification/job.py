"""The verification of each night, as a job of the timetable; it works in a process of its own, as a guest there.

What it finds stays in the folder for `commonwatt-hub status`, the Health page and the mail about trouble.
"""

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from hub.timetable import JobError
from protocols.timeline import Clock

LEAST_APART_S: Final = 3_600.0
"""Real seconds between the beginnings of two verifications."""
NOT_DONE: Final = "the verification did not come to its end: the next one begins when it is due"
MODULE: Final = "hub.processes.verification.guest"


class VerificationJob:
    """Goes on from the folder's checkpoint each time it is due, and leaves the next one.

    Where the hub's clock runs faster than time, as in a demonstration, nights are left out. One that was killed or took
    too long would be no better an hour later: it is begun again at the next due time.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._begun_at: float | None = None
        self._unfinished_s: int | None = None
        self._problem = ""

    async def __call__(self, due_s: int) -> None:
        """Verify. Findings do not make the job fail.

        Raises: JobError if it cannot be done. Tried again too soon, it does nothing but say the same once more.
        """
        at = time.monotonic()
        is_early = self._begun_at is not None and at < self._begun_at + LEAST_APART_S
        if is_early or due_s == self._unfinished_s:
            if self._problem:
                raise JobError(self._problem)
            return
        self._begun_at, self._unfinished_s, self._problem = at, due_s, NOT_DONE
        try:
            problem = await self._verify()
        except JobError as error:
            self._problem = str(error)
            raise
        self._unfinished_s, self._problem = None, problem
        if problem:
            raise JobError(problem)

    async def _verify(self) -> str:
        """Why it could not be done, empty if it was. Raises: JobError if it did not come to its end."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", MODULE, str(self._folder), str(self._clock.now())),
            stdin=asyncio.subprocess.PIPE,  # closed when this process ends, however it ends
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            said = await process.stdout.read()
            await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        try:
            return str(json.loads(said)["problem"])
        except (ValueError, KeyError, TypeError):
            raise JobError(f"the verification ended before it was done (status {process.returncode})") from None
