"""Which registers to read, and in which order, to recognise a device that may be of any of many families.

Pure: it names the next read from what is known so far; the owner of the connection reads and adds the answer.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from protocols.maps.model import DeviceMap, IdentifyRule, IdentityCheck
from protocols.maps.planning import MODBUS_MAX_REGISTERS, BlockLimits, ReadRequest, Span, plan_requests
from protocols.maps.recognition import SunSpecIdentity, check_passes, names_match
from protocols.maps.sunspec import BASES

BRIDGE = 24
"""Registers between two identity reads that one request may include once a wide one was refused."""

MOST_JOINED = 20
"""Registers of a joined request then: even devices that give few at once are asked so much.

First a request spans as much as Modbus allows: five such answers decide about twice as many families. A device that
refuses both is asked one by one.
"""

MARKER_WORDS = 4
WHOLE_FUNCTION = 0x10000
FIRST_BASE_WEIGHT, OTHER_BASE_WEIGHT = 10.0, 0.2
"""The one read that many makes share comes first; nearly every SunSpec device begins at the first base."""

Verdict = Literal["holds", "open", "refuted"]


@dataclass(frozen=True, slots=True)
class IdentityKnowledge:
    """What is known of one device: words read, registers it refuses, and its SunSpec chain once that was looked for.

    `sunspec` is None until a chain was found; `bases_tried` lists where none begins.
    """

    words: Mapping[tuple[int, int], int] = field(default_factory=dict)
    refused: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """For function and first address of each refused block, how short the shortest refused one there is."""

    refused_functions: frozenset[int] = frozenset()
    sunspec: SunSpecIdentity | None = None
    bases_tried: tuple[int, ...] = ()
    is_strict: bool = False
    """Whether it has refused a short read that was joined from several: then each is asked for alone."""

    is_narrow: bool = False
    """Whether it has refused a long one: then short ones are tried."""

    def with_words(self, request: Span, words: Sequence[int]) -> "IdentityKnowledge":
        """With one answer more."""
        more = {(request.function, request.address + at): word for at, word in enumerate(words)}
        return replace(self, words={**self.words, **more})

    def with_refusal(self, step: "IdentityStep", *, whole_function: bool = False) -> "IdentityKnowledge":
        """With one refusal more. Of a joined read it says only that this device wants each read alone."""
        request = step.request
        if whole_function:
            return replace(self, refused_functions=self.refused_functions | {request.function})
        if step.is_joined and request.count > MOST_JOINED and not self.is_narrow:
            return replace(self, is_narrow=True)
        if step.is_joined:
            return replace(self, is_strict=True)
        place = (request.function, request.address)
        shortest = min(request.count, self.refused.get(place, request.count))
        return replace(self, is_strict=True, refused={**self.refused, place: shortest})

    def is_refused(self, span: Span) -> bool:
        """Whether a block cannot be read: a part of a refused one may still be, one with a refused part may not."""
        if span.function in self.refused_functions or not self.refused:
            return span.function in self.refused_functions
        return any(
            at + self.refused.get((span.function, at), WHOLE_FUNCTION) <= span.end
            for at in range(span.address, span.end)
        )

    @property
    def has_no_chain(self) -> bool:
        """Whether every base was tried in vain."""
        return self.sunspec is None and set(BASES) <= set(self.bases_tried)


@dataclass(frozen=True, slots=True)
class IdentityStep:
    """The next thing to read: one request, or, with `base`, the SunSpec marker there and the chain if it shows one."""

    request: ReadRequest
    base: int | None = None
    is_joined: bool = False


def next_step(maps: Iterable[DeviceMap], known: IdentityKnowledge, *, makes: Sequence[str] = ()) -> IdentityStep | None:
    """The read that decides about most families still possible, or None when nothing is left to ask.

    `makes` are words a person read on the device: families they name are asked for first. Nothing is read that a
    family still possible forbids: on a device of that family it may do harm.
    """
    alive = _still_possible(maps, known)
    limits = BlockLimits(
        max_registers=MODBUS_MAX_REGISTERS,
        bridge=BRIDGE if known.is_narrow else MODBUS_MAX_REGISTERS,
        no_read=tuple(dict.fromkeys(span for each, _ in alive for span in each.blocks.no_read)),
    )
    named = [(each, rules) for each, rules in alive if is_named(each, makes)]
    for families in (named, alive):
        asked = [rules for _, rules in families]
        scored = [*_marker_steps(asked, known, limits), *_check_steps(asked, known, limits)]
        if scored:
            return max(scored, key=lambda each: (each[0], -each[1].request.address))[1]
    return None


def is_named(device_map: DeviceMap, makes: Sequence[str]) -> bool:
    """Whether one of these words is part of the family's maker, models or id."""
    names = " ".join((device_map.id, device_map.vendor, *device_map.models)).casefold()
    return any(make.strip().casefold() in names for make in makes if make.strip())


