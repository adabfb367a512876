"""Counts what of a group was refused, by agent and reason, for the fleet page and `status`."""

import logging
from collections.abc import Sequence

from hub.intake.conduct import Excess, HubReason
from hub.intake.state import Acceptance, IntakeVerdict, Rejection
from hub.storage.fleet_records import CutOff
from hub.storage.records import RefusalCount

log = logging.getLogger(__name__)


def counted(verdicts: Sequence[IntakeVerdict | Excess], *, at: int) -> list[RefusalCount]:
    """One count per agent and reason with its newest detail."""
    counts: dict[tuple[str, str], RefusalCount] = {}
    for verdict in verdicts:
        if isinstance(verdict, Rejection | Excess):
            agent, reason, detail = verdict.agent, verdict.reason.value, verdict.detail
        elif isinstance(verdict, Acceptance) and verdict.message.refused is not None:
            agent, reason, detail = verdict.message.agent, verdict.message.refused, verdict.detail
        elif isinstance(verdict, Acceptance) and verdict.uncounted:
            agent, reason, detail = verdict.message.agent, HubReason.ELSEWHERE.value, verdict.detail
        else:
            continue
        before = counts.get((agent, reason))
        counts[(agent, reason)] = RefusalCount(agent, reason, (before.count if before else 0) + 1, at, detail)
    return list(counts.values())


class RefusalLog:
    """Says each agent's first refusal for each reason; the rest are counted on the fleet page and in `status`."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def say(self, refusals: Sequence[RefusalCount]) -> None:
        """Log those that are the first of their agent and reason."""
        for refusal in refusals:
            if (refusal.agent, refusal.reason) not in self._said:
                self._said.add((refusal.agent, refusal.reason))
                log.warning(
                    "a message of %s was refused: %s (%s); more of these are only counted",
                    f"agent {refusal.agent}" if refusal.agent else "an unknown sender",
                    refusal.reason,
                    refusal.detail,
                )


def say_cut_off(agents: Sequence[CutOff]) -> None:
    """Log each of them, and what to do."""
    for each in agents:
        log.error(
            "agent %s was cut off: %d messages in vain within a minute; find out why, then let it in again"
            " with: commonwatt-hub let-in",
            each.agent,
            each.messages,
        )
