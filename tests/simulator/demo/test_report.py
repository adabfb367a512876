"""The demonstration's report: it holds on sound evidence, and each planted violation is named by its invariant."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from simulator.demo.months import MonthBooks, Rerun
from simulator.demo.report import Evidence, check_invariants, make_report, report_lines

MESSAGES = 40
RUNS = {
    "D": {"days": 3, "entries": 12, "hash": "d0" * 32},
    "M1": {"days": 1, "entries": 4, "hash": "e1" * 32},
    "R1": {"days": 2, "entries": 8, "hash": "f1" * 32},
}


def message(seq: int, *, receipted_at: int | None = 1) -> dict[str, Any]:
    return {"epoch": 7, "seq": seq, "kind": "batch", "receipted_at": receipted_at}


def previewed(days: list[str], entries: int) -> dict[str, Any]:
    """Two members between whom energy moves, and the co-op's margin on it."""
    members = [
        {"member": "m01", "received_wh": 0, "sold_wh": 500, "imported_wh": 0, "exported_wh": -500, "money_nano": 70},
        {"member": "m02", "received_wh": 500, "sold_wh": 0, "imported_wh": -500, "exported_wh": 0, "money_nano": -100},
    ]
    return {"month": "2026-04", "days": days, "entries": entries, "members": members, "margin_nano": 30}


def published(kind: str) -> dict[str, Any]:
    approvals = [["m01", 1], ["m02", 2]]
    return {"run_key": f"key of {kind}", "kind": kind, "state": "published", "approvals": approvals, "days": 30}


def billed() -> MonthBooks:
    """A month with its first run, two days marked by what came late, and the run that corrects them."""
    late = ["2026-04-29", "2026-04-30"]
    return MonthBooks(
        "2026-04",
        {"M1": "2026-05-07", "R1": "2026-07-07"},
        previews={"M1": previewed(["2026-04-30"], 4), "R1": previewed(late, 8)},
        runs={kind: published(kind) for kind in ("M1", "R1")},
        waited={"one": 300},
        marked=list(late),
        rerun=Rerun("key of R1", 900, 900),
        statement={
            "member": "m01", "state": "provisional", "billed": True, "later": {}, "verified": True,
            "said": "2026-04 of m01: right in all of 2880 intervals",
        },
    )  # fmt: skip


def sound() -> Evidence:
    """Two homes, twenty messages each, one missing slot with its reason."""
    outbox = {
        "messages": 20, "waiting": 0, "refused": 0, "dropped": 0, "bytes": 20 * 512,
        "newest": [message(seq) for seq in range(20, 0, -1)],
    }  # fmt: skip
    forecast = {
        "target": "pv", "issued_slot": 1, "slots": 96, "nmae": 0.1, "nmae_yesterday": 0.3,
        "inside_80_percent_band": 0.8, "model": "ridge",
    }  # fmt: skip
    hub = {
        "readings": {
            "homes": 2, "slots": 38, "by_mark": {"present": 37, "missing": 1}, "gaps": {"agent off": 3},
            "missing": {"by_reason": {"agent off": 1}, "without_reason": 0},
        },
        "messages": {
            "stored": MESSAGES,
            "refused": {"bad_signature": 2},
            "through": {"a-one": {"epoch": 7, "seq": 20}, "a-two": {"epoch": 7, "seq": 20}},
        },
        "forecasts": [forecast],
        "prompts": {"sent": 2, "answers": {"yes": 1, "no": 1}, "measured_moved_wh": 900},
        "settlement": {
            "surplus_wh": 4000, "demand_wh": 3000, "shared_wh": 1000, "late_days": [], "differing_days": [],
            "hash": "ab" * 32, "runs": deepcopy(RUNS),
        },
        "ledger": {"entries": 4, "sum_wh": 0, "sum_nano": 0, "head": "00"},
    }  # fmt: skip
    verified = {
        "ok": True,
        "messages": {
            "messages": MESSAGES, "readings": 80, "wrong": 0, "findings": [], "chains": {"a-one": "11", "a-two": "22"},
        },
        "books": {
            "entries": 4, "runs": 2, "recomputed": 2, "sums": {"Wh": 0, "nano": 0}, "late_days": [], "wrong": 0,
            "findings": [],
        },
    }  # fmt: skip
    run = {"energy_wh": 950.0, "prompt": "p-1", "start_s": 10, "planned_s": 900}
    truth = {
        "homes": {"one": {"energy_wh": {"load": [5000, 1000]}, "runs": [run]}, "two": {"energy_wh": {}, "runs": []}}
    }
    return Evidence(
        homes=2,
        devices=3,
        families=["eastron-sdm630"],
        buses=1,
        hub=hub,
        verified=verified,
        outboxes={"one": outbox, "two": deepcopy(outbox)},
        agents={"one": "a-one", "two": "a-two"},
        truth=truth,
        residents={"signed_in": 2},
        leaks=[],
        checked=MESSAGES,
        is_steady=True,
        chains={"one": "11", "two": "22"},
        disorder=[],
        damaged=2,
        books=billed(),
        log_findings=[],
        settled_again=[{"day": "2026-05-20", "entries_booked": 0}],
        peak_memory_bytes=900_000_000,
        memory_bytes_max=900_000_000,
        hub_bytes=40_000,
    )