def is_possible(device_map: DeviceMap, known: IdentityKnowledge) -> bool:
    """Whether some rule of the family is not refuted by what is known."""
    return any(verdict_of(rule, known) != "refuted" for rule in device_map.identify)


def verdict_of(rule: IdentifyRule, known: IdentityKnowledge) -> Verdict:
    """Whether a rule holds, cannot hold any more, or needs more to be read."""
    verdicts: list[Verdict] = [_check_verdict(check, known) for check in rule.checks]
    if _needs_chain(rule):
        if known.sunspec is not None:
            verdicts.append("holds" if names_match(rule, known.sunspec) else "refuted")
        else:
            verdicts.append("refuted" if known.has_no_chain else "open")
    if "refuted" in verdicts or not verdicts:
        return "refuted"
    return "open" if "open" in verdicts else "holds"


def _check_verdict(check: IdentityCheck, known: IdentityKnowledge) -> Verdict:
    span = _span(check)
    if (span.function, span.address) in known.words and all(
        (span.function, address) in known.words for address in range(span.address, span.end)
    ):
        return "holds" if check_passes(check, known.words) else "refuted"
    return "refuted" if known.is_refused(span) else "open"


def _span(check: IdentityCheck) -> Span:
    return Span(check.function, check.address, check.type.words)


def _still_possible(maps: Iterable[DeviceMap], known: IdentityKnowledge) -> list[tuple[DeviceMap, list[IdentifyRule]]]:
    """The families that `is_possible`, each with its rules that need more to be read."""
    found = []
    for each in maps:
        verdicts = [verdict_of(rule, known) for rule in each.identify]
        if any(verdict != "refuted" for verdict in verdicts):
            found.append(
                (each, [rule for rule, verdict in zip(each.identify, verdicts, strict=True) if verdict == "open"])
            )
    return found


def _marker_steps(
    asked: Sequence[Sequence[IdentifyRule]], known: IdentityKnowledge, limits: BlockLimits
) -> Iterable[tuple[float, IdentityStep]]:
    if known.sunspec is not None:
        return
    weight = sum(max((_certainty(rule) for rule in rules if _needs_chain(rule)), default=0.0) for rules in asked)
    for base in BASES:
        request = ReadRequest(3, base, MARKER_WORDS)
        if weight and base not in known.bases_tried and limits.allows(request) is None:
            yield weight * (FIRST_BASE_WEIGHT if base == BASES[0] else OTHER_BASE_WEIGHT), IdentityStep(request, base)


def _check_steps(
    asked: Sequence[Sequence[IdentifyRule]], known: IdentityKnowledge, limits: BlockLimits
) -> Iterable[tuple[float, IdentityStep]]:
    wanted: dict[Span, float] = {}
    may_ask: dict[Span, bool] = {}
    for rules in asked:
        gains: dict[Span, float] = {}
        for rule in rules:
            for check in rule.checks:
                span = _span(check)
                if span not in may_ask:
                    may_ask[span] = _check_verdict(check, known) == "open" and limits.allows(span) is None
                if may_ask[span]:
                    gains[span] = max(gains.get(span, 0.0), _certainty(rule))
        for span, gain in gains.items():
            wanted[span] = wanted.get(span, 0.0) + gain
    longest = max((span.count for span in wanted), default=1)
    most = max(MOST_JOINED, longest) if known.is_narrow or known.is_strict else MODBUS_MAX_REGISTERS
    joining = replace(limits, max_registers=most, bridge=-1 if known.is_strict else limits.bridge)
    requests = plan_requests(list(wanted), joining)
    inside: list[list[Span]] = [[] for _ in requests]
    for span in wanted:
        inside[bisect_right(requests, (span.function, span.address), key=_place) - 1].append(span)
    for request, spans in zip(requests, inside, strict=True):
        is_joined = all(span.count < request.count for span in spans)
        yield sum(wanted[span] for span in spans), IdentityStep(request, is_joined=is_joined)


def _needs_chain(rule: IdentifyRule) -> bool:
    return bool(rule.sunspec_models or rule.manufacturer or rule.model)


def _certainty(rule: IdentifyRule) -> float:
    """A rule of several reads tells less with each of them."""
    return (2.0 if rule.certain else 1.0) / max(1, len(rule.checks))


def _place(request: ReadRequest) -> tuple[int, int]:
    return request.function, request.address
