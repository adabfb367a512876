"""`commonwatt-sim street` and `commonwatt-sim history`: serve a whole street without a hub, record its past."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from protocols.slots import SLOT_S
from protocols.timeline import Clock
from simulator.faults import Script, parse_script
from simulator.recordings import write_recording
from simulator.residents import Residents, read_links
from simulator.serving import RunningStreet
from simulator.shell_clock import open_clock
from simulator.site import DAY_S, day_number
from simulator.street import Street
from simulator.street_files import HUB_URL, INTERVAL_S, AgentManners, home_folder, read_street, write_street

HISTORY_DAYS = 36
LOOK_EVERY_S = SLOT_S
LOOK_AFTER_S = 240
"""Residents look at their prompts this long after each slot's beginning, in simulated time."""
LINKS_LOOKED_FOR_EVERY_S = 0.5
Say = Callable[[str], None]


class CommandError(Exception):
    """A command cannot do what was asked; one line says what is wrong and what to do."""


def add_street_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The options of `street`."""
    parser = commands.add_parser("street", help="serve a street of homes: Modbus devices, weather service, truth")
    parser.add_argument("--homes", type=int, default=12, help="how many homes (default 12)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same street (default 1)")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder for street.json and homes/")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="follow the timeline in this file")
    parser.add_argument("--rate", type=float, default=1.0, help="without --clock: times real speed (default 1)")
    parser.add_argument(
        "--first-day", type=date.fromisoformat, metavar="DATE",
        help=f"the street's first day (UTC); default {HISTORY_DAYS} days ago",
    )  # fmt: skip
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a TOML script of [[fault]] tables")
    parser.add_argument("--hub", default=HUB_URL, help="the hub's address for agent.toml")
    parser.add_argument("--residents", type=Path, metavar="FILE", help="JSON file of home ids and sign-in links")
    parser.add_argument("--interval", type=int, default=INTERVAL_S, help="agents' polling interval, s")
    parser.set_defaults(run=run_street)


def add_history_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The options of `history`."""
    parser = commands.add_parser("history", help="write each home's recording of the days before a time")
    parser.add_argument("--street", type=Path, required=True, metavar="DIR", help="folder that `street` has made")
    parser.add_argument("--days", type=int, default=35, help="how many days back (default 35)")
    parser.add_argument("--until", type=_moment, required=True, metavar="ISO", help="like 2026-06-01T00:00Z")
    parser.set_defaults(run=run_history)


def run_street(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C. Raises: CommandError, and the errors of the parts with one line each."""
    if options.rate <= 0:
        raise CommandError("--rate: expected a number above 0")
    clock = open_clock(options.clock, rate=options.rate)
    first_day = _first_day(options.first_day, clock.now())
    try:
        street = Street(seed=options.seed, homes=options.homes, first_day=first_day)
    except ValueError as problem:
        raise CommandError(f"--homes: {problem}") from None
    script = _script(options.faults, street)
    manners = AgentManners(options.hub, options.interval)
    asyncio.run(_serve(street, clock, script=script, options=options, manners=manners))


def run_history(options: argparse.Namespace) -> None:
    """Write the recordings of every home. Raises: CommandError, StreetFileError."""
    street = read_street(options.street)
    from_s = options.until - options.days * DAY_S
    if options.days < 1 or from_s < street.first_day * DAY_S:
        first = datetime.fromtimestamp(street.first_day * DAY_S, UTC).date()
        raise CommandError(f"--days: the street begins on {first}; ask for fewer days, or serve it with --first-day")
    for place, home in enumerate(street.homes, 1):
        path = home_folder(options.street, home) / "recording.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = write_recording(path, street, home, from_s=from_s, until_s=options.until)
        _say(f"{place}/{len(street.homes)} {home.id}: {rows} rows")


async def _serve(
    street: Street, clock: Clock, *, script: Script, options: argparse.Namespace, manners: AgentManners
) -> None:
    running = RunningStreet(street, clock, folder=options.data, script=script)
    try:
        options.data.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(warm_up, street, clock.now(), _say)
        await running.start()
    except OSError as problem:
        raise CommandError(f"cannot serve the street: {problem.strerror or problem}") from None
    try:
        file = write_street(options.data, street, connects=running.connects, urls=running.urls, manners=manners)
        _say(table(running))
        _say(f"{file} is written; Ctrl-C ends the street")
        await _until_stopped(running, options.residents)
    finally:
        await running.close()


async def _until_stopped(running: RunningStreet, links: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
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
    """The residents' days: once their links are there, a look at the prompts in every slot."""
    while not await asyncio.to_thread(links.exists):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(LINKS_LOOKED_FOR_EVERY_S)
    clock = running.clock
    running.residents = Residents(running.street, read_links(links, running.street), clock.now)
    await running.residents.look()
    while True:
        next_s = (clock.now() - LOOK_AFTER_S) // LOOK_EVERY_S * LOOK_EVERY_S + LOOK_EVERY_S + LOOK_AFTER_S
        await clock.sleep_until(next_s)
        await running.residents.look()


def warm_up(street: Street, now_s: float, say: Say) -> None:
    """Work out every home's past before anybody waits for an answer; says so when it takes a while."""
    began_s, said = time.monotonic(), False
    for place, home in enumerate(street.homes, 1):
        street.physics(home.id).day(max(street.first_day, day_number(now_s)))
        if time.monotonic() - began_s > 2 and not said:
            say(f"working out the street's past: {place} of {len(street.homes)} homes")
            said = True


def table(running: RunningStreet) -> str:
    """The street's homes, devices and connect strings as text."""
    rows = [("home", "kind", "device", "family", "role", "unit", "connect")]
    for home in running.street.homes:
        for device in home.devices:
            connect = running.connects[home.id, device.link]
            role = device.role or "-"
            rows.append((home.id, home.kind, device.name, device.family, role, str(device.unit), connect))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    services = [f"{name.removesuffix('_url')}: {url}" for name, url in running.urls.items()]
    return "\n".join([*lines, *services])


def _first_day(asked: date | None, now_s: float) -> int:
    if asked is None:
        return day_number(now_s) - HISTORY_DAYS
    first = (asked - date(1970, 1, 1)).days
    if first > day_number(now_s):
        raise CommandError("--first-day: expected a day that is not in the future of the clock")
    return first


def _script(path: Path | None, street: Street) -> Script:
    if path is None:
        return Script()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"--faults: {path} cannot be read") from None
    return parse_script(text, street.homes, name=path.name)


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time like 2026-06-01T00:00Z, found {text!r}") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
