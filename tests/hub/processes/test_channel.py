"""The line between two processes of a hub: each question gets its own answer, and the end of one side is noticed."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hub.processes.channel import Channel, ChannelError, Facts
from protocols.errors import RequestError


async def answer(what: str, facts: Facts) -> Facts:
    if what == "wait":
        await asyncio.sleep(facts["s"])
        return {"s": facts["s"]}
    if what == "refuse":
        raise RequestError("not today")
    if what == "break":
        raise ZeroDivisionError
    return {}


@asynccontextmanager
async def two_ends() -> AsyncIterator[tuple[Channel, Channel]]:
    ends = [await Channel.over(end, answer=answer) for end in socket.socketpair()]
    async with asyncio.TaskGroup() as group:
        for end in ends:
            group.create_task(end.run())
        yield ends[0], ends[1]
        ends[0].close()


async def test_answers_belong_to_their_questions_whatever_their_order() -> None:
    async with two_ends() as (one, other):
        found = await asyncio.gather(one.ask("wait", s=0.05), one.ask("wait", s=0), other.ask("wait", s=0.01))
    assert [each["s"] for each in found] == [0.05, 0, 0.01]


@pytest.mark.parametrize(("what", "words"), [("refuse", "not today"), ("break", "ZeroDivisionError")])
async def test_what_went_wrong_is_said_in_a_line_and_the_line_goes_on(what: str, words: str) -> None:
    async with two_ends() as (one, _):
        with pytest.raises(ChannelError, match=words):
            await one.ask(what)
        assert await one.ask("else") == {}


async def test_whoever_waits_hears_that_the_other_end_is_gone() -> None:
    async with two_ends() as (one, other):
        waiting = asyncio.create_task(one.ask("wait", s=60))
        await one.ask("else")
        other.close()
        with pytest.raises(ChannelError, match="gone"):
            await waiting
        with pytest.raises(ChannelError, match="gone"):
            await one.ask("else")
