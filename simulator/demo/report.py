"""The result of a demonstration: figures from the hub, the agents and the street's truth, and the invariants.

Numbers in, a report out; `walk` collects them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.demo.month_report import month_imbalances, month_problems, month_rows, month_section, waiting_days
from simulator.demo.months import MonthBooks

Json = Mapping[str, Any]
MEMORY_BYTES_PER_HOME_MAX = 50_000_000
OUTBOX_BYTES_MAX = 64 * 2**20
HUB_BYTES_MAX = 32 * 2**20
HUB_BYTES_PER_MESSAGE_MAX = 2000


@dataclass(frozen=True)
class Evidence:
    """All that was asked at the end. `hub` is `commonwatt-hub report`, `verified` is `commonwatt-hub verify`,
    `outboxes` is what each home's outbox holds, `truth` the street's, `leaks` what left beyond a consent,
    `checked` how many messages were checked for that, `is_steady` whether every home sent one batch a slot;
    `chains` is each home's chain as one hash, `disorder` what stands in it out of order, `damaged` how many batches
    a line delivered with a bit turned; `books` is the month that was billed, if the history held one."""

    homes: int
    devices: int
    families: Sequence[str]
    buses: int
    hub: Json
    verified: Json
    outboxes: Mapping[str, Json]
    agents: Mapping[str, str]
    truth: Json
    residents: Json
    leaks: Sequence[str]
    checked: int
    is_steady: bool
    chains: Mapping[str, str]
    disorder: Sequence[str]
    damaged: int
    books: MonthBooks | None
    log_findings: Sequence[str]
    settled_again: Sequence[Json]
    peak_memory_bytes: int
    hub_bytes: int
    memory_bytes_max: int


def make_report(evidence: Evidence) -> dict[str, Any]:
    """The report without times. Units are in the names."""
    hub, settled = evidence.hub, evidence.hub["settlement"]
    load_wh = sum(sum(home["energy_wh"].get("load", ())) for home in evidence.truth["homes"].values())
    from_outside_wh = settled["demand_wh"] - settled["shared_wh"]
    moved = [
        run["energy_wh"]
        for home in evidence.truth["homes"].values()
        for run in home["runs"]
        if run["prompt"] is not None and run["start_s"] != run["planned_s"]
    ]
    sealed = sum(outbox["messages"] for outbox in evidence.outboxes.values())
    waiting = sum(outbox["waiting"] for outbox in evidence.outboxes.values())
    return {
        "homes": evidence.homes,
        "devices": evidence.devices,
        "device_families": list(evidence.families),
        "rtu_buses": evidence.buses,
        "messages": {
            "sealed": sealed,
            "stored": hub["messages"]["stored"],
            "receipted": sealed - waiting,
            "rejected": hub["messages"]["refused"],
            "dropped": sum(outbox["dropped"] for outbox in evidence.outboxes.values()),
        },
        "slots": hub["readings"]["by_mark"],
        "gaps": hub["readings"]["missing"]["by_reason"],
        "forecasts": hub["forecasts"],
        "prompts": {
            **hub["prompts"],
            "moved_runs_true": len(moved),
            "moved_true_wh": round(sum(moved)),
            "residents": dict(evidence.residents),
        },
        "energy": {
            "used_true_wh": round(load_wh),
            "surplus_wh": settled["surplus_wh"],
            "shared_wh": settled["shared_wh"],
            "self_sufficiency": round(1 - from_outside_wh / load_wh, 4) if load_wh else None,
            "self_sufficiency_without_sharing": round(1 - settled["demand_wh"] / load_wh, 4) if load_wh else None,
        },
        "settlement": settled,
        "month": None if evidence.books is None else month_section(evidence.books, settled["runs"]),
        "ledger": hub["ledger"],
        "settlement_hash": settled["hash"],
        "invariants": check_invariants(evidence),
    }


def check_invariants(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Each invariant that a demonstration can check: whether it holds, and what was checked."""
    verified = evidence.verified
    books, messages = verified["books"], verified["messages"]
    sealed = sum(outbox["messages"] for outbox in evidence.outboxes.values())
    waiting = sum(outbox["waiting"] for outbox in evidence.outboxes.values())
    dropped = sum(outbox["dropped"] for outbox in evidence.outboxes.values())
    lost = list(_lost(evidence))
    imbalances = [] if evidence.books is None else list(month_imbalances(evidence.books))
    found = {
        "I1 nothing receipted is missing": _held(
            not lost and not messages["wrong"],
            f"{sealed} sealed, {messages['messages']} opened again, {len(lost)} lost",
        ),
        "I2 nothing counts twice": _held(
            messages["messages"] == sealed and not messages["wrong"],
            f"{sealed} sealed, {messages['messages']} stored, {messages['readings']} readings compared",
        ),
        "I3 order is the order measured": _order(evidence),
        "I4 every missing slot is a visible gap": _gaps(evidence.hub["readings"]),
        "I5 the same inputs give the same settlement": _settlement(evidence),
        "I6 every entry and the ledger sum to zero": _held(
            books["sums"]["Wh"] == 0
            and books["sums"]["nano"] == 0
            and not books["wrong"]
            and books["entries"] > 0
            and not imbalances,
            "; ".join(imbalances)
            or f"{books['entries']} entries, sums {books['sums']['Wh']} Wh and {books['sums']['nano']} nano",
        ),
    }
    if evidence.damaged:
        found["I7 what fails validation never settles"] = _refusals(evidence)
    return found | {
        "I8 memory and disk are bounded": _bounds(evidence, stored=messages["messages"]),
        "I9 everything has caught up": _held(
            waiting == 0 and dropped == 0, f"{waiting} messages still wait for a receipt, {dropped} were dropped"
        ),
        "I10 no secret in a log": _held(not evidence.log_findings, "; ".join(evidence.log_findings) or "logs clean"),
        "I11 nothing left a home beyond its consent": _held(
            not evidence.leaks and evidence.checked == sealed and evidence.is_steady,
            "; ".join(evidence.leaks[:3]) or f"{evidence.checked} messages of {len(evidence.agents)} homes checked",
        ),
    }


