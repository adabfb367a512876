"""A connection's timing and serial settings, what can go wrong on it, and what a request costs on a serial line.

Opens nothing; `modbus_link` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from edge_agent.settings import Endpoint
from protocols.errors import CommonwattError
from protocols.maps.model import Serial, Transport

ILLEGAL_ADDRESS: Final = 2
RTU_GAP_S: Final = 0.02
"""A serial bus always gets a pause, so that a duplicate answer shows up before the next request."""

DEVICE_THINKS_S: Final = 0.02
"""What a meter takes before it answers; a guess, because only the sum of many such costs decides anything."""

LEAST_CONNECT_S: Final = 3.0
"""Connecting may take so long, however quick the device: a lost first packet goes again after 1 s (RFC 6298)."""

FRAME_CHARACTERS: Final = 8 + 5
"""A request, and an answer without its registers (Modbus over Serial Line 1.02)."""

_PLAIN = Serial(9600, 8, "N", 1)


class DeviceReadError(CommonwattError):
    """A read that returned no words. The text names the kind of failure, never a value."""


class NoAnswerError(DeviceReadError):
    """No answer in time."""


class DeviceBusyError(DeviceReadError):
    """The device is present but asks to be left alone for a moment (exception 5 or 6)."""


class ReadRefusedError(DeviceReadError):
    """The device refuses this read. `code` is the Modbus exception: 2 is an address it does not have."""

    def __init__(self, code: int) -> None:
        hint = " (no such register: are map and unit right?)" if code == ILLEGAL_ADDRESS else ""
        super().__init__(f"refused with exception {code}{hint}")
        self.code = code


class WrongDeviceError(DeviceReadError):
    """Something answers, but not the device the map describes; the text says what is missing."""


class LinkBrokenError(DeviceReadError):
    """No connection, or an invalid answer: truncated, of the wrong length, or to another request."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Timing and serial settings of a connection. Units: real seconds; serial settings as on the wire."""

    timeout_s: float = 3.0
    connect_delay_s: float = 0.0
    request_gap_s: float = 0.0
    baud: int = 9600
    parity: str = "N"
    bits: int = 8
    stop: int = 1

    @property
    def connect_limit_s(self) -> float:
        """When an attempt to connect is given up; an answer has `timeout_s`."""
        return max(self.timeout_s, LEAST_CONNECT_S)


class RegisterLink(Protocol):
    """One connection from which registers are read: Modbus, or telegrams that a meter sends by itself.

    `requests` counts what was sent or waited for, `opened` how often the connection was made.
    """

    endpoint: Endpoint
    line: LineSettings
    requests: int
    opened: int

    async def read_words(
        self, unit: int, function: int, *, address: int, count: int, is_guest: bool = False
    ) -> list[int]:
        """`count` registers from `address` of one device. Raises: NoAnswerError and the other errors of this module."""

    async def close(self) -> None:
        """Close the connection for good."""


def serial_line(endpoint: Endpoint, transport: Transport) -> tuple[int, str, int, int]:
    """Baud, parity, bits and stop bits: what the household wrote, else what the map says."""
    usual = transport.rtu or _PLAIN
    return endpoint.baud or usual.baud, endpoint.parity or usual.parity, usual.bits, endpoint.stop or usual.stop


def request_cost(endpoint: Endpoint, transport: Transport) -> float | None:
    """The time of one request without its registers, in registers; None where only the number of requests counts.

    Behind a network every request waits for the device and the way there, and registers cost nothing beside that.
    """
    if not endpoint.is_serial:
        return None
    baud, parity, bits, stop = serial_line(endpoint, transport)
    character_s = (1 + bits + (parity != "N") + stop) / baud
    silences_s = 2 * max(3.5 * character_s, 0.00175)
    gap_s = max(RTU_GAP_S, transport.request_gap_ms / 1000)
    return (FRAME_CHARACTERS * character_s + silences_s + gap_s + DEVICE_THINKS_S) / (2 * character_s)
