"""Months and their runs as files for programs, without the hashes of any home's readings."""

from dataclasses import asdict

from hub.core.ledger.month_overview import MonthOverview
from hub.core.ledger.month_preview import BoardPreview
from hub.core.ledger.month_runs import MonthRun


def month_run_json(run: MonthRun) -> dict[str, object]:
    """One run of a month for programs, without the hashes of its days' readings."""
    content = asdict(run) | {"state": run.state, "days": [day for day, _ in run.days]}
    del content["inputs"]
    return content


def month_json(month: MonthOverview) -> dict[str, object]:
    """One month for programs."""
    return {
        "month": month.name,
        "is_over": month.is_over,
        "days": month.days,
        "settled_days": month.settled,
        "provisional_days": month.provisional,
        "kinds": [
            {
                "kind": kind.kind,
                "due": None if kind.due is None else kind.due.isoformat(),
                "state": kind.state,
                "run_key": None if kind.run is None else kind.run.run_key,
            }
            for kind in month.kinds
        ],
        "bookable": list(month.bookable),
        "marked_days": [{"day": mark.day.isoformat(), "why": mark.why} for mark in month.marked],
        "runs": [month_run_json(run) | {"is_outdated": run.run_key in month.outdated} for run in month.runs],
    }


def preview_json(preview: BoardPreview) -> dict[str, object]:
    """What a run changes, for programs."""
    return asdict(preview) | {"days": list(preview.days)}
