"""The household's switch 'send nothing': a file of the data folder, so that it survives restarts. Measuring goes on."""

from __future__ import annotations

import json
from pathlib import Path

from protocols.durable_files import sync_folder, write_durably

FILE_NAME = "sending-stopped.json"
MAX_BYTES = 1024


class SendingSwitch:
    """Whether the agent may talk to the hub. `stopped_at`: since when it may not, in Unix seconds; None if it may."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self.stopped_at = read_stopped(folder)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing may leave the home now."""
        return self.stopped_at is not None

    def stop(self, now_s: float) -> None:
        """Send nothing from now on. After it returns, this survives a power cut. Raises: OSError."""
        if self.stopped_at is None:
            write_durably(self._path, json.dumps({"stopped_at": int(now_s)}).encode(), replace=True)
            self.stopped_at = int(now_s)

    def resume(self) -> None:
        """Send again, beginning with what waits. Raises: OSError."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
        self.stopped_at = None


def read_stopped(folder: Path) -> int | None:
    """Since when nothing is sent; None if the agent sends. A file that cannot be read counts as stopped."""
    path = folder / FILE_NAME
    try:
        return int(json.loads(path.read_bytes()[:MAX_BYTES])["stopped_at"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return 0
