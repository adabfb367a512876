"""Starts the co-op's MQTT broker on this computer and keeps it running: Mosquitto if installed, or the built-in one.

An external broker is never started. Whichever is used, it only relays messages: nothing depends on what it stores.
"""

import asyncio
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub.broker import embedded
from hub.broker.connection import BrokerAddress
from hub.broker.mosquitto_files import HUB_USER, find_mosquitto, write_mosquitto_files
from hub.folder.settings import BrokerSettings
from protocols.errors import CommonwattError

log = logging.getLogger(__name__)

READY_WITHIN_S: Final = 15.0
STOP_WITHIN_S: Final = 5.0
RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 30.0
STEADY_S: Final = 60.0

# Runs a command and ends it when our end of the pipe closes, so that no broker outlives a killed hub.
_END_WITH_PARENT: Final = (
    'exec 3<&0; "$@" </dev/null 3<&- & child=$!;'
    ' { read -r _ <&3; kill "$child"; } 2>/dev/null & exec 3<&-; wait "$child"'
)


class BrokerError(CommonwattError):
    """The broker cannot be used; one line says why and what to do."""


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """What to start (nothing for an external broker) and how the hub reaches it.

    `files` are the files the broker cannot start without; any that were deleted are rewritten before each start.
    """

    name: str
    command: tuple[str, ...]
    address: BrokerAddress
    log_file: Path | None
    files: Mapping[Path, bytes] = field(default_factory=dict, repr=False)


def plan_broker(settings: BrokerSettings, *, folder: Path, coop: str, port: int | None = None) -> BrokerPlan:
    """Choose a broker and write its configuration into `folder`. Port 0 means any free port.

    Raises: BrokerError if the chosen broker is not installed or is not allowed to listen there.
    """
    wanted_port = settings.port if port is None else port
    if settings.kind == "external":
        return BrokerPlan("external", (), _external_address(settings, wanted_port), None)
    mosquitto = find_mosquitto()
    if settings.kind == "mosquitto" and mosquitto is None:
        raise BrokerError('mosquitto is not installed: install it, or set broker.kind = "iotcore" in hub.toml')
    chosen_port = wanted_port or free_port(settings.host)
    try:
        if mosquitto is not None and settings.kind != "iotcore":
            return _mosquitto(mosquitto, settings, folder=folder, coop=coop, port=chosen_port)
        return _iotcore(settings, folder=folder, port=chosen_port)
    except OSError as error:
        raise BrokerError(f"{folder}: cannot write the broker's configuration: {error.strerror}") from None


def free_port(host: str) -> int:
    """A port that no program is currently listening on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


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
    """One broker, restarted after growing pauses whenever it exits. `ready` is set while it responds."""

    def __init__(self, plan: BrokerPlan) -> None:
        self.plan = plan
        self.ready = asyncio.Event()
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process that was started, or None."""
        return self._process.pid if self._process is not None else None

    async def run(self) -> None:
        """Keep the broker running until cancelled, then stop it."""
        if not self.plan.command:
            self.ready.set()
            await asyncio.Event().wait()
        pause_s = RETRY_FIRST_S
        try:
            while True:
                await self._wait_for_port()
                started_at = asyncio.get_running_loop().time()
                reason = await self._run_once()
                if asyncio.get_running_loop().time() - started_at > STEADY_S:
                    pause_s = RETRY_FIRST_S
                log.warning("the broker (%s) ended: %s; starting it again in %.1f s", self.plan.name, reason, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_MOST_S)
                self.restarts += 1
        finally:
            await self._stop()

    async def _wait_for_port(self) -> None:
        host, port = self.plan.address.host, self.plan.address.port
        pause_s, is_logged = RETRY_FIRST_S, False
        while is_port_taken(host, port):
            if not is_logged:
                log.error(
                    "port %d on %s is in use by another program: stop it, or choose another with --broker-port;"
                    " trying again until it is free",
                    port,
                    host,
                )
                is_logged = True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)

    async def _run_once(self) -> str:
        assert self.plan.log_file is not None
        try:
            _write_missing(self.plan.files)
            with self.plan.log_file.open("wb") as output:
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
        answering = asyncio.create_task(self._wait_until_answering())
        try:
            await asyncio.wait({ended, answering}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() and not answering.exception():
                self.ready.set()
                log.info(
                    "the broker (%s) is running on %s:%d",
                    self.plan.name,
                    self.plan.address.host,
                    self.plan.address.port,
                )
            elif not ended.done():
                await self._stop()
                return f"it did not answer within {READY_WITHIN_S:.0f} s"
            code = await ended
            return f"exit code {code}{_last_line(self.plan.log_file)}"
        finally:
            self.ready.clear()
            answering.cancel()
            ended.cancel()

    async def _wait_until_answering(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(self.plan.address.host, self.plan.address.port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                await writer.wait_closed()
                return

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


def _mosquitto(program: str, settings: BrokerSettings, *, folder: Path, coop: str, port: int) -> BrokerPlan:
    configuration, password = write_mosquitto_files(folder, coop=coop, host=settings.host, port=port)
    address = BrokerAddress(settings.host, port, username=HUB_USER, password=password)
    files = _contents(configuration, folder / "passwords", folder / "access")
    return BrokerPlan("mosquitto", (program, "-c", str(configuration)), address, folder / "broker.log", files)


def _iotcore(settings: BrokerSettings, *, folder: Path, port: int) -> BrokerPlan:
    try:
        text = embedded.rumqttd_configuration(settings.host, port)
    except ValueError as error:
        raise BrokerError(f'{error}: use mosquitto, or broker.kind = "external"') from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = folder / "rumqttd.toml"
    configuration.write_text(text, encoding="utf-8")
    command = (sys.executable, "-P", embedded.__file__, str(configuration))
    address = BrokerAddress(settings.host, port)
    return BrokerPlan("iotcore", command, address, folder / "broker.log", _contents(configuration))


def _external_address(settings: BrokerSettings, port: int) -> BrokerAddress:
    password = None
    if settings.password_file is not None:
        try:
            password = settings.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise BrokerError(f"{settings.password_file}: cannot read the broker's password") from None
    _check_certificates(settings)
    return BrokerAddress(
        host=settings.host,
        port=port,
        username=settings.username,
        password=password,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
    )


def _check_certificates(settings: BrokerSettings) -> None:
    if settings.ca_file is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(settings.ca_file)
    except (ssl.SSLError, OSError):
        raise BrokerError(f"{settings.ca_file}: broker.ca_file: expected certificates in PEM form") from None
    if settings.cert_file is not None and settings.key_file is not None:
        try:
            # A key with a passphrase is refused here: nobody can type the passphrase when the hub starts at boot.
            context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
        except (ssl.SSLError, OSError, ValueError):
            raise BrokerError(
                f"{settings.cert_file}: broker.cert_file: expected a PEM certificate that belongs to broker.key_file,"
                " a key without a passphrase"
            ) from None


def _contents(*paths: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in paths}


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
