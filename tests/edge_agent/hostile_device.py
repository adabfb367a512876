"""A Modbus device that gets everything wrong that devices, gateways and lines were seen to get wrong, frame by frame.

Every register shows its unit, function and address, and how many requests had been received when it was read: so that a
word tells whether it belongs to the request it is given for. Serves a `warped_loop.Wire`.
"""

import asyncio
import binascii
import random
from collections import Counter
from dataclasses import dataclass

from tests.edge_agent.warped_loop import Wire

ORDERLY = ("ok", "in_two_pieces", "byte_by_byte")
REFUSALS = {f"exception_{code}": code for code in (1, 2, 3, 4, 5, 6, 8, 10, 11, 0x55)}
EVERYWHERE = (
    "silent", "late", "very_late", "wrong_unit", "wrong_function", "short", "long", "empty", "counts_less",
    "counts_more", "cut_off", "double", "double_of_another", "noise_before", "noise_after", "flood", "unasked",
    "hung_up", "hung_up_in_mid_frame", "half_open", "no_entry", "odd_length", *REFUSALS,
)  # fmt: skip
NUMBERED = (
    "stale", "number_0", "foreign_number", "last_number", "foreign_protocol", "header_counts_more",
    "header_counts_less", "late_under_new_number",
)  # fmt: skip
LINES = ("bad_check", "flipped_bit", "echo")


def kinds_of(wire: str) -> tuple[str, ...]:
    """The faults that can happen on a connection of this kind."""
    return (*EVERYWHERE, *(NUMBERED if wire == "tcp" else LINES))


def word_of(unit: int, function: int, address: int, received: int) -> int:
    return (unit * 40_503 + function * 9_973 + address * 251 + received * 12_289) % 65_536


@dataclass
class Asked:
    unit: int
    function: int
    address: int
    count: int
    number: bytes
    received: int


