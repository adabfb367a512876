"""Registers as they were recorded from a device, or written by hand: a text file, served word by word.

Each line of the file is `FUNCTION ADDRESS: WORD WORD ...`: the function 3 or 4, the address as it goes over the wire
(decimal, or hexadecimal with 0x), and words of four hexadecimal digits for this address and those after it. `#` begins
a comment. What the file does not name is refused with exception 2, as by a device that has no such register.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.devices.modbus_answers import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, ModbusRequest
from simulator.errors import SimulatorError

MAX_FILE_BYTES = 4 * 1024 * 1024
MOST_WORDS = 125
_LINE = re.compile(r"([34])\s+(0[xX][0-9a-fA-F]{1,4}|\d{1,5})\s*:((?:\s+[0-9a-fA-F]{4})+)")


@dataclass(frozen=True, slots=True)
class RegisterImage:
    """The words of one unit by function and address. They never change."""

    unit: int
    words: Mapping[tuple[int, int], int]

    def answer(self, asked: ModbusRequest) -> bytes:
        """The PDU of a device that holds these words and nothing else."""
        if not asked.is_read:
            return bytes([asked.function | 0x80, ILLEGAL_FUNCTION])
        if not 1 <= asked.count <= MOST_WORDS:
            return bytes([asked.function | 0x80, ILLEGAL_VALUE])
        wanted = [(asked.function, at) for at in range(asked.address, asked.address + asked.count)]
        if not all(each in self.words for each in wanted):
            return bytes([asked.function | 0x80, ILLEGAL_ADDRESS])
        content = [self.words[each] for each in wanted]
        return struct.pack(f">BB{len(content)}H", asked.function, 2 * len(content), *content)


def read_register_image(path: Path, unit: int) -> RegisterImage:
    """The image in this file. Raises: SimulatorError."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_FILE_BYTES:
            raise SimulatorError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        return parse_register_image(content.decode("utf-8"), unit, name=str(path))
    except OSError as problem:
        raise SimulatorError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    except UnicodeDecodeError:
        raise SimulatorError(f"{path}: not UTF-8: save it again with that encoding") from None


def parse_register_image(text: str, unit: int, *, name: str) -> RegisterImage:
    """The image in this text. `name` identifies the file in errors. Raises: SimulatorError."""
    words: dict[tuple[int, int], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = line.split("#", 1)[0].strip()
        if not said:
            continue
        if (found := _LINE.fullmatch(said)) is None:
            raise SimulatorError(f"{name}:{number}: expected a line like '3 40000: 5375 6E53', found {said[:40]!r}")
        function, first = int(found[1]), int(found[2], 0) if found[2][:2].lower() == "0x" else int(found[2])
        for at, word in enumerate(found[3].split(), first):
            if at > 0xFFFF:
                raise SimulatorError(f"{name}:{number}: address {at}: expected 0 to 65535")
            if (function, at) in words:
                raise SimulatorError(f"{name}:{number}: function {function} address {at} is given a second time")
            words[function, at] = int(word, 16)
    if not words:
        raise SimulatorError(f"{name}: no registers in it: expected lines like '3 40000: 5375 6E53'")
    return RegisterImage(unit, words)
