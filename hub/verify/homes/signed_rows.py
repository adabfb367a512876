"""The rows that a home's signed messages must have become, and how the stored rows differ from them; no I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from hub.core.homes.measure_sources import MeterSource, SourceHistory, meter_of
from hub.storage.audit_records import StoredHome
from hub.storage.records import Agent
from protocols.consent.rules import decode_consent
from protocols.quantities import Measure
from protocols.slots import Slot, format_slot
from protocols.wire.readings import Batch

MEASURES: Final = {int(measure): measure.name.lower() for measure in Measure}

Place = tuple[int, int, int]
"""(measure, slot, span) of a reading, or (measure, first_slot, slots) of a long interval."""


K = TypeVar("K")
V = TypeVar("V")


class Words(NamedTuple):
    """What is said of a row that no message gives, of one that is not there, and of one with other values."""

    unsigned: str
    missing: str = "signed by the home and missing from the table"
    other: str = "the table differs from what the home signed"


WORDS_OF_READINGS: Final = Words("the table holds a value that nobody signed")
WORDS_OF_TOTALS: Final = Words("the table holds a total that nobody signed")
WORDS_OF_DEVICES: Final = Words(
    *("the table holds a device that nobody reported", "reported by the home and missing from the table"),
    other="the table differs from what the home signed last",
)
WORDS_OF_CONSENTS: Final = Words(
    "the table holds it and nobody signed it", "signed by the home but missing from the table"
)


class FirstEnergy:
    """When each agent of one home first sent energy of each meter, and so who had to be the meter's first source.

    A store from before homes had several agents may hold energy without a source, all of it from the first seat: of
    agents that were gone by then, and totals alone. It is spared only if it came before an agent of another seat.
    """

    def __init__(self, agents: Iterable[Agent]) -> None:
        self._agents = {agent.id: agent for agent in agents}
        self._came_at = min((agent.enrolled_at for agent in self._agents.values() if agent.seat > 1), default=None)
        self._has_several_seats = len({agent.seat for agent in self._agents.values()}) > 1
        self._first: dict[Measure, dict[str, int]] = {}
        self._beyond_doubt: dict[Measure, dict[str, int]] = {}
        """Without the totals that may be from before homes had several agents."""

    def add(self, batch: Batch, agent: Agent, *, position: int, received_at: int) -> None:
        """Take in what an agent signed; `position` is that of its message, `received_at` in unix seconds."""
        if not self._has_several_seats:
            return
        measured = {meter_of(column.measure) for column in batch.columns if column.energy_wh is not None}
        totals = {meter_of(total.measure) for total in batch.long_intervals}
        is_old = agent.seat == 1 and self._came_at is not None and received_at <= self._came_at
        for found, meters in (
            (self._first, measured | totals),
            (self._beyond_doubt, measured if is_old else measured | totals),
        ):
            for meter in meters:
                of_meter = found.setdefault(meter, {})
                of_meter[agent.id] = min(position, of_meter.get(agent.id, position))

    def known(self) -> list[tuple[bool, int, str, int]]:
        """What is known so far: (is beyond doubt, measure, agent, position)."""
        return [
            (is_certain, int(meter), agent, position)
            for is_certain, found in ((False, self._first), (True, self._beyond_doubt))
            for meter, sent in sorted(found.items())
            for agent, position in sorted(sent.items())
        ]

    def go_on_from(self, known: Iterable[tuple[bool, int, str, int]]) -> None:
        """Take over what was known of the messages before those that are added from now on."""
        for is_certain, meter, agent, position in known:
            found = self._beyond_doubt if is_certain else self._first
            found.setdefault(Measure(meter), {})[agent] = position

    def contradictions(self, home: str, sources: Iterable[MeterSource]) -> Iterator[str]:
        """One sentence for each meter whose first source is another than the first agent that sent energy of it."""
        firsts: dict[Measure, MeterSource] = {}
        for source in sorted(sources, key=lambda source: source.after_position):
            firsts.setdefault(source.meter, source)
        for meter, sent in sorted(self._first.items()):
            held = firsts.get(meter)
            problem = self._problem(sent, held)
            if problem and self._problem(self._without_old(meter, held), held):
                yield f"{home} {meter.code}: {problem}"

    def _problem(self, sent: Mapping[str, int], source: MeterSource | None) -> str | None:
        """`sent` gives the position of each agent's first energy."""
        first = min(sent, key=sent.__getitem__, default=None)
        if first is None:
            return None
        if source is None:
            return f"nobody is called its source, and {first} sent energy of it"
        if self._agents[first].seat != source.seat:
            return f"{source.agent} is called its first source, and {first} sent energy of it before"
        for agent, position in sent.items():
            if position <= source.after_position and self._agents[agent].seat != source.seat:
                return f"{agent} sent energy of it that counts beside that of {source.agent}"
        if source.seat > 1 and sent.get(source.agent) != source.after_position + 1:
            return f"{source.agent} is called its first source from another message on than the first with its energy"
        return None

    def _without_old(self, meter: Measure, source: MeterSource | None) -> dict[str, int]:
        """The energy that must have made a source: what may have stood without one when the store was upgraded goes."""
        certain = self._beyond_doubt.get(meter, {})
        kept = {agent: at for agent, at in certain.items() if not self._was_gone(self._agents[agent])}
        if source is None:
            return kept
        # From the source's message on, what another seat sent does not count, and cannot be what stood before it.
        held = {agent: at for agent, at in self._first[meter].items() if at > source.after_position}
        return kept | held

    def _was_gone(self, agent: Agent) -> bool:
        """Whether nobody worked in the home at some time between this agent's end and the first further agent."""
        if agent.seat != 1 or agent.revoked_at is None or self._came_at is None:
            return False
        first_seat = [other for other in self._agents.values() if other.seat == 1]
        return any(
            other.revoked_at is not None
            and agent.revoked_at <= other.revoked_at <= self._came_at
            and not any(_works(each, other.revoked_at) for each in first_seat)
            for other in first_seat
        )


