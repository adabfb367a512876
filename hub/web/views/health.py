"""What the board sees of the hub's health: what needs a hand, its processes and jobs, and what became of messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hub.health.checks import HealthCheck, Level, health_checks, unready
from hub.health.facts import HubHealth, IntakeHealth, JobHealth, PartHealth, StoredHealth, as_facts, disk_free_percent
from hub.health.sentences import in_english
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import Localizer
from hub.web.views.board import refusal_words

MIB: Final = 1024 * 1024
_HARM: Final = {Level.BAD: 0, Level.WARNING: 2, Level.GOOD: 4}


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One check: how bad it is (0 the worst), what was found and what to do."""

    harm: int
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class HealthPage:
    headline: str
    lede: str
    troubles: tuple[HealthLine, ...]
    good: tuple[str, ...]
    messages: tuple[str, ...]
    refused: ChartTable | None
    processes: ChartTable
    jobs: ChartTable
    store: tuple[str, ...]


def health_page(health: HubHealth, words: Localizer) -> HealthPage:
    """The page at this moment."""
    checks = health_checks(health)
    troubles = [check for check in checks if check.level is not Level.GOOD]
    is_ready = not unready(checks)
    return HealthPage(
        headline=_headline(len(troubles), words, is_ready=is_ready),
        lede=words.text("Looked at on %(moment)s.", moment=words.moment(health.now_s)),
        troubles=tuple(_line(each, words) for each in troubles),
        good=tuple(words.worded(each.what) for each in checks if each.level is Level.GOOD),
        messages=() if health.intake is None else message_lines(health.intake, words),
        refused=None if health.intake is None else _refused(health.intake, words),
        processes=_processes(health.parts, words),
        jobs=_jobs(health.jobs, words),
        store=() if health.stored is None else _store(health.stored, words),
    )


def health_json(health: HubHealth) -> dict[str, Any]:
    """The facts and the checks for programs."""
    checks = health_checks(health)
    return {"is_ready": not unready(checks), "checks": [check_json(check) for check in checks], **as_facts(health)}


def check_json(check: HealthCheck) -> dict[str, str]:
    """A check in English."""
    do = "" if check.do is None else in_english(check.do)
    return {"check": check.name, "level": check.level.name.lower(), "what": in_english(check.what), "do": do}


def message_lines(intake: IntakeHealth, words: Localizer) -> tuple[str, ...]:
    """What became of messages since intake was started: also what was dropped, left for later and asked for again."""
    stored = intake.outcomes.get("stored", 0)
    left = sum(intake.left.values())
    refused = sum(intake.refused.values())
    dropped = intake.dropped_in + intake.dropped_out
    return (
        words.plural("%(n)s message arrived.", "%(n)s messages arrived.", intake.received),
        words.plural("%(n)s was stored.", "%(n)s were stored.", stored),
        words.plural("%(n)s receipt was signed.", "%(n)s receipts were signed.", intake.receipts),
        words.plural(
            "%(n)s message was missing and asked for again.",
            "%(n)s messages were missing and asked for again.",
            intake.asked_again,
        ),
        words.plural(
            "%(n)s found no room or was over a limit: its agent sends it again.",
            "%(n)s found no room or were over a limit: their agents send them again.",
            left,
        ),
        words.plural("%(n)s was refused.", "%(n)s were refused.", refused),
        words.plural(
            "%(n)s was dropped between hub and broker: it is sent or asked for again.",
            "%(n)s were dropped between hub and broker: they are sent or asked for again.",
            dropped,
        ),
        words.plural("%(n)s waits now.", "%(n)s wait now.", intake.waiting),
    )


def _headline(troubles: int, words: Localizer, *, is_ready: bool) -> str:
    if not is_ready:
        return words.text("The hub is not ready")
    if troubles:
        return words.plural("%(n)s thing needs attention", "%(n)s things need attention", troubles)
    return words.text("The hub is well")


def _line(check: HealthCheck, words: Localizer) -> HealthLine:
    return HealthLine(_HARM[check.level], words.worded(check.what), "" if check.do is None else words.worded(check.do))


def _refused(intake: IntakeHealth, words: Localizer) -> ChartTable | None:
    counted = sorted((*intake.refused.items(), *intake.left.items()))
    rows = tuple((refusal_words(reason, words), words.number(count)) for reason, count in counted if count)
    return ChartTable((words.text("Reason"), words.text("Count")), rows) if rows else None


def _processes(parts: Sequence[PartHealth], words: Localizer) -> ChartTable:
    heads = (
        words.text("Process"),
        words.text("State"),
        words.text("Started again"),
        words.text("Memory, MiB"),
        words.text("Processor, s"),
        words.text("Late, s"),
    )
    rows = []
    for part in parts:
        use = part.use
        figures = (
            ("–", "–", "–")
            if use is None
            else (words.number(use.rss_bytes / MIB), words.number(use.cpu_s), words.number(use.loop_lag_s, 2))
        )
        state = words.text("running") if part.is_serving else words.text("not running")
        rows.append((part.name, state, words.number(part.restarts), *figures))
    return ChartTable(heads, tuple(rows))


def _jobs(jobs: Sequence[JobHealth], words: Localizer) -> ChartTable:
    heads = (words.text("Job"), words.text("State"), words.text("Last"), words.text("Next"), words.text("Took, s"))
    rows = tuple(
        (
            job.name,
            words.text("running")
            if job.is_running
            else words.text("in order")
            if job.failing_since is None
            else words.text("failing"),
            words.text("never") if job.last_run_at is None else words.moment(job.last_run_at),
            words.moment(job.due_at),
            words.number(job.last_seconds, 1),
        )
        for job in jobs
    )
    return ChartTable(heads, rows)


def _store(stored: StoredHealth, words: Localizer) -> tuple[str, ...]:
    share = words.percent(disk_free_percent(stored) / 100)
    elsewhere = words.text("The store is on a database server. How full its disk is, only the server's own tools say.")
    return (
        words.plural("%(n)s message is stored.", "%(n)s messages are stored.", stored.messages),
        words.text("The store takes %(size)s MiB.", size=words.number(stored.store_bytes / MIB)),
        words.text("The disk of the hub's own computer has %(share)s of its room left.", share=share),
        *([elsewhere] if stored.is_on_server else ()),
        words.text("Nothing is settled yet.")
        if stored.last_settled_day is None
        else words.text("Settled until: %(day)s.", day=words.long_day(date.fromisoformat(stored.last_settled_day))),
    )
