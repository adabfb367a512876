"""The agent's one configuration file: TOML to frozen records. Every error is one line that says what to do.

Reads text; the entry point opens the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qs, urlsplit

from edge_agent.legal_meter import UNKNOWN_METER, LegalMeter, read_legal_meter
from edge_agent.page_settings import PageSettings, parse_page
from edge_agent.sections.broker_values import VALUE_KEYS, BrokerValues, parse_broker_values
from edge_agent.sections.factor import parse_factor
from edge_agent.sections.home_assistant import HomeAssistantChoice, parse_home_assistant
from edge_agent.sections.proxy import ProxyChoice, parse_proxies
from protocols.errors import SettingsError
from protocols.maps.fields import TomlFields
from protocols.maps.model import Framing, MapError, RoleName, Sign
from protocols.toml_text import TomlTextError, read_toml
from protocols.wire.topics import is_id

MAX_SETTINGS_BYTES = 64 * 1024
LONGEST_INTERVAL_S = 60
"""Readings further apart cannot tell what happened between them: at 300 s faults were found that pass as measured."""

LONGEST_SIMULATED_S = 300
ROLES: tuple[RoleName, ...] = get_args(RoleName)
SIGNS: tuple[Sign, ...] = get_args(Sign)
CONNECT_EXPECTED = (
    "'tcp://host:port', 'rtu:///dev/name?baud=9600&parity=N', 'rtu+tcp://host:port', 'ascii:///dev/name', "
    "'ascii+tcp://host:port', 'udp://host:port', 'tls+tcp://host:port?certificate=/path/to/device.pem', "
    "'p1:///dev/name', 'p1+tcp://host:port', 'sml:///dev/name', 'sml+tcp://host:port', 'mqtt://host:port' or "
    "'mqtts://host:port'"
)

_DEVICE_KEYS = (
    "name", "map", "variant", "role", "connect", "unit", "instance", "sign", "invert", "factor", "max_power_w",
    "timeout_ms", *VALUE_KEYS,
)  # fmt: skip

Wire = Literal[
    "tcp", "tls+tcp", "rtu+tcp", "ascii+tcp", "udp", "rtu", "ascii", "p1", "p1+tcp", "sml", "sml+tcp", "mqtt", "mqtts"
]
TELEGRAM_FRAMINGS: dict[Wire, Framing] = {
    "p1": "p1", "p1+tcp": "p1", "sml": "sml", "sml+tcp": "sml", "mqtt": "mqtt", "mqtts": "mqtt",
}  # fmt: skip
"""Wires on which the meter sends by itself, and what it sends."""

_NETWORK: dict[str, tuple[Wire, int]] = {
    "tcp": ("tcp", 502),
    "tls+tcp": ("tls+tcp", 802),
    "rtu+tcp": ("rtu+tcp", 502),
    "ascii+tcp": ("ascii+tcp", 502),
    "udp": ("udp", 502),
    "p1+tcp": ("p1+tcp", 23),
    "sml+tcp": ("sml+tcp", 23),
    "mqtt": ("mqtt", 1883),
    "mqtts": ("mqtts", 8883),
}
_LINES: dict[str, Wire] = {"rtu": "rtu", "ascii": "ascii", "p1": "p1", "sml": "sml"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a device is connected. Serial settings are None where the device map decides."""

    wire: Wire
    host: str = ""
    port: int = 0
    path: str = ""
    baud: int | None = None
    parity: str | None = None
    stop: int | None = None
    certificate: str = ""
    """The file with the one certificate that a device with TLS must show."""

    @property
    def has_numbers(self) -> bool:
        """Whether every answer carries the number of its request."""
        return self.wire in ("tcp", "tls+tcp", "udp")

    @property
    def framing(self) -> Framing | None:
        """What a meter that sends by itself sends here; None where a device is asked over Modbus."""
        return TELEGRAM_FRAMINGS.get(self.wire)

    @property
    def is_serial(self) -> bool:
        """Whether it is a line of this computer, whose time is spent register by register."""
        return bool(self.path)

    @property
    def shown(self) -> str:
        """The address as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.wire}://{self.path}" if self.is_serial else f"{self.wire}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """One device of the home and the points it measures. Units: max_power_w of the point, ms."""

    name: str
    map: str
    roles: tuple[RoleName, ...]
    endpoint: Endpoint
    unit: int
    sign: Sign
    invert: bool
    max_power_w: int
    timeout_ms: int | None
    instance: int | None = None
    """Which of several like devices in one SunSpec chain, counted from 1."""

    variant: str | None = None
    """Which variant of its map the device is, by firmware, access path, model or setting."""

    values: BrokerValues | None = None
    """Where its values are told, for a meter at the home's broker."""

    factor: Decimal = Decimal(1)
    """What its powers and counters are multiplied by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the household decides about its agent."""

    source: str
    data: Path
    hub_url: str | None
    coop: str | None
    devices: tuple[DeviceSettings, ...]
    interval_s: int
    boundary_window_s: int
    consent: Path | None
    keep_days: int
    outbox_max_mb: int
    legal_meter: LegalMeter = UNKNOWN_METER
    page: PageSettings | None = None
    proxies: tuple[ProxyChoice, ...] = ()
    maps: Path | None = None
    """A folder of register maps of the household's own."""

    home_assistant: HomeAssistantChoice | None = None


