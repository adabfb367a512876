"""The arguments of the household's own commands, from `setup` to `page`. Each loads its work when it runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_command, add_json
from edge_agent.finding.units import parse_units
from edge_agent.page_settings import PORT, listen_address
from edge_agent.settings import read_settings
from protocols.consent.purposes import CATALOGUE
from protocols.errors import RequestError
from protocols.quantities import Measure
from protocols.slots import format_slot

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands

PURPOSES = ", ".join(code for code in CATALOGUE if code != "research")
MOST_UNITS = 247
HERE = f"127.0.0.1:{PORT}"


def add_setup(commands: Commands) -> None:
    """Name `setup` and its arguments."""
    words = "set this home up, question by question, from a blank folder to the first receipt; goes on where it stopped"
    parser = add_command(commands, "setup", run=_setup, words=words)
    parser.add_argument(
        "--check-meter", action="store_true",
        help="only compare with the legal meter's display: run it twice, with at least 1 kWh in between",
    )  # fmt: skip
    parser.add_argument(
        "--page", nargs="?", type=page_address, const=page_address(HERE), metavar="ADDRESS",
        help=f"ask in the browser: on this computer (default: {HERE}), or on an address of the home network, such as"
        " 0.0.0.0:8087, with a one-time PIN; the agent then runs here until it is stopped",
    )  # fmt: skip
    parser.add_argument("--no-wait", action="store_true", help="end before the first receipt, to start the agent then")


def add_scan(commands: Commands) -> None:
    """Name `scan` and its arguments."""
    parser = add_command(commands, "scan", run=_scan, words="find the home's devices, and propose what they are")
    add_search(parser)
    parser.add_argument(
        "--save", action="store_true", help="keep what was found beside agent.toml: `setup` then offers it unsearched"
    )
    add_json(parser)


def add_search(parser: argparse.ArgumentParser) -> None:
    """Where to search and what for."""
    parser.add_argument(
        "--network", action="append", metavar="NETWORK",
        help="search this network, such as 192.168.1.0/24; may be given several times (default: asks about your own)",
    )  # fmt: skip
    parser.add_argument(
        "--connect", action="append", metavar="ADDRESS",
        help="ask only this address, as agent.toml writes it, such as tcp://192.168.1.20 or rtu:///dev/ttyUSB0",
    )  # fmt: skip
    parser.add_argument(
        "--units", type=units, metavar="UNITS", help="unit ids to ask, such as 1-5 or 1,3 (default: the usual ones)"
    )
    parser.add_argument(
        "--make", action="append", metavar="NAME",
        help="a make written on one of your devices, such as Huawei: asked for first; may be given several times",
    )  # fmt: skip


def add_doctor(commands: Commands) -> None:
    """Name `doctor` and its arguments."""
    words = "look at everything that could be wrong, and say what to do"
    add_json(add_command(commands, "doctor", run=_doctor, words=words))


def add_consent(commands: Commands) -> None:
    """Name `consent` and its arguments."""
    words = "show what may leave the home; allow or withdraw a purpose"
    parser = add_command(commands, "consent", run=_consent, words=words)
    parser.add_argument(
        "action", nargs="?", choices=("show", "allow", "withdraw"), default="show",
        help="show what may leave the home, allow a purpose, or withdraw one (default: show)",
    )  # fmt: skip
    parser.add_argument("purpose", nargs="?", metavar="PURPOSE", help=f"one of {PURPOSES}, or research.NAME")
    parser.add_argument(
        "--measures", type=measures, metavar="LIST",
        help="allow only these, such as pv_production,grid_export (default: all that the purpose uses)",
    )  # fmt: skip
    parser.add_argument(
        "--resolution", choices=("PT15M", "PT1H", "P1D"),
        help="allow only values this coarse: a quarter hour, an hour or a day (default: what the purpose uses)",
    )  # fmt: skip
    add_json(parser)


def add_page(commands: Commands) -> None:
    """Name `page` and its arguments."""
    parser = add_command(commands, "page", run=_page, words="print a one-time PIN for the home's own page")
    parser.add_argument("action", choices=("pin",), help="pin: a new PIN, good for ten minutes and one browser")


def add_export(commands: Commands) -> None:
    """Name `export` and its arguments."""
    words = "write the home's own values as CSV with a data package, in full resolution"
    parser = add_command(commands, "export", run=_export, words=words)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="the folder to write; must not be there yet"
    )
    parser.add_argument("--from", dest="first", type=day, metavar="DATE", help="first day (default: all that is kept)")
    parser.add_argument("--until", dest="last", type=day, metavar="DATE", help="last day (default: all that is kept)")
    add_json(parser)


def page_address(text: str) -> tuple[str, int]:
    """Where the page is served. Raises: ArgumentTypeError."""
    try:
        return listen_address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is not an address of this computer with a port, such as {HERE}"
        ) from None


def day(text: str) -> date:
    """A day. Raises: ArgumentTypeError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a day like 2026-05-31") from None


