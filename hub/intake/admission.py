"""Which deliveries wait for intake, which are left for later, and what of it the board must know. It stores nothing.

Only cheap looks happen here: the topic, the size of the queues, who was cut off. Signatures are checked afterwards.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from hub.broker.connection import Delivery
from hub.folder.intake_settings import IntakeLimits
from hub.intake.conduct import Conduct, Excess, HubReason
from hub.intake.fair_queues import FairQueues
from hub.intake.state import UNKNOWN, AgentChain, IntakeVerdict, OpenedMessage
from hub.storage.fleet_records import CutOff, TakenMessages
from hub.storage.records import RefusalCount
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import require_uplink_topic

log = logging.getLogger(__name__)

GRACE_S: Final = 20.0
"""After each connection the broker hands over what it kept meanwhile: what finds no room then is nobody's fault."""

_WORDS: Final[Mapping[HubReason, str]] = {
    HubReason.TOO_MANY: "more than the hub takes from one sender at a time; its agent sends it again",
    HubReason.CUT_OFF: "the agent was cut off",
}


class Admission:
    """`known` are the agents that were ever enrolled; `steady_s` is a real clock that never jumps."""

    def __init__(self, coop: str, limits: IntakeLimits) -> None:
        self._coop = coop
        self._queues = FairQueues()
        self._conduct = Conduct(limits)
        self._cut_off: frozenset[str] = frozenset()
        self._left: dict[tuple[str, HubReason], int] = {}
        self._to_ask_for: list[Delivery] = []
        self._connection: int | None = None
        self._grace_until_s = float("-inf")

    @property
    def has_counts(self) -> bool:
        """Whether something was left that `counts` has not told yet."""
        return bool(self._left)

    @property
    def waiting(self) -> int:
        """How many deliveries wait."""
        return len(self._queues)

    @property
    def has_cut_off(self) -> bool:
        """Whether an agent is cut off."""
        return bool(self._cut_off)

    def arrive(self, deliveries: Sequence[Delivery], known: AbstractSet[str], *, steady_s: float) -> list[Delivery]:
        """Let these wait; returns those for which the broker should wait no longer: what is left for later, which may
        be others than the newest, and what comes from senders that are slowed.
        """
        left: list[Delivery] = []
        for delivery in deliveries:
            if delivery.connection != self._connection:
                self._connection, self._grace_until_s = delivery.connection, steady_s + GRACE_S
            sender = self._sender_of(delivery.topic, known)
            if sender in self._cut_off:
                self._leave(sender, HubReason.CUT_OFF)
                left.append(delivery)
                continue
            without_room = self._queues.put(sender, delivery)
            if without_room is not None:
                whose = without_room[0] if without_room[0] in known else UNKNOWN
                self._leave(whose, HubReason.TOO_MANY)
                if whose and not self._queues.is_slowed(whose):
                    self._to_ask_for.append(without_room[1])
                if steady_s >= self._grace_until_s:
                    self._conduct.note_in_vain(whose, 1, steady_s=steady_s)
                left.append(without_room[1])
            elif self._queues.is_slowed(sender):
                left.append(delivery)
        return left

    def forget(self, is_gone: Callable[[str], bool]) -> list[Delivery]:
        """Let nothing wait of these agents any more, which others take care of; what waited."""
        gone = [name for name in self._queues.senders if name and is_gone(name)]
        return [delivery for _, delivery in self._queues.drop(gone)]

    def has_waiting(self, agent: str) -> bool:
        """Whether a delivery of this agent waits."""
        return self._queues.has_waiting(agent)

    def to_ask_for(self) -> list[Delivery]:
        """What enrolled agents in good standing sent and `arrive` left since the last call."""
        found, self._to_ask_for = self._to_ask_for, []
        return found

    def ready_in_s(self, steady_s: float) -> float | None:
        """How long until `take` gives something: 0 for now, None if nothing waits."""
        return self._queues.ready_in_s(steady_s)

    def ready_count(self, steady_s: float) -> int:
        """How many deliveries could be taken now."""
        return self._queues.ready_count(steady_s)

    def take(self, steady_s: float) -> tuple[list[Delivery], list[Delivery]]:
        """The next group, each sender's share of it in the order it was sent; and, as in `arrive`, for what the broker
        should wait no longer.
        """
        without_room, settled = self._queues.slow(self._conduct.slowed(steady_s=steady_s))
        for sender, _ in without_room:
            self._leave(sender, HubReason.TOO_MANY)
        # What a sender had waiting when it was cut off is not read either.
        dropped = self._queues.drop(self._cut_off)
        for sender, _ in dropped:
            self._leave(sender, HubReason.CUT_OFF)
        left = [*(delivery for _, delivery in (*without_room, *dropped)), *settled]
        return self._queues.take(steady_s), left

    def excess(self, opened: OpenedMessage, chain: AgentChain, *, now_s: float) -> Excess | None:
        """Why this genuine message is not taken today, if so."""
        return self._conduct.excess(opened, chain, now_s=now_s)

    def resume(self, taken: Mapping[str, TakenMessages], *, now_s: float) -> None:
        """Go on with what was taken today before a restart."""
        self._conduct.resume(taken, now_s=now_s)

    def note_taken(self, verdicts: Iterable[IntakeVerdict], *, now_s: float) -> None:
        """Count at once what was taken, so that a limit of the day holds within a group too."""
        self._conduct.note_taken(verdicts, now_s=now_s)

    def note_refused(self, verdicts: Iterable[IntakeVerdict | Excess], *, steady_s: float) -> None:
        """Count what of a group was in vain."""
        self._conduct.note_refused(verdicts, steady_s=steady_s)

    def note_behind(self, agent: str, *, is_behind: bool) -> None:
        """Say whether an agent's newest message was about long ago."""
        self._queues.note_behind(agent, is_behind=is_behind)

    def new_cut_offs(self, *, at: int, steady_s: float) -> list[CutOff]:
        """Those who passed the board's threshold since the last call; from now on nothing of them is read."""
        found = [
            CutOff(agent, at, count)
            for agent, count in self._conduct.to_cut_off(steady_s=steady_s).items()
            if agent not in self._cut_off
        ]
        self._cut_off |= {each.agent for each in found}
        return found

    def cut_off_only(self, agents: frozenset[str]) -> None:
        """Cut off exactly these agents, as the store has them; whoever was let in again begins anew."""
        for agent in self._cut_off - agents:
            self._conduct.forgive(agent)
            log.info("agent %s was let in again", agent)
        self._cut_off = agents

    def counts(self, *, at: int) -> list[RefusalCount]:
        """What was left since the last call, for the fleet page and `status`."""
        left, self._left = self._left, {}
        return [
            RefusalCount(agent, reason.value, count, at, _WORDS[reason])
            for (agent, reason), count in sorted(left.items())
        ]

    def _leave(self, sender: str, reason: HubReason) -> None:
        self._left[(sender, reason)] = self._left.get((sender, reason), 0) + 1

    def _sender_of(self, topic: str, known: AbstractSet[str]) -> str:
        try:
            agent = require_uplink_topic(topic, self._coop).agent
        except WireError:
            return UNKNOWN
        # Before the agents are read from the store, each name has a queue: else an agent's messages changed places.
        return agent if agent in known or not known else UNKNOWN
