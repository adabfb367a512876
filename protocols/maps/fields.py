"""Reads the keys of a TOML table one by one, checks the shape of each, and rejects any that are left over.

Knows nothing about devices; every error is one line that names the place, the key and what was expected.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, TypeVar

from protocols.maps.model import MapError

ChoiceT = TypeVar("ChoiceT", bound=str)
MAX_TEXT = 600
MAX_ITEMS = 400
POINT_NAME = r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*"


class TomlFields:
    """One TOML table being read. `defaults` fill in keys the table itself does not give."""

    def __init__(self, where: str, table: object, defaults: Mapping[str, Any] | None = None) -> None:
        if not isinstance(table, dict):
            raise MapError(f"{where}: expected a table, found {_shown(table)}")
        self.where = where
        self._left: dict[str, Any] = {**(defaults or {}), **table}

    def only(self, *keys: str) -> "TomlFields":
        """Reject any other key now: a misspelt name is a better answer than the missing one it was meant for."""
        for key in self._left:
            if key not in keys:
                close = get_close_matches(key, keys, n=1)
                hint = f", did you mean {close[0]!r}?" if close else ""
                raise MapError(f"{self.where}: unknown key {_shown(key)}{hint}")
        return self

    def has(self, key: str) -> bool:
        """Whether the key is present and has not been read yet."""
        return key in self._left

    def finish(self) -> None:
        """Reject every key that was not read."""
        if self._left:
            raise MapError(f"{self.where}: unknown key {_shown(next(iter(self._left)))}")

    def given(self, key: str) -> object:
        """The value as given, left to be read; None if there is none."""
        return self._left.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty string."""
        found = self._take(key, default, "text")
        if not isinstance(found, str) or not 0 < len(found) <= MAX_TEXT:
            raise self.wrong(key, f"text of 1 to {MAX_TEXT} characters", found)
        return found

    def name(self, key: str, pattern: str = POINT_NAME, expected: str = "a name like 'meter.active_power'") -> str:
        """A name in the form used for points: lower-case letters, digits and underscores; parts joined by dots."""
        found = self.text(key)
        if len(found) > 80 or not re.fullmatch(pattern, found):
            raise self.wrong(key, expected, found)
        return found

    def choice(self, key: str, allowed: Sequence[ChoiceT], default: ChoiceT | None = None) -> ChoiceT:
        """One of the allowed words."""
        found = self._take(key, default, f"one of {', '.join(allowed)}")
        for word in allowed:
            if found == word:
                return word
        raise self.wrong(key, f"one of {', '.join(allowed)}", found)

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        found = self._take(key, default, "true or false")
        if not isinstance(found, bool):
            raise self.wrong(key, "true or false", found)
        return found

    def whole(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        """A whole number within low..high."""
        found = self._take(key, default, f"a whole number {low}..{high}")
        if not _is_whole(found) or not low <= found <= high:
            raise self.wrong(key, f"a whole number {low}..{high}", found)
        return int(found)

    def whole_or_none(self, key: str, low: int, high: int) -> int | None:
        """Like `whole`; None if not given."""
        return self.whole(key, low, high) if self.has(key) else None

    def number(self, key: str, default: Decimal) -> Decimal:
        """A finite number other than 0, exactly as written."""
        found = self._take(key, default, "a number other than 0")
        number = _decimal(found)
        if not number:
            raise self.wrong(key, "a number other than 0", found)
        return number

    def number_or_none(self, key: str) -> Decimal | None:
        """Like `number`; None if not given."""
        return self.number(key, Decimal(0)) if self.has(key) else None

    def bounds(self, key: str) -> tuple[Decimal, Decimal] | tuple[None, None]:
        """[lowest, highest] as two numbers, or two Nones if not given."""
        if not self.has(key):
            return None, None
        found = self._left.pop(key)
        pair = [_decimal(each) for each in found] if isinstance(found, list) else []
        if len(pair) != 2 or pair[0] is None or pair[1] is None or pair[0] > pair[1]:
            raise self.wrong(key, "[lowest, highest]", found)
        return pair[0], pair[1]

    def texts(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        """A list of strings."""
        found = self._list(key, needed)
        if not all(isinstance(each, str) and 0 < len(each) <= MAX_TEXT for each in found):
            raise self.wrong(key, "a list of texts", found)
        return tuple(found)

    def wholes(self, key: str, low: int, high: int, *, needed: bool = False) -> tuple[int, ...]:
        """A list of whole numbers within low..high."""
        found = self._list(key, needed)
        if not all(_is_whole(each) and low <= each <= high for each in found):
            raise self.wrong(key, f"a list of whole numbers {low}..{high}", found)
        return tuple(found)

    def choices(self, key: str, allowed: Sequence[ChoiceT]) -> tuple[ChoiceT, ...]:
        """A non-empty list of allowed words."""
        found = self._list(key, True)
        if not all(each in allowed for each in found):
            raise self.wrong(key, f"a list of values from {', '.join(allowed)}", found)
        return tuple(word for each in found for word in allowed if word == each)

    def table(self, key: str) -> "TomlFields":
        """A table inside this one; empty if not given."""
        return TomlFields(f"{self.where} {key}".strip(), self._left.pop(key, {}))

    def raw(self, key: str) -> object:
        """The value as it is, for a key that may have more than one shape."""
        return self._left.pop(key)

    def raw_table(self, key: str) -> dict[str, Any]:
        """A table with any keys, as it is."""
        found = self._left.pop(key, {})
        if not isinstance(found, dict):
            raise self.wrong(key, "a table", found)
        return found

    def tables(self, key: str, *, share_rest: bool = False) -> list["TomlFields"]:
        """A list of tables, each with its place for error messages.

        With `share_rest`, all other keys not yet read become defaults for every table in the list.
        """
        found = self._list(key, False)
        defaults = self._left if share_rest else {}
        self._left = {} if share_rest else self._left
        made = []
        for index, each in enumerate(found):
            label = each.get("name") if isinstance(each, dict) else None
            where = f"{self.where} {key}[{index}]" + (f" {label!r}" if isinstance(label, str) else "")
            made.append(TomlFields(where, each, defaults))
        return made

    def lists_of_texts(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of strings."""
        found = self._list(key, False)
        if not all(isinstance(each, list) and each and all(isinstance(name, str) for name in each) for each in found):
            raise self.wrong(key, "a list of lists of names", found)
        return tuple(tuple(each) for each in found)

    def wrong(self, key: str, expected: str, found: object) -> MapError:
        """The error about one key."""
        return MapError(f"{self.where}: {key}: expected {expected}, found {_shown(found)}")

    def _take(self, key: str, default: object, expected: str) -> Any:
        if key in self._left:
            return self._left.pop(key)
        if default is None:
            raise MapError(f"{self.where}: {key}: missing, expected {expected}")
        return default

    def _list(self, key: str, needed: bool) -> list[Any]:
        found = self._take(key, None if needed else [], "a list")
        if not isinstance(found, list) or len(found) > MAX_ITEMS or (needed and not found):
            raise self.wrong(key, f"a list of {1 if needed else 0} to {MAX_ITEMS} items", found)
        return found


def _is_whole(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool)


def _decimal(found: object) -> Decimal | None:
    if isinstance(found, Decimal):
        return found if found.is_finite() and abs(found.adjusted()) <= 30 else None
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 10**30:
        return Decimal(found)
    return None


def _shown(found: object) -> str:
    text = str(found) if isinstance(found, Decimal) else repr(found)
    return text if len(text) <= 60 else text[:57] + "..."
