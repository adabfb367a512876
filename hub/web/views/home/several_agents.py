"""The agents of a home that has several: what each brings, when it was last heard, and what of it does not count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub.core.homes.measure_sources import MeterSource, measures_of
from hub.storage.fleet_records import FleetRow
from hub.storage.records import RefusalCount
from hub.web.frame.translation import Localizer
from hub.web.views.home.own_record import measure_words
from protocols.quantities import Measure
from protocols.slots import SLOT_S

ELSEWHERE: Final = "brought_elsewhere"
ELSEWHERE_SHOWN_S: Final = 2 * 86_400


@dataclass(frozen=True, slots=True)
class HomeAgentNote:
    """One agent of the home, the same with what it brings, and what else is to be said of it."""

    agent: str
    title: str
    sentences: str


def by_agent(rows: Sequence[FleetRow]) -> tuple[FleetRow, ...]:
    """The rows, with the agent behind the home's name where a home has several: each stands on its own then."""
    several = {row.home for row in rows if not row.is_first}
    return tuple(
        replace(row, home_name=f"{row.home_name} ({row.agent})") if row.home in several else row for row in rows
    )


def is_elsewhere(refusal: RefusalCount, *, now_s: float) -> bool:
    """Whether an agent sent in the last two days what another agent of its home brings."""
    return refusal.reason == ELSEWHERE and now_s - refusal.last_at < ELSEWHERE_SHOWN_S


def home_agent_notes(
    rows: Sequence[FleetRow],
    sources: Sequence[MeterSource],
    refusals: Sequence[RefusalCount],
    words: Localizer,
    *,
    home: str,
    now_s: float,
) -> tuple[HomeAgentNote, ...]:
    """The notes about this home's agents; nothing for a home with one agent, which brings everything."""
    own = [row for row in rows if row.home == home and row.agent is not None]
    if len(own) < 2:
        return ()
    newest = {source.meter: source.seat for source in sources if source.home == home}
    doubled = {each.agent for each in refusals if is_elsewhere(each, now_s=now_s)}
    return tuple(_note(row, newest, words, is_doubled=row.agent in doubled) for row in own)


def _note(row: FleetRow, newest: Mapping[Measure, int], words: Localizer, *, is_doubled: bool) -> HomeAgentNote:
    agent = row.agent or ""
    brought = sorted(m for meter, seat in newest.items() if seat == row.seat for m in measures_of(meter))
    named = words.listed(measure_words(measure, words) for measure in brought)
    title = words.text("%(agent)s – %(measures)s", agent=agent, measures=named) if brought else agent
    parts = []
    if not brought and row.last_slot is not None:
        parts.append(
            words.text("It brings nothing: another agent brings what it measures, or your consent keeps it at home.")
        )
    if row.last_slot is None:
        parts.append(words.text("It has not sent any readings yet."))
    else:
        parts.append(words.text("Last heard at %(moment)s.", moment=words.moment((row.last_slot + 1) * SLOT_S)))
    if is_doubled:
        parts.append(
            words.text(
                "It also sends amounts of a meter that another of your agents brings. They do not count: put both"
                " devices into one agent."
            )
        )
    return HomeAgentNote(agent, title, words.sentences(*parts))
