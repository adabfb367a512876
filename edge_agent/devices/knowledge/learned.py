"""A device's map with what the device has taught us: registers it refuses, and blocks it does not answer whole.

Pure: it sends nothing. `reader` asks the device and hands in what was refused; every step returns a new value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import ReadRequest, Span

SILENT = 0
"""The code of a refusal without an answer: the device says nothing to this request but answers others."""

ASK_AGAIN_FIRST_S = 5.0
ASK_AGAIN_MAX_S = 3600.0
SETTLED_AFTER = 3
"""Refused this often, a register is not waited for at a slot's end any more; it is still asked for now and then."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Registers a device refused, with the Modbus exception, how often, and when they are asked for again."""

    span: Span
    code: int
    times: int
    again_at_s: float


@dataclass(frozen=True, slots=True)
class LearnedMap:
    """What can be read from one device on one connection. Refused registers are asked for again at growing intervals.

    New firmware may change it, so `memory` says for which firmware, and until when, it holds.
    """

    resolved: ResolvedMap
    refusals: tuple[Refusal, ...] = ()

    @property
    def refused(self) -> tuple[Span, ...]:
        """The registers that are refused at present."""
        return tuple(each.span for each in self.refusals)

    @property
    def present(self) -> ResolvedMap:
        """The map without the refused registers, and without the groups of points that one of them belongs to."""
        if not self.refusals:
            return self.resolved
        points = self.resolved.points
        whole = tuple(
            group
            for group in self.resolved.atomic
            if not any(name in points and self.is_refused(points[name].span) for name in group)
        )
        limits = replace(self.resolved.limits, no_read=(*self.resolved.limits.no_read, *self.refused))
        return replace(self.resolved, limits=limits, atomic=whole)

    def is_refused(self, span: Span) -> bool:
        """Whether the span touches a register that the device refuses."""
        return any(_touch(span, each.span) for each in self.refusals)

    def is_point_refused(self, name: str) -> bool:
        """Whether the device refuses a register that this point needs."""
        return any(self.is_refused(span) for span in self.present.spans([name]))

    def of_points(self, names: Iterable[str]) -> tuple[Refusal, ...]:
        """The refusals that concern any of these points."""
        spans = [span for name in names for span in self.resolved.spans([name])]
        return tuple(each for each in self.refusals if any(_touch(span, each.span) for span in spans))

    def plan(self, names: Iterable[str] | None = None) -> tuple[ReadRequest, ...]:
        """The fewest requests for these points (all by default) that avoid every refused register."""
        wanted = self.resolved.names() if names is None else names
        return self.present.plan([name for name in wanted if not self.is_point_refused(name)])

    def refuse(self, span: Span, *, code: int, now_s: float) -> LearnedMap:
        """With registers that are not read until they are asked for again, each time after twice the pause."""
        plain = Span(span.function, span.address, span.count)
        times = 1 + next((each.times for each in self.refusals if each.span == plain), 0)
        pause_s = _pause_s(times)
        others = tuple(each for each in self.refusals if each.span != plain)
        return replace(self, refusals=(*others, Refusal(plain, code, times, now_s + pause_s)))

    def recall(self, refusal: Refusal) -> LearnedMap:
        """With a refusal of an earlier run; its pause begins now, at `again_at_s`."""
        pause_s = _pause_s(refusal.times)
        return replace(self, refusals=(*self.refusals, replace(refusal, again_at_s=refusal.again_at_s + pause_s)))

    def answered(self, span: Span) -> LearnedMap:
        """With registers that the device gives again."""
        limits = self.resolved.limits
        limits = replace(limits, max_registers=max(limits.max_registers, span.count))
        refusals = tuple(each for each in self.refusals if each.span != span)
        return replace(self, refusals=refusals, resolved=replace(self.resolved, limits=limits))

    def cut(self, request: ReadRequest, halves: tuple[ReadRequest, ...]) -> LearnedMap:
        """With a block that is answered in two halves but not whole: it spans a hole, or it is too long.

        Whatever is learned, every point that is not refused can still be read: another reading may want what lies in
        the hole.
        """
        given = [name for name in self.resolved.names() if not self.is_point_refused(name)]
        limits, known = self.resolved.limits, self.present.spans(given)
        left, right = halves
        hole = Span(request.function, left.end, max(0, right.address - left.end))
        if unknown := _outside(hole, known):
            limits = replace(limits, no_read=(*limits.no_read, *unknown))
        elif hole.count:
            limits = replace(limits, holes=(*limits.holes, hole))
        else:
            longest = max(*(half.count for half in halves), *(span.count for span in known))
            limits = replace(limits, max_registers=max(longest, min(limits.max_registers, request.count) // 2))
        return replace(self, resolved=replace(self.resolved, limits=limits))


def _pause_s(times: int) -> float:
    return min(ASK_AGAIN_MAX_S, ASK_AGAIN_FIRST_S * 2.0 ** min(max(times, 1) - 1, 20))


def _touch(one: Span, other: Span) -> bool:
    return one.function == other.function and one.address < other.end and other.address < one.end


def _outside(hole: Span, known: Iterable[Span]) -> list[Span]:
    """The registers of a hole that belong to none of these spans."""
    taken = {at for span in known if span.function == hole.function for at in range(span.address, span.end)}
    return [Span(hole.function, at, 1) for at in range(hole.address, hole.end) if at not in taken]
