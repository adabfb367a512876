"""How tasks wait: a signal is never lost, a wait ends in time, and looks that are equally far apart coincide."""

import asyncio
import time

import pytest

from edge_agent.outbox.waking import Signal, to_the_beat
from tests.edge_agent.warped_loop import run_warped


def test_a_signal_ends_the_wait_and_is_taken_once() -> None:
    async def wait() -> None:
        signal, loop = Signal(), asyncio.get_running_loop()
        began_s = loop.time()
        signal.set()
        await signal.wait(100)
        assert loop.time() == began_s
        assert signal.take()
        assert not signal.take()
        loop.call_later(7, signal.set)
        await signal.wait(100)
        assert loop.time() - began_s == pytest.approx(7)
        assert signal.take()

    run_warped(wait)


def test_a_wait_ends_after_so_long_and_a_late_signal_ends_the_next_one() -> None:
    async def wait() -> None:
        signal, loop = Signal(), asyncio.get_running_loop()
        await signal.wait(5)
        assert not signal.take()
        signal.set()
        began_s = loop.time()
        await signal.wait(5)
        assert loop.time() == began_s

    run_warped(wait)


def test_who_waits_for_a_signal_can_be_cancelled() -> None:
    async def wait() -> None:
        signal = Signal()
        waiting = asyncio.ensure_future(signal.wait(50))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        signal.set()
        await signal.wait(50)
        assert signal.take()

    run_warped(wait)


def test_a_beat_is_where_devices_are_read_too_and_is_met_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for now_s, left_s in ((1000.0, 5.0), (1001.5, 3.5), (1004.4, 0.6), (1004.9999, 5.0001)):
        monkeypatch.setattr(time, "time", lambda now_s=now_s: now_s)
        assert to_the_beat(5.0) == pytest.approx(left_s)
