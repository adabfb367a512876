"""The settlement runs of single days as the board sees them, with the names under which members know them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.core.statements.seals import Seals
from hub.storage.records import RunRow
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class RunLine:
    """One settlement run, with the names under which members know the run and its result."""

    day: str
    kind: str
    state: str
    is_complete: bool
    booked: str
    run_key: str
    rule: str
    result: str


def run_lines(rows: Sequence[RunRow], words: Localizer, *, seals: Seals) -> tuple[RunLine, ...]:
    """The runs, newest first."""
    return tuple(
        RunLine(
            day=row.day,
            kind=row.kind,
            state=words.text("complete") if row.state == "complete" else words.text("provisional"),
            is_complete=row.state == "complete",
            booked=words.plural(
                "%(n)s entry, booked %(moment)s",
                "%(n)s entries, booked %(moment)s",
                row.entries,
                moment=words.moment(row.made_at),
            ),
            run_key=seals.run(row.run_key),
            rule=row.rule_hash,
            result=seals.record(row.result_hash),
        )
        for row in reversed(rows)
    )


def run_json(row: RunRow, seals: Seals) -> dict[str, object]:
    """One run for programs, without its packed record."""
    return {
        "run_key": seals.run(row.run_key),
        "kind": row.kind,
        "day": row.day,
        "rule_hash": row.rule_hash,
        "result": seals.record(row.result_hash),
        "state": row.state,
        "made_at": row.made_at,
        "entries": row.entries,
    }