@dataclass
class SignedHome:
    """What one home's messages say, whatever the order in which they are added.

    Each value comes with the position of its message. The hub keeps the best mark and, of equal marks, the message
    stored first; the first of two equal long intervals and consents; and each device's newest report.
    """

    readings: dict[Place, tuple[int, int, int | None, int]] = field(default_factory=dict)
    """(mark, position, energy_wh, gap)"""
    long_intervals: dict[Place, tuple[int, int]] = field(default_factory=dict)
    """(position, energy_wh)"""
    devices: dict[tuple[int, str], tuple[int, tuple[str, int, int]]] = field(default_factory=dict)
    """(seat, name): (position, report)"""
    stepped: dict[tuple[int, str], set[tuple[str, int, int]]] = field(default_factory=dict)
    """Reports of a device whose agent's clock went back: any of them may be the one the hub kept."""
    consents: dict[tuple[int, int], tuple[int, bytes, int]] = field(default_factory=dict)
    """(seat, version): (position, document, received_at)"""
    history: SourceHistory = field(default_factory=SourceHistory)

    def add_batch(self, batch: Batch, *, position: int, seat: int = 1) -> None:
        """Take in a batch, but for what another agent of the home brought."""

        def counts(measure: Measure, first_slot: Slot) -> bool:
            return self.history.counts(measure, agent=batch.agent, position=position, first_slot=first_slot)

        for column in batch.columns:
            if not counts(column.measure, batch.slot - column.span + 1):
                continue
            place = (int(column.measure), batch.slot, column.span)
            said = (int(column.mark), position, column.energy_wh, int(column.gap))
            held = self.readings.get(place)
            if held is None or said[:2] < held[:2]:
                self.readings[place] = said
        for total in batch.long_intervals:
            if not counts(total.measure, total.first_slot):
                continue
            place = (int(total.measure), total.first_slot, total.slots)
            self.long_intervals[place] = min(
                self.long_intervals.get(place, (position, total.energy_wh)), (position, total.energy_wh)
            )
        for device in batch.devices:
            self._add_report((seat, device.name), (device.state.value, device.age_s, batch.made_at), position=position)

    def _add_report(self, name: tuple[int, str], report: tuple[str, int, int], *, position: int) -> None:
        held = self.devices.get(name)
        if held is not None:
            went_back = (report[2] < held[1][2]) == (position > held[0]) and report[2] != held[1][2]
            if went_back or name in self.stepped:
                self.stepped.setdefault(name, set()).update((held[1], report))
        if held is None or position > held[0]:
            self.devices[name] = (position, report)

    def add_consent(self, document: bytes, *, position: int, received_at: int, seat: int = 1) -> None:
        """Take in a consent. Raises: WireError if it cannot be read."""
        place = (seat, decode_consent(document).version)
        held = self.consents.get(place)
        if held is None or position < held[0]:
            self.consents[place] = (position, document, received_at)

    def differences(self, home: str, stored: StoredHome) -> Iterator[str]:
        """One sentence for each row that is not the one the messages give."""
        yield from self._readings(home, stored)
        yield from self._long_intervals(home, stored)
        yield from self._devices(home, stored)
        yield from self._consents(home, stored)

    def _readings(self, home: str, stored: StoredHome) -> Iterator[str]:
        said = {place: (energy, mark, gap) for place, (mark, _, energy, gap) in self.readings.items()}
        for place, words in _differing(said, stored.readings, WORDS_OF_READINGS):
            yield f"{home} {_reading(place)}: {words}"

    def _long_intervals(self, home: str, stored: StoredHome) -> Iterator[str]:
        said = {place: energy for place, (_, energy) in self.long_intervals.items()}
        for (measure, first, slots), words in _differing(said, stored.long_intervals, WORDS_OF_TOTALS):
            yield f"{home} long_interval {_measure(measure)} {_slot(first)} over {slots} slots: {words}"

    def _devices(self, home: str, stored: StoredHome) -> Iterator[str]:
        said = {place: report for place, (_, report) in self.devices.items()}
        for place, words in _differing(said, stored.devices, WORDS_OF_DEVICES):
            if stored.devices.get(place) not in self.stepped.get(place, ()):
                yield f"{home} device {place[1]}{_of_seat(place[0])}: {words}"

    def _consents(self, home: str, stored: StoredHome) -> Iterator[str]:
        said = {place: consent[1:] for place, consent in self.consents.items()}
        for (seat, version), words in _differing(said, stored.consents, WORDS_OF_CONSENTS):
            yield f"{home} consent {version}{_of_seat(seat)}: {words}"


