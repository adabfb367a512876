"""Telegrams built by hand from the public descriptions: P1 text with its checksum, and SML bytes with theirs."""

from collections.abc import Sequence

from edge_agent.devices.telegrams.p1 import checksum

LINES = (
    "1-3:0.2.8(50)",
    "0-0:1.0.0(261129190000W)",
    "0-0:96.1.1(4530303334303031)",
    "1-0:1.8.1(001234.567*kWh)",
    "1-0:1.8.2(002345.678*kWh)",
    "1-0:2.8.1(000012.001*kWh)",
    "1-0:2.8.2(000030.002*kWh)",
    "0-0:96.14.0(0002)",
    "1-0:1.7.0(00.000*kW)",
    "1-0:2.7.0(01.193*kW)",
    "1-0:32.7.0(230.1*V)",
    "1-0:21.7.0(00.000*kW)",
    "1-0:22.7.0(01.193*kW)",
    "0-1:24.2.1(261129190000W)(00012.345*m3)",
)


def p1_telegram(lines: Sequence[str] = LINES) -> bytes:
    """A whole telegram with its checksum."""
    body = ("/ISK5\\2M550T-1012\r\n\r\n" + "".join(f"{line}\r\n" for line in lines) + "!").encode()
    return body + f"{checksum(body):04X}\r\n".encode()


def sml_telegram(entries: Sequence[tuple[str, int, int, int]]) -> bytes:
    """An SML file with one list of (OBIS code, unit, scaler, value); a value is put into 8 bytes."""
    rows = [_row(*entry) for entry in entries]
    listed = bytes([0x70 | len(rows)]) + b"".join(rows)
    answer = b"\x77" + b"\x01" + b"\x0b" + b"SERVERID01" + b"\x01" + b"\x01" + listed + b"\x01\x01"
    messages = _message(1, 0x0701, answer) + _message(2, 0x0201, b"\x71\x01")
    padding = -len(messages) % 4
    framed = (
        b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + messages + b"\0" * padding + b"\x1b\x1b\x1b\x1b\x1a" + bytes([padding])
    )
    return framed + crc_x25(framed).to_bytes(2, "little")


def crc_x25(data: bytes) -> int:
    """CRC-16/X-25, as SML's transport states (DIN EN 62056-46)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8408 if crc & 1 else crc >> 1
    return crc ^ 0xFFFF


def _row(code: str, unit: int, scaler: int, value: int) -> bytes:
    obis = bytes((1, 0, *map(int, code.split(".")), 255))
    number = b"\x59" + value.to_bytes(8, "big", signed=True)
    return (
        b"\x77\x07"
        + obis
        + b"\x01\x01\x62"
        + bytes([unit])
        + b"\x52"
        + scaler.to_bytes(1, "big", signed=True)
        + number
        + b"\x01"
    )


def _message(number: int, kind: int, body: bytes) -> bytes:
    head = b"\x76\x05" + number.to_bytes(4, "big") + b"\x62\x00\x62\x00\x72\x63" + kind.to_bytes(2, "big") + body
    return head + b"\x63" + crc_x25(head).to_bytes(2, "little") + b"\x00"
