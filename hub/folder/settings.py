"""hub.toml as typed values. Each mistake is reported in one line that names the file, the key and what was expected."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from hub.core.ledger.run_calendar import RunCalendar
from hub.core.payments.accounts import CoopAccount, clean_holder
from hub.core.payments.sepa import compact, is_bic, is_creditor_id, is_iban
from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule, require_derived
from hub.core.rules.estimate_rule import METHODS_OF_ESTIMATE, EstimateRule
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.part_months import PART_MONTHS
from hub.core.rules.rulebook import METHODS, NETTING_TIMES, NO_NETTING, require_aggregate, require_netting
from hub.folder.backup_settings import BackupSettings, read_backup
from hub.folder.elsewhere.broker_settings import LOOPBACK, BrokerSettings, read_broker
from hub.folder.elsewhere.broker_sites import require_sound_sites
from hub.folder.elsewhere.public_settings import PublicSettings, read_public
from hub.folder.elsewhere.store_settings import StoreSettings, read_store
from hub.folder.intake_settings import MOST, IntakeLimits, read_intake
from hub.folder.mail_settings import MailSettings, read_mail
from hub.folder.retention_settings import read_months
from hub.folder.setting_values import is_currency, is_host_name, is_name, is_zone
from hub.folder.verify_settings import USUAL_DAYS, read_every_days
from hub.folder.watching.tables import WatchSettings, read_watch
from hub.storage.records import Coop
from protocols.errors import SettingsError
from protocols.toml_text import TomlTextError, read_toml
from protocols.wire.topics import is_id

FILE_NAME: Final = "hub.toml"
MAX_BYTES: Final = 65_536
MAX_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the pages are served. `https` says that a proxy in front of the hub speaks HTTPS.

    `names` are the host names, besides this computer's own, under which the pages are reached.
    """

    host: str
    port: int
    https: bool
    names: tuple[str, ...] = ()

    @property
    def warning(self) -> str | None:
        """What the board should know about these settings: a proxy passes on a name that the hub does not answer to."""
        if not self.https or self.names:
            return None
        return (
            "web.https is true and web.names is empty: the pages answer to this computer's own names only; enter the"
            " name under which members reach them in hub.toml"
        )


@dataclass(frozen=True, slots=True)
class WeatherSettings:
    """A weather service that uses Open-Meteo's format, and the co-op's location."""

    url: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """The co-op's first rule; after the first start only the rulebook counts. Units: micro-currency per kWh; W.

    `part_month_fee` is None if the file does not say: by day for a new hub, and in a rulebook as its rule has it.
    """

    method: str
    buy_micro_per_kwh: int
    sell_micro_per_kwh: int
    retail_micro_per_kwh: int
    feedin_micro_per_kwh: int
    connection_w: int
    estimate: EstimateRule
    part_month_fee: str | None
    aggregate: int = 1
    netting: str = NO_NETTING
    derived: DerivedRule = NO_DERIVED


@dataclass(frozen=True, slots=True)
class HubSettings:
    """All the settings in hub.toml."""

    coop: Coop
    web: WebSettings
    broker: BrokerSettings
    weather: WeatherSettings | None
    rules: RuleSettings
    calendar: RunCalendar
    bank: CoopAccount | None = None
    plates_file: Path | None = None
    plants: frozenset[str] = frozenset()
    intake: IntakeLimits = field(default_factory=IntakeLimits)
    backup: BackupSettings | None = None
    retention_months: int | None = None
    mail: MailSettings | None = None
    public: PublicSettings | None = None
    store: StoreSettings | None = None
    watch: WatchSettings = field(default_factory=WatchSettings)
    verify_every_days: int = USUAL_DAYS


