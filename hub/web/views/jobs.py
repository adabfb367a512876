"""What the board sees of the hub's jobs: which failed and when they are tried next, which wait, run and were done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.storage.jobs.standing import JobNow, JobState
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class JobsPage:
    headline: str
    lede: str
    failed: ChartTable
    waiting: ChartTable
    running: ChartTable
    day: ChartTable


def jobs_page(jobs: Sequence[JobNow], words: Localizer, *, now_s: float) -> JobsPage:
    """The page at this moment. The names of jobs and their errors are the hub's own words, in English."""
    job, worker = words.text("Job"), words.text("Worker")
    failed, waiting, running = (
        [each for each in jobs if each.state is state]
        for state in (JobState.FAILED, JobState.WAITING, JobState.RUNNING)
    )
    heads = (words.text("Done"), words.text("Failed"), words.text("Last"), words.text("Next"))
    return JobsPage(
        headline=words.plural("%(n)s job has failed", "%(n)s jobs have failed", len(failed))
        if failed
        else words.text("No job has failed"),
        lede=words.text("Looked at on %(moment)s.", moment=words.moment(now_s)),
        failed=ChartTable(
            (job, words.text("What went wrong"), words.text("Tried again"), worker),
            tuple((each.name, each.error, words.moment(each.next_at), each.worker or "–") for each in failed),
        ),
        waiting=ChartTable(
            (job, words.text("Due since")), tuple((each.name, _moment(each.since, words)) for each in waiting)
        ),
        running=ChartTable(
            (job, words.text("Since"), worker),
            tuple((each.name, _moment(each.since, words), each.worker or "–") for each in running),
        ),
        day=ChartTable(
            (job, *heads, worker),
            tuple(
                (
                    each.name,
                    words.number(each.done_in_a_day),
                    words.number(each.failed_in_a_day),
                    _moment(each.last_run_at, words),
                    words.moment(each.next_at),
                    each.worker or "–",
                )
                for each in jobs
            ),
        ),
    )


def jobs_json(jobs: Sequence[JobNow]) -> dict[str, Any]:
    """The same for programs. Times in unix s."""
    return {"jobs": [job_json(each) for each in jobs]}


def job_json(job: JobNow) -> dict[str, Any]:
    """One job."""
    return {
        "job": job.name,
        "state": job.state.value,
        "since": job.since,
        "next_at": job.next_at,
        "last_run_at": job.last_run_at,
        "error": job.error,
        "worker": job.worker,
        "done_in_a_day": job.done_in_a_day,
        "failed_in_a_day": job.failed_in_a_day,
    }


def _moment(at: int | None, words: Localizer) -> str:
    return words.text("never") if at is None else words.moment(at)
