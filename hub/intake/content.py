"""What a message that is next in its chain may say, and what the hub stores of it; no I/O.

A message whose content is refused here keeps its number: the receipt lists it with the reason.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from hub.intake.counting import count_batch
from hub.intake.state import Acceptance, AskedPrompt, IntakeState, OpenedMessage
from hub.storage.records import AcceptedMessage, DeviceRow, LongIntervalRow, ReadingRow
from protocols.consent.reduction import find_omissions, find_violations
from protocols.consent.rules import decode_consent
from protocols.slots import Slot, start_of
from protocols.wire.messages import ConsentNotice, PromptAnswer
from protocols.wire.readings import Batch, Column
from protocols.wire.refusal_reasons import RefusalReason, WireError

CLOCK_TOLERANCE_S: Final = 600
CLOCK_BEHIND_S: Final = 400 * 86400
ANSWER_GRACE_S: Final = 7 * 86400
"""How long after its deadline an answer that was made in time may still arrive."""

CONSENT_STEP_MAX: Final = 1000
"""A consent's version may be this much higher than the one in force, so that no single message uses up the numbers."""

DETAIL_CHARS: Final = 200


def judge_content(opened: OpenedMessage, home: str, *, state: IntakeState, now_s: float) -> Acceptance:
    """Accept a message that is next in its chain, with its content or without it."""
    try:
        match opened.body:
            case WireError() as error:
                raise error
            case Batch() as batch:
                return _judge_batch(opened, batch, home=home, state=state, now_s=now_s)
            case PromptAnswer() as answer:
                return Acceptance(_answer_message(opened, answer, home=home, state=state, now_s=now_s))
            case ConsentNotice() as notice:
                return Acceptance(_consent_message(opened, notice, home=home, state=state))
    except WireError as error:
        return Acceptance(_message(opened, home, refused=error.reason.value), detail=error.detail[:DETAIL_CHARS])


def _judge_batch(opened: OpenedMessage, batch: Batch, *, home: str, state: IntakeState, now_s: float) -> Acceptance:
    ends_at = start_of(batch.slot + 1)
    _require_clock(batch.made_at, ends_at, now_s=now_s)
    if batch.made_at < ends_at - CLOCK_TOLERANCE_S:
        raise WireError(RefusalReason.CLOCK_WINDOW, "it was closed more than 10 minutes before its slot ended")
    chain = state.chains[opened.agent]
    allowed = state.allowed_in(home, chain.seat, batch.slot)
    if batch.slot >= state.ends.get(home, batch.slot + 1):
        raise WireError(RefusalReason.OUTSIDE_CONSENT, "the membership ended before this quarter hour")
    found = find_violations(allowed.consent, batch, allowed) + find_omissions(allowed.consent, batch, allowed)
    if found:
        raise WireError(RefusalReason.OUTSIDE_CONSENT, "; ".join(found))
    counted = count_batch(batch, chain, state=state, now_s=now_s)
    if counted.sources:
        state.sources |= {(home, source.meter): source for source in counted.sources}
    header = opened.header
    message = AcceptedMessage(
        agent=opened.agent,
        home=home,
        epoch=header.epoch,
        seq=header.seq,
        kind=opened.kind,
        hash=opened.hash,
        sealed=opened.sealed,
        received_at=opened.received_at,
        slot=batch.slot,
        readings=_reading_rows(home, batch.slot, counted.batch.columns),
        long_intervals=tuple(
            [LongIntervalRow(home, i.measure, i.first_slot, i.slots, i.energy_wh) for i in counted.batch.long_intervals]
        ),
        devices=tuple(
            [DeviceRow(home, d.name, d.state.value, d.age_s, batch.made_at, chain.seat) for d in batch.devices]
        ),
        consent=None,
        consent_version=None,
        answer=None,
        refused=None,
        seat=chain.seat,
        sources=counted.sources,
    )
    return Acceptance(message, detail=counted.detail[:DETAIL_CHARS], uncounted=bool(counted.elsewhere))


def _reading_rows(home: str, slot: Slot, columns: Sequence[Column]) -> tuple[ReadingRow, ...]:
    made: Any = tuple.__new__  # the quickest way to make one: each batch has several
    return tuple(
        [
            made(
                ReadingRow,
                (home, measure, slot, span, energy * 10**scale if scale and energy is not None else energy, mark, gap),
            )
            for measure, span, energy, scale, mark, gap in columns
        ]
    )


