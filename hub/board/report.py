"""The board's report on a range of local days: completeness, forecast error, prompts, sharing and books, as plain data.

It contains only sums over the neighbourhood, no single home's values.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np

from hub.books.days import SettlementStores, read_day_inputs
from hub.core.forecasting.day_grid import Floats
from hub.core.forecasting.forecaster import TARGETS
from hub.core.ledger.entries import read_entry
from hub.core.neighbourhood import Neighbourhood
from hub.core.settlement.period import Settlement, settle
from hub.forecasts.job import read_neighbourhood
from hub.forecasts.street_totals import day_group
from hub.storage.contract import ForecastStore, PromptStore
from hub.storage.records import Access, ForecastRow, RunRow
from hub.storage.street_records import StreetStore
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot, slots_of_day

SLOTS_PER_DAY: Final = 96
HOOD_ACCESS: Final = Access(actor="job:report", role="job", purpose="forecast.hood")
GRID_ACCESS: Final = Access(actor="job:report", role="job", purpose="settle.share", reason="what is missing and why")
GRID: Final = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
IN_USE_WORDS: Final = {
    Measure.PV_PRODUCTION: "pv",
    Measure.WIND_PRODUCTION: "wind",
    Measure.BATTERY_CHARGE: "batteries",
    Measure.BATTERY_DISCHARGE: "batteries",
}


class ReportStores(SettlementStores, ForecastStore, PromptStore, StreetStore, Protocol):
    """The parts of the store that a report reads."""


async def make_report(
    store: ReportStores, *, first: date, last: date, plants: frozenset[str] = frozenset()
) -> dict[str, object]:
    """The whole report on the local days `first` to `last`, ready for JSON. The names contain the units.

    `plants` are the co-op's own plants, which are nobody's home.
    """
    tz = (await store.coop()).tz
    slots = range(slots_of_day(first, tz).start, slots_of_day(last, tz).stop)
    return {
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "readings": await _readings(store, slots),
        "messages": await _messages(store),
        "forecasts": await _forecasts(store, slots, tz=tz, plants=plants),
        "prompts": await _prompts(store, slots),
        "settlement": await _settlement(store, first=first, last=last),
        "ledger": await _ledger(store),
    }


async def _readings(store: ReportStores, slots: range) -> dict[str, object]:
    """Every slot of every home is either measured or a gap with a reason (I4); `gaps` counts those of all measures."""
    marks: Counter[str] = Counter()
    gaps: Counter[str] = Counter()
    rows = [row for row in await store.fleet(slots=slots) if row.is_first]
    for row in rows:
        marks.update(row.presence)
        gaps.update(dict(row.gaps))
    return {
        "homes": len(rows),
        "slots": len(slots) * len(rows),
        "by_mark": dict(marks),
        "gaps": dict(gaps),
        "missing": await _missing(store, [row.home for row in rows], slots=slots),
    }


async def _missing(store: ReportStores, homes: Sequence[str], *, slots: range) -> dict[str, object]:
    """The slots in which a home's grid meter has no value, each with the reason its agent gave.

    A slot that no message mentions has no reason: a reported gap says why, a missing message cannot.
    """
    reasons: Counter[str] = Counter()
    silent = 0
    for home in homes:
        found = await store.home_series(home, GRID, slots=slots, access=GRID_ACCESS)
        missing = np.stack([found[measure].mark == Mark.MISSING for measure in GRID])
        gaps = np.stack([found[measure].gap for measure in GRID])
        reported = missing & ~np.isin(gaps, (Gap.NONE, Gap.NEVER_ARRIVED))
        # If both directions are missing in a slot, the first one's reason counts.
        first = np.where(reported[0], gaps[0], np.where(reported[1], gaps[1], Gap.NONE))
        reasons.update(Gap(gap).label for gap in first[reported.any(axis=0)].tolist())
        silent += int((missing.any(axis=0) & ~reported.any(axis=0)).sum())
    return {"by_reason": dict(reasons), "without_reason": silent}


async def _messages(store: ReportStores) -> dict[str, object]:
    refused: Counter[str] = Counter()
    for count in await store.refusals():
        refused[count.reason] += count.count
    heads = await store.chain_heads()
    through = {agent: {"epoch": head.epoch, "seq": head.seq} for agent, head in sorted(heads.items())}
    return {"stored": await store.message_count(), "refused": dict(refused), "through": through}


async def _forecasts(store: ReportStores, slots: range, *, tz: str, plants: frozenset[str]) -> list[dict[str, object]]:
    """For each target: the median of the first forecast issued in the range, compared with the actual values and with
    those of the day before. Both are of the homes, and of the kinds of production, that the forecast was made from.

    The error is the mean absolute error divided by the mean (nMAE), over the measured slots. `left_in_use` names what
    one to four homes make or store: it is in the demand instead, and a forecast of it alone is withheld.
    """
    wanted = range(slots.start - SLOTS_PER_DAY, slots.stop)
    hoods: dict[Slot, Neighbourhood] = {}
    found: list[dict[str, object]] = []
    for target in TARGETS:
        rows = [row for row in await store.forecasts_covering(target, slots=slots) if row.issued_slot >= slots.start]
        if not rows:
            continue
        issued = rows[0].issued_slot
        if issued not in hoods:
            group = await day_group(store, issued, tz=tz)
            hoods[issued] = await read_neighbourhood(
                store, slots=wanted, access=HOOD_ACCESS, group=group, plants=plants, now_slot=issued
            )
        found.append(_told(rows[0], hoods[issued], first_slot=wanted.start, slots=slots))
    return found


def _told(row: ForecastRow, hood: Neighbourhood, *, first_slot: Slot, slots: range) -> dict[str, object]:
    if row.target == "demand":
        left = {"left_in_use": sorted({IN_USE_WORDS[measure] for measure in hood.in_use})}
        return _score(row, hood.demand_wh, first_slot=first_slot, slots=slots) | left
    measure, series = {
        "pv": (Measure.PV_PRODUCTION, hood.pv_wh), "wind": (Measure.WIND_PRODUCTION, hood.wind_wh)
    }[row.target]  # fmt: skip
    is_withheld = measure in hood.in_use
    if is_withheld:
        series = np.full_like(series, np.nan)
    return _score(row, series, first_slot=first_slot, slots=slots) | {"withheld": is_withheld}


def _score(row: ForecastRow, series: Floats, *, first_slot: int, slots: range) -> dict[str, object]:
    begin = max(row.first_slot, slots.start)
    end = min(row.first_slot + len(row.energy_wh), slots.stop)
    actual = series[begin - first_slot : end - first_slot]
    yesterday = series[begin - first_slot - SLOTS_PER_DAY : end - first_slot - SLOTS_PER_DAY]
    quantiles = row.energy_wh[begin - row.first_slot : end - row.first_slot]
    known = np.isfinite(actual) & np.isfinite(yesterday)
    mean_wh = float(np.mean(actual[known])) if known.any() else 0.0
    result: dict[str, object] = {"target": row.target, "issued_slot": row.issued_slot, "slots": int(known.sum())}
    if mean_wh <= 0:
        return result | {"nmae": None, "nmae_yesterday": None, "inside_80_percent_band": None, "model": row.model}
    median = quantiles[:, row.quantiles.index(0.5)]
    inside = (quantiles[:, 0] <= actual) & (actual <= quantiles[:, -1])
    return result | {
        "nmae": round(float(np.mean(np.abs(median - actual)[known])) / mean_wh, 4),
        "nmae_yesterday": round(float(np.mean(np.abs(yesterday - actual)[known])) / mean_wh, 4),
        "inside_80_percent_band": round(float(np.mean(inside[known])), 4),
        "model": row.model,
    }


async def _prompts(store: ReportStores, slots: range) -> dict[str, object]:
    prompts = await store.prompts(home=None, issued=slots)
    answers = Counter(prompt.answer or "unanswered" for prompt in prompts)
    yes = [prompt for prompt in prompts if prompt.answer == "yes"]
    measured = [prompt.measured_wh for prompt in yes if prompt.measured_wh is not None]
    return {
        "sent": len(prompts),
        "answers": dict(answers),
        "asked_wh": sum(prompt.energy_wh for prompt in prompts),
        "agreed_wh": sum(prompt.energy_wh for prompt in yes),
        "measured": len(measured),
        "measured_moved_wh": sum(measured),
    }


async def _settlement(store: ReportStores, *, first: date, last: date) -> dict[str, object]:
    """Sums over the settled days, each recomputed from its readings; `hash` covers every day's current result."""
    runs = await store.runs(days=(first.isoformat(), last.isoformat()), allocations=False)
    current: dict[str, RunRow] = {run.day: run for run in runs}
    sums: Counter[str] = Counter()
    states: Counter[str] = Counter()
    late, differing = [], []
    for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
        run = current.get(day.isoformat())
        if run is None:
            states["unsettled"] += 1
            continue
        states[run.state] += 1
        inputs = await read_day_inputs(store, day=day)
        settled = settle(inputs.readings, inputs.rule)
        if inputs.digest != run.input_digest:
            late.append(run.day)
        elif settled.result_hash() != run.result_hash:
            differing.append(run.day)
        sums.update(_energies(settled))
    shared, demand, surplus = sums["shared_wh"], sums["demand_wh"], sums["surplus_wh"]
    return {
        "days": dict(states),
        "runs": _runs(runs),
        "surplus_wh": surplus,
        "demand_wh": demand,
        "shared_wh": shared,
        "share_of_demand_met_by_neighbours": round(shared / demand, 4) if demand else None,
        "share_of_surplus_used_by_neighbours": round(shared / surplus, 4) if surplus else None,
        "late_days": late,
        "differing_days": differing,
        "hash": _hash(current),
    }


