"""Finding the models of a SunSpec device: the walk over words already read, and the reads that lead to it.

Sends nothing itself: `discover` yields requests and is sent the responses.
Source: SunSpec Device Information Model Specification, "Device information model discovery".
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from protocols.maps.planning import MODBUS_MAX_REGISTERS, ReadRequest

BASES = (40000, 0, 50000)
MARKER = (0x5375, 0x6E53)
END_OF_CHAIN = 0xFFFF
MAX_MODELS = 100
_READ_HOLDING = 3


@dataclass(frozen=True, slots=True)
class SunSpecModel:
    """A model as found: its id, the wire address of its id register, and its length without id and length registers."""

    id: int
    address: int
    length: int

    @property
    def end(self) -> int:
        """Address of the id register of the next model."""
        return self.address + 2 + self.length


@dataclass(frozen=True, slots=True)
class SunSpecDiscovery:
    """What was found on a device: its base, its models in order, all words read, and whether the end was reached."""

    base: int
    models: tuple[SunSpecModel, ...]
    words: Mapping[int, int]
    complete: bool


def walk_models(words: Mapping[int, int], base: int) -> list[SunSpecModel]:
    """The models from `base` on, as far as their id and length registers are in `words`.

    Empty if there is no marker. Stops at the end mark and at anything that is not a valid model.
    """
    if (words.get(base), words.get(base + 1)) != MARKER:
        return []
    models: list[SunSpecModel] = []
    address = base + 2
    while len(models) < MAX_MODELS and (model := _model_at(words, address)):
        models.append(model)
        address = model.end
    return models


def discover(
    max_registers: int = MODBUS_MAX_REGISTERS, bases: Sequence[int] = BASES
) -> Generator[ReadRequest, Sequence[int] | None, SunSpecDiscovery | None]:
    """Yield reads until the chain is known; send back the words, or None if the device refused or did not answer.

    Reads ahead in whole blocks; after the first refusal it reads only id and length registers, because a device
    may refuse reads past its end. Such a device with N models that starts at 40000 takes at most N + 2
    requests. Where the first base is not the right one, the others are tried with the shortest read.
    Returns None if no base shows the marker.
    """
    ahead = max(4, max_registers)
    for base in bases:
        words: dict[int, int] = {}
        reads_ahead = base == bases[0] and (yield from _read(words, base, ahead))
        if not reads_ahead and not (yield from _read(words, base, 4)):
            continue
        if (words.get(base), words.get(base + 1)) != MARKER:
            continue
        complete = yield from _follow(words, base, ahead if reads_ahead or base != bases[0] else 2)
        return SunSpecDiscovery(base, tuple(walk_models(words, base)), words, complete)
    return None


def _follow(words: dict[int, int], base: int, block: int) -> Generator[ReadRequest, Sequence[int] | None, bool]:
    """Continue from header to header until the end mark; False if the device stops answering before it."""
    while True:
        models = walk_models(words, base)
        address = models[-1].end if models else base + 2
        if words.get(address) == END_OF_CHAIN:
            return True
        if len(models) >= MAX_MODELS or address > 0xFFFF or _has_header(words, address):
            return False
        count = min(block, 0x10000 - address)
        if (yield from _read(words, address, count)):
            continue
        if block <= 2:
            return False
        block = 2


def _read(words: dict[int, int], address: int, count: int) -> Generator[ReadRequest, Sequence[int] | None, bool]:
    answer = yield ReadRequest(_READ_HOLDING, address, count)
    if answer is None or len(answer) != count:
        return False
    words.update(enumerate(answer, address))
    return True


def _has_header(words: Mapping[int, int], address: int) -> bool:
    return address in words and address + 1 in words


def _model_at(words: Mapping[int, int], address: int) -> SunSpecModel | None:
    model_id, length = words.get(address), words.get(address + 1)
    if model_id in (None, 0, END_OF_CHAIN) or length is None or address + 2 + length > 0x10000:
        return None
    return SunSpecModel(model_id, address, length)