def _lost(evidence: Evidence) -> Iterator[str]:
    """Receipted messages that the hub does not hold."""
    for home, outbox in evidence.outboxes.items():
        held = evidence.hub["messages"]["through"].get(evidence.agents[home], {"epoch": 0, "seq": 0})
        for message in outbox["newest"]:
            number = message["epoch"], message["seq"]
            if message["receipted_at"] and number > (held["epoch"], held["seq"]):
                yield f"{home} {message['epoch']}/{message['seq']}"


def _order(evidence: Evidence) -> dict[str, Any]:
    """The homes' chains go slot by slot as measured, and the hub has the same chains."""
    held = evidence.verified["messages"]["chains"]
    other = [home for home, chain in evidence.chains.items() if held.get(evidence.agents[home]) != chain]
    problems = [*evidence.disorder, *(f"{home}: the hub has a different chain" for home in other)]
    return _held(
        not problems and len(evidence.chains) == len(evidence.agents),
        "; ".join(problems[:3])
        or f"{len(evidence.chains)} chains, each the same at home and at the hub, slot after slot",
    )


def _gaps(readings: Json) -> dict[str, Any]:
    """For the grid meters, whose slots are settled: every missing slot has a reason."""
    marks, missing = readings["by_mark"], readings["missing"]
    silent = marks.get("missing", 0) + marks.get("waiting", 0)
    reasons, without = sum(missing["by_reason"].values()), missing["without_reason"]
    return _held(
        sum(marks.values()) == readings["slots"] and reasons == silent and without == 0,
        f"{readings['slots']} slots, {silent} missing, {reasons} of them with a reason, {without} without",
    )


def _settlement(evidence: Evidence) -> dict[str, Any]:
    books, settled = evidence.verified["books"], evidence.hub["settlement"]
    again = [row["day"] for row in evidence.settled_again if row["entries_booked"]]
    problems = [] if evidence.books is None else list(month_problems(evidence.books, settled["runs"]))
    return _held(
        not again
        and books["late_days"] == ([] if evidence.books is None else waiting_days(evidence.books))
        and books["recomputed"] > 0
        and not settled["differing_days"]
        and not problems,
        "; ".join(problems[:3])
        or f"{books['recomputed']} runs computed again, {len(evidence.settled_again)} days settled again,"
        f" {len(again)} of them booked something",
    )


def _refusals(evidence: Evidence) -> dict[str, Any]:
    """Every damaged batch was refused and counted, and the table has nothing that a home has not signed.

    A batch that the broker delivers twice is refused twice.
    """
    refused = sum(evidence.hub["messages"]["refused"].values())
    wrong = evidence.verified["messages"]["wrong"]
    return _held(
        refused >= evidence.damaged and not wrong,
        f"{evidence.damaged} batches damaged on the way, {refused} refused and counted, {wrong} values nobody signed",
    )


