"""Telegrams of a P1 port: found in a stream of bytes, held against their checksum, read.

Source: DSMR P1 Companion Standard 5.0.2 (Netbeheer Nederland), chapter 6: representation, checksum and objects.
Telegrams without a checksum (before DSMR 4) and encrypted ones (Luxembourg, Austria) are refused.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from edge_agent.devices.telegrams.meter_values import MeterValues, TelegramError

MAX_TELEGRAM_BYTES: Final = 8192
ENCRYPTED_MARK: Final = 0xDB
ENCRYPTED: Final = (
    "this meter encrypts its telegrams, which the agent cannot read: ask the grid operator for a clear port"
)
_VALUE = re.compile(rb"[0-9]-[0-9]:(\d{1,3}\.\d{1,3}\.\d{1,3})\((-?\d{1,10}(?:\.\d{1,4})?)\*(kWh|Wh|kW|W|V)\)")
_SERIAL = re.compile(rb"0-0:96\.1\.1\(((?:[0-9A-F]{2}){1,24})\)")
_END = re.compile(rb"!([0-9A-Fa-f]{4})?\r?\n")
_PER_UNIT = {b"kWh": Decimal(1000), b"Wh": Decimal(1), b"kW": Decimal(1000), b"W": Decimal(1), b"V": Decimal(1)}


class P1Stream:
    """Collects bytes and gives each whole telegram's values once."""

    def __init__(self) -> None:
        self._bytes = b""

    def add(self, data: bytes) -> list[MeterValues]:
        """The telegrams these bytes complete. Raises TelegramError for the first that is not believed; it is gone."""
        self._bytes += data
        found: list[MeterValues] = []
        while telegram := self._next():
            found.append(read_telegram(telegram))
        return found

    def _next(self) -> bytes | None:
        start = self._bytes.find(b"/")
        if start < 0:
            was_encrypted = len(self._bytes) >= 2 and self._bytes[0] == ENCRYPTED_MARK and self._bytes[1] == 8
            self._bytes = self._bytes[:1] if self._bytes == bytes([ENCRYPTED_MARK]) else b""
            if was_encrypted:
                raise TelegramError(ENCRYPTED)
            return None
        self._bytes = self._bytes[start:]
        end = _END.search(self._bytes)
        if end is None:
            if len(self._bytes) > MAX_TELEGRAM_BYTES:
                self._bytes = b""
                raise TelegramError(f"no telegram ends within {MAX_TELEGRAM_BYTES} bytes")
            return None
        telegram, self._bytes = self._bytes[: end.end()], self._bytes[end.end() :]
        return telegram


def read_telegram(telegram: bytes) -> MeterValues:
    """The values of one telegram, from "/" to the end of the line with "!". Raises TelegramError."""
    if len(telegram) > MAX_TELEGRAM_BYTES:
        raise TelegramError(f"a telegram of {len(telegram)} bytes; expected at most {MAX_TELEGRAM_BYTES}")
    body, mark, tail = telegram.rpartition(b"!")
    stated = tail.strip()
    if not mark or not stated:
        raise TelegramError("a telegram without a checksum: meters before DSMR 4 are not read")
    if not re.fullmatch(rb"[0-9A-Fa-f]{4}", stated) or checksum(body + b"!") != int(stated, 16):
        raise TelegramError("a telegram whose checksum is wrong: a cable too long or another program on the port?")
    values: dict[str, Decimal] = {}
    serial = ""
    for line in body.splitlines():
        if found := _VALUE.fullmatch(line.strip()):
            code, number, unit = found.groups()
            if code.decode() in values:
                raise TelegramError(f"a telegram that states {code.decode()} twice")
            values[code.decode()] = Decimal(number.decode()) * _PER_UNIT[unit]
        elif found := _SERIAL.fullmatch(line.strip()):
            serial = bytes.fromhex(found.group(1).decode()).decode("ascii", errors="replace")
    return MeterValues(values, serial)


def checksum(data: bytes) -> int:
    """CRC16 with polynomial x16+x15+x2+1, no XOR, least significant bit first, as the standard's 6.2 states.

    >>> hex(checksum(b"123456789"))
    '0xbb3d'
    """
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc
