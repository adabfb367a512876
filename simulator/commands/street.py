"""`commonwatt-sim street` and `commonwatt-sim history`: serve a whole street without a hub, record its past."""

import argparse
import asyncio
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from math import inf
from pathlib import Path

from protocols.slots import SLOT_S
from protocols.text_table import format_table
from protocols.timeline import Clock
from simulator.devices.faults import FaultScript, parse_script
from simulator.errors import SimulatorError
from simulator.files.agent import FAST_INTERVAL_S, HUB_URL, INTERVAL_S, AgentOptions
from simulator.files.recordings import write_recording
from simulator.files.street import home_folder, read_street, write_street
from simulator.services.clock import open_clock
from simulator.services.residents import Residents, read_links
from simulator.services.street_server import RunningStreet
from simulator.world.site import DAY_S, day_number
from simulator.world.street import Street

HISTORY_DAYS = 36
"""How far back a street's past goes by default."""
MAX_HISTORY_DAYS = 1100
"""Every home's whole past is computed and kept in memory: about 35 kB a day."""
LOOK_EVERY_S = 3600
LOOK_AFTER_S = 19 * 60
"""Residents check their prompts at this minute of every simulated hour; prompts arrive early in an hour."""
LINKS_LOOKED_FOR_EVERY_S = 0.5
PrintLine = Callable[[str], None]
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]+(/[A-Za-z0-9._~/-]*)?")


def run_street(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C. Raises: SimulatorError."""
    _check(options)
    clock = open_clock(options.clock, rate=options.rate)
    first_day = _first_day(options.first_day, clock.now())
    try:
        street = Street(seed=options.seed, homes=options.homes, first_day=first_day, counts_apart=options.counts_apart)
    except ValueError as problem:
        raise SimulatorError(f"--homes: {problem}") from None
    script = _script(options.faults, street)
    usual_s = FAST_INTERVAL_S if options.clock else INTERVAL_S
    manners = AgentOptions(options.hub, usual_s if options.interval is None else options.interval)
    asyncio.run(_serve(street, clock, script=script, options=options, manners=manners))


def _check(options: argparse.Namespace) -> None:
    if not 0 < options.rate < inf:
        raise SimulatorError("--rate: expected a number above 0")
    if options.interval is not None and (not 0 < options.interval <= FAST_INTERVAL_S or SLOT_S % options.interval):
        raise SimulatorError(f"--interval: expected a divisor of {SLOT_S} up to {FAST_INTERVAL_S}, as agents do")
    if not _ADDRESS.fullmatch(options.hub):
        raise SimulatorError(f"--hub: expected an address like {HUB_URL}, found {options.hub[:60]!r}")


def run_history(options: argparse.Namespace) -> None:
    """Write the recordings of every home. Raises: SimulatorError."""
    street = read_street(options.street)
    from_s = options.until - options.days * DAY_S
    if options.days < 1 or from_s < street.first_day * DAY_S:
        first = datetime.fromtimestamp(street.first_day * DAY_S, UTC).date()
        raise SimulatorError(f"--days: the street begins on {first}; ask for fewer days, or serve it with --first-day")
    for place, home in enumerate(street.homes, 1):
        path = home_folder(options.street, home) / "recording.csv"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = write_recording(path, street, home, from_s=from_s, until_s=options.until)
        except OSError as problem:
            raise SimulatorError(f"{path}: cannot be written: {problem.strerror or problem}") from None
        _say(f"{place}/{len(street.homes)} {home.id}: {rows} rows")


async def _serve(
    street: Street, clock: Clock, *, script: FaultScript, options: argparse.Namespace, manners: AgentOptions
) -> None:
    running = RunningStreet(street, clock, folder=options.data, script=script)
    try:
        options.data.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(warm_up, street, clock.now(), _say)
        await running.start()
    except OSError as problem:
        raise SimulatorError(f"cannot serve the street in {options.data}: {problem.strerror or problem}") from None
    try:
        try:
            file = write_street(options.data, street, connects=running.connects, urls=running.urls, manners=manners)
        except OSError as problem:
            raise SimulatorError(f"{options.data}: cannot be written: {problem.strerror or problem}") from None
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        _say(street_text(running))
        _say(f"wrote {file}; press Ctrl-C to stop the street")
        await _until_stopped(stop, running, options.residents)
    finally:
        await running.close()


async def _until_stopped(stop: asyncio.Event, running: RunningStreet, links: Path | None) -> None:
    residents = asyncio.create_task(_live(running, links)) if links else None
    stopped = asyncio.create_task(stop.wait())
    tasks = {stopped} | ({residents} if residents else set())
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks - done:
        task.cancel()
    await asyncio.gather(*tasks - done, return_exceptions=True)
    for task in done:
        task.result()


async def _live(running: RunningStreet, links: Path) -> None:
    """The residents' days: once their links exist, they check their prompts every hour."""
    while not await asyncio.to_thread(links.exists):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(LINKS_LOOKED_FOR_EVERY_S)
    clock = running.clock
    running.residents = Residents(running.street, read_links(links, running.street), clock.now)
    await running.residents.answer_prompts()
    while True:
        next_s = (clock.now() - LOOK_AFTER_S) // LOOK_EVERY_S * LOOK_EVERY_S + LOOK_EVERY_S + LOOK_AFTER_S
        await clock.sleep_until(next_s)
        await running.residents.answer_prompts()


def warm_up(street: Street, now_s: float, say: PrintLine) -> None:
    """Compute every home's past before anybody waits for an answer; reports progress when it takes long."""
    began_s, said = time.monotonic(), False
    for place, home in enumerate(street.homes, 1):
        street.physics(home.id).day(max(street.first_day, day_number(now_s)))
        if time.monotonic() - began_s > 2 and not said:
            say(f"computing the street's past: {place} of {len(street.homes)} homes")
            said = True


def street_text(running: RunningStreet) -> str:
    """The street's homes, devices and connect strings as text."""
    rows = [("home", "kind", "device", "family", "role", "unit", "connect")]
    for home in running.street.homes:
        for device in home.devices:
            connect = running.connects[home.id, device.link]
            role = device.role or "-"
            rows.append((home.id, home.kind, device.name, device.family, role, str(device.unit), connect))
    services = [f"{name.removesuffix('_url')}: {url}" for name, url in running.urls.items()]
    return "\n".join([*format_table(rows), *services])


def _first_day(asked: date | None, now_s: float) -> int:
    if asked is None:
        return day_number(now_s) - HISTORY_DAYS
    first = (asked - date(1970, 1, 1)).days
    if first > day_number(now_s):
        raise SimulatorError("--first-day: expected a day that is not in the future")
    if first < day_number(now_s) - MAX_HISTORY_DAYS:
        raise SimulatorError(f"--first-day: expected a day at most {MAX_HISTORY_DAYS} days before the clock")
    return first


def _script(path: Path | None, street: Street) -> FaultScript:
    if path is None:
        return FaultScript()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SimulatorError(f"--faults: {path} cannot be read") from None
    return parse_script(text, street.homes, name=path.name)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
