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
MODULE: Final = "hub.processes.verification.guest"


class VerificationJob:
    """Goes on from the folder's checkpoint each time it is due, and leaves the next one.

    Where the hub's clock runs faster than time, as in a demonstration, nights are left out.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._begun_at: float | None = None

    async def __call__(self, _due_s: int) -> None:
        """Verify; that something is wrong is no failure of the job. Raises: JobError if it cannot be done."""
        at = time.monotonic()
        if self._begun_at is not None and at < self._begun_at + LEAST_APART_S:
            return
        await self._verify()
        self._begun_at = at

    async def _verify(self) -> None:
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
            problem = json.loads(said)["problem"]
        except (ValueError, KeyError, TypeError):
            raise JobError(f"the verification ended before it was done (status {process.returncode})") from None
        if problem:
            raise JobError(str(problem))
