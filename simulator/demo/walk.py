"""The demonstration from its first stage to its report: what is done in which order, and the evidence on the way.

Doing a stage is `demo` and `demo_months`; judging what came of it is `demo_report`.
"""

import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from protocols.slots import Slot, slot_of
from simulator.demo.director import LIVE_DAY, Demo
from simulator.demo.home_line import LineFault
from simulator.demo.leaks import LeakWatch
from simulator.demo.months import MonthBooks, bill_due_month, check_statement, correct, publish_while_late, settle_days
from simulator.demo.outbox import overview
from simulator.demo.report import Evidence, make_report
from simulator.world.site import DAY_S

FAULTS = Path(__file__).with_name("faults.toml")
HOMES_OF_SCRIPT = 12
NEWEST = 200
"""Messages of each outbox listed one by one at the end: the live day and more."""
OFFICE_HOUR = 9
CHECKED_FROM_S = 3600
MENDED_AT_S = 12 * 3600
"""Into the live day: the first home whose line was cut is heard again."""


def _slot(text: str) -> Slot:
    return slot_of(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


TROUBLES = (
    # Heard again on the live day, before the first run of the month: what it kept is billed by M1.
    LineFault("h06", _slot("2026-04-30T06:00"), damaged=(_slot("2026-04-12T10:00"), _slot("2026-04-21T17:30"))),
    # Heard again once M1 is booked: what it kept is for R1.
    LineFault("h08", _slot("2026-04-28T10:00"), damaged=(_slot("2026-04-09T04:15"),)),
)
"""What happens to homes' lines, the rest of the script that faults.toml begins (times in UTC)."""


def line_faults(homes: int, history_days: int) -> tuple[LineFault, ...]:
    """The troubles of a street and a history of this size: those of the script, where it was written for it."""
    first_s = datetime(LIVE_DAY.year, LIVE_DAY.month, LIVE_DAY.day, tzinfo=UTC).timestamp() - history_days * 86400
    reaches = min(min(trouble.damaged) for trouble in TROUBLES) >= slot_of(first_s)
    return TROUBLES if homes >= HOMES_OF_SCRIPT and reaches else ()


def run_demo_stages(demo: Demo, *, once: bool) -> dict[str, Any]:
    """All stages and their report. With `once` the street rests at the end, and the month's second run is made."""
    began_s = time.monotonic()
    with (
        _aside() as aside,
        demo.stage("street", f"Building a street of {demo.homes} homes (seed {demo.seed}) ..."),
    ):
        made = aside.submit(demo.make_hub)
        demo.start_street(FAULTS.read_text(encoding="utf-8") if demo.homes >= HOMES_OF_SCRIPT else "")
        made.result()
    with demo.stage("hub", demo.hub.words):
        demo.start_hub()
    with demo.stage("enrol", "Inviting the members and enrolling their agents ..."):
        demo.enrol()
    with (
        _aside() as aside,
        demo.stage("history", f"Sending {demo.history_days} days of history through every agent ..."),
    ):
        awake = aside.submit(demo.wake_residents)
        demo.send_history()
        awake.result()
    demo.print_line("You can look already; each link signs in once:")
    print_links(demo)
    watches = {home: LeakWatch(home, demo.street_folder / "homes" / home) for home in demo.agents}
    with _aside() as aside:
        lived = _live(demo, watches, aside)
        evidence = _end(demo, watches, aside, lived=lived, once=once)
    return _with_costs(make_report(evidence), demo, began_s=began_s)


@contextmanager
def _aside() -> Iterator[ThreadPoolExecutor]:
    """A thread for work beside the main one; when that breaks off, nothing more is begun."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        try:
            yield thread
        except BaseException:
            thread.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass
class LiveDayResult:
    """What the live day leaves: the month that was billed in its night, and the street's truth, once it is told."""

    books: MonthBooks | None = None
    truth: Future[dict[str, Any]] | None = None


def _live(demo: Demo, watches: Mapping[str, LeakWatch], aside: ThreadPoolExecutor) -> LiveDayResult:
    """The live day. In the minutes after midnight run M1 of the month before falls due and is booked and published;
    what comes late after that is there before the hub's work of the night."""
    lived = LiveDayResult()
    checked: list[Future[None]] = []

    def check_leaks() -> None:
        # What the history sent is checked while the live day leaves time for it.
        checked.extend(aside.submit(watch.scan_outbox) for watch in watches.values())

    def mend_one() -> None:
        for home in list(demo.cut)[:1]:
            demo.print_line(f"  {home} is connected again: {demo.mend_line(home)} batches had waited")

    def bill() -> None:
        from_s = demo.start_s - demo.history_days * DAY_S
        lived.truth = aside.submit(demo.ask_truth, from_s, demo.end_s)
        lived.books = bill_due_month(demo, today=LIVE_DAY + timedelta(days=1))
        if lived.books is not None:
            publish_while_late(demo, lived.books)

    between = {demo.start_s + CHECKED_FROM_S: check_leaks, demo.start_s + MENDED_AT_S: mend_one, demo.end_s: bill}
    with demo.stage("live", f"One live day, {LIVE_DAY}, at up to {demo.live_rate:.0f} times real speed ..."):
        demo.live_day(between)
        for one in checked:
            one.result()
    return lived


def _end(
    demo: Demo, watches: Mapping[str, LeakWatch], aside: ThreadPoolExecutor, *, lived: LiveDayResult, once: bool
) -> Evidence:
    """The month's last run and the evidence. Messages are checked on one core while the books go on on the other."""
    books = lived.books
    assert lived.truth is not None
    with demo.stage("month", "Correcting the month that was billed ..."):
        demo.programs.wait(
            "the last receipts",
            lambda: all(watch.waiting() == 0 for watch in watches.values()),
            progress=lambda: sum(watch.waiting() for watch in watches.values()),
        )
        messages = aside.submit(_verified, demo, "messages")
        found = {"truth": lived.truth.result(), "residents": demo.ask_street("status.json")["residents"]}
        if books is not None:
            if once:
                demo.print_line(f"  the street pauses until {books.due['R1']}, when run R1 of {books.month} is due")
                demo.rest_until(date.fromisoformat(books.due["R1"]), local_hour=OFFICE_HOUR)
                correct(demo, books)
            # Until R1 the late home's own statement names its late days: then a neighbour's is checked.
            late_home = next(iter(books.waited), None) if once else None
            check_statement(demo, books, late_home or next(iter(demo.members)))
    with demo.stage("report", "Checking everything again ..."):
        found["settled_again"] = settle_days(demo, _open_days(demo))
        first = LIVE_DAY - timedelta(days=demo.history_days)
        found["hub"] = demo.hub_json("report", "--from", str(first), "--to", str(LIVE_DAY), "--by", "m01", "--json")
        for watch in watches.values():
            watch.scan_outbox()
        found["outboxes"] = {home: overview(demo.data_of(home), newest=NEWEST) for home in demo.agents}
        found["verified"] = _verified(demo, "books") | messages.result()
        return _evidence(demo, watches, books=books, found=found)


def _verified(demo: Demo, half: str) -> dict[str, Any]:
    found = demo.hub_json("verify", "--whole", "--only", half, "--json")
    assert isinstance(found, dict)
    return found


def _open_days(demo: Demo) -> list[str]:
    """The days of the live day's month so far: those that run D may still settle."""
    first = max(LIVE_DAY.replace(day=1), LIVE_DAY - timedelta(days=demo.history_days))
    return [str(first + timedelta(days=n)) for n in range((LIVE_DAY - first).days + 1)]


def _evidence(
    demo: Demo, watches: Mapping[str, LeakWatch], *, books: MonthBooks | None, found: Mapping[str, Any]
) -> Evidence:
    homes = demo.street["homes"]
    return Evidence(
        **found,
        homes=len(homes),
        devices=sum(len(home["devices"]) for home in homes),
        families=sorted({device["map"] for home in homes for device in home["devices"]}),
        buses=len({d["connect"] for home in homes for d in home["devices"] if d["connect"].startswith("rtu:")}),
        agents=demo.agents,
        leaks=[leak for watch in watches.values() for leak in watch.leaks],
        checked=sum(watch.messages for watch in watches.values()),
        is_steady=all(watch.has_every_slot() for watch in watches.values()),
        chains={home: watch.order.digest for home, watch in watches.items()},
        disorder=[f"{home}: {words}" for home, watch in watches.items() for words in watch.order.findings],
        damaged=sum(line.damaged for line in demo.lines.values()),
        books=books,
        log_findings=list(_log_findings(demo)),
        peak_memory_bytes=demo.memory.peak_bytes,
        hub_bytes=demo.hub.disk_bytes(),
        memory_bytes_max=demo.hub.memory_bytes_max,
    )


def _log_findings(demo: Demo) -> Iterator[str]:
    """Secrets that stand in a log: tokens, links, private keys; and what a program calls an error it did not expect."""
    secret = re.compile(rb"(sign-in/[A-Za-z0-9_-]{20,}|PRIVATE KEY|[0-9A-Z]{4}(-[0-9A-Z]{4}){5,}|Traceback)")
    for path in sorted((demo.folder / "logs").glob("*.log")):
        found = secret.search(path.read_bytes())
        if found:
            yield f"{path.name} holds {found.group()[:12].decode('ascii', 'replace')}..."


def _with_costs(report: dict[str, Any], demo: Demo, *, began_s: float) -> dict[str, Any]:
    return report | {
        "seed": demo.seed,
        "live_day": LIVE_DAY.isoformat(),
        "history_days": demo.history_days,
        "stages": [vars(stage) for stage in demo.stages],
        "clock_held_s": round(demo.held_s, 1),
        "clock_held_longest_s": demo.slowest,
        "wall_s": round(time.monotonic() - began_s, 1),
        "cpu_s": round(demo.cpu_s(), 1),
        "peak_memory_mb": round(demo.memory.peak_bytes / 1e6),
        "peak_memory_by_program_mb": {
            name: round(size / 1e6) for name, size in sorted(demo.memory.peak_by_program.items())
        },
    }


def print_links(demo: Demo) -> None:
    """Print a link for a board member and one for a member."""
    links = demo.sign_in_links()
    homes = list(links)
    board, member = homes[0], homes[min(2, len(homes) - 1)]
    demo.print_line(f"  a board member: {links[board]}")
    demo.print_line(f"  a member:       {links[member]}")
