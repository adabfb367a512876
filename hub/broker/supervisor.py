"""Starts the co-op's MQTT broker on this computer and keeps it running: Mosquitto if installed, or the built-in one.

An external broker is never started. Whichever is used, it only relays messages: nothing depends on what it stores.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from hub.broker.capped_log import keep_capped, open_capped
from hub.broker.connection import BrokerAddress
from hub.broker.file_watch import watch_file
from hub.broker.plans import BrokerPlan

log = logging.getLogger(__name__)

READY_WITHIN_S: Final = 15.0
STOP_WITHIN_S: Final = 5.0
RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 30.0
STEADY_S: Final = 60.0

# MQTT 5: CONNECT with a clean session and an id of its own. Any answer will do, a refusal too.
_CONNECT: Final = b"\x10\x12\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x05ready"

# Runs a command and ends it when our end of the pipe closes, so that no broker outlives a killed hub.
# SIGHUP is passed on; `wait` then returns early, and is called again while the command runs. Every client of the broker
# needs a file descriptor, and the usual limit is 1024.
_END_WITH_PARENT: Final = (
    'ulimit -S -n 8192 2>/dev/null || ulimit -S -n "$(ulimit -H -n)";'
    ' trap \'kill -HUP "$child" 2>/dev/null\' HUP; exec 3<&0; "$@" </dev/null 3<&- & child=$!;'
    ' { read -r _ <&3; kill "$child"; } 2>/dev/null & exec 3<&-;'
    ' while wait "$child"; code=$?; [ "$code" -eq 129 ] && kill -0 "$child" 2>/dev/null; do :; done; exit "$code"'
)


def is_port_taken(host: str, port: int) -> bool:
    """Whether another program is listening there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


class BrokerProcess:
    """One broker, restarted after growing pauses whenever it exits. `ready` is set while it responds.

    `changed` is called whenever that changes.
    """

    def __init__(self, plan: BrokerPlan, *, changed: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self._changed = changed
        self.ready = asyncio.Event()
        self.restarts = 0
        self.last_end = ""
        self._ended_at_s: float | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process that was started, or None."""
        return self._process.pid if self._process is not None else None

    @property
    def ended_ago_s(self) -> float | None:
        """How long ago it last ended by itself, for the reason `last_end`; None if it never did."""
        return None if self._ended_at_s is None else asyncio.get_running_loop().time() - self._ended_at_s

    @property
    def address(self) -> BrokerAddress:
        """How the hub reaches it."""
        return self.plan.address

    @property
    def homes_rules(self) -> Path | None:
        """The file of its listener for homes that says who may do what; None if it has none."""
        return self.plan.rules_file if self.plan.homes is not None else None

    async def run(self) -> None:
        """Keep the broker running until cancelled, then stop it."""
        if not self.plan.command:
            self.ready.set()
            self._changed()
            await asyncio.Event().wait()
        pause_s = RETRY_FIRST_S
        watching = asyncio.create_task(self._watch_certificate())
        try:
            while True:
                await self._wait_for_port()
                started_at = asyncio.get_running_loop().time()
                reason = await self._run_once()
                self.last_end, self._ended_at_s = reason, asyncio.get_running_loop().time()
                if asyncio.get_running_loop().time() - started_at > STEADY_S:
                    pause_s = RETRY_FIRST_S
                log.warning("the broker (%s) ended: %s; starting it again in %.1f s", self.plan.name, reason, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_MOST_S)
                self.restarts += 1
        finally:
            watching.cancel()
            await self._stop()

    def reload(self) -> None:
        """Tell Mosquitto to read its access rules and certificates again; nobody is disconnected by it."""
        if self._process is not None and self._process.returncode is None and self.plan.rules_file is not None:
            self._process.send_signal(signal.SIGHUP)

    async def _watch_certificate(self) -> None:
        if self.plan.homes is not None:
            await watch_file(self.plan.homes.cert_file, self.reload)

    async def _wait_for_port(self) -> None:
        pause_s, is_logged = RETRY_FIRST_S, False
        while taken := [place for place in self.plan.ports if is_port_taken(*place)]:
            if not is_logged:
                host, port = taken[0]
                log.error(
                    "port %d%s is in use by another program: stop it, or choose another with %s;"
                    " trying again until it is free",
                    port,
                    f" on {host}" if host else "",
                    "--broker-port" if host else self.plan.port_setting,
                )
                is_logged = True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)

    async def _run_once(self) -> str:
        assert self.plan.log_file is not None
        try:
            _write_missing(self.plan.files)
            with open_capped(self.plan.log_file) as output:
                # In its own session, so that Ctrl-C in the terminal does not stop the broker before the hub stops.
                self._process = await asyncio.create_subprocess_exec(
                    "/bin/sh",
                    "-c",
                    _END_WITH_PARENT,
                    "sh",
                    *self.plan.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            return f"cannot use {error.filename or self.plan.name}: {error.strerror}"
        ended = asyncio.create_task(self._process.wait())
        capping = asyncio.create_task(keep_capped(self.plan.log_file))
        answering = asyncio.create_task(self._wait_until_answering())
        try:
            await asyncio.wait({ended, answering}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() and not answering.exception():
                self.ready.set()
                self._changed()
                log.info("the broker (%s) is running on %s", self.plan.name, self.plan.words)
            elif not ended.done():
                await self._stop()
                return f"it did not answer within {READY_WITHIN_S:.0f} s"
            code = await ended
            return f"exit code {code}{_last_line(self.plan.log_file)}"
        finally:
            self.ready.clear()
            self._changed()
            answering.cancel()
            ended.cancel()
            capping.cancel()

    async def _wait_until_answering(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                if await self._answers():
                    return
                await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        """Whether it answers a client: a connection alone is made before the broker has started to work."""
        address = self.plan.address
        try:
            if address.socket is not None:
                reader, writer = await asyncio.open_unix_connection(address.socket)
            else:
                reader, writer = await asyncio.open_connection(address.host, address.port)
        except OSError:
            return False
        try:
            writer.write(_CONNECT)
            return bool(await reader.read(1))
        except OSError:
            return False
        finally:
            writer.close()

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            log.warning("the broker did not stop within %.0f s; killing it", STOP_WITHIN_S)
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _write_missing(files: Mapping[Path, bytes]) -> None:
    for path, content in files.items():
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""  # deleted while the broker was running: only its exit code is known
    return f" ({lines[-1][:200]})" if lines else ""
