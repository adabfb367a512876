"""A home's new agents as its people see them for a month: since when, and what an objection did. Shows no values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.storage.life_records import COUNTS, NewAgentKey
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class NewAgentNote:
    """One new agent: its id, what is to be said of it, and whether the reader can still object."""

    agent: str
    sentences: str
    may_object: bool


def new_agent_notes(
    keys: Sequence[NewAgentKey], words: Localizer, *, home: str, names: Mapping[str, str], now_s: float
) -> tuple[NewAgentNote, ...]:
    """The notes about this home's new agents, the newest first."""
    return tuple(_note(key, words, names=names) for key in keys if key.home == home and key.is_new(now_s))


def _note(key: NewAgentKey, words: Localizer, *, names: Mapping[str, str]) -> NewAgentNote:
    when = words.moment(key.enrolled_at)
    parts = [words.text("A new agent, %(agent)s, measures this home since %(when)s.", agent=key.agent, when=when)]
    may_object = key.objected_by is None
    if key.objected_by is not None and key.objected_at is not None:
        who = names.get(key.objected_by, key.objected_by)
        at = words.moment(key.objected_at)
        parts.append(words.text("%(who)s objected on %(when)s: %(why)s", who=who, when=at, why=key.objection))
    if key.waits:
        parts.append(words.text("Its readings are not settled until the board decides."))
    elif key.verdict == COUNTS:
        parts.append(words.text("The board accepted it: %(why)s", why=key.decision))
    elif key.verdict is not None:
        parts.append(words.text("The board refused it, and its readings are not settled: %(why)s", why=key.decision))
    elif key.revoked_at is not None:
        parts.append(words.text("It was shut out on %(when)s.", when=words.moment(key.revoked_at)))
    else:
        parts.append(words.text("Its readings are settled once a day has passed without an objection."))
    return NewAgentNote(key.agent, words.sentences(*parts), may_object)