def units(text: str) -> tuple[int, ...]:
    """Unit ids in a text such as 1-5,126. Raises: ArgumentTypeError."""
    try:
        return parse_units(text)
    except ValueError as complaint:
        raise argparse.ArgumentTypeError(str(complaint)) from None


def measures(text: str) -> tuple[Measure, ...]:
    """Measures in a text such as pv_production,grid_export. Raises: ArgumentTypeError."""
    known = {measure.code: measure for measure in Measure}
    names = text.split(",")
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{unknown[0][:40]!r} is not one of {', '.join(known)}")
    return tuple(known[name] for name in names)


def _export(options: argparse.Namespace) -> int:
    from edge_agent.home_export.writing import write_export
    from edge_agent.uplink.identity import ENROLMENT_FILE, load_enrolment
    from protocols.slots import slots_of_day

    settings = read_settings(options.config)
    is_enrolled = (settings.data / ENROLMENT_FILE).exists()
    tz, home = ("UTC", "unknown")
    if is_enrolled:
        enrolment = load_enrolment(settings.data)
        tz, home = enrolment.tz, enrolment.home
    if options.first and options.last and options.first > options.last:
        raise RequestError("--from is after --until: nothing to write")
    first = slots_of_day(options.first, tz).start if options.first else 0
    last = slots_of_day(options.last, tz).stop if options.last else 1 << 40

    def tell(words: str) -> None:
        if sys.stderr.isatty():
            print(words, file=sys.stderr)

    rows = write_export(options.out, settings.data, range(first, last), home=home, now_s=time.time(), tell=tell)
    if options.json:
        print(json.dumps({"folder": str(options.out), "rows": rows}, indent=2))
    else:
        print(f"{options.out}: " + ", ".join(f"{count} rows in {name}" for name, count in rows.items()))
        if not any(rows.values()):
            print(_why_empty(settings.data, tz=tz, is_part=bool(options.first or options.last)))
    return 0


def _why_empty(data: Path, *, tz: str, is_part: bool) -> str:
    """Why an export has no row, and what to do."""
    from edge_agent.home_store.view import kept_slots
    from edge_agent.outbox.opening import is_running
    from edge_agent.status_text import first_value_words

    kept = kept_slots(data)
    if kept and is_part:
        first, last = (format_slot(slot) for slot in (kept.start, kept.stop))
        return f"nothing was kept of these days: there is something from {first} to {last} (UTC)"
    if kept:
        return "what is kept holds no value yet: `commonwatt-agent status` says which devices are silent"
    if is_running(data):
        return f"nothing is kept yet: {first_value_words(time.time(), tz)}"
    return "nothing is kept yet: the agent does not run; it keeps values from the first whole quarter hour that it sees"


def _setup(options: argparse.Namespace) -> int:
    from edge_agent.commands import setup

    return setup.run(options)


def _scan(options: argparse.Namespace) -> int:
    from edge_agent.commands import scan

    return scan.run(options)


def _doctor(options: argparse.Namespace) -> int:
    from edge_agent.commands import doctor

    return doctor.run(options)


def _consent(options: argparse.Namespace) -> int:
    from edge_agent.commands import consent

    return consent.run(options)


def _page(options: argparse.Namespace) -> int:
    import time

    from edge_agent.page.pin import pin_lines

    print("\n".join(pin_lines(read_settings(options.config), now_s=time.time())))
    return 0
