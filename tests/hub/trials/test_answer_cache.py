"""Long answers: each question is worked out once, an asker has one at a time, and failures are not kept."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from hub.trials.answer_cache import AnswerCache, AskerBusyError


class Bench:
    """Work that ends when it is let go, and remembers what was begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = self.most_at_once = 0
        self.go = asyncio.Event()

    def work(self, name: str) -> Callable[[], Awaitable[str]]:
        async def working() -> str:
            self.begun.append(name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await self.go.wait()
            self.at_once -= 1
            if name.startswith("bad"):
                raise ValueError("h02 used 4711 Wh")
            return name.upper()

        return working


async def test_a_question_is_worked_out_once_however_many_ask() -> None:
    bench, kept = Bench(), AnswerCache[str, str](max_entries=3, wait_s=60)
    asking = [asyncio.create_task(kept.get_or_compute("a", asker=f"m{n}", work=bench.work("a"))) for n in range(4)]
    bench.go.set()
    assert await asyncio.gather(*asking) == ["A"] * 4
    assert await kept.get_or_compute("a", asker="m9", work=bench.work("a")) == "A"
    assert bench.begun == ["a"]


async def test_who_does_not_wait_finds_the_answer_later() -> None:
    bench, kept = Bench(), AnswerCache[str, str](max_entries=3, wait_s=0)
    assert await kept.get_or_compute("a", asker="m1", work=bench.work("a")) is None
    assert await kept.get_or_compute("a", asker="m1", work=bench.work("a")) is None
    bench.go.set()
    for _ in range(1000):
        if (answer := await kept.get_or_compute("a", asker="m1", work=bench.work("a"))) is not None:
            break
        await asyncio.sleep(0)
    assert (answer, bench.begun) == ("A", ["a"])


async def test_an_asker_has_one_question_at_a_time_and_work_is_done_one_by_one() -> None:
    bench, kept = Bench(), AnswerCache[str, str](max_entries=9, wait_s=0)
    assert await kept.get_or_compute("a", asker="m1", work=bench.work("a")) is None
    with pytest.raises(AskerBusyError):
        await kept.get_or_compute("b", asker="m1", work=bench.work("b"))
    assert await kept.get_or_compute("b", asker="m2", work=bench.work("b")) is None
    assert await kept.get_or_compute("a", asker="m2", work=bench.work("a")) is None, (
        "another's question may be waited for"
    )
    bench.go.set()
    patient = AnswerCache[str, str](max_entries=9, wait_s=60)
    assert await patient.get_or_compute("c", asker="m1", work=bench.work("c")) == "C"
    async with asyncio.timeout(60):
        while await kept.get_or_compute("b", asker="m1", work=bench.work("b")) is None:
            await asyncio.sleep(0)
    assert (bench.most_at_once <= 2, bench.begun.count("b")) == (True, 1)


async def test_what_failed_is_not_kept_and_its_message_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    bench, kept = Bench(), AnswerCache[str, str](max_entries=3, wait_s=60)
    bench.go.set()
    with caplog.at_level(logging.DEBUG), pytest.raises(ValueError, match="4711"):
        await kept.get_or_compute("a", asker="m1", work=bench.work("bad"))
    assert "ValueError" in caplog.text
    assert "4711" not in caplog.text
    assert await kept.get_or_compute("a", asker="m1", work=bench.work("good")) == "GOOD"


async def test_only_the_newest_answers_stay() -> None:
    bench, kept = Bench(), AnswerCache[str, str](max_entries=2, wait_s=60)
    bench.go.set()
    for name in ("a", "b", "c", "c", "b", "a"):
        await kept.get_or_compute(name, asker="m1", work=bench.work(name))
    assert bench.begun == ["a", "b", "c", "a"]
