"""Which registers to read in one request: the fewest requests that get every wanted value in one piece.

Pure arithmetic over addresses; the owner of the connection sends, paces and retries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocols.errors import InputError

MODBUS_MAX_REGISTERS = 125


class PlanError(InputError):
    """A wanted span cannot be read within the limits; the message says which one and why."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Registers that must arrive in one response: a value, or a value with its scale factor."""

    function: int
    address: int
    count: int

    @property
    def end(self) -> int:
        """First address after the span."""
        return self.address + self.count


@dataclass(frozen=True, slots=True, order=True)
class ReadRequest(Span):
    """One read as it goes on the wire."""


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """What one device tolerates in a request.

    `bridge` is the longest run of unwanted registers that a request may include; None means no limit.
    `readable`, when not empty, lists the only areas a request may touch; a request stays inside one of them.
    """

    max_registers: int = MODBUS_MAX_REGISTERS
    bridge: int | None = None
    readable: tuple[Span, ...] = ()
    no_read: tuple[Span, ...] = ()

    def allows(self, block: Span) -> str | None:
        """None if one request may read all of `block`, otherwise the reason why not."""
        if block.count > self.max_registers:
            return f"{block.count} registers are more than the {self.max_registers} one request may hold"
        if self.readable and not any(_inside(block, area) for area in self.readable):
            return "not inside one readable area"
        if any(_overlap(block, area) for area in self.no_read):
            return "touches a register that must not be read"
        return None


def plan_requests(wanted: Sequence[Span], limits: BlockLimits) -> tuple[ReadRequest, ...]:
    """The fewest requests that read every wanted span whole.

    From left to right, each request takes as many spans as it may. That is minimal: spans inside another span
    are dropped, so starts and ends rise together, an optimal plan cuts the sorted list into runs, and
    every run inside an allowed run is also allowed.
    Raises PlanError if a single span cannot be read at all.

    >>> plan_requests([Span(3, 0, 2), Span(3, 4, 2), Span(3, 300, 1)], BlockLimits())
    (ReadRequest(function=3, address=0, count=6), ReadRequest(function=3, address=300, count=1))
    """
    requests: list[ReadRequest] = []
    for span in outermost_spans(wanted):
        if reason := limits.allows(span):
            raise PlanError(f"function {span.function} registers {span.address}..{span.end - 1}: {reason}")
        if requests and (joined := _joined(requests[-1], span, limits)):
            requests[-1] = joined
        else:
            requests.append(ReadRequest(span.function, span.address, span.count))
    return tuple(requests)


def bisect_request(request: Span, wanted: Iterable[Span]) -> tuple[ReadRequest, ...]:
    """The two halves to try after a device refused `request`, or () if only one span, the bad one, is left.

    Halving again and again finds one bad register among n spans in at most 2 * log2(n) requests, rounded up.
    """
    inside = outermost_spans([span for span in wanted if _inside(span, request)])
    if len(inside) < 2:
        return ()
    middle = len(inside) // 2
    return tuple(_hull(half) for half in (inside[:middle], inside[middle:]))


def outermost_spans(spans: Iterable[Span]) -> list[Span]:
    """The spans that are not inside another span, sorted by function and address."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.function, each.address, -each.count)):
        if not kept or kept[-1].function != span.function or span.end > kept[-1].end:
            kept.append(span)
    return kept


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same registers in fewer spans: spans that touch or overlap become one."""
    joined: list[Span] = []
    for span in outermost_spans(spans):
        last = joined[-1] if joined else None
        if last and last.function == span.function and span.address <= last.end:
            joined[-1] = Span(last.function, last.address, span.end - last.address)
        else:
            joined.append(span)
    return tuple(joined)


def _joined(request: ReadRequest, span: Span, limits: BlockLimits) -> ReadRequest | None:
    if request.function != span.function:
        return None
    if limits.bridge is not None and span.address - request.end > limits.bridge:
        return None
    block = ReadRequest(request.function, request.address, span.end - request.address)
    return None if limits.allows(block) else block


def _hull(spans: Sequence[Span]) -> ReadRequest:
    return ReadRequest(spans[0].function, spans[0].address, spans[-1].end - spans[0].address)


def _inside(span: Span, area: Span) -> bool:
    return span.function == area.function and area.address <= span.address and span.end <= area.end


def _overlap(one: Span, other: Span) -> bool:
    return one.function == other.function and one.address < other.end and other.address < one.end
