"""Meters in a process of their own, for measuring what reading them costs: counters and power change all the time.

`python -m tests.benchmarks.moving_meters COUNT EVERY_READING_WH` prints their ports.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.edge_agent.agent_process import ROOT
from tests.edge_agent.modbus_stand import Stand, meter_words

POWER_W = 360


class MovingMeter(Stand):
    """Counts what flows in real time, and this much more with each reading."""

    def __init__(self, begins_wh: int, every_reading_wh: int) -> None:
        super().__init__()
        self._begins_wh, self._every_wh, self._answers = begins_wh, every_reading_wh, 0
        self._began_s = time.monotonic()

    def _answer(self, function: int, address: int, count: int) -> bytes:
        self._answers += 1
        self.requests.clear()
        ran_wh = (time.monotonic() - self._began_s) * POWER_W / 3600
        counted_wh = self._begins_wh + round(ran_wh) + self._every_wh * self._answers
        self.words = meter_words(counted_wh, power_w=POWER_W + self._answers % 7)
        return super()._answer(function, address, count)


@contextmanager
def moving_meters(count: int, *, every_reading_wh: int = 0) -> Iterator[list[int]]:
    """The ports of so many meters."""
    command = [sys.executable, "-m", "tests.benchmarks.moving_meters", str(count), str(every_reading_wh)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield [int(port) for port in process.stdout.readline().split()]
        finally:
            process.kill()


async def _serve(count: int, every_reading_wh: int) -> None:
    meters = [await MovingMeter(1000 * at, every_reading_wh).start() for at in range(1, count + 1)]
    print(*(meter.port for meter in meters), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
