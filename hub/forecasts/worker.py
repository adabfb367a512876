"""The forecast worker: one child process that loads statsmodels, and the hub's side of it.

The hub itself never imports statsmodels. The child answers one request at a time over its own pipes, computes with
one thread so that the same request gives the same bits, and ends when the hub's end of the pipe closes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from hub.core.forecasting.forecaster import Forecast, ForecastInputError, forecast
from hub.forecasts.frames import (
    LENGTH_BYTES,
    ForecastRequest,
    FrameError,
    WorkerAnswer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    frame_length,
)
from hub.health.facts import PartHealth, ProcessUse
from protocols.errors import CommonwattError

log = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0
REQUEST_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
STDERR_LINES_KEPT = 20
ATTEMPTS = 2
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_OUR_ROOT = str(Path(__file__).resolve().parents[2])


class ForecastWorkerError(CommonwattError):
    """The worker could not answer, even after a restart; the message is a single line."""


@dataclass(frozen=True, slots=True)
class WorkerUsage:
    """The resources the child has used, as reported with its last answer, and how often it was restarted."""

    pid: int | None
    answered: int
    cpu_s: float
    last_request_cpu_s: float
    rss_bytes: int
    restarts: int


class ForecastWorker:
    """The hub's side: start it once, call it from anywhere in the event loop, stop it at the end.

    Concurrent callers queue. A child that has died is restarted, once per request.
    """

    def __init__(self, *, request_timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        self._request_timeout_s = request_timeout_s
        self._one_at_a_time = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES_KEPT)
        self._stderr_task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._starts = 0
        self._answered = 0
        self._last = WorkerAnswer()
        self._problem = ""
        self._ended_at_s: float | None = None
        self._ended: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the child and wait until it has imported what it needs.

        Raises: ForecastWorkerError when it cannot start.
        """
        async with self._one_at_a_time:
            self._is_stopped = False
            if self._child is None:
                await self._start_child()

    async def forecast(self, request: ForecastRequest) -> Forecast:
        """Like hub.core.forecasting.forecaster.forecast, with sentences on trend, day and week before the drivers.

        Raises: ForecastInputError for a request that cannot be answered; ForecastWorkerError when the child died
        twice during it, took too long, or was stopped.
        """
        try:
            frame = encode_request(request)
        except FrameError as error:
            raise ForecastInputError(str(error)) from None
        async with self._one_at_a_time:
            answer = await self._answer(frame)
        if answer.refused is not None:
            raise ForecastInputError(answer.refused)
        if answer.forecast is None:
            raise ForecastWorkerError(f"the forecast worker failed: {answer.failed}")
        self._answered += 1
        self._last = answer
        return answer.forecast

    async def stop(self) -> None:
        """Close the child's input and wait for it to exit; kill it if it takes too long. Safe to call twice."""
        async with self._one_at_a_time:
            self._is_stopped = True
            await self._end_child(grace_s=STOP_TIMEOUT_S)

    @property
    def usage(self) -> WorkerUsage:
        """The resources the child has used so far."""
        return WorkerUsage(
            pid=self._child.pid if self._child is not None else None,
            answered=self._answered,
            cpu_s=self._last.cpu_s,
            last_request_cpu_s=self._last.request_cpu_s,
            rss_bytes=self._last.rss_bytes,
            restarts=max(0, self._starts - 1),
        )

    def health(self, *, now_s: float) -> PartHealth | None:
        """How the child does; None before its first start. A child that has ended starts again with the next request.

        `now_s` is the hub's clock.
        """
        if not self._starts:
            return None
        child, steady_s = self._child, time.monotonic()
        if child is not None and child.returncode is not None and child is not self._ended:
            code = child.returncode
            self._note_end(f"it was killed by signal {-code}" if code < 0 else f"exit code {code}")
        ended_at = None if self._ended_at_s is None else int(now_s - (steady_s - self._ended_at_s))
        is_serving = child is not None and child.returncode is None
        use = None if child is None or not is_serving else ProcessUse(child.pid, self._last.cpu_s, self._last.rss_bytes)
        return PartHealth("forecast-worker", is_serving, self.usage.restarts, self._problem, ended_at, use)

    def _note_end(self, problem: str) -> None:
        self._problem, self._ended_at_s, self._ended = problem, time.monotonic(), self._child

    async def _answer(self, frame: bytes) -> WorkerAnswer:
        reason = ""
        for _ in range(ATTEMPTS):
            if self._is_stopped:
                raise ForecastWorkerError("the forecast worker was stopped")
            if self._child is None:
                await self._start_child()
            try:
                async with asyncio.timeout(self._request_timeout_s):
                    return await self._exchange(frame)
            except TimeoutError:
                await self._end_child(grace_s=0)
                self._note_end(f"no answer within {self._request_timeout_s:g} s")
                raise ForecastWorkerError(
                    f"the forecast worker gave no answer within {self._request_timeout_s:g} s and was stopped"
                ) from None
            except (asyncio.IncompleteReadError, ConnectionError, FrameError):
                await self._end_child(grace_s=0)
                reason = self._last_stderr_line()
                self._note_end(reason)
                log.warning("forecast worker died (%s)", reason)
            except asyncio.CancelledError:
                # The answer may still come through the pipe: the next caller must not read it.
                await self._end_child(grace_s=0)
                self._note_end("it was ended with the request that it was answering")
                raise
        raise ForecastWorkerError(f"the forecast worker died twice during one request: {reason}")

    async def _exchange(self, frame: bytes) -> WorkerAnswer:
        child = self._child
        assert child is not None
        assert child.stdin is not None
        child.stdin.write(frame)
        await child.stdin.drain()
        return await self._read_message(child)

    async def _read_message(self, child: asyncio.subprocess.Process) -> WorkerAnswer:
        assert child.stdout is not None
        length = frame_length(await child.stdout.readexactly(LENGTH_BYTES))
        return decode_answer(await child.stdout.readexactly(length))

    async def _start_child(self) -> None:
        path = os.pathsep.join(part for part in (_OUR_ROOT, os.environ.get("PYTHONPATH", "")) if part)
        self._stderr.clear()
        self._starts += 1
        try:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hub.forecasts.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **dict.fromkeys(_THREADS, "1"), "PYTHONPATH": path},
            )
        except OSError as error:  # no memory or no process left, or the interpreter is gone
            raise self._start_failed(str(error)) from None
        self._stderr_task = asyncio.create_task(self._keep_stderr(self._child))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                hello = await self._read_message(self._child)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, FrameError):
            await self._end_child(grace_s=0)
            raise self._start_failed(self._last_stderr_line()) from None
        except asyncio.CancelledError:
            await self._end_child(grace_s=0)
            self._note_end("it was ended while it started")
            raise
        if hello.failed is not None:
            await self._end_child(grace_s=STOP_TIMEOUT_S)
            raise self._start_failed(hello.failed)

    def _start_failed(self, reason: str) -> ForecastWorkerError:
        """The error to raise; health says the reason too."""
        self._note_end(f"it did not start: {reason}")
        return ForecastWorkerError(f"the forecast worker did not start: {reason}")

    async def _end_child(self, *, grace_s: float) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(grace_s):
                await child.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):  # it may have ended in the meantime
                child.kill()
            await child.wait()
        if self._stderr_task is not None:
            await self._stderr_task
            self._stderr_task = None

    async def _keep_stderr(self, child: asyncio.subprocess.Process) -> None:
        assert child.stderr is not None
        while block := await child.stderr.read(4096):
            self._stderr.extend(line for line in block.decode(errors="replace").splitlines() if line.strip())

    def _last_stderr_line(self) -> str:
        return self._stderr[-1].strip()[:200] if self._stderr else "it wrote no message"


