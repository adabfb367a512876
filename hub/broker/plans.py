"""Chooses the broker of a hub and writes its files: Mosquitto if installed, or the built-in one; starts nothing.

An external broker has no files here: only the way in which the hub reaches it.
"""

import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub.broker import embedded
from hub.broker.access_rules import HUB_USER
from hub.broker.connection import BrokerAddress
from hub.broker.mosquitto_files import (
    SOCKET_NAME,
    HomesListener,
    find_mosquitto,
    has_unix_sockets,
    write_mosquitto_files,
)
from hub.broker.other_users import login_users
from hub.folder.elsewhere.broker_settings import BrokerSettings
from protocols.errors import CommonwattError

EXTERNAL: Final = "external"
IOTCORE: Final = "iotcore"
SIGN_IN_NAME: Final = "hub-password"


class BrokerError(CommonwattError):
    """The broker cannot be used; one line says why and what to do."""


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """What to start (nothing for an external broker), how the hub reaches it, and where homes do.

    `ports` must be free before it starts. `rules_file` is read again when Mosquitto is told to; None for other brokers.
    `files` are the files the broker cannot start without; any that were deleted are rewritten before each start.
    `port_setting` is what decides the port for homes.
    """

    name: str
    command: tuple[str, ...]
    address: BrokerAddress
    log_file: Path | None
    files: Mapping[Path, bytes] = field(default_factory=dict, repr=False)
    ports: tuple[tuple[str, int], ...] = ()
    rules_file: Path | None = None
    homes: HomesListener | None = None
    warning: str | None = None
    port_setting: str = "public.broker_port in hub.toml"

    @property
    def place(self) -> Mapping[str, str | int]:
        """Which broker it is and where, for other programs of the hub's user."""
        return {"broker": self.name, "broker_host": self.address.host, "broker_port": self.address.port}

    @property
    def words(self) -> str:
        """Where homes reach it, for people."""
        if self.homes is not None:
            return f"port {self.homes.port} with TLS"
        return f"{self.address.host}:{self.address.port}"


def plan_broker(
    settings: BrokerSettings, *, folder: Path, coop: str, port: int | None = None, homes: HomesListener | None = None
) -> BrokerPlan:
    """Choose a broker and write its configuration into `folder`. Port 0 means any free port.

    With `homes` it serves homes elsewhere, with TLS; without, this computer only.
    Raises: BrokerError if the chosen broker is not installed or is not allowed to listen there.
    """
    wanted_port = settings.port if port is None else port
    if settings.kind == "external":
        return BrokerPlan("external", (), _external_address(settings, wanted_port), None)
    mosquitto = find_mosquitto()
    if settings.kind == "mosquitto" and mosquitto is None:
        raise BrokerError('mosquitto is not installed: install it, or set broker.kind = "iotcore" in hub.toml')
    if homes is not None and (mosquitto is None or settings.kind == "iotcore"):
        raise BrokerError(
            "[public] in hub.toml needs mosquitto, because the built-in broker serves this computer only: install"
            ' mosquitto, and set broker.kind = "auto"'
        )
    chosen_port = wanted_port or free_port(settings.host)
    try:
        if mosquitto is not None and settings.kind != "iotcore":
            return _mosquitto(mosquitto, settings.host, chosen_port, folder=folder, coop=coop, homes=homes)
        return _iotcore(settings, folder=folder, port=chosen_port)
    except OSError as error:
        raise BrokerError(f"{folder}: cannot write the broker's configuration: {error.strerror}") from None


def free_port(host: str) -> int:
    """A port that no program is currently listening on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _mosquitto(
    program: str, host: str, port: int, *, folder: Path, coop: str, homes: HomesListener | None
) -> BrokerPlan:
    written = write_mosquitto_files(
        folder, coop=coop, host=host, port=port, homes=homes, with_socket=has_unix_sockets(program)
    )
    has_port = homes is None or written.socket is None
    ports = ((host, port),) if has_port else ()
    return BrokerPlan(
        "mosquitto",
        (program, "-c", str(written.configuration)),
        BrokerAddress(host, port, username=HUB_USER, password=written.password, socket=written.socket),
        folder / "broker.log",
        written.contents,
        ports=ports if homes is None else (*ports, ("", homes.port)),
        rules_file=folder / "access",
        homes=homes,
    )


def running_address(settings: BrokerSettings, *, folder: Path, port: int) -> BrokerAddress:
    """How another program of the hub's user reaches the broker that the hub is running now, with the hub's rights.

    Raises: BrokerError.
    """
    if settings.kind == EXTERNAL:
        return _external_address(settings, settings.port)
    password = read_password(folder / SIGN_IN_NAME)
    socket_file = folder.resolve() / SOCKET_NAME
    held = socket_file if socket_file.is_socket() else None
    return BrokerAddress(settings.host, port, username=HUB_USER, password=password, socket=held)


def _iotcore(settings: BrokerSettings, *, folder: Path, port: int) -> BrokerPlan:
    others = login_users()
    if len(others) > 1 and not settings.allow_other_users:
        raise BrokerError(
            f"{len(others)} users can sign in on this computer ({', '.join(others)[:80]}), and the built-in broker lets"
            " each of them read what homes send: install mosquitto, or set broker.allow_other_users = true in hub.toml"
        )
    try:
        text = embedded.rumqttd_configuration(settings.host, port)
    except ValueError as error:
        raise BrokerError(f'{error}: use mosquitto, or broker.kind = "external"') from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = folder / "rumqttd.toml"
    configuration.write_text(text, encoding="utf-8")
    command = (sys.executable, "-P", embedded.__file__, str(configuration))
    address = BrokerAddress(settings.host, port)
    log_file, files = folder / "broker.log", {configuration: configuration.read_bytes()}
    return BrokerPlan(
        IOTCORE,
        command,
        address,
        log_file,
        files,
        ports=((settings.host, port),),
        warning="the built-in broker has no access rules: every program and user of this computer can read what homes"
        " send; with mosquitto installed the hub starts that instead",
    )


def _external_address(settings: BrokerSettings, port: int) -> BrokerAddress:
    password = read_password(settings.password_file) if settings.password_file is not None else None
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


def read_password(path: Path) -> str:
    """The password in this file. Raises: BrokerError."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise BrokerError(f"{path}: cannot read the broker's password") from None


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
