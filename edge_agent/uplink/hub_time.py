"""The hub's time as this agent knows it: asked with a nonce, answered with a signature, carried on by the boot clock.

Only such an answer bounds the time from above. A receipt may have waited in the broker for days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.uplink.sealing import AgentSigner
from protocols.wire.clock_check import (
    NONCE_BYTES,
    ClockQuestion,
    ClockState,
    decode_clock_answer,
    encode_question,
)

ASK_EVERY_S = 3600.0
ASK_SOON_S = 30.0
"""While the clock is not trusted."""

PATIENT_S = 60.0
"""An answer that took longer is too vague to judge a clock by."""

STALE_S = 3 * ASK_EVERY_S


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """The hub's time now is between these, in Unix seconds."""

    least_s: float
    most_s: float

    def distance_s(self, clock_s: float) -> float:
        """How far a clock is outside: ahead if positive, behind if negative, 0 within."""
        return max(clock_s - self.most_s, 0.0) + min(clock_s - self.least_s, 0.0)


class HubTime:
    """Asks, and keeps the newest answer. `state` and `wall` are what a question says about the agent's own clock."""

    def __init__(
        self,
        signer: AgentSigner,
        *,
        boot_clock: Callable[[], float],
        wall: Callable[[], float],
        nonces: Callable[[int], bytes],
        state: Callable[[], ClockState],
    ) -> None:
        self._signer = signer
        self._boot_clock = boot_clock
        self._wall = wall
        self._nonces = nonces
        self._asked: tuple[bytes, float] | None = None
        self._asked_at = float("-inf")
        self._known: tuple[TimeBounds, float] | None = None
        self._state = state
        self.note_asked: Callable[[str, bytes], None] = lambda _kind, _sealed: None
        self.note_answered: Callable[[], None] = lambda: None
        self._told = ClockState.UNCONFIRMED

    def is_due(self) -> bool:
        """Whether it is time to ask again."""
        state = self._state()
        every_s = ASK_SOON_S if state is ClockState.HELD else ASK_EVERY_S
        return state is not self._told or self._boot_clock() - self._asked_at >= every_s

    def ask_again(self) -> None:
        """Ask at the next opportunity: the connection is new, or the clock was just changed."""
        self._asked_at = float("-inf")

    def question(self) -> tuple[str, bytes]:
        """The topic and sealed bytes of a new question."""
        nonce, self._told = self._nonces(NONCE_BYTES), self._state()
        self._asked_at = self._boot_clock()
        self._asked = (nonce, self._asked_at)
        at = min(max(0, int(self._wall())), 2**40)
        sealed = self._signer.seal("time", encode_question(ClockQuestion(self._signer.agent, nonce, at, self._told)))
        self.note_asked("time", sealed.sealed)
        return sealed.topic, sealed.sealed

    def note(self, payload: bytes) -> None:
        """Take an answer whose signature was checked. Raises: WireError if it is none."""
        answer = decode_clock_answer(payload)
        if self._asked is None or (answer.agent, answer.nonce) != (self._signer.agent, self._asked[0]):
            return
        now_s = self._boot_clock()
        took_s = now_s - self._asked[1]
        self._asked = None
        self.note_answered()
        if took_s <= PATIENT_S:
            # The hub sends whole seconds.
            self._known = (TimeBounds(answer.at, answer.at + 1 + took_s), now_s)

    def bounds(self) -> TimeBounds | None:
        """Between what the hub's time is now; None if no answer is recent."""
        if self._known is None:
            return None
        bounds, answered_at = self._known
        passed_s = self._boot_clock() - answered_at
        if passed_s > STALE_S:
            return None
        return TimeBounds(bounds.least_s + passed_s, bounds.most_s + passed_s)
