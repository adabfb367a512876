"""Each line of the log is one JSON object with the ids of the work it was written in; text lines stay as they were."""

import asyncio
import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from hub.health.log_lines import JsonLines, TextLines
from hub.health.trail import batch_id, current_ids, step, trail, working

log = logging.getLogger("hub.somewhere")


class Written:
    """What a log in this form has."""

    def __init__(self, form: logging.Formatter) -> None:
        self._text = StringIO()
        self.handler = logging.StreamHandler(self._text)
        self.handler.setFormatter(form)

    def lines(self) -> list[str]:
        return self._text.getvalue().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def kept() -> Iterator[None]:
    """The trail is kept, and the log takes information."""
    root, levels = logging.getLogger(), (logging.getLogger().level, trail.level)
    root.setLevel(logging.INFO)
    trail.setLevel(logging.INFO)
    yield
    root.setLevel(levels[0])
    trail.setLevel(levels[1])


def written(form: logging.Formatter) -> Written:
    found = Written(form)
    logging.getLogger().addHandler(found.handler)
    return found


@pytest.fixture
def as_json(kept: None) -> Iterator[Written]:
    found = written(JsonLines("intake"))
    yield found
    logging.getLogger().removeHandler(found.handler)


@pytest.fixture
def as_text(kept: None) -> Iterator[Written]:
    found = written(TextLines())
    yield found
    logging.getLogger().removeHandler(found.handler)


def test_a_line_has_the_ids_of_all_the_work_around_it(as_json: Written) -> None:
    with working("job", job="weather", run="r1"):
        log.warning("it rains in %s", "Málaga\nand beyond")
        with working("group", group="g1"):
            step("inside")
    log.info("outside")
    rain, inside, ended_group, ended_job, outside = as_json.objects()
    assert (rain["level"], rain["part"], rain["message"]) == ("warning", "intake", "it rains in Málaga\nand beyond")
    assert (rain["job"], rain["run"], "group" in rain) == ("weather", "r1", False)
    assert (inside["run"], inside["group"]) == ("r1", "g1")
    assert (ended_group["message"], ended_job["message"]) == ("group ended", "job ended")
    assert ended_job["seconds"] >= 0
    assert not {"job", "run", "group"} & outside.keys()


def test_outside_the_trail_no_line_has_an_id_of_what_homes_sent(as_json: Written) -> None:
    with working("job", job="weather", run="r1"), working("group", group="g1", batch="b1"), working("other", new="n1"):
        log.warning("a message of agent %s was refused", "a-17")
    named, *ended = as_json.objects()
    assert (named["job"], named["run"]) == ("weather", "r1")
    assert not {"group", "batch", "new"} & named.keys()
    assert ["group" in line for line in ended] == [True, True, False]


def test_an_error_is_one_object_with_its_traceback_inside(as_json: Written) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("it failed")
    (line,) = as_json.objects()
    assert line["message"] == "it failed"
    assert line["error"].endswith("ValueError: two\nlines")


def test_work_that_fails_ends_its_ids_and_is_told(as_json: Written) -> None:
    def fail() -> None:
        with working("job", run="r1") as work:
            work.note(state="begun")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert current_ids() == {}
    (line,) = as_json.objects()
    assert (line["message"], line["state"], line["run"]) == ("job ended", "begun", "r1")


async def test_ids_of_work_done_side_by_side_do_not_mix(as_json: Written) -> None:
    async def work(name: str) -> None:
        with working("request", request=name):
            await asyncio.sleep(0)
            log.info(name)

    await asyncio.gather(*(work(name) for name in "abc"))
    told = [line for line in as_json.objects() if line["message"] in "abc"]
    assert [line["request"] for line in told] == [line["message"] for line in told] == ["a", "b", "c"]


def test_lines_for_people_stay_as_they_were_and_a_step_has_its_facts(as_text: Written) -> None:
    with working("group", group="g1"):
        log.info("connected to the broker")
        step("receipt signed", batches=["a", "b"])
    plain, receipt, _ended = as_text.lines()
    assert plain.endswith(" INFO connected to the broker")
    assert receipt.endswith(" INFO receipt signed group=g1 batches=a,b")


def test_without_a_trail_no_step_is_written(as_json: Written) -> None:
    trail.setLevel(logging.WARNING)
    with working("group", group="g1"):
        step("batch stored", batch=batch_id(bytes(32)))
    assert as_json.lines() == []


def test_a_batch_is_called_by_the_first_half_of_a_hash_that_only_its_sender_and_the_hub_know() -> None:
    assert batch_id(bytes(range(32))) == "0001020304050607"
