"""Counts what of a group was refused, by agent and reason, for the fleet page and `status`."""

from collections.abc import Sequence

from hub.intake.conduct import Excess, HubReason
from hub.intake.state import Acceptance, IntakeVerdict, Rejection
from hub.storage.records import RefusalCount


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
