"""A closed month billed in the demonstration: run M1, readings that come late, run R1, and a member's own check of it.

It asks the hub's commands, as a board and a member would, and keeps what they said; judging it is `demo_report`.
"""

import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from simulator.demo.director import BOARD_MEMBERS, Demo

Json = dict[str, Any]


@dataclass
class Rerun:
    """A run made a second time: its key then, and how many rows the hub's store had before and after."""

    run_key: str
    rows_before: int
    rows_after: int


@dataclass
class MonthBooks:
    """What the hub said of one month. `due` is the day of each run; a run that was not reached is left out."""

    month: str
    due: dict[str, str]
    previews: dict[str, Json] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)
    waited: dict[str, int] = field(default_factory=dict)
    marked: list[str] = field(default_factory=list)
    marked_after: list[str] = field(default_factory=list)
    rerun: Rerun | None = None
    statement: Json = field(default_factory=dict)


def bill_due_month(demo: Demo, *, today: date) -> MonthBooks | None:
    """Run M1 of the month for which it is due and not made; None when the history holds no such month."""
    for row in _runs(demo)["due"]:
        if row["kind"] == "M1" and row["due"] <= today.isoformat():
            books = MonthBooks(row["month"], {"M1": row["due"]})
            _book(demo, books, "M1")
            return books
    return None


def publish(demo: Demo, books: MonthBooks, kind: str) -> None:
    """Two board members approve the run that stands, the first of them publishes it."""
    run_key = books.runs[kind]["run_key"]
    board = list(demo.members.values())[:BOARD_MEMBERS]
    for member in board:
        demo.hub_json("approve", "--run", run_key, "--member", member, "--json")
    books.runs[kind] = _mapping(demo.hub_json("approve", "--run", run_key, "--member", board[0], "--publish", "--json"))


def publish_while_late(demo: Demo, books: MonthBooks) -> None:
    """Publish M1, and mend the lines that are still cut: what comes now comes after it.

    It marks days: those of the month wait for R1, the others for the hub's night.
    """
    with ThreadPoolExecutor(max_workers=1) as aside:
        published = aside.submit(publish, demo, books, "M1")
        for home in list(demo.cut):
            books.waited[home] = demo.mend_line(home)
        published.result()
    found = _runs(demo)
    books.due["R1"] = next(row["due"] for row in found["due"] if (row["month"], row["kind"]) == (books.month, "R1"))
    books.marked = _marked(found, books.month)


def correct(demo: Demo, books: MonthBooks) -> None:
    """Run R1 on the day it falls due: previewed, booked, made again, published."""
    _book(demo, books, "R1")
    rows_before = demo.hub.stored_rows()
    again = _settle(demo, books, "R1")
    books.rerun = Rerun(str(again["run_key"]), rows_before, demo.hub.stored_rows())
    publish(demo, books, "R1")
    books.marked_after = _marked(_runs(demo), books.month)


def check_statement(demo: Demo, books: MonthBooks, home: str) -> None:
    """A member's statement of the month, recomputed by the stand-alone script the hub names, apart from the hub."""
    member, folder = demo.members[home], demo.folder / f"statement-{home}"
    person = ("--by", "m01", "--reason", "the demonstration checks a statement")
    told = _mapping(
        demo.hub_json("statement", "--member", member, *person, "--month", books.month, "--out", str(folder), "--json")
    )
    done = demo.programs.run([sys.executable, "-I", *shlex.split(told["verify"])[1:]])
    words = (done.stdout or done.stderr).partition("\n")[0]
    books.statement = {
        "member": member,
        **{name: told[name] for name in ("state", "billed", "later")},
        "verified": done.returncode == 0,
        "said": words,
    }


def settle_days(demo: Demo, days: Sequence[str]) -> list[Json]:
    """Run D of these days; what each booked."""
    return [_mapping(row) for row in demo.hub_lines("settle", "--day", *days, "--json")]


def _book(demo: Demo, books: MonthBooks, kind: str) -> None:
    """The run previewed, then made."""
    asked = ("settle", "--month", books.month, "--preview", "--by", "m01", "--json")
    books.previews[kind] = _mapping(demo.hub_json(*asked))
    books.runs[kind] = _settle(demo, books, kind)


def _settle(demo: Demo, books: MonthBooks, kind: str) -> Json:
    return _mapping(demo.hub_json("settle", "--month", books.month, "--kind", kind, "--json"))


def _runs(demo: Demo) -> Json:
    return _mapping(demo.hub_json("runs", "--json"))


def _marked(found: Json, month: str) -> list[str]:
    return [row["day"] for row in found["marked_days"] if row["day"].startswith(month)]


def _mapping(found: object) -> Json:
    assert isinstance(found, dict)
    return found