def main() -> int:
    """The child: read frames from standard input until it closes, and answer each on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the hub decides when the child ends
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not get between two frames
    with suppress(BrokenPipeError):  # the hub is gone, so nobody needs an answer
        _serve(sys.stdin.buffer, replies)
    return 0


def _serve(requests: BinaryIO, replies: BinaryIO) -> None:
    try:
        from hub.core.forecasting import decomposition  # noqa: PLC0415 - slow and large: in the child alone
    except ImportError as error:
        _reply(replies, WorkerAnswer(failed=f"{error}; install commonwatt with its hub extra"))
        return
    _reply(replies, WorkerAnswer())
    while prefix := requests.read(LENGTH_BYTES):
        started = time.process_time()
        try:
            request = decode_request(requests.read(frame_length(prefix)))
            result = _compute(request)
            picture = decomposition.describe_history(request.history, issued_slot=request.issued_slot, tz=request.tz)
            answer = WorkerAnswer(forecast=replace(result, drivers=(*picture, *result.drivers)))
        except ForecastInputError as refusal:
            answer = WorkerAnswer(refused=str(refusal))
        except Exception as error:  # whatever went wrong, the hub gets one line about it and the child lives on
            log.exception("forecast failed")
            answer = WorkerAnswer(failed=f"{type(error).__name__}: {error}".splitlines()[0])
        usage = resource.getrusage(resource.RUSAGE_SELF)
        answer = replace(
            answer,
            request_cpu_s=time.process_time() - started,
            cpu_s=usage.ru_utime + usage.ru_stime,
            rss_bytes=_peak_bytes(),
        )
        _reply(replies, answer)


def _peak_bytes() -> int:
    """The child's own peak memory. The kernel's ru_maxrss would include the parent it was forked from."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        log.debug("there is no /proc: the peak memory is the kernel's estimate")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _compute(request: ForecastRequest) -> Forecast:
    return forecast(
        request.history,
        request.weather,
        request.horizon_slots,
        issued_slot=request.issued_slot,
        tz=request.tz,
        quantiles=request.quantiles,
        profile_wh=request.profile_wh,
        free_days=request.free_days,
    )


def _reply(replies: BinaryIO, answer: WorkerAnswer) -> None:
    replies.write(encode_answer(answer))
    replies.flush()


if __name__ == "__main__":
    sys.exit(main())