def _bounds(evidence: Evidence, *, stored: int) -> dict[str, Any]:
    outbox_bytes = max(outbox["bytes"] for outbox in evidence.outboxes.values())
    return _held(
        evidence.peak_memory_bytes <= evidence.memory_bytes_max + MEMORY_BYTES_PER_HOME_MAX * len(evidence.outboxes)
        and outbox_bytes <= OUTBOX_BYTES_MAX
        and evidence.hub_bytes <= HUB_BYTES_MAX + HUB_BYTES_PER_MESSAGE_MAX * stored,
        f"peak {evidence.peak_memory_bytes / 1e6:.0f} MB of all programs together, largest outbox"
        f" {outbox_bytes / 1e6:.1f} MB, the hub's folder {evidence.hub_bytes / 1e6:.1f} MB",
    )


def report_lines(report: Json) -> list[str]:
    """The report as a table for a terminal."""
    messages, prompts, energy, ledger = (report[name] for name in ("messages", "prompts", "energy", "ledger"))
    refused = ", ".join(f"{reason} {count}" for reason, count in messages["rejected"].items()) or "none"
    gaps = ", ".join(f"{reason} {count}" for reason, count in report["gaps"].items()) or "none"
    answers = ", ".join(f"{answer} {count}" for answer, count in prompts["answers"].items()) or "none"
    rows = [
        ("homes, devices", f"{report['homes']} homes, {report['devices']} devices of {len(report['device_families'])}"
         f" families, {report['rtu_buses']} RTU buses"),
        ("messages", f"{messages['sealed']} sealed, {messages['stored']} stored, {messages['receipted']} receipted"),
        ("rejected", refused),
        ("slots", ", ".join(f"{mark} {count}" for mark, count in report["slots"].items())),
        ("gaps", gaps),
        *((f"forecast {one['target']}", _forecast_words(one)) for one in report["forecasts"]),
        ("prompts", f"{prompts['sent']} sent; answers: {answers}"),
        ("energy moved", f"{prompts['moved_true_wh'] / 1000:.1f} kWh in {prompts['moved_runs_true']} runs (truth);"
         f" measured by the hub {prompts['measured_moved_wh'] / 1000:.1f} kWh"),
        ("shared", f"{energy['shared_wh'] / 1000:.1f} kWh of {energy['surplus_wh'] / 1000:.1f} kWh surplus"),
        ("self-sufficiency", f"{_percent(energy['self_sufficiency'])} (without sharing"
         f" {_percent(energy['self_sufficiency_without_sharing'])})"),
        ("ledger", f"{ledger['entries']} entries, sums {ledger['sum_wh']} Wh and {ledger['sum_nano']} nano"),
        *(month_rows(report["month"]) if report["month"] else ()),
        ("settlement hash", report["settlement_hash"]),
        *((f"hash of {kind}", run["hash"]) for kind, run in report["settlement"]["runs"].items()),
        ("peak memory", f"{report['peak_memory_mb']} MB"),
        *((f"stage {s['name']}", f"{s['wall_s']:.1f} s wall, {s['cpu_s']:.1f} s CPU") for s in report["stages"]),
    ]  # fmt: skip
    width = max(len(name) for name, _ in rows)
    lines = [f"{name.ljust(width)}  {words}" for name, words in rows]
    for name, found in report["invariants"].items():
        lines.append(f"{'holds ' if found['holds'] else 'BROKEN'}  {name}: {found['seen']}")
    return lines


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{100 * share:.1f} %"


def _forecast_words(one: Json) -> str:
    if one.get("withheld"):
        return "withheld: one to four homes make it, so it is taken off the demand"
    if one["nmae"] is None:
        return "nothing was measured"
    left = one.get("left_in_use", ())
    less = f"; {' and '.join(left)} of one to four homes are taken off it" if left else ""
    return (
        f"error {100 * one['nmae']:.1f} % of the mean, same as yesterday {100 * one['nmae_yesterday']:.1f} %,"
        f" {100 * one['inside_80_percent_band']:.0f} % inside the 80 % band ({one['model']}){less}"
    )


def _held(holds: bool, seen: str) -> dict[str, Any]:
    return {"holds": bool(holds), "seen": seen}
