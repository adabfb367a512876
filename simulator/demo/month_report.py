"""What the billing of a month came to: figures for the report, and what must hold of them. Numbers in, words out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.demo.months import MonthBooks

Json = Mapping[str, Any]
APPROVALS_NEEDED = 2
NANO_PER_UNIT = 10**9


def month_section(books: MonthBooks, runs: Json) -> dict[str, Any]:
    """The month in the report; `runs` is what the hub's report counts of each kind of run."""
    made = {
        kind: {
            "due": books.due[kind],
            "state": run["state"],
            "approved_by": [member for member, _ in run["approvals"]],
            "days": run["days"],
            "changed_days": books.previews[kind]["days"],
            "entries": runs.get(kind, {}).get("entries", 0),
            **_difference(books.previews[kind]),
        }
        for kind, run in books.runs.items()
    }
    rerun = None if books.rerun is None else books.rerun.rows_after - books.rerun.rows_before
    return {
        "month": books.month,
        "runs": made,
        "late_messages": dict(books.waited),
        "marked_days": list(books.marked),
        "marked_days_after_r1": list(books.marked_after),
        "r1_made_again_rows": rerun,
        "statement": dict(books.statement),
    }


def _difference(preview: Json) -> dict[str, int]:
    """Units: Wh and nano-currency. `moved` is the sum of what members gain and lose, whichever way."""
    members = preview["members"]
    return {
        "shared_wh": sum(each["received_wh"] for each in members),
        "moved_wh": sum(abs(each["received_wh"]) + abs(each["sold_wh"]) for each in members),
        "moved_nano": sum(abs(each["money_nano"]) for each in members),
        "margin_nano": preview["margin_nano"],
    }


def month_problems(books: MonthBooks, runs: Json) -> Iterator[str]:
    """What contradicts that the same inputs give the same books, whatever came late."""
    for kind, run in books.runs.items():
        entries = runs.get(kind, {}).get("entries", 0)
        if entries != books.previews[kind]["entries"]:
            yield f"{kind} booked {entries} entries, its preview said {books.previews[kind]['entries']}"
        if run["state"] != "published" or len({member for member, _ in run["approvals"]}) < APPROVALS_NEEDED:
            yield f"{kind} is {run['state']}"
    if "R1" in books.runs:
        if (changed := books.previews["R1"]["days"]) != books.marked:
            yield f"{len(books.marked)} days were marked, R1 changed {len(changed)}"
        if books.marked_after:
            yield f"{books.marked_after[0]} is still marked after R1"
    if books.rerun is not None:
        if books.rerun.rows_after != books.rerun.rows_before:
            yield f"R1 made again wrote {books.rerun.rows_after - books.rerun.rows_before} rows"
        if books.rerun.run_key != books.runs["R1"]["run_key"]:
            yield "R1 made again is another run"
    if books.waited and not books.marked:
        yield "readings came late and marked no day"
    if not books.statement.get("verified"):
        yield f"the statement of {books.month}: {books.statement.get('said', 'nobody checked it')}"


def waiting_days(books: MonthBooks) -> list[str]:
    """The days that late readings have marked and whose run R1 was not reached: they stand by older readings."""
    return [] if "R1" in books.runs else list(books.marked)


def month_imbalances(books: MonthBooks) -> Iterator[str]:
    """What a run would make out of nothing: energy got and given, money of members and the co-op's margin."""
    for kind, preview in books.previews.items():
        members = preview["members"]
        energy_wh = sum(each["received_wh"] - each["sold_wh"] for each in members)
        money_nano = sum(each["money_nano"] for each in members) + preview["margin_nano"]
        if energy_wh or money_nano:
            yield f"{kind} is off by {energy_wh} Wh and {money_nano} nano"


def month_rows(section: Json) -> Iterator[tuple[str, str]]:
    """The section as rows of the table."""
    for kind, run in section["runs"].items():
        days, board = len(run["changed_days"]), " and ".join(run["approved_by"])
        yield (
            f"{section['month']} {kind}",
            f"due {run['due']}: {days} of {run['days']} days changed, {run['entries']} entries,"
            f" {run['shared_wh'] / 1000:+.3f} kWh shared, {_money(run['moved_nano'])} moved between members;"
            f" {run['state']}, approved by {board}",
        )
    if section["late_messages"]:
        came = ", ".join(f"{count} batches of {home}" for home, count in section["late_messages"].items())
        yield "late readings", f"{came}; days marked: {_days(section['marked_days'])}"
    if section["r1_made_again_rows"] is not None:
        yield "R1 made again", f"{section['r1_made_again_rows']} rows written"
    if statement := section["statement"]:
        state = f"{statement['state']}, {'billed' if statement['billed'] else 'not billed'}"
        check = "verified" if statement["verified"] else "NOT VERIFIED"
        yield "statement", f"{check} by the stand-alone script: {statement['said']} ({state})"


def _days(days: Sequence[str]) -> str:
    return f"{len(days)} ({days[0]} to {days[-1]})" if len(days) > 1 else ", ".join(days) or "none"


def _money(nano: int) -> str:
    return f"{nano / NANO_PER_UNIT:.2f}"
