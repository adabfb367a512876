"""A device's map with what the device has taught us: registers it refuses, and blocks it does not answer whole.

Pure: it sends nothing. `reader` asks the device and hands in what was refused; every step returns a new value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import ReadRequest, Span


@dataclass(frozen=True, slots=True)
class LearnedMap:
    """What can be read from one device on one connection.

    A reboot or new firmware may change it, so a new connection starts again with the bare map.
    """

    resolved: ResolvedMap
    refused: tuple[Span, ...] = ()

    def is_refused(self, span: Span) -> bool:
        """Whether the span touches a register that the device refuses."""
        return any(
            span.function == bad.function and span.address < bad.end and bad.address < span.end for bad in self.refused
        )

    def is_point_refused(self, name: str) -> bool:
        """Whether the device refuses a register that this point needs."""
        return any(self.is_refused(span) for span in self.resolved.spans([name]))

    def plan(self, names: Iterable[str] | None = None) -> tuple[ReadRequest, ...]:
        """The fewest requests for these points (all by default) that avoid every refused register."""
        wanted = self.resolved.names() if names is None else names
        return self.resolved.plan([name for name in wanted if not self.is_point_refused(name)])

    def refuse(self, span: Span) -> LearnedMap:
        """With registers that are never read again, nor any group of points that one of them belongs to."""
        refusing = LearnedMap(self.resolved, (*self.refused, span))
        points = self.resolved.points
        whole = tuple(
            group
            for group in self.resolved.atomic
            if not any(name in points and refusing.is_refused(points[name].span) for name in group)
        )
        limits = replace(self.resolved.limits, no_read=(*self.resolved.limits.no_read, span))
        return replace(refusing, resolved=replace(self.resolved, limits=limits, atomic=whole))

    def cut(self, request: ReadRequest, halves: tuple[ReadRequest, ...]) -> LearnedMap:
        """With a block that is answered in two halves but not whole: it spans a hole, or it is too long.

        Whatever is learned, every point of the map can still be read: another reading may want what lies in the hole.
        """
        limits, known = self.resolved.limits, self.resolved.spans()
        left, right = halves
        hole = Span(request.function, left.end, max(0, right.address - left.end))
        if unknown := _outside(hole, known):
            limits = replace(limits, no_read=(*limits.no_read, *unknown))
        elif hole.count:
            limits = replace(limits, bridge=hole.count - 1)
        else:
            longest = max(*(half.count for half in halves), *(span.count for span in known))
            limits = replace(limits, max_registers=max(longest, min(limits.max_registers, request.count) // 2))
        return replace(self, resolved=replace(self.resolved, limits=limits))


def _outside(hole: Span, known: Iterable[Span]) -> list[Span]:
    """The registers of a hole that belong to none of these spans."""
    taken = {at for span in known if span.function == hole.function for at in range(span.address, span.end)}
    return [Span(hole.function, at, 1) for at in range(hole.address, hole.end) if at not in taken]