def read_settings(path: Path) -> Settings:
    """The checked settings of a file; paths inside it are relative to it. Raises SettingsError."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is not there: `commonwatt-agent setup` writes it; --config names another file"
        ) from None
    except OSError as cause:
        raise SettingsError(f"{path}: cannot be read: {cause.strerror or cause}") from cause
    if len(text) > MAX_SETTINGS_BYTES:
        raise SettingsError(f"{path}: {len(text)} bytes, expected at most {MAX_SETTINGS_BYTES}")
    return parse_settings(text, name=path.name, folder=path.parent)


def parse_settings(text: bytes, *, name: str, folder: Path) -> Settings:
    """The settings in this TOML text. `name` identifies the file in errors. Raises SettingsError."""
    table = parse_toml(text, name)
    try:
        return _settings(TomlFields(name, table), name=name, folder=folder)
    except MapError as complaint:
        raise SettingsError(str(complaint)) from None


def parse_toml(text: bytes, name: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises SettingsError."""
    try:
        return read_toml(text)
    except TomlTextError as cause:
        raise SettingsError(f"{name}: not valid TOML: {cause}") from None


def _settings(top: TomlFields, *, name: str, folder: Path) -> Settings:
    top.only("data", "maps", "hub", "poll", "outbox", "device", "consent", "page", "meter", "proxy", "home_assistant")
    hub, poll = top.table("hub").only("url", "coop"), top.table("poll").only("interval_s", "boundary_window_s")
    outbox = top.table("outbox").only("keep_days", "max_mb")
    devices = _devices(top, folder)
    settings = Settings(
        source=name,
        data=folder / top.text("data", "data"),
        hub_url=_url(hub),
        coop=_coop(hub),
        devices=devices,
        interval_s=poll.whole("interval_s", 1, 900, default=60),
        boundary_window_s=poll.whole("boundary_window_s", 5, 600, default=60),
        consent=folder / top.text("consent") if top.has("consent") else None,
        keep_days=outbox.whole("keep_days", 0, 366, default=7),
        outbox_max_mb=outbox.whole("max_mb", 1, 4096, default=64),
        legal_meter=read_legal_meter(top.table("meter")),
        page=parse_page(top.table("page")),
        proxies=parse_proxies(top, [each.name for each in devices]),
        maps=folder / top.text("maps") if top.has("maps") else None,
        home_assistant=parse_home_assistant(top, folder),
    )
    if 900 % settings.interval_s or settings.interval_s > LONGEST_SIMULATED_S:
        wanted = f"a divisor of 900 up to {LONGEST_INTERVAL_S}, such as 10, 30 or 60"
        raise poll.wrong("interval_s", wanted, settings.interval_s)
    return settings


