"""tax.toml beside hub.toml: the tax terms the board has entered. Errors take one line each; no file, no tax."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Final

from hub.core.payments.tax_terms import BUYS_AS, PPM, PRIVATE, SELLS_AS, STANDARD, WORDS, TaxRates, TaxStatus, TaxTerms
from protocols.errors import SettingsError
from protocols.toml_text import TomlTextError, read_toml

FILE_NAME: Final = "tax.toml"
MAX_BYTES: Final = 1_000_000
ISSUER_LINES_MAX: Final = 8
CHARS_MAX: Final = 200
TABLES: Final = ("issuer", "words", "rates", "member")
RATE_KEYS: Final = ("from", "bought_ppm", "sold_ppm", "fees_ppm", "small_business")
MEMBER_KEYS: Final = ("id", "from", "sells", "buys", "tax_number")

Table = Mapping[str, object]


def load_tax_terms(folder: Path) -> TaxTerms | None:
    """The tax terms in a hub's data folder, or None if there is no tax.toml. Raises: SettingsError."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path}: cannot read it: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise SettingsError(f"{path}: larger than {MAX_BYTES} bytes")
    return parse_tax_terms(text, name=str(path))


def parse_tax_terms(text: bytes, *, name: str) -> TaxTerms:
    """The tax terms in this text. Raises: SettingsError."""
    try:
        top: Table = read_toml(text)
    except TomlTextError as error:
        raise SettingsError(f"{name}: not a TOML file: {error}") from None
    file = _File(name)
    file.require_known(top, "", TABLES)
    rates = tuple(_rates(file, each, f"rates {n}") for n, each in enumerate(file.rows(top, "rates"), 1))
    statuses = tuple(_tax_status(file, each, f"member {n}") for n, each in enumerate(file.rows(top, "member"), 1))
    if not rates:
        raise SettingsError(f"{name}: rates: expected at least one [[rates]] with from, bought_ppm, sold_ppm, fees_ppm")
    if len({each.from_day for each in rates}) != len(rates):
        raise SettingsError(f"{name}: rates: two tables have the same from; keep one")
    if len({(each.member, each.from_day) for each in statuses}) != len(statuses):
        raise SettingsError(f"{name}: member: two tables have the same id and from; keep one")
    issuer = _texts(file, top.get("issuer", {}), "issuer", known=("lines",)).get("lines", ())
    words = {key: str(value) for key, value in _texts(file, top.get("words", {}), "words", known=WORDS).items()}
    terms = TaxTerms(tuple(issuer), rates, statuses, words)
    if missing := [word for word in terms.needed_words() if not words.get(word)]:
        raise SettingsError(f'{name}: words.{missing[0]}: expected the sentence your law requires, like "…"')
    return terms


class _File:
    """The file being read, for error messages."""

    def __init__(self, name: str) -> None:
        self._name = name

    def wrong(self, place: str, expected: str) -> SettingsError:
        return SettingsError(f"{self._name}: {place}: expected {expected}")

    def rows(self, top: Table, key: str) -> list[Table]:
        value = top.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(key, f"tables written [[{key}]]")
        return value

    def require_known(self, table: Table, place: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                raise self.wrong(f"{place}.{key}".lstrip("."), f"one of {', '.join(known)}")

    def text(self, table: Table, key: str, place: str, *, default: str, fits: Callable[[str], bool], like: str) -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or not fits(value):
            raise self.wrong(f"{place}.{key}", like)
        return value

    def rate(self, table: Table, key: str, place: str, *, default: int | None) -> int:
        value = table.get(key, default)
        if type(value) is not int or not 0 <= value <= PPM:
            raise self.wrong(f"{place}.{key}", f"a whole number from 0 to {PPM}: 200000 is 20 percent")
        return value

    def day(self, table: Table, place: str) -> str:
        value = table.get("from")
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        try:
            return date.fromisoformat(value).isoformat() if isinstance(value, str) else self._no_day(place)
        except ValueError:
            return self._no_day(place)

    def _no_day(self, place: str) -> str:
        raise self.wrong(f"{place}.from", "a day like 2026-01-01")


def _rates(file: _File, table: Table, place: str) -> TaxRates:
    file.require_known(table, place, RATE_KEYS)
    is_small = table.get("small_business", False)
    if not isinstance(is_small, bool):
        raise file.wrong(f"{place}.small_business", "true or false")
    bought, sold, fees = (
        file.rate(table, key, place, default=0 if is_small and key != "sold_ppm" else None)
        for key in ("bought_ppm", "sold_ppm", "fees_ppm")
    )
    return TaxRates(file.day(table, place), bought, sold, fees, small_business=is_small)


def _tax_status(file: _File, table: Table, place: str) -> TaxStatus:
    file.require_known(table, place, MEMBER_KEYS)
    return TaxStatus(
        member=file.text(table, "id", place, default="", fits=bool, like="a member's id, such as m01"),
        from_day=file.day(table, place),
        sells=file.text(table, "sells", place, default=PRIVATE, fits=SELLS_AS.__contains__, like=_one_of(SELLS_AS)),
        buys=file.text(table, "buys", place, default=STANDARD, fits=BUYS_AS.__contains__, like=_one_of(BUYS_AS)),
        tax_number=file.text(table, "tax_number", place, default="", fits=_is_line, like="one printable line"),
    )


def _texts(file: _File, table: object, place: str, *, known: tuple[str, ...]) -> Mapping[str, str | list[str]]:
    """A table of texts, each one printable line; under `lines`, a list of such lines."""
    if not isinstance(table, dict):
        raise file.wrong(place, f"a table [{place}]")
    file.require_known(table, place, known)
    for key, value in table.items():
        lines = value if isinstance(value, list) and key == "lines" else [value]
        if len(lines) > ISSUER_LINES_MAX or not all(isinstance(line, str) and _is_line(line) for line in lines):
            raise file.wrong(f"{place}.{key}", f"printable text of up to {CHARS_MAX} characters a line")
    return table


def _is_line(text: str) -> bool:
    return len(text) <= CHARS_MAX and text.isprintable()


def _one_of(names: tuple[str, ...]) -> str:
    return f"one of {', '.join(names)}"