def _differing(said: Mapping[K, V], held: Mapping[K, V], words: Words) -> Iterator[tuple[K, str]]:
    """Each row that the messages do not give, or give otherwise, in order, with what to say of it."""
    found = dict.fromkeys(held.keys() - said.keys(), words.unsigned)
    found |= dict.fromkeys(said.keys() - held.keys(), words.missing)
    found |= {place: words.other for place in said.keys() & held.keys() if said[place] != held[place]}
    return iter(sorted(found.items()))


def _of_seat(seat: int) -> str:
    return "" if seat == 1 else f" of the agent in seat {seat}"


def _reading(place: Place) -> str:
    measure, slot, span = place
    over = f" over {span} slots" if span != 1 else ""
    return f"{_measure(measure)} {_slot(slot)}{over}"


def _measure(number: int) -> str:
    return MEASURES.get(number, f"measure {number}")


def _slot(slot: Slot) -> str:
    try:
        return format_slot(slot)
    except (ValueError, OverflowError, OSError):
        return f"slot {slot}"


def of_one_home(sources: Iterable[MeterSource], home: str) -> list[MeterSource]:
    """The sources of one home's meters, in order."""
    return [source for source in sources if source.home == home]


def wrong_takeovers(sources: Sequence[MeterSource], agents: Iterable[Agent]) -> Iterator[str]:
    """One sentence for each source that is not an agent of the home, or that took over from an agent still at work."""
    known = {agent.id: agent for agent in agents}
    before: dict[tuple[str, Measure], MeterSource] = {}
    for source in sources:
        name = f"{source.home} {source.meter.code}"
        if known[source.agent].home_id != source.home:
            yield f"{name}: {source.agent} is called its source and is an agent of another home"
        earlier = before.get((source.home, source.meter))
        if earlier is not None and earlier.seat != source.seat:
            worked = [
                agent.id
                for agent in known.values()
                if (agent.home_id, agent.seat) == (source.home, earlier.seat) and _works(agent, source.since_at)
            ]
            if worked:
                yield f"{name}: {source.agent} became its source while {worked[0]} still worked"
        before[source.home, source.meter] = source


def _works(agent: Agent, at: int) -> bool:
    return agent.enrolled_at <= at and (agent.revoked_at is None or agent.revoked_at > at)
