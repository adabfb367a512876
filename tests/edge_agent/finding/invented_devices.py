"""Devices for tests of the search: one that answers as a family's identify rule wants, strict or lenient elsewhere."""

from decimal import Decimal

from edge_agent.devices.line import NoAnswerError, ReadRefusedError
from protocols.maps.model import DeviceMap, IdentifyRule, IdentityCheck
from protocols.maps.registers import Value, encode

COMMON_LENGTH, MODEL_LENGTH = 66, 50


class InventedDevice:
    """A link to one unit. Lenient: every other register reads 0; strict: it is refused, as is a read past a chain."""

    def __init__(self, words: dict[tuple[int, int], int], *, lenient: bool = False, unit: int = 1) -> None:
        self.words = words
        self.lenient = lenient
        self.unit = unit
        self.requests: list[tuple[int, int, int]] = []

    async def read_words(self, unit: int, function: int, *, address: int, count: int) -> list[int]:
        self.requests.append((function, address, count))
        if unit != self.unit:
            raise NoAnswerError("no answer in time")
        wanted = [(function, at) for at in range(address, address + count)]
        if not self.lenient and not all(each in self.words for each in wanted):
            raise ReadRefusedError(2)
        return [self.words.get(each, 0) for each in wanted]


def words_of(device_map: DeviceMap, rule: IdentifyRule) -> dict[tuple[int, int], int]:
    """Registers with which this rule holds; what the rule leaves open is 0 or absent."""
    words: dict[tuple[int, int], int] = {}
    if rule.sunspec_models or rule.manufacturer or rule.model:
        words |= chain_words(rule.sunspec_models[:1], rule.manufacturer or "Acme", rule.model or "X1")
    for check in rule.checks:
        raw = encode(_wanted(check), check.type, word_order=check.word_order)
        words |= {(check.function, check.address + at): word for at, word in enumerate(raw)}
    return words


def chain_words(models: tuple[int, ...], maker: str, model: str, base: int = 40000) -> dict[tuple[int, int], int]:
    """A SunSpec chain: the common model, these models, and the end."""
    listed = [0x5375, 0x6E53, 1, COMMON_LENGTH, *_text(maker), *_text(model), *[0] * (COMMON_LENGTH - 32)]
    for each in models:
        listed += [each, MODEL_LENGTH, *[0] * MODEL_LENGTH]
    listed += [0xFFFF, 0]
    return {(3, base + at): word for at, word in enumerate(listed)}


def _text(text: str) -> list[int]:
    raw = text.encode().ljust(32, b"\0")[:32]
    return [int.from_bytes(raw[at : at + 2]) for at in range(0, 32, 2)]


def _wanted(check: IdentityCheck) -> Value:
    if check.prefix is not None:
        return check.prefix
    if check.values:
        return Decimal(check.values[0])
    if check.minimum is not None and check.maximum is not None:
        inside = check.minimum + (check.maximum - check.minimum) * 3 / 4
        return inside if check.type.name.startswith("float") else Decimal(int(inside))
    return "X" if check.type.kind == "text" else Decimal(1)