def _answer_message(
    opened: OpenedMessage, answer: PromptAnswer, *, home: str, state: IntakeState, now_s: float
) -> AcceptedMessage:
    _require_clock(answer.at, answer.at, now_s=now_s)
    asked = state.prompts.get(answer.prompt_id)
    if asked is None or asked.home != home:
        raise WireError(RefusalReason.EXPIRED, "the home has no open prompt with this id")
    at = min(answer.at, opened.received_at)
    if opened.received_at >= asked.until_s:
        _require_made_in_time(answer, asked, opened=opened, last_slot=state.chains[opened.agent].last_slot)
    if asked.answered_at is not None and at < asked.answered_at and answer.choice.value != asked.answer:
        raise WireError(RefusalReason.EXPIRED, "a later answer to this prompt was already given")
    at_least = asked.answered_at if asked.answer == answer.choice.value and asked.answered_at else 0
    state.prompts[answer.prompt_id] = replace(asked, answer=answer.choice.value, answered_at=max(at, at_least))
    return replace(_message(opened, home), answer=(answer.prompt_id, answer.choice.value, at))


def _require_made_in_time(
    answer: PromptAnswer, asked: AskedPrompt, *, opened: OpenedMessage, last_slot: int | None
) -> None:
    """It came after the deadline: it counts only if it had to wait.

    The agent's own time alone proves nothing. Its chain does: whatever follows the batch of a slot that ended at the
    deadline or later was made after the deadline.
    """
    if asked.answer == answer.choice.value:
        return
    is_after = last_slot is not None and start_of(last_slot + 1) >= asked.until_s
    if answer.at >= asked.until_s or is_after:
        raise WireError(RefusalReason.EXPIRED, "the answer was made after the prompt's deadline")
    if opened.received_at >= asked.until_s + ANSWER_GRACE_S:
        raise WireError(RefusalReason.EXPIRED, "the answer came more than 7 days after the prompt's deadline")


def _consent_message(opened: OpenedMessage, notice: ConsentNotice, *, home: str, state: IntakeState) -> AcceptedMessage:
    try:
        consent = decode_consent(notice.consent)
    except WireError as error:
        # Genuine and in order, so it must not block the chain; a consent that cannot be read allows nothing.
        raise WireError(RefusalReason.OUTSIDE_CONSENT, f"the consent cannot be read: {error.detail}") from None
    seat = state.chains[opened.agent].seat
    held = state.consent_of(home, seat)
    if consent.home != home:
        raise WireError(RefusalReason.OUTSIDE_CONSENT, "the consent is for another home")
    if consent.version < held.version or (consent.version == held.version and consent != held):
        raise WireError(
            RefusalReason.OUTSIDE_CONSENT, f"version {held.version} is in force; a new consent needs a higher one"
        )
    if consent.version > held.version + CONSENT_STEP_MAX:
        raise WireError(
            RefusalReason.OUTSIDE_CONSENT,
            f"version {held.version} is in force; a new consent may be at most {CONSENT_STEP_MAX} higher",
        )
    state.consents[home, seat] = consent
    return replace(_message(opened, home), seat=seat, consent=notice.consent, consent_version=consent.version)


def _require_clock(made_at: int, ends_at: int, *, now_s: float) -> None:
    if max(made_at, ends_at) > now_s + CLOCK_TOLERANCE_S:
        raise WireError(RefusalReason.CLOCK_WINDOW, "its time is more than 10 minutes ahead of the hub's clock")
    if ends_at < now_s - CLOCK_BEHIND_S:
        raise WireError(RefusalReason.CLOCK_WINDOW, "its time is more than 400 days ago")


def _message(opened: OpenedMessage, home: str, *, refused: str | None = None) -> AcceptedMessage:
    header = opened.header
    return AcceptedMessage(
        agent=opened.agent,
        home=home,
        epoch=header.epoch,
        seq=header.seq,
        kind=opened.kind,
        hash=opened.hash,
        sealed=opened.sealed if refused is None else b"",
        received_at=opened.received_at,
        slot=None,
        readings=(),
        long_intervals=(),
        devices=(),
        consent=None,
        consent_version=None,
        answer=None,
        refused=refused,
    )