class HostileDevice:
    """Units behind one connection. It answers in order, each request when the one before is done with."""

    def __init__(self, wire: str, seed: int, *, fault_share: float, timeout_s: float, lies_low: bool = False) -> None:
        self.wire = wire
        self.fault_share = fault_share
        self.timeout_s = timeout_s
        self.loses_while_busy = lies_low
        self.received = 0
        self.faults: Counter[str] = Counter()
        self.answered_well: set[int] = set()
        self.asked: dict[int, tuple[int, int, int, int]] = {}
        self._chance = random.Random(seed)
        self._kinds = kinds_of(wire)
        self._free_at = 0.0
        self._held: list[bytes] = []
        self._last: bytes | None = None
        self._refuses_entry = 0
        self._swallowing: Wire | None = None
        self._now: Wire | None = None

    def accept(self, wire: Wire) -> None:
        if self._refuses_entry:
            self._refuses_entry -= 1
            raise ConnectionRefusedError(111, "refused")
        self._now = wire

    def receive(self, data: bytes, wire: Wire) -> None:
        asked = self._parse(data)
        self.received += 1
        asked.received = self.received
        self.asked[self.received] = (asked.unit, asked.function, asked.address, asked.count)
        if wire is self._swallowing:
            return
        now_s = asyncio.get_running_loop().time()
        if self.loses_while_busy and now_s < self._free_at:
            return
        kind = self._chance.choice(self._kinds) if self._chance.random() < self.fault_share else ""
        if kind:
            self.faults[kind] += 1
        else:
            kind = self._chance.choice(ORDERLY)
        delay_s = self._chance.uniform(0, 0.4) * self.timeout_s
        if kind in ("late", "very_late"):
            delay_s = self.timeout_s * self._chance.uniform(1.01, 3 if kind == "late" else 60)
        begin_s = max(now_s, self._free_at)
        self._free_at = begin_s + delay_s
        if kind in ORDERLY and self._free_at - now_s < 0.9 * self.timeout_s and not self._held:
            self.answered_well.add(self.received)
        asyncio.get_running_loop().call_at(self._free_at, self._act, kind, asked)

    def words(self, asked: Asked, shift: int = 0) -> list[int]:
        first = asked.address + shift
        return [word_of(asked.unit, asked.function, at, asked.received) for at in range(first, first + asked.count)]

    def _parse(self, data: bytes) -> Asked:
        if self.wire == "tcp":
            number, unit, pdu = data[:2], data[6], data[7:]
        else:
            body = binascii.unhexlify(data[1:-2]) if self.wire == "ascii" else data
            number, unit, pdu = b"", body[0], body[1:]
        return Asked(unit, pdu[0], int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5]), number, 0)

    def _pdu(self, asked: Asked, words: list[int]) -> bytes:
        content = b"".join(word.to_bytes(2) for word in words)
        return bytes([asked.function, len(content) % 256]) + content

    def _frame(self, asked: Asked, pdu: bytes, *, unit: int | None = None, number: bytes | None = None) -> bytes:
        unit = asked.unit if unit is None else unit
        if self.wire == "tcp":
            number = asked.number if number is None else number
            return number + b"\0\0" + (len(pdu) + 1).to_bytes(2) + bytes([unit]) + pdu
        body = bytes([unit]) + pdu
        if self.wire == "ascii":
            return b":" + binascii.hexlify(body + bytes([-sum(body) % 256])).upper() + b"\r\n"
        return body + crc16(body)

    def _act(self, kind: str, asked: Asked) -> None:  # noqa: PLR0912 - one case for each kind
        wire = self._now
        if wire is None:
            return
        words = self.words(asked)
        right = self._frame(asked, self._pdu(asked, words))
        if self._held and self.wire == "tcp":
            # A gateway that is one answer behind puts the old answer under the new request's number.
            self._held.append(self._pdu(asked, words))
            wire.deliver(self._frame(asked, self._held.pop(0)))
            if self._chance.random() < 0.3:
                self._held.clear()
            return
        stale, self._last = self._last, right
        send = wire.deliver
        noise = self._chance.randbytes(self._chance.randrange(1, 12))
        match kind:
            case "ok" | "late" | "very_late":
                send(right)
            case "in_two_pieces":
                cut = self._chance.randrange(1, len(right))
                wire.deliver_pieces([right[:cut], right[cut:]], 0.01 * self.timeout_s)
            case "byte_by_byte":
                wire.deliver_pieces([right[at : at + 1] for at in range(len(right))], 0.0005 * self.timeout_s)
            case "silent":
                pass
            case "wrong_unit":
                send(self._frame(asked, self._pdu(asked, self.words(asked, 3)), unit=asked.unit % 247 + 1))
            case "wrong_function":
                other = Asked(asked.unit, 7 - asked.function, asked.address, asked.count, asked.number, asked.received)
                send(self._frame(other, self._pdu(other, self.words(other))))
            case "short":
                send(self._frame(asked, self._pdu(asked, words[:-1])))
            case "long":
                send(self._frame(asked, self._pdu(asked, [*words, 7][: max(2, len(words) + 1)])))
            case "empty":
                send(self._frame(asked, bytes([asked.function, 0])))
            case "counts_less" | "counts_more":
                pdu = self._pdu(asked, words)
                told = max(0, pdu[1] - 2) if kind == "counts_less" else min(255, pdu[1] + 2)
                send(self._frame(asked, bytes([pdu[0], told]) + pdu[2:]))
            case "odd_length":
                pdu = self._pdu(asked, words)
                send(self._frame(asked, bytes([pdu[0], pdu[1] - 1]) + pdu[2:-1]))
            case "cut_off":
                send(right[: self._chance.randrange(1, len(right))])
            case "double":
                send(right)
                send(right, self._chance.uniform(0, 0.015))
            case "double_of_another":
                send(right)
                send(self._frame(asked, self._pdu(asked, self.words(asked, 1))), 0.005 * self.timeout_s)
            case "stale":
                send(stale or right)
            case "noise_before":
                send(noise)
                send(right, 0.001 * self.timeout_s)
            case "noise_after":
                send(right)
                send(noise, 0.002 * self.timeout_s)
            case "flood":
                send(self._chance.randbytes(self._chance.randrange(300, 9000)))
            case "unasked":
                send(right)
                # On a line nobody else asks: it comes before the next request may be sent. With numbers: at any time.
                longest_s = 3 * self.timeout_s if self.wire == "tcp" else 0.015
                other = self._frame(asked, self._pdu(asked, self.words(asked, 9)))
                send(other, self._chance.uniform(0, longest_s))
            case "hung_up":
                wire.close()
            case "hung_up_in_mid_frame":
                send(right[: len(right) // 2])
                asyncio.get_running_loop().call_later(0.01 * self.timeout_s, wire.close)
            case "half_open":
                self._swallowing = wire
            case "no_entry":
                self._refuses_entry = self._chance.randrange(1, 3)
                wire.close()
            case "bad_check":
                send(right[:-3] + bytes([right[-3] ^ 0x5A]) + right[-2:])
            case "flipped_bit":
                at = self._chance.randrange(len(right))
                send(right[:at] + bytes([right[at] ^ 1 << self._chance.randrange(8)]) + right[at + 1 :])
            case "echo":
                body = bytes([asked.unit, asked.function]) + asked.address.to_bytes(2) + asked.count.to_bytes(2)
                send(self._frame(asked, body[1:]) + right)
            case "number_0":
                send(self._frame(asked, self._pdu(asked, words), number=b"\0\0"))
            case "foreign_number":
                send(self._frame(asked, self._pdu(asked, self.words(asked, 5)), number=b"\xee\xee"))
            case "last_number":
                number = ((int.from_bytes(asked.number) - 1) % 65_536).to_bytes(2)
                send(self._frame(asked, self._pdu(asked, self.words(asked, 5)), number=number))
            case "foreign_protocol":
                send(right[:2] + b"\x12\x34" + right[4:])
            case "header_counts_more":
                send(right[:4] + (len(right) + 20).to_bytes(2) + right[6:])
            case "header_counts_less":
                send(right[:4] + (3).to_bytes(2) + right[6:])
            case "late_under_new_number":
                self._held = [self._pdu(asked, words)]
            case _:
                code = REFUSALS[kind]
                if code in (10, 11) and self.wire == "tcp" and self._chance.random() < 0.5:
                    self._held = [self._pdu(asked, words)]
                send(self._frame(asked, bytes([asked.function | 0x80, code])))


def crc16(body: bytes) -> bytes:
    value = 0xFFFF
    for byte in body:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))
