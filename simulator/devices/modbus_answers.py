"""Whole Modbus frames out of a stream of bytes, and the frames a misbehaving device sends back. No sockets here.

Source: Modbus Application Protocol 1.1b3; Modbus over Serial Line 1.02 (CRC, frame lengths).
"""

from dataclasses import dataclass

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE, DEVICE_BUSY, NO_GATEWAY_ANSWER = 1, 2, 3, 4, 6, 11
MAX_ADU = 260
_MBAP = 7
_SHORT_RTU = 8
_COUNTED = (15, 16)


@dataclass(frozen=True, slots=True)
class ModbusRequest:
    """One request as it came: who is asked, what, and the whole frame. `address` and `count` only for reads."""

    unit: int
    function: int
    address: int
    count: int
    frame: bytes

    @property
    def is_read(self) -> bool:
        """Whether it reads registers."""
        return self.function in (3, 4)


class FrameFormatError(Exception):
    """The bytes can never become a frame: the connection is of no use any more."""


def next_tcp(buffer: bytearray) -> ModbusRequest | None:
    """Take the first whole frame out of the buffer, None while it is incomplete. Raises: FrameFormatError."""
    if len(buffer) < _MBAP + 1:
        return None
    length = int.from_bytes(buffer[4:6], "big")
    if buffer[2] or buffer[3] or not 2 <= length <= MAX_ADU - 6:
        raise FrameFormatError
    if len(buffer) < 6 + length:
        return None
    frame = bytes(buffer[: 6 + length])
    del buffer[: 6 + length]
    return _asked(frame, frame[_MBAP - 1], frame[_MBAP:])


def next_rtu(buffer: bytearray) -> ModbusRequest | None:
    """Take the first whole frame with a right check sum; bytes that begin none are dropped one by one."""
    while len(buffer) >= 4:
        length = _rtu_length(buffer)
        if length is None or len(buffer) < length <= MAX_ADU:
            return None
        frame = bytes(buffer[:length])
        if length <= MAX_ADU and crc(frame[:-2]) == int.from_bytes(frame[-2:], "little"):
            del buffer[:length]
            return _asked(frame, frame[0], frame[1:-2])
        del buffer[0]
    return None


def build_reply(asked: ModbusRequest, pdu: bytes, *, unit: int, is_rtu: bool) -> bytes:
    """The frame that answers `asked` with this PDU, from this unit."""
    if is_rtu:
        body = bytes([unit]) + pdu
        return body + crc(body).to_bytes(2, "little")
    return asked.frame[:4] + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu


def build_exception_reply(asked: ModbusRequest, code: int, *, is_rtu: bool) -> bytes:
    """The frame that refuses `asked`."""
    return build_reply(asked, bytes([asked.function | 0x80, code]), unit=asked.unit, is_rtu=is_rtu)


def crc(body: bytes) -> int:
    """CRC-16/MODBUS."""
    value = 0xFFFF
    for byte in body:
        value = (value >> 8) ^ _CRC_TABLE[(value ^ byte) & 0xFF]
    return value


def _crc_of(byte: int) -> int:
    value = byte
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_CRC_TABLE = tuple(_crc_of(byte) for byte in range(256))


def _rtu_length(buffer: bytearray) -> int | None:
    if buffer[1] not in _COUNTED:
        return _SHORT_RTU
    return None if len(buffer) < 7 else 9 + buffer[6]


def _asked(frame: bytes, unit: int, pdu: bytes) -> ModbusRequest:
    if pdu[0] in (3, 4) and len(pdu) == 5:
        return ModbusRequest(unit, pdu[0], int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big"), frame)
    return ModbusRequest(unit, pdu[0], 0, 0, frame)
