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
    """What one device tolerates in a request, and what a request costs.

    `bridge` is the longest run of unwanted registers that a request may include; None means no limit. Registers of
    `known` do not count in it: they are points of the device's map, so the device has them.
    `readable`, when not empty, lists the only areas a request may touch; a request stays inside one of them.
    `holes` are gaps that this device would not let a request bridge.
    `request_cost` is the time of a request without its registers, in registers: a slow serial line carries a hole
    only if that takes less time than another request. None: the fewest requests, however long.
    """

    max_registers: int = MODBUS_MAX_REGISTERS
    bridge: int | None = None
    readable: tuple[Span, ...] = ()
    no_read: tuple[Span, ...] = ()
    known: tuple[Span, ...] = ()
    holes: tuple[Span, ...] = ()
    request_cost: float | None = None

    def allows(self, block: Span) -> str | None:
        """None if one request may read all of `block`, otherwise the reason why not."""
        if block.count > self.max_registers:
            return f"{block.count} registers are more than the {self.max_registers} one request may hold"
        if self.readable and not any(_inside(block, area) for area in self.readable):
            return "not inside one readable area"
        first, end = block.address, block.end
        for area in self.no_read:
            # Asked at each step of a search for each register that tells a family: a plain loop is the quickest.
            if area.address < end and first < area.end and area.function == block.function:
                return "touches a register that must not be read"
        return None

    def may_bridge(self, gap: Span) -> bool:
        """Whether one request may read over this gap between two wanted spans."""
        if any(_inside(hole, gap) for hole in self.holes):
            return False
        return self.bridge is None or _longest_unknown(gap, self.known) <= self.bridge


def plan_requests(wanted: Sequence[Span], limits: BlockLimits) -> tuple[ReadRequest, ...]:
    """The fewest requests that read every wanted span whole; where requests have a cost, the quickest.

    Spans inside another span are dropped, so starts and ends rise together and a best plan cuts the sorted list into
    runs; every run inside an allowed run is also allowed. So taking as many spans as a request may from left to right
    gives the fewest requests, and the quickest follow from the quickest plans of all shorter lists.
    Raises PlanError if a single span cannot be read at all.

    >>> plan_requests([Span(3, 0, 2), Span(3, 4, 2), Span(3, 300, 1)], BlockLimits())
    (ReadRequest(function=3, address=0, count=6), ReadRequest(function=3, address=300, count=1))
    """
    spans = outermost_spans(wanted)
    for span in spans:
        if reason := limits.allows(span):
            raise PlanError(f"function {span.function} registers {span.address}..{span.end - 1}: {reason}")
    if limits.request_cost is not None:
        return _quickest(spans, limits, limits.request_cost)
    requests: list[ReadRequest] = []
    for span in spans:
        if requests and (joined := _joined(requests[-1], span, limits)):
            requests[-1] = joined
        else:
            requests.append(_alone(span))
    return tuple(requests)


def _quickest(spans: Sequence[Span], limits: BlockLimits, request_cost: float) -> tuple[ReadRequest, ...]:
    """For each beginning of the list the least cost, and the request that its quickest plan ends with."""
    least: list[float] = [0.0]
    last: list[tuple[int, ReadRequest]] = []
    for end in range(1, len(spans) + 1):
        options: list[tuple[float, int, ReadRequest]] = []
        for start in range(end - 1, -1, -1):
            block = _run(spans[start:end], limits)
            if block is None:
                break
            options.append((least[start] + request_cost + block.count, start, block))
        cost, start, block = min(options)
        least.append(cost)
        last.append((start, block))
    plan: list[ReadRequest] = []
    at = len(spans)
    while at:
        at, block = last[at - 1]
        plan.append(block)
    return tuple(reversed(plan))


def _run(spans: Sequence[Span], limits: BlockLimits) -> ReadRequest | None:
    """The one request for all these spans, or None if it is not allowed."""
    block = _alone(spans[0])
    for span in spans[1:]:
        joined = _joined(block, span, limits)
        if joined is None:
            return None
        block = joined
    return block


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
    if not limits.may_bridge(Span(request.function, request.end, max(0, span.address - request.end))):
        return None
    block = ReadRequest(request.function, request.address, span.end - request.address)
    return None if limits.allows(block) else block


def _alone(span: Span) -> ReadRequest:
    return ReadRequest(span.function, span.address, span.count)


def _longest_unknown(gap: Span, known: Sequence[Span]) -> int:
    """The longest run of registers of a gap that are in none of these spans (merged, in order)."""
    longest, at = 0, gap.address
    for span in known:
        if span.function == gap.function and span.end > at and span.address < gap.end:
            longest, at = max(longest, span.address - at), span.end
    return max(longest, gap.end - at)


def _hull(spans: Sequence[Span]) -> ReadRequest:
    return ReadRequest(spans[0].function, spans[0].address, spans[-1].end - spans[0].address)


def _inside(span: Span, area: Span) -> bool:
    return span.function == area.function and area.address <= span.address and span.end <= area.end
