"""How each sender behaves: what it sent today and what of it was in vain; decides who is slowed and who is cut off.

No I/O and no clock. What was in vain is forgotten on a restart; what was taken today and who was cut off is stored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hub.folder.intake_settings import IntakeLimits
from hub.health import intake_tally
from hub.intake.state import (
    Acceptance,
    AgentChain,
    DuplicateMessage,
    EarlyMessage,
    IntakeVerdict,
    OpenedMessage,
    Rejection,
)
from hub.storage.fleet_records import TakenMessages

DAY_S: Final = 86_400
MINUTE_S: Final = 60.0


class HubReason(StrEnum):
    """Why the hub did not take a message, or not all of a batch. It is counted like a refusal; no agent is told.

    ELSEWHERE: another agent of the home brings what the batch has; the rest of it was taken.
    """

    TOO_MANY = "too_many"
    DAY_LIMIT = "day_limit"
    CUT_OFF = "cut_off"
    ELSEWHERE = "brought_elsewhere"


@dataclass(frozen=True, slots=True)
class Excess:
    """A message that was not taken now. Without a receipt its agent keeps it and sends it again."""

    agent: str
    reason: HubReason
    detail: str


def outcome_of(verdict: "IntakeVerdict | Excess") -> tuple[str, str]:
    """What became of a message, as the tally counts it, and why if it was not taken whole."""
    if isinstance(verdict, Acceptance):
        refused = verdict.message.refused
        return (intake_tally.STORED, "") if refused is None else (intake_tally.STORED_REFUSED, refused)
    if isinstance(verdict, Rejection | Excess):
        outcome = intake_tally.REFUSED if isinstance(verdict, Rejection) else intake_tally.LEFT
        return outcome, verdict.reason.value
    if isinstance(verdict, DuplicateMessage):
        return intake_tally.DUPLICATE, ""
    return intake_tally.EARLY if isinstance(verdict, EarlyMessage) else intake_tally.QUESTION, ""


@dataclass(slots=True)
class _Today:
    day: int = -1
    messages: int = 0
    bytes: int = 0
    consents: int = 0
    epochs: int = 0


@dataclass(slots=True)
class _InVain:
    """Counted by the minute; the part of the last minute that is still recent counts with it."""

    began_s: float
    count: int = 0
    before: int = 0

    def add(self, count: int, now_s: float) -> None:
        self._turn(now_s)
        self.count += count

    def recent(self, now_s: float) -> float:
        self._turn(now_s)
        return self.count + self.before * (1 - (now_s - self.began_s) / MINUTE_S)

    def _turn(self, now_s: float) -> None:
        passed = int((now_s - self.began_s) // MINUTE_S)
        if passed > 0:
            self.before = self.count if passed == 1 else 0
            self.count = 0
            self.began_s += passed * MINUTE_S


@dataclass(slots=True)
class Conduct:
    """Of all senders. `now_s` is the hub's clock, `steady_s` a real one that never jumps."""

    limits: IntakeLimits
    _today: dict[str, _Today] = field(default_factory=dict)
    _in_vain: dict[str, _InVain] = field(default_factory=dict)

    def excess(self, opened: OpenedMessage, chain: AgentChain, *, now_s: float) -> Excess | None:
        """Why this genuine message may not be taken today, if so. Messages that are stored already always may."""
        limits, today = self.limits, self._of_today(opened.agent, now_s)
        header, position = opened.header, chain.position
        if (header.epoch, header.seq) <= (position.epoch, position.seq):
            return None
        words = None
        if today.messages >= limits.messages_a_day:
            words = f"more than {limits.messages_a_day} messages"
        elif today.bytes + len(opened.sealed) > limits.bytes_a_day:
            words = f"more than {limits.bytes_a_day} bytes"
        elif opened.kind == "consent" and today.consents >= limits.consents_a_day:
            words = f"more than {limits.consents_a_day} consents"
        elif header.epoch > position.epoch and today.epochs >= limits.new_epochs_a_day:
            words = f"more than {limits.new_epochs_a_day} new epochs"
        return Excess(opened.agent, HubReason.DAY_LIMIT, f"{words} in a day") if words is not None else None

    def resume(self, taken: Mapping[str, TakenMessages], *, now_s: float) -> None:
        """Count for today exactly what the store says was taken since the day began."""
        day = int(now_s // DAY_S)
        self._today = {
            agent: _Today(day, each.messages, each.bytes, each.consents, each.epochs) for agent, each in taken.items()
        }

    def note_taken(self, verdicts: Iterable[IntakeVerdict], *, now_s: float) -> None:
        """Count what was taken today."""
        for verdict in verdicts:
            if isinstance(verdict, Acceptance):
                message, today = verdict.message, self._of_today(verdict.message.agent, now_s)
                today.messages += 1
                today.bytes += len(message.sealed)
                today.consents += message.kind == "consent"
                today.epochs += message.seq == 1

    def note_refused(self, verdicts: Iterable[IntakeVerdict | Excess], *, steady_s: float) -> None:
        """Count what was in vain."""
        for verdict in verdicts:
            if isinstance(verdict, Rejection | Excess):
                self.note_in_vain(verdict.agent, 1, steady_s=steady_s)

    def note_in_vain(self, sender: str, count: int, *, steady_s: float) -> None:
        """Count messages that the hub could not take."""
        self._in_vain.setdefault(sender, _InVain(steady_s)).add(count, steady_s)

    def slowed(self, *, steady_s: float) -> frozenset[str]:
        """The senders with too many messages in vain within the last minute."""
        recent = {name: each.recent(steady_s) for name, each in self._in_vain.items()}
        for name in [name for name, count in recent.items() if count <= 0]:
            del self._in_vain[name]
        return frozenset(name for name, count in recent.items() if count > self.limits.slow_after)

    def to_cut_off(self, *, steady_s: float) -> dict[str, int]:
        """The agents that passed the board's threshold, with how many messages were in vain within a minute."""
        recent = {name: int(each.recent(steady_s)) for name, each in self._in_vain.items() if name}
        return {name: count for name, count in recent.items() if count > self.limits.cut_off_after}

    def forgive(self, sender: str) -> None:
        """Begin to count anew."""
        self._in_vain.pop(sender, None)
        self._today.pop(sender, None)

    def _of_today(self, agent: str, now_s: float) -> _Today:
        today = self._today.setdefault(agent, _Today())
        day = int(now_s // DAY_S)
        if today.day != day:
            self._today[agent] = today = _Today(day)
        return today