def load_settings(folder: Path) -> HubSettings:
    """The settings in a hub's data folder. Raises: SettingsError."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no hub here; create one with: commonwatt-hub init --data {folder}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot read it: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise SettingsError(f"{path}: larger than {MAX_BYTES} bytes")
    return parse_settings(text, name=str(path), folder=folder)


def parse_settings(text: bytes, *, name: str, folder: Path) -> HubSettings:
    """The settings in this text; file names are relative to `folder`. Raises: SettingsError."""
    try:
        tables = read_toml(text)
    except TomlTextError as error:
        raise SettingsError(f"{name}: not a TOML file: {error}") from None
    top = _Table(name, "", tables)
    intake, retention, verify = top.table("intake"), top.table("retention"), top.table("verify")
    web, broker = _web(top.table("web")), read_broker(top.table("broker"), folder)
    settings = HubSettings(
        plants=frozenset((coop := top.table("coop")).texts("plants")),
        coop=_coop(coop),
        web=web,
        broker=broker,
        weather=_weather(top.table("weather")) if top.has("weather") else None,
        rules=_rules(top.table("rules")),
        calendar=_calendar(top.table("calendar")),
        bank=_bank(top.table("bank")) if top.has("bank") else None,
        plates_file=(quality := top.table("quality")).file("plates_file", folder),
        retention_months=read_months(retention.number) if top.has("retention") else None,
        verify_every_days=read_every_days(verify.number),
        intake=read_intake(lambda key, usual, least: intake.number(key, usual, least=least, most=MOST), intake.wrong),
        backup=_backup(top.table("backup"), folder) if top.has("backup") else None,
        store=read_store(top.table("store"), folder) if top.has("store") else None,
        mail=read_mail(top.table("mail"), folder) if top.has("mail") else None,
        public=read_public(top.table("public"), broker_kind=broker.kind, taken_ports=(web.port, broker.port))
        if top.has("public")
        else None,
        watch=read_watch(top.table, folder, taken_ports=(web.port, broker.port), has_traces=top.has("traces")),
    )
    require_sound_sites(
        broker,
        taken_ports=() if (public := settings.public) is None else (web.port, broker.port, public.enrol_port),
        wrong=top.table("broker").wrong,
    )
    if settings.store is not None and settings.backup is not None:
        raise top.table("backup").wrong(
            "to",
            "nothing: [store] is on a server, which is backed up with its own tools (docs/postgres.md, Backups); delete"
            ' [backup], and say how under [store] with backup = "..."',
        )
    quality.require_nothing_else()
    intake.require_nothing_else()
    retention.require_nothing_else()
    verify.require_nothing_else()
    top.require_nothing_else()
    return settings


class _Table:
    """One TOML table. Names the key in errors, and finds keys that no setting uses."""

    def __init__(self, file: str, place: str, values: dict[str, Any]) -> None:
        self._file, self._place, self._values = file, place, values
        self._known: set[str] = set()

    def has(self, key: str) -> bool:
        """Whether it is given; from here on it is named among the settings that there are."""
        self._known.add(key)
        return key in self._values

    def table(self, key: str) -> "_Table":
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise SettingsError(f"{self._file}: {key}: expected a table [{key}]")
        return _Table(self._file, key, value)

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str:
        value = self._value(key, default)
        if not isinstance(value, str) or not fits(value):
            raise self.wrong(key, expected)
        return value

    def number(self, key: str, default: int, *, least: int, most: int, unit: str = "") -> int:
        value = self._value(key, default)
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(key, f"a whole number {f'of {unit} ' if unit else ''}from {least} to {most}")
        return value

    def decimal(self, key: str, *, least: float, most: float, unit: str) -> float:
        value = self._value(key, None)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.wrong(key, f"a number of {unit} from {least:g} to {most:g}")
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def texts(self, key: str) -> list[str]:
        value = self._value(key, [])
        texts = (
            [each.isoformat() if _is_plain_date(each) else each for each in value] if isinstance(value, list) else []
        )
        if not isinstance(value, list) or len(value) > MAX_LISTED or not all(isinstance(each, str) for each in texts):
            raise self.wrong(key, f"a list of up to {MAX_LISTED} strings")
        return texts

    def file(self, key: str, folder: Path) -> Path | None:
        if self._value(key, None) is None:
            return None
        path = folder / self.text(key, fits=bool, expected="the name of a file")
        if not path.is_file():
            raise self.wrong(key, f"a file that exists ({path} does not)")
        return path

    def wrong(self, key: str, expected: str) -> SettingsError:
        return SettingsError(f"{self._file}: {self._place}.{key}: expected {expected}")

    def require_nothing_else(self) -> None:
        for key in self._values:
            if key not in self._known:
                place = f"{self._place}.{key}" if self._place else f"[{key}]"
                raise SettingsError(
                    f"{self._file}: {place}: no such setting; expected one of {', '.join(sorted(self._known))}"
                )

    def _value(self, key: str, default: Any) -> Any:
        self._known.add(key)
        return self._values.get(key, default)


def _coop(table: _Table) -> Coop:
    coop = Coop(
        id=table.text("id", fits=is_id, expected="1 to 32 of a-z, 0-9 and -"),
        name=table.text("name", fits=is_name, expected="a name of 1 to 80 printable characters"),
        tz=table.text("tz", fits=is_zone, expected="a time zone like Europe/Madrid"),
        currency=table.text("currency", "EUR", fits=is_currency, expected="a currency like EUR"),
    )
    table.require_nothing_else()
    return coop


def _web(table: _Table) -> WebSettings:
    web = WebSettings(
        host=table.text("host", LOOPBACK, fits=bool, expected="an address to listen on, like 127.0.0.1"),
        port=table.number("port", 8400, least=0, most=65535),
        https=table.flag("https", default=False),
        names=tuple(table.texts("names")),
    )
    for name in web.names:
        if not is_host_name(name):
            raise table.wrong("names", f'host names like "hub.example.org", not {name[:40]!r}')
    table.require_nothing_else()
    return web


def _weather(table: _Table) -> WeatherSettings:
    weather = WeatherSettings(
        url=table.text(
            "url", fits=lambda url: url.startswith(("http://", "https://")), expected="an http:// or https:// address"
        ),
        latitude=table.decimal("latitude", least=-90, most=90, unit="degrees"),
        longitude=table.decimal("longitude", least=-180, most=180, unit="degrees"),
    )
    table.require_nothing_else()
    return weather


def _rules(table: _Table) -> RuleSettings:
    most, ways = 10**9, METHODS_OF_ESTIMATE
    fits = ("", *PART_MONTHS).__contains__
    estimate = table.text("estimate", "none", fits=ways.__contains__, expected=f"one of {', '.join(ways)}")
    rules = RuleSettings(
        method=table.text(
            "method", "proportional", fits=METHODS.__contains__, expected=f"one of {', '.join(sorted(METHODS))}"
        ),
        buy_micro_per_kwh=table.number("buy_micro_per_kwh", 200_000, least=0, most=most),
        sell_micro_per_kwh=table.number("sell_micro_per_kwh", 140_000, least=0, most=most),
        retail_micro_per_kwh=table.number("retail_micro_per_kwh", 300_000, least=0, most=most),
        feedin_micro_per_kwh=table.number("feedin_micro_per_kwh", 80_000, least=0, most=most),
        connection_w=table.number("connection_w", 0, least=0, most=most),
        estimate=EstimateRule(
            ways[estimate], longest=table.number("estimate_longest", 4, least=1, most=96, unit="quarter hours")
        ),
        part_month_fee=table.text("part_month_fee", "", fits=fits, expected=f"one of {', '.join(PART_MONTHS)}") or None,
        aggregate=table.number("aggregate", 1, least=1, most=4),
        netting=table.text(
            "netting", NO_NETTING, fits=NETTING_TIMES.__contains__, expected=f"one of {', '.join(NETTING_TIMES)}"
        ),
        derived=DerivedRule(
            table.number("derived_wh", 0, least=0, most=10_000), table.number("derived_percent", 0, least=0, most=100)
        ),
    )
    try:
        require_netting(rules.netting, aggregate=require_aggregate(rules.aggregate))
        require_derived(rules.derived, {})
    except RejectedInputError as refusal:
        raise SettingsError(f"hub.toml: [rules]: {refusal.detail}") from None
    if rules.sell_micro_per_kwh > rules.buy_micro_per_kwh:
        raise table.wrong("sell_micro_per_kwh", "at most buy_micro_per_kwh: sellers cannot get more than buyers pay")
    table.require_nothing_else()
    return rules


def _calendar(table: _Table) -> RunCalendar:
    single: set[date] = set()
    yearly: set[tuple[int, int]] = set()
    for text in table.texts("holidays"):
        try:
            if re.fullmatch(r"\d\d-\d\d", text, re.ASCII):
                each_year = date.fromisoformat(f"2000-{text}")
                yearly.add((each_year.month, each_year.day))
            else:
                single.add(date.fromisoformat(text))
        except ValueError:
            raise table.wrong("holidays", f'days like "12-25" or "2026-04-03", not {text[:20]!r}') from None
    table.require_nothing_else()
    return RunCalendar(frozenset(single), frozenset(yearly))


def _backup(table: _Table, folder: Path) -> BackupSettings:
    backup = read_backup(table, folder)
    table.require_nothing_else()
    return backup


def _bank(table: _Table) -> CoopAccount:
    bic = table.text("bic", "", fits=lambda text: not text or is_bic(compact(text)), expected="a BIC, or empty")
    creditor = table.text(
        "creditor_id",
        "",
        fits=lambda text: not text or is_creditor_id(compact(text)),
        expected="a SEPA creditor identifier",
    )
    name = table.text("name", fits=lambda text: clean_holder(text) is not None, expected="the account holder's name")
    iban = table.text("iban", fits=lambda text: is_iban(compact(text)), expected="an IBAN of a SEPA country")
    bank = CoopAccount(
        name=" ".join(name.split()),
        iban=compact(iban),
        bic=compact(bic) or None,
        creditor_id=compact(creditor),
        smallest_cent=table.number("smallest_cent", 100, least=1, most=10**9),
        is_netted=table.flag("netting", default=True),
    )
    table.require_nothing_else()
    return bank


def _is_plain_date(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)