def _runs(runs: Sequence[RunRow]) -> dict[str, dict[str, int | str]]:
    """For each kind of run, the number of days settled and of entries booked, and a hash over its last result of each
    day."""
    return {
        kind: {
            "days": len({run.day for run in runs if run.kind == kind}),
            "entries": sum(run.entries for run in runs if run.kind == kind),
            "hash": _hash({run.day: run for run in runs if run.kind == kind}),
        }
        for kind in dict.fromkeys(run.kind for run in runs)
    }


def _energies(settled: Settlement) -> dict[str, int]:
    totals = settled.totals_wh
    return {"surplus_wh": sum(totals["surplus"]), "demand_wh": sum(totals["demand"]), "shared_wh": sum(totals["alloc"])}


def _hash(current: dict[str, RunRow]) -> str:
    lines = "".join(f"{day} {current[day].rule_hash} {current[day].result_hash}\n" for day in sorted(current))
    return hashlib.sha256(b"commonwatt settlement of days v1\n" + lines.encode()).hexdigest()


async def _ledger(store: ReportStores) -> dict[str, object]:
    sums: Counter[str] = Counter({"Wh": 0, "nano": 0})
    position, entries = 0, 0
    while page := await store.entries(after_position=position, limit=2000):
        for row in page:
            position, entries = row.position, entries + 1
            entry = read_entry(row.canonical)
            sums[entry.unit] += sum(posting.amount for posting in entry.postings)
    head = (await store.ledger_head())[1]
    return {"entries": entries, "sum_wh": sums["Wh"], "sum_nano": sums["nano"], "head": head.hex()}
