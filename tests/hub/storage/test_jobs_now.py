"""How each job stands, worked out from what the store remembers."""

from hub.storage.jobs.records import Job, JobRun
from hub.storage.jobs.standing import JobState, jobs_now

NOW = 1_000_000
JOBS = (
    Job("mail", NOW + 30, NOW - 30, ""),
    Job("settlement", NOW + 60, NOW - 900, "the disk is full"),
    Job("forecast", NOW - 10, NOW - 3610, ""),
    Job("weather", NOW - 20, NOW - 3620, ""),
    Job("prompts", NOW - 5, NOW - 3605, "no forecast"),
)
RUNS = (
    JobRun("weather", NOW - 20, NOW - 19, None, "there:2", ""),
    JobRun("first ever", NOW - 3, NOW - 2, None, "there:3", ""),
    JobRun("mail", NOW - 30, NOW - 30, NOW - 29, "here:1", ""),
    JobRun("mail", NOW - 90, NOW - 90, NOW - 89, "there:2", "no answer"),
    JobRun("settlement", NOW - 900, NOW - 60, NOW, "here:1", "the disk is full"),
)


def test_each_job_is_shown_as_it_stands_and_what_needs_a_look_is_first() -> None:
    found = jobs_now(JOBS, RUNS, planned=(), running={"prompts": NOW - 4}, now_s=NOW)
    assert [(each.name, each.state, each.since, each.worker) for each in found] == [
        ("settlement", JobState.FAILED, None, "here:1"),
        ("forecast", JobState.WAITING, NOW - 10, ""),
        ("weather", JobState.RUNNING, NOW - 19, "there:2"),
        ("prompts", JobState.RUNNING, NOW - 4, ""),
        ("first ever", JobState.RUNNING, NOW - 2, "there:3"),
        ("mail", JobState.IN_ORDER, None, "here:1"),
    ]
    assert [(each.done_in_a_day, each.failed_in_a_day) for each in found if each.name in ("mail", "settlement")] == [
        (0, 1), (1, 1)
    ]  # fmt: skip
    assert next(each.error for each in found if each.name == "settlement") == "the disk is full"


def test_a_failed_job_stays_failed_while_its_next_attempt_is_just_due() -> None:
    (found,) = jobs_now([Job("bank", NOW - 1, NOW - 60, "no answer")], (), planned=(), running={}, now_s=NOW)
    assert (found.state, found.since, found.error) == (JobState.FAILED, None, "no answer")


def test_a_job_that_is_no_longer_planned_is_not_shown_as_waiting() -> None:
    found = jobs_now(JOBS, RUNS, planned={"mail", "prompts", "first ever"}, running={}, now_s=NOW)
    assert {each.name for each in found} == {"mail", "prompts", "first ever"}
