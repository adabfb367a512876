"""The bytes of devices, gateways and lines that answer wrongly: what each fault makes of a right answer."""

from random import Random
from typing import Literal, get_args

from simulator.devices.modbus_answers import (
    DEVICE_BUSY,
    DEVICE_FAILURE,
    ILLEGAL_ADDRESS,
    NO_GATEWAY_ANSWER,
    ModbusRequest,
    build_exception_reply,
    build_reply,
)

WireFault = Literal[
    "silent", "busy", "wrong_unit", "short_answer", "refused", "failing", "no_gateway_answer", "unknown_exception",
    "wrong_function", "long_answer", "miscounted", "cut_off", "double", "double_of_another", "noise_before",
    "noise_after", "flood", "foreign_number", "bad_checksum",
]  # fmt: skip
WIRE_FAULTS: tuple[WireFault, ...] = get_args(WireFault)
_CODES = {"busy": DEVICE_BUSY, "refused": ILLEGAL_ADDRESS, "failing": DEVICE_FAILURE,
          "no_gateway_answer": NO_GATEWAY_ANSWER, "unknown_exception": 0x55}  # fmt: skip


def spoil(asked: ModbusRequest, pdu: bytes, kind: str, *, is_rtu: bool, chance: Random) -> bytes | None:
    """What is sent instead of the right answer `pdu`; None for nothing. An unknown kind leaves the answer right."""
    right = build_reply(asked, pdu, unit=asked.unit, is_rtu=is_rtu)
    if kind == "silent":
        return None
    if kind in _CODES:
        return build_exception_reply(asked, _CODES[kind], is_rtu=is_rtu)
    if (inside := _spoilt_pdu(pdu, kind)) is not None:
        return build_reply(asked, inside, unit=asked.unit, is_rtu=is_rtu)
    noise = chance.randbytes(chance.randrange(1, 9))
    match kind:
        case "wrong_unit":
            return build_reply(asked, pdu, unit=asked.unit % 247 + 1, is_rtu=is_rtu)
        case "cut_off":
            return right[: len(right) // 2]
        case "double":
            return right + right
        case "double_of_another":
            return right + build_reply(asked, pdu[:2] + bytes(reversed(pdu[2:])), unit=asked.unit, is_rtu=is_rtu)
        case "noise_before":
            return noise + right
        case "noise_after":
            return right + noise
        case "flood":
            return chance.randbytes(4000)
        case "foreign_number" if not is_rtu:
            return bytes(byte ^ 0x5A for byte in right[:2]) + right[2:]
        case "bad_checksum" if is_rtu:
            return right[:-1] + bytes([right[-1] ^ 0xFF])
    return right


def _spoilt_pdu(pdu: bytes, kind: str) -> bytes | None:
    """The answer inside its frame, where it is that which is wrong; refusals have no registers to get wrong."""
    if pdu[0] & 0x80 or pdu[1] <= 2:
        return None
    match kind:
        case "short_answer":
            return bytes([pdu[0], pdu[1] - 2]) + pdu[2:-2]
        case "long_answer" if pdu[1] < 250:
            return bytes([pdu[0], pdu[1] + 2]) + pdu[2:] + b"\0\7"
        case "miscounted":
            return bytes([pdu[0], pdu[1] - 2]) + pdu[2:]
        case "wrong_function":
            return bytes([7 - pdu[0]]) + pdu[1:] if pdu[0] in (3, 4) else None
    return None
