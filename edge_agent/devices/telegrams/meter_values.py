"""What a meter's telegram says, and the registers under which the maps `p1-dsmr` and `sml-d0` find it.

Values arrive under OBIS codes; a meter that counts by tariff is added up. A value that is missing or cannot be
right is "not available", never a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from protocols.errors import CommonwattError

TARIFFS: Final = ("1", "2", "3", "4")
REGISTERS: Final = 32
MISSING: Final = 0xFFFF
_TENTHS = Decimal(10)
_MAX_U64 = 2**64 - 2
_MAX_I32 = 2**31 - 1
_MAX_U16 = 2**16 - 2
POWER_MISSING = (0x8000, 0x0000)
_AT_IMPORT, _AT_EXPORT, _AT_POWER, _AT_VOLTAGES, _AT_PHASE_POWERS, _AT_SERIAL = 0, 4, 8, 10, 13, 19
_SERIAL_WORDS = 10


class TelegramError(CommonwattError):
    """A telegram that is not believed. The text names what is wrong with it, never a value."""


@dataclass(frozen=True, slots=True)
class MeterValues:
    """One telegram's values by OBIS code without medium and channel ("1.8.0"). Units: Wh, W, V."""

    values: Mapping[str, Decimal]
    serial: str = ""

    def energy_wh(self, direction: str) -> Decimal | None:
        """The total of import ("1") or export ("2"): its own code, else the sum of the tariffs, which needs two.

        >>> MeterValues({"1.8.1": Decimal(5), "1.8.2": Decimal(7)}).energy_wh("1")
        Decimal('12')
        """
        total = self.values.get(f"{direction}.8.0")
        if total is not None:
            return total
        tariffs = [self.values[code] for each in TARIFFS if (code := f"{direction}.8.{each}") in self.values]
        return sum(tariffs, Decimal(0)) if len(tariffs) > 1 else None

    def power_w(self, phase: str = "") -> Decimal | None:
        """What flows now, import positive: the sum over the phases, or one of them ("2", "4", "6" tens in OBIS)."""
        tens = {"": 0, "1": 20, "2": 40, "3": 60}[phase]
        if not phase and (signed := self.values.get("16.7.0")) is not None:
            return signed
        if phase and (signed := self.values.get(f"{tens + 16}.7.0")) is not None:
            return signed
        taken, given = self.values.get(f"{tens + 1}.7.0"), self.values.get(f"{tens + 2}.7.0")
        return None if taken is None or given is None else taken - given

    def words(self) -> list[int]:
        """The registers that the maps describe; see `firmware_configs/devices/p1-dsmr.toml`."""
        found = [MISSING] * REGISTERS
        _place(found, _AT_IMPORT, unsigned64(self.energy_wh("1")))
        _place(found, _AT_EXPORT, unsigned64(self.energy_wh("2")))
        _place(found, _AT_POWER, signed32(self.power_w()))
        for number, phase in enumerate(("1", "2", "3")):
            volts = self.values.get(f"{20 * (number + 1) + 12}.7.0")
            found[_AT_VOLTAGES + number] = _unsigned16(volts)
            _place(found, _AT_PHASE_POWERS + 2 * number, signed32(self.power_w(phase)))
        _place(found, _AT_SERIAL, _text(self.serial))
        return found


def _place(words: list[int], at: int, values: tuple[int, ...]) -> None:
    words[at : at + len(values)] = values


def _tenths(value: Decimal) -> int:
    """A counter has shown no more than this: the rest of a tenth is left for its next step."""
    return int((value * _TENTHS).to_integral_value(ROUND_FLOOR))


def unsigned64(value: Decimal | None) -> tuple[int, ...]:
    """A counter in tenths of Wh as four registers."""
    if value is None or not 0 <= (raw := _tenths(value)) <= _MAX_U64:
        return (MISSING,) * 4
    return tuple(raw >> shift & 0xFFFF for shift in (48, 32, 16, 0))


def signed32(value: Decimal | None) -> tuple[int, int]:
    """A power in tenths of W as two registers."""
    if value is None or not -_MAX_I32 <= (raw := _tenths(value)) <= _MAX_I32:
        return POWER_MISSING
    return raw >> 16 & 0xFFFF, raw & 0xFFFF


def _unsigned16(value: Decimal | None) -> int:
    return MISSING if value is None or not 0 <= (raw := _tenths(value)) <= _MAX_U16 else raw


def _text(text: str) -> tuple[int, ...]:
    raw = text.encode("ascii", errors="replace")[: 2 * _SERIAL_WORDS].ljust(2 * _SERIAL_WORDS, b"\0")
    return tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))