def broken(seen: Evidence) -> set[str]:
    return {name.split()[0] for name, found in check_invariants(seen).items() if not found["holds"]}


def at(seen: Any, *path: str) -> Any:
    for name in path:
        seen = getattr(seen, name) if hasattr(seen, name) else seen[name]
    return seen


def plant(change: Callable[[Evidence], object]) -> Evidence:
    seen = deepcopy(sound())
    made = change(seen)
    return made if isinstance(made, Evidence) else seen


def test_sound_evidence_holds_in_every_invariant() -> None:
    assert broken(sound()) == set()


PLANTED: dict[str, tuple[str, Callable[[Evidence], object]]] = {
    "a receipted message the hub does not hold": (
        "I1", lambda seen: at(seen, "outboxes", "one", "newest").insert(0, message(21))),
    "an agent the hub knows nothing of": (
        "I1", lambda seen: at(seen, "hub", "messages", "through").pop("a-two")),
    "a stored message that does not open": (
        "I1", lambda seen: at(seen, "verified", "messages").update(wrong=1)),
    "a message stored twice": (
        "I2", lambda seen: at(seen, "verified", "messages").update(messages=MESSAGES + 1)),
    "a message that never came": (
        "I2", lambda seen: at(seen, "verified", "messages").update(messages=MESSAGES - 1)),
    "a quarter hour that comes before the one it follows": (
        "I3", lambda seen: replace(seen, disorder=["one: message 7/8: 10:00 after 10:15"])),
    "a chain the hub holds otherwise": (
        "I3", lambda seen: at(seen, "verified", "messages", "chains").update({"a-two": "23"})),
    "a chain the hub does not hold": (
        "I3", lambda seen: at(seen, "verified", "messages", "chains").pop("a-one")),
    "a home whose chain nobody followed": (
        "I3", lambda seen: at(seen, "chains").pop("one")),
    "a missing slot without a reason": (
        "I4", lambda seen: at(seen, "hub", "readings").update(missing={"by_reason": {}, "without_reason": 1})),
    "a reason too many": (
        "I4", lambda seen: at(seen, "hub", "readings", "missing", "by_reason").update({"agent off": 2})),
    "a slot nobody speaks of": (
        "I4", lambda seen: at(seen, "hub", "readings", "by_mark").update(present=36)),
    "a slot that still waits": (
        "I4", lambda seen: at(seen, "hub", "readings", "by_mark").update(present=36, waiting=1)),
    "a run of a month that books other than its preview": (
        "I5", lambda seen: at(seen, "hub", "settlement", "runs", "R1").update(entries=7)),
    "a run of a month that nobody published": (
        "I5", lambda seen: at(seen, "books", "runs", "M1").update(state="approved")),
    "a run that one member approved twice": (
        "I5", lambda seen: at(seen, "books", "runs", "R1").update(approvals=[["m01", 1], ["m01", 2]])),
    "a marked day that R1 passes over": (
        "I5", lambda seen: at(seen, "books", "marked").append("2026-04-28")),
    "a day still marked after R1": (
        "I5", lambda seen: at(seen, "books", "marked_after").append("2026-04-28")),
    "late readings that mark no day": (
        "I5", lambda seen: at(seen, "books", "marked").clear()),
    "a run made again that writes": (
        "I5", lambda seen: at(seen, "books", "rerun").__setattr__("rows_after", 901)),
    "a run made again that is another": (
        "I5", lambda seen: at(seen, "books", "rerun").__setattr__("run_key", "another")),
    "a statement that its script finds wrong": (
        "I5", lambda seen: at(seen, "books", "statement").update(verified=False)),
    "a statement nobody checked": (
        "I5", lambda seen: at(seen, "books", "statement").clear()),
    "energy a run makes out of nothing": (
        "I6", lambda seen: at(seen, "books", "previews", "R1", "members")[0].update(sold_wh=499)),
    "money a run makes out of nothing": (
        "I6", lambda seen: at(seen, "books", "previews", "M1").update(margin_nano=31)),
    "a damaged batch that nobody refused": (
        "I7", lambda seen: at(seen, "hub", "messages", "refused").clear()),
    "a value that nobody signed": (
        "I7", lambda seen: at(seen, "verified", "messages").update(wrong=1)),
    "a day that settles otherwise the second time": (
        "I5", lambda seen: seen.settled_again[0].update(entries_booked=2)),  # type: ignore[attr-defined]
    "a run with other readings": (
        "I5", lambda seen: at(seen, "verified", "books", "late_days").append("2026-05-19")),
    "a run that comes to another result": (
        "I5", lambda seen: at(seen, "hub", "settlement", "differing_days").append("2026-05-19")),
    "no run computed again": (
        "I5", lambda seen: at(seen, "verified", "books").update(recomputed=0)),
    "energy out of nothing": (
        "I6", lambda seen: at(seen, "verified", "books", "sums").update(Wh=1)),
    "money out of nothing": (
        "I6", lambda seen: at(seen, "verified", "books", "sums").update(nano=-1)),
    "an entry that is not what was chained": (
        "I6", lambda seen: at(seen, "verified", "books").update(wrong=1)),
    "an empty ledger": (
        "I6", lambda seen: at(seen, "verified", "books").update(entries=0)),
    "too much memory": ("I8", lambda seen: replace(seen, peak_memory_bytes=1_100_000_000)),
    "an outbox that grows": ("I8", lambda seen: at(seen, "outboxes", "two").update(bytes=2**30)),
    "a hub folder that grows": ("I8", lambda seen: replace(seen, hub_bytes=2**30)),
    "a message that waits": ("I9", lambda seen: at(seen, "outboxes", "two").update(waiting=1)),
    "a message given up for want of room": ("I9", lambda seen: at(seen, "outboxes", "two").update(dropped=1)),
    "a secret in a log": ("I10", lambda seen: replace(seen, log_findings=["hub.log holds PRIVATE KEY..."])),
    "a leak": ("I11", lambda seen: replace(seen, leaks=["one: solar power without consent"])),
    "a message nobody weighed": ("I11", lambda seen: replace(seen, checked=MESSAGES - 1)),
    "a cadence that tells something": ("I11", lambda seen: replace(seen, is_steady=False)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_named(name: str) -> None:
    invariant, change = PLANTED[name]
    seen = plant(change)
    assert invariant in broken(seen)
    report = make_report(seen) | {"stages": [], "peak_memory_mb": 900}
    assert any(line.startswith(f"BROKEN  {invariant} ") for line in report_lines(report))


def test_every_invariant_has_a_planted_violation() -> None:
    assert {invariant for invariant, _ in PLANTED.values()} == {name.split()[0] for name in check_invariants(sound())}


def test_figures_come_from_the_truth_and_the_hub() -> None:
    report = make_report(sound())
    assert report["prompts"]["moved_true_wh"] == 950
    assert report["energy"]["self_sufficiency"] == round(1 - 2000 / 6000, 4)
    assert report["energy"]["self_sufficiency_without_sharing"] == 0.5
    assert report["messages"] == {"sealed": 40, "stored": 40, "receipted": 40, "rejected": {"bad_signature": 2},
        "dropped": 0,
    }  # fmt: skip


def test_what_one_to_four_homes_make_is_said_to_be_withheld_and_taken_off_the_demand() -> None:
    seen = sound()
    (sun,) = seen.hub["forecasts"]
    unscored = {"nmae": None, "nmae_yesterday": None, "inside_80_percent_band": None}
    seen.hub["forecasts"][:] = [
        sun | {"target": "demand", "left_in_use": ["batteries", "wind"]},
        sun | {"withheld": False},
        sun | unscored | {"target": "wind", "withheld": True},
    ]
    demand, pv, wind = (
        line for line in report_lines(make_report(seen) | {"stages": [], "peak_memory_mb": 900}) if "forecast" in line
    )
    assert demand.endswith("(ridge); batteries and wind of one to four homes are taken off it")
    assert pv.endswith("(ridge)")
    assert wind.endswith("withheld: one to four homes make it, so it is taken off the demand")


def test_the_months_runs_stand_in_the_report_and_its_table() -> None:
    report = make_report(sound())
    runs = report["month"]["runs"]
    assert [(kind, run["entries"], len(run["changed_days"])) for kind, run in runs.items()] == [
        ("M1", 4, 1),
        ("R1", 8, 2),
    ]
    assert (runs["R1"]["shared_wh"], runs["R1"]["moved_wh"], runs["R1"]["moved_nano"]) == (500, 1000, 170)
    assert report["month"]["r1_made_again_rows"] == 0
    table = "\n".join(report_lines(report | {"stages": [], "peak_memory_mb": 900}))
    for words in (
        "due 2026-07-07: 2 of 30 days changed, 8 entries",
        "300 batches of one",
        "0 rows written",
        "m01 and m02",
    ):
        assert words in table
    assert "verified by the stand-alone script: 2026-04 of m01: right in all of 2880 intervals" in table


def test_a_month_whose_second_run_was_not_reached_is_judged_by_its_first() -> None:
    books = billed()
    only_first = replace(books, runs={"M1": books.runs["M1"]}, previews={"M1": books.previews["M1"]}, rerun=None)
    seen = replace(sound(), books=only_first)
    assert broken(seen) == {"I5"}, "the marked days must show up as late"
    seen.verified["books"]["late_days"] = list(only_first.marked)
    assert broken(seen) == set()
    assert "R1" not in make_report(seen)["month"]["runs"]


def test_a_history_without_a_closed_month_and_whole_lines_is_judged_by_the_rest() -> None:
    seen = replace(sound(), books=None, damaged=0)
    seen.hub["messages"]["refused"].clear()
    assert broken(seen) == set()
    assert not any(name.startswith("I7") for name in check_invariants(seen))
    assert report_lines(make_report(seen) | {"stages": [], "peak_memory_mb": 900})


def test_an_empty_street_reports_without_a_share() -> None:
    seen = sound()
    homes: dict[str, Any] = {"one": {"energy_wh": {}, "runs": []}}
    report = make_report(replace(seen, truth={"homes": homes})) | {"stages": [], "peak_memory_mb": 1}
    assert report["energy"]["self_sufficiency"] is None
    assert any("not known" in line for line in report_lines(report))


def test_the_table_shows_the_hash_of_every_kind_of_run() -> None:
    lines = report_lines(make_report(sound()) | {"stages": [], "peak_memory_mb": 900})
    for kind, run in RUNS.items():
        assert any(line.split() == ["hash", "of", kind, run["hash"]] for line in lines), kind