def require_close_readings(settings: Settings) -> None:
    """Refuse to read so seldom; only a simulated street, whose time runs faster, may. Raises SettingsError."""
    if settings.interval_s > LONGEST_INTERVAL_S:
        raise SettingsError(
            f"{settings.source}: [poll] interval_s: {settings.interval_s} is too long: expected at most"
            f" {LONGEST_INTERVAL_S}, because readings further apart cannot show a meter's errors"
        )


def _url(hub: TomlFields) -> str | None:
    if not hub.has("url"):
        return None
    url = hub.text("url")
    if not is_url(url):
        shown = "one with a name or password" if "@" in url else url
        raise hub.wrong("url", "an address like 'https://hub.example:8443'", shown)
    return url.rstrip("/")


def is_url(text: str) -> bool:
    """Whether this is the address of a hub: http or https, a host, and no more than a path behind it."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    is_plain = parts.path.isascii() and not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and is_plain and port != 0 and _is_address(text, parts.hostname)


def _is_address(text: str, host: str | None) -> bool:
    """Whether this can be a host name; on anything else the resolver fails in its own ways."""
    try:
        is_name = bool(host and (":" in host or host.encode("idna")))
    except UnicodeError:
        return False
    return is_name and text.isprintable() and " " not in text


def _coop(hub: TomlFields) -> str | None:
    if not hub.has("coop"):
        return None
    coop = hub.text("coop")
    if not is_id(coop):
        raise hub.wrong("coop", "1 to 32 of a-z, 0-9 and -", coop)
    return coop


def _devices(top: TomlFields, folder: Path) -> tuple[DeviceSettings, ...]:
    devices = tuple(_device(fields, folder) for fields in top.tables("device"))
    if not devices:
        raise MapError(f"{top.where}: device: missing, expected at least one [[device]]")
    seen: set[str] = set()
    for device in devices:
        if device.name in seen:
            raise MapError(f"{top.where}: device: name: expected unique names, found {device.name!r} twice")
        seen.add(device.name)
    _check_counted_once(top, devices)
    return devices


def _check_counted_once(top: TomlFields, devices: tuple[DeviceSettings, ...]) -> None:
    """Refuse what would count the same energy twice: two grid meters, or one role of one device under two names."""
    grids = [repr(device.name) for device in devices if "grid" in device.roles]
    if len(grids) > 1:
        raise MapError(
            f"{top.where}: device: role: {' and '.join(grids)} both measure the grid, which would count its energy "
            "twice: keep role grid on one of them (a second connection to the grid is a home of its own)"
        )
    seen: dict[tuple[Endpoint, int, RoleName, int, str], str] = {}
    for device in devices:
        told = "" if device.values is None else device.values.counted
        for role in device.roles:
            key = device.endpoint, device.unit, role, device.instance or 1, told
            first = seen.setdefault(key, device.name)
            if first != device.name:
                raise MapError(
                    f"{top.where}: device: {first!r} and {device.name!r} are the same unit in the same role {role}, "
                    "which would count its energy twice: remove one of them"
                )


def _device(fields: TomlFields, folder: Path) -> DeviceSettings:
    fields.only(*_DEVICE_KEYS)
    name = fields.text("name")
    if not is_id(name):
        raise fields.wrong("name", "1 to 32 of a-z, 0-9 and -", name)
    roles, endpoint = _roles(fields), _endpoint(fields)
    return DeviceSettings(
        name=name,
        map=fields.name("map", r"[a-z0-9]+(-[a-z0-9]+)*", "a device family like 'eastron-sdm630'"),
        roles=roles,
        endpoint=endpoint,
        unit=fields.whole("unit", 0, 255, default=1),
        sign=fields.choice("sign", SIGNS, "as_documented"),
        invert=fields.flag("invert"),
        max_power_w=fields.whole("max_power_w", 10, 10_000_000),
        timeout_ms=fields.whole_or_none("timeout_ms", 50, 60_000),
        instance=fields.whole_or_none("instance", 1, 32),
        variant=fields.name("variant", r"[a-z0-9]+(-[a-z0-9]+)*", "the name of a variant")
        if fields.has("variant")
        else None,
        values=_values(fields, folder, endpoint, roles=roles),
        factor=parse_factor(fields),
    )


def _values(
    fields: TomlFields, folder: Path, endpoint: Endpoint, *, roles: tuple[RoleName, ...]
) -> BrokerValues | None:
    if endpoint.framing == "mqtt":
        return parse_broker_values(fields, folder, roles)
    for key in VALUE_KEYS:
        if fields.has(key):
            raise MapError(f"{fields.where}: {key}: only for a meter at the home's broker, connect = 'mqtt://host'")
    return None


def _roles(fields: TomlFields) -> tuple[RoleName, ...]:
    if not fields.has("role"):
        raise MapError(f"{fields.where}: role: missing, expected one of {', '.join(ROLES)}")
    found = fields.raw("role")
    wanted = [found] if isinstance(found, str) else found
    if not isinstance(wanted, list) or not wanted or len(set(map(str, wanted))) != len(wanted):
        raise fields.wrong("role", f"one of {', '.join(ROLES)}, or a list of them", found)
    roles = tuple(role for each in wanted for role in ROLES if role == each)
    if len(roles) != len(wanted):
        raise fields.wrong("role", f"one of {', '.join(ROLES)}, or a list of them", found)
    return roles


def _endpoint(fields: TomlFields) -> Endpoint:
    found = fields.text("connect")
    try:
        return parse_endpoint(found)
    except ValueError:
        raise fields.wrong("connect", CONNECT_EXPECTED, found) from None


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint in a connect text. Raises ValueError."""
    parts = urlsplit(text)
    query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    if parts.scheme in _NETWORK:
        wire, port = _NETWORK[parts.scheme]
        is_plain = parts.path in ("", "/") and not (parts.fragment or "@" in parts.netloc)
        if not is_plain or parts.port == 0 or not _is_address(parts.netloc, parts.hostname):
            raise ValueError(text)
        certificate = _certificate(wire, query)
        return Endpoint(wire, parts.hostname or "", parts.port if parts.port else port, certificate=certificate)
    if parts.scheme not in _LINES or parts.netloc or not parts.path.startswith("/"):
        raise ValueError(text)
    return _serial(_LINES[parts.scheme], parts.path, query)


def _certificate(wire: Wire, query: dict[str, list[str]]) -> str:
    if wire != "tls+tcp":
        if query:
            raise ValueError(wire)
        return ""
    files = query.get("certificate", [])
    if set(query) != {"certificate"} or len(files) != 1 or not files[0].startswith("/"):
        raise ValueError(wire)
    return files[0]


def _serial(wire: Wire, path: str, query: dict[str, list[str]]) -> Endpoint:
    allowed = {"baud", "parity", "stop"}
    if not set(query) <= allowed or any(len(values) != 1 for values in query.values()):
        raise ValueError(path)
    given = {key: values[0] for key, values in query.items()}
    baud = int(given["baud"]) if "baud" in given else None
    stop = int(given["stop"]) if "stop" in given else None
    parity = given.get("parity")
    is_baud = baud is None or 300 <= baud <= 1_000_000
    if not is_baud or stop not in (None, 1, 2) or parity not in (None, *"NEO"):
        raise ValueError(path)
    return Endpoint(wire, path=path, baud=baud, parity=parity, stop=stop)
