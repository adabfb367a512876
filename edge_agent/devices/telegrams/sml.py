"""Telegrams of an optical head in the Smart Message Language, read with the library smllib, which checks their CRC.

Only the codes that the maps need are taken.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from smllib.errors import SmlLibException
from smllib.reader import SmlStreamReader

from edge_agent.devices.telegrams.meter_values import MeterValues, TelegramError

MAX_WAITING_BYTES: Final = 16_384
UNIT_WH: Final = 30
UNIT_W: Final = 27
UNIT_V: Final = 35
"""Units of DLMS/COSEM, as SML carries them (IEC 62056-6-2, table of units)."""

_EXPECTED = {"8": UNIT_WH, "7": UNIT_W}
_VOLTAGES = ("32.7.0", "52.7.0", "72.7.0")
_CHANNELS = ("1-0:", "1-1:")
_MISREAD = (SmlLibException, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What the library raises on bytes that have the right checksum and are no SML."""


class SmlStream:
    """Collects bytes and gives each whole telegram's values once."""

    def __init__(self) -> None:
        self._reader = SmlStreamReader()

    def add(self, data: bytes) -> list[MeterValues]:
        """The telegrams these bytes complete. Raises TelegramError for the first that is not believed; it is gone."""
        if len(self._reader.bytes) + len(data) > MAX_WAITING_BYTES:
            self._reader.clear()
            raise TelegramError(f"no telegram ends within {MAX_WAITING_BYTES} bytes")
        self._reader.add(data)
        found: list[MeterValues] = []
        try:
            while (frame := self._reader.get_frame()) is not None:
                entries = [each for message in frame.parse_frame() for each in _entries(message)]
                found.append(_values(entries))
        except _MISREAD as trouble:
            raise TelegramError(f"a telegram that cannot be read ({type(trouble).__name__})") from None
        return found


def _entries(message: Any) -> list[Any]:
    return list(getattr(message.message_body, "val_list", None) or ())


def _values(entries: list[Any]) -> MeterValues:
    values: dict[str, Decimal] = {}
    for entry in entries:
        channel, _, rest = entry.obis.obis_code.partition(":")
        code = rest.partition("*")[0]
        if f"{channel}:" not in _CHANNELS or not isinstance(entry.value, int) or isinstance(entry.value, bool):
            continue
        wanted = UNIT_V if code in _VOLTAGES else _EXPECTED.get(code.split(".")[1]) if code.count(".") == 2 else None
        if wanted is None or entry.unit != wanted or code in values:
            continue
        scaler = entry.scaler or 0
        if not -10 <= scaler <= 10:
            raise TelegramError("a telegram with an impossible scale")
        values[code] = Decimal(entry.value).scaleb(scaler)
    if not values:
        raise TelegramError("a telegram without energy or power: is the meter's full data set unlocked (PIN)?")
    return MeterValues(values)
