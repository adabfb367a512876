"""The process of a nightly verification, `-m hub.processes.verification.guest FOLDER NOW`: it ends with its caller."""

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Final

from hub.processes.watching.own_use import own_version
from hub.verify.folder_check.checking import check_hub, usual_processes
from hub.verify.folder_check.kept import keep_checkpoint, own_checkpoint, require_checked
from protocols.errors import CommonwattError
from protocols.timeline import Clock

LEAST_URGENT: Final = 19
"""A verification takes what the hub leaves of the processors."""


def main() -> None:
    """Verify, keep the checkpoint, and say in JSON why it could not be done."""
    os.nice(LEAST_URGENT)
    threading.Thread(target=_end_with_caller, daemon=True).start()
    folder, now_s = Path(sys.argv[1]), float(sys.argv[2])
    problem = ""
    try:
        asyncio.run(verify_folder(folder, now_s=now_s))
    except CommonwattError as error:
        problem = str(error)
    sys.stdout.write(json.dumps({"problem": problem}) + "\n")


async def verify_folder(folder: Path, *, now_s: float) -> None:
    """Go on from the folder's checkpoint, if there is one that can be used, and leave the next one.

    Raises: CommonwattError, in one line.
    """
    clock = Clock(real=lambda: now_s)
    verified = await check_hub(
        folder,
        clock=clock,
        program=own_version(),
        since=own_checkpoint(folder, clock=clock),
        processes=usual_processes(folder),
    )
    require_checked(folder, verified)
    keep_checkpoint(folder, verified)


def _end_with_caller() -> None:
    while os.read(0, 1):  # nothing is ever said; the end comes when the caller is gone
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
