"""The rows that a home's signed messages must have become, and how the stored rows differ from them; no I/O."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.core.homes.measure_sources import MeterSource, SourceHistory
from hub.storage.audit_records import StoredHome
from hub.storage.records import Agent
from protocols.consent.rules import decode_consent
from protocols.quantities import Measure
from protocols.slots import Slot, format_slot
from protocols.wire.readings import Batch

MEASURES: Final = {int(measure): measure.name.lower() for measure in Measure}

Place = tuple[int, int, int]
"""(measure, slot, span) of a reading, or (measure, first_slot, slots) of a long interval."""


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
        for place, held in stored.readings.items():
            said = self.readings.get(place)
            name = f"{home} {_reading(place)}"
            if said is None:
                yield f"{name}: the table holds a value that nobody signed"
            elif held != (said[2], said[0], said[3]):
                yield f"{name}: the table differs from what the home signed"
        for place in self.readings.keys() - stored.readings.keys():
            yield f"{home} {_reading(place)}: signed by the home and missing from the table"

    def _long_intervals(self, home: str, stored: StoredHome) -> Iterator[str]:
        for place in sorted(self.long_intervals.keys() | stored.long_intervals.keys()):
            said, held = self.long_intervals.get(place), stored.long_intervals.get(place)
            name = f"{home} long_interval {_measure(place[0])} {_slot(place[1])} over {place[2]} slots"
            if said is None:
                yield f"{name}: the table holds a total that nobody signed"
            elif held is None:
                yield f"{name}: signed by the home and missing from the table"
            elif held != said[1]:
                yield f"{name}: the table differs from what the home signed"

    def _devices(self, home: str, stored: StoredHome) -> Iterator[str]:
        for place in sorted(self.devices.keys() | stored.devices.keys()):
            said, held = self.devices.get(place), stored.devices.get(place)
            name = f"{place[1]}{_of_seat(place[0])}"
            if said is None:
                yield f"{home} device {name}: the table holds a device that nobody reported"
            elif held is None:
                yield f"{home} device {name}: reported by the home and missing from the table"
            elif held != said[1] and held not in self.stepped.get(place, ()):
                yield f"{home} device {name}: the table differs from what the home signed last"

    def _consents(self, home: str, stored: StoredHome) -> Iterator[str]:
        for place in sorted(self.consents.keys() | stored.consents.keys()):
            said, held = self.consents.get(place), stored.consents.get(place)
            version = f"{place[1]}{_of_seat(place[0])}"
            if held is None:
                yield f"{home} consent {version}: signed by the home but missing from the table"
            elif said is None:
                yield f"{home} consent {version}: the table holds it and nobody signed it"
            elif held != said[1:]:
                yield f"{home} consent {version}: the table differs from what the home signed"


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
    """One sentence for each source that is no agent of the home, or that followed an agent which still worked."""
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
                if (agent.home_id, agent.seat) == (source.home, earlier.seat)
                and agent.enrolled_at <= source.since_at
                and (agent.revoked_at is None or agent.revoked_at > source.since_at)
            ]
            if worked:
                yield f"{name}: {source.agent} became its source while {worked[0]} still worked"
        before[source.home, source.meter] = source
