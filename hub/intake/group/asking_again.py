"""Which messages the hub left although the broker was told that they are taken: receipts ask their agents for them.

An agent sends again at once what a receipt names as missing; without that it would wait until its time is up.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Final

from hub.broker.connection import Delivery
from protocols.wire.envelope import payload_of
from protocols.wire.payloads import head_of_payload
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import require_uplink_topic

FURTHEST: Final = 1000
"""How far ahead a receipt asks: the number in a message whose signature was not checked may be anything."""
ASK_EACH_S: Final = 5.0
"""How long until an agent can be due again, so that intake comes to rest whatever the last receipt did not ask for."""


@dataclass(slots=True)
class _Missing:
    epoch: int
    through_seq: int
    due_s: float
    is_told: bool = False


class AskingAgain:
    """What was left, by agent. No I/O and no clock; `steady_s` is a real clock that never jumps.

    Nothing is asked for while `has_waiting` says that messages of the agent still wait here.
    """

    def __init__(self, coop: str, *, has_waiting: Callable[[str], bool]) -> None:
        self._coop = coop
        self._has_waiting = has_waiting
        self._missing: dict[str, _Missing] = {}

    def note(self, left: Iterable[Delivery], enrolled: Container[str], *, due_s: float) -> None:
        """Note what was left of enrolled agents; they are asked from `due_s` on."""
        for delivery in left:
            try:
                agent = require_uplink_topic(delivery.topic, self._coop).agent
                if agent in enrolled:
                    header = head_of_payload(payload_of(delivery.payload))
                    self.note_number(agent, epoch=header.epoch, seq=header.seq, due_s=due_s)
            except WireError:
                continue  # it would be refused in any case: nobody is asked for it again

    def note_number(self, agent: str, *, epoch: int, seq: int, due_s: float) -> None:
        """Note one number that arrived and is not kept."""
        held = self._missing.get(agent)
        if held is None or held.epoch < epoch:
            self._missing[agent] = _Missing(epoch, seq, due_s)
        elif held.epoch == epoch:
            held.through_seq, held.due_s = max(held.through_seq, seq), max(held.due_s, due_s)
            held.is_told = False

    def misses(self, agent: str) -> bool:
        """Whether something of this agent was left."""
        return agent in self._missing

    def asks_through(self, agent: str, *, epoch: int, above: int) -> int:
        """The last number of this epoch that a receipt asks for now, with `above` stored; 0 for none."""
        held = self._missing.get(agent)
        if held is None or held.epoch != epoch or self._has_waiting(agent):
            return 0
        if held.through_seq <= above:
            del self._missing[agent]
            return 0
        held.is_told = True
        return min(held.through_seq, above + FURTHEST)

    def take_due(self, *, steady_s: float) -> set[tuple[str, int]]:
        """(agent, epoch) of those that should be asked now and were not; they are not due again for ASK_EACH_S."""
        found = {
            (agent, held.epoch)
            for agent, held in self._missing.items()
            if held.due_s <= steady_s and not held.is_told and not self._has_waiting(agent)
        }
        for agent, _ in found:
            self._missing[agent].due_s = steady_s + ASK_EACH_S
        return found

    def due_in_s(self, *, steady_s: float) -> float | None:
        """How long until `take_due` gives something; None if nobody has to be asked."""
        waits = [
            held.due_s - steady_s
            for agent, held in self._missing.items()
            if not held.is_told and not self._has_waiting(agent)
        ]
        return max(0.0, min(waits)) if waits else None

    def forget_others(self, enrolled: Container[str]) -> None:
        """Forget whoever is no longer enrolled or was revoked."""
        self._missing = {agent: held for agent, held in self._missing.items() if agent in enrolled}
