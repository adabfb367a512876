"""The program of one part's process: `python -m hub.processes.part NAME FOLDER`, started by the running hub alone.

Standard input is its channel to the hub. It ends when it is asked to, and when the hub at the other end is gone.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.folder.watching.log_settings import JSON
from hub.health.facts import as_facts
from hub.health.log_lines import use_log
from hub.processes.channel import Channel, ChannelError, Facts
from hub.processes.own_hub import OwnHub, Part
from hub.processes.roles.waiting import opened_when_there
from hub.processes.watching.own_use import LoopWatch, own_use, own_version
from hub.processes.watching.stored_health import trouble_of
from hub.processes.watching.traces import start_traces
from hub.storage.contract import Store
from protocols.errors import CommonwattError

log = logging.getLogger(__name__)

NAMES: Final = ("pages", "timetable", "intake")
"""In the order in which they are stopped: first requests, then work, then what the work comes from."""

PARTS: Final = (*NAMES, "worker")


async def serve_part(name: str, folder: Path, end: socket.socket) -> int:
    """Serve until asked to stop or the hub is gone; returns the exit code."""
    part: Part | None = None
    store: Store | None = None
    lateness = LoopWatch()

    async def answer(what: str, facts: Facts) -> Facts:
        if what == "alive" or part is None:
            return {}
        if what == "health":
            trouble = None if store is None or store.trouble is None else as_facts(trouble_of(store.trouble))
            return {"store_trouble": trouble, **await part.health(), "use": as_facts(own_use(lateness))}
        return await part.answer(what, facts)

    channel = await Channel.over(end, answer=answer)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listening = asyncio.create_task(channel.run())
    listening.add_done_callback(_end_with_hub)
    try:
        begin = await channel.ask("begin")
        clock = open_clock(Path(begin["clock"]) if begin["clock"] else None)
        opening = partial(open_hub, folder, clock=clock, takes_rule=False)
        opened = asyncio.create_task(opened_when_there(opening))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({opened, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            opened.cancel()
            return 0
        settings, signer, store = opened.result()
        use_log(name, is_json=settings.watch.log.form == JSON, has_trail=settings.watch.log.trail)
        stop_traces = start_traces(settings.watch.traces, part=name, version=own_version())
        try:
            part = _made(name, OwnHub(folder, settings, signer, store, clock), channel=channel, begin=begin)
            # What is loaded by now stays. Looking through it for garbage would stop the event loop each time.
            gc.freeze()
            watching = asyncio.create_task(lateness.run())
            serving = asyncio.create_task(part.run())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            is_failure = serving.done()
            watching.cancel()
            serving.cancel()
            await asyncio.wait({serving})
            if is_failure:
                serving.result()
        finally:
            await store.close()
            await asyncio.to_thread(stop_traces)
    except ChannelError:
        return 1  # the hub is gone: nobody to tell
    except Exception as error:  # a program error is logged in full here; the hub starts the part again
        known = _first_known(error)
        if known is None:
            log.exception("%s failed", name)
            return 1
        with suppress(ChannelError):
            await channel.ask("cannot", words=str(known))
        return 1
    return 0


def _end_with_hub(listening: asyncio.Task[None]) -> None:
    """When the hub's own process was killed, end as it did, at once: whoever restores the store meets no late write."""
    if not listening.cancelled():
        os._exit(1)


def _first_known(error: BaseException) -> CommonwattError | None:
    """The error with one line for a person, also where tasks that ended together raised it."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := _first_known(each)) is not None), None)
    return error if isinstance(error, CommonwattError) else None


def _made(name: str, hub: OwnHub, *, channel: Channel, begin: Facts) -> Part:
    """Only the modules of this part are loaded."""
    if name == "intake":
        from hub.processes.intake import IntakePart  # noqa: PLC0415

        return IntakePart(hub, channel=channel, begin=begin)
    if name == "timetable":
        from hub.processes.timetable import TimetablePart  # noqa: PLC0415

        return TimetablePart(hub, channel=channel, begin=begin)
    if name == "worker":
        from hub.processes.worker import WorkerPart  # noqa: PLC0415

        return WorkerPart(hub, channel=channel, begin=begin)
    from hub.processes.pages import PagesPart  # noqa: PLC0415

    return PagesPart(hub, channel=channel, begin=begin)


def main(arguments: list[str]) -> int:
    """Run one part; its errors go to the hub, which says them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if len(arguments) != 2 or arguments[0] not in PARTS or sys.stdin.isatty():
        sys.stderr.write("this is a part of a running hub: start the whole with commonwatt-hub run\n")
        return 2
    try:
        end = socket.socket(fileno=0)
    except OSError:
        sys.stderr.write("this is a part of a running hub: start the whole with commonwatt-hub run\n")
        return 2
    return asyncio.run(serve_part(arguments[0], Path(arguments[1]), end))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
