"""A home's answer to a prompt, its consent, and the prompt itself: the messages other than batches and receipts.

Encodes and decodes only. Answers and consents share a numbered chain with batches, which
proves where they come among the readings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from protocols.slots import Slot
from protocols.wire import strict_cbor
from protocols.wire.chain import Header, header_fields, read_header
from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import garbage
from protocols.wire.topics import is_id

VERSION = 1
MAX_CONSENT_BYTES = 8192
MAX_REASONS = 8
MAX_SLOT = 2**32 - 1
MAX_ENERGY_WH = 10**6
MAX_REASON_NUMBER = 10**9

_HEADER_KEYS = (1, 2, 3, 4, 5)
_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


class AnswerChoice(StrEnum):
    """What a household may answer to a prompt."""

    YES = "yes"
    NO = "no"
    NEVER_APPLIANCE = "never_appliance"


_CHOICES = tuple(AnswerChoice)


@dataclass(frozen=True, slots=True)
class PromptAnswer:
    """A household's answer to one prompt, given at `at` (Unix seconds)."""

    agent: str
    epoch: int
    seq: int
    previous: bytes
    prompt_id: str
    choice: AnswerChoice
    at: int

    @property
    def header(self) -> Header:
        """Its place in the agent's chain."""
        return Header(self.agent, self.epoch, self.seq, self.previous)


@dataclass(frozen=True, slots=True)
class ConsentNotice:
    """A home's new consent, as the canonical bytes of `consent.rules`; in force for all messages after it."""

    agent: str
    epoch: int
    seq: int
    previous: bytes
    consent: bytes

    @property
    def header(self) -> Header:
        """Its place in the agent's chain."""
        return Header(self.agent, self.epoch, self.seq, self.previous)


@dataclass(frozen=True, slots=True)
class PromptNotice:
    """The hub's question whether an appliance could run at another time. Typed values only, never text to show.

    The usual and the proposed run are given by their first and last slots; `answer_by` is in Unix seconds; each
    reason is a code from a closed list, with one number.
    """

    prompt_id: str
    appliance: str
    usual_first_slot: Slot
    usual_last_slot: Slot
    proposed_first_slot: Slot
    proposed_last_slot: Slot
    energy_wh: int
    reasons: tuple[tuple[str, int], ...]
    answer_by: int


def encode_answer(answer: PromptAnswer) -> bytes:
    """The payload of an answer, padded. Raises: WireError if it breaks a rule of this module."""
    _check_answer(answer)
    return encode_padded(
        header_fields(answer.header, version=VERSION)
        | {6: answer.prompt_id, 7: _CHOICES.index(answer.choice), 8: answer.at}
    )


def decode_answer(data: bytes) -> PromptAnswer:
    """The exact inverse of `encode_answer`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (*_HEADER_KEYS, 6, 7, 8, PAD_KEY), "an answer", version=VERSION)
    header = read_header(fields)
    choice = require_number(fields[7], "choice", most=len(_CHOICES) - 1)
    answer = PromptAnswer(
        agent=header.agent,
        epoch=header.epoch,
        seq=header.seq,
        previous=header.previous,
        prompt_id=fields[6],
        choice=_CHOICES[choice],
        at=fields[8],
    )
    _check_answer(answer)
    return answer


def encode_consent_notice(notice: ConsentNotice) -> bytes:
    """The payload of a consent notice, padded. Raises: WireError if it breaks a rule of this module."""
    _check_consent_notice(notice)
    return encode_padded(header_fields(notice.header, version=VERSION) | {6: notice.consent})


def decode_consent_notice(data: bytes) -> ConsentNotice:
    """The exact inverse of `encode_consent_notice`; the consent inside is not decoded. Raises: WireError."""
    fields = read_fields(data, (*_HEADER_KEYS, 6, PAD_KEY), "a consent notice", version=VERSION)
    header = read_header(fields)
    notice = ConsentNotice(header.agent, header.epoch, header.seq, header.previous, fields[6])
    _check_consent_notice(notice)
    return notice


def encode_prompt(prompt: PromptNotice) -> bytes:
    """The payload of a prompt, padded. Raises: WireError if it breaks a rule of this module."""
    _check_prompt(prompt)
    return encode_padded(
        {
            1: VERSION,
            2: prompt.prompt_id,
            3: prompt.appliance,
            4: prompt.usual_first_slot,
            5: prompt.usual_last_slot,
            6: prompt.proposed_first_slot,
            7: prompt.proposed_last_slot,
            8: prompt.energy_wh,
            9: [[code, number] for code, number in prompt.reasons],
            10: prompt.answer_by,
        }
    )


def decode_prompt(data: bytes) -> PromptNotice:
    """The exact inverse of `encode_prompt`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, PAD_KEY), "a prompt", version=VERSION)
    reasons = tuple((code, number) for code, number in strict_cbor.require_rows(fields[9], 2))
    prompt = PromptNotice(
        prompt_id=fields[2],
        appliance=fields[3],
        usual_first_slot=fields[4],
        usual_last_slot=fields[5],
        proposed_first_slot=fields[6],
        proposed_last_slot=fields[7],
        energy_wh=fields[8],
        reasons=reasons,
        answer_by=fields[10],
    )
    _check_prompt(prompt)
    return prompt


def _check_answer(answer: PromptAnswer) -> None:
    _match(answer.prompt_id, "prompt id", is_id)
    require_number(answer.at, "the time of the answer in Unix seconds", most=MAX_SECONDS)
    if not isinstance(answer.choice, AnswerChoice):
        raise garbage("an unknown choice")


def _check_consent_notice(notice: ConsentNotice) -> None:
    if type(notice.consent) is not bytes or not 1 <= len(notice.consent) <= MAX_CONSENT_BYTES:
        raise garbage(f"the consent is not 1 to {MAX_CONSENT_BYTES} bytes")


def _check_prompt(prompt: PromptNotice) -> None:
    _match(prompt.prompt_id, "prompt id", is_id)
    _match(prompt.appliance, "appliance", _is_code)
    for first, last in (
        (prompt.usual_first_slot, prompt.usual_last_slot),
        (prompt.proposed_first_slot, prompt.proposed_last_slot),
    ):
        if require_number(first, "the slot in quarter hours since 1970", most=MAX_SLOT) > require_number(
            last, "the slot in quarter hours since 1970", most=MAX_SLOT
        ):
            raise garbage("a run ends before it begins")
    require_number(prompt.energy_wh, "the energy in Wh", most=MAX_ENERGY_WH)
    require_number(prompt.answer_by, "the time to answer by in Unix seconds", most=MAX_SECONDS)
    if len(prompt.reasons) > MAX_REASONS:
        raise garbage(f"more than {MAX_REASONS} reasons")
    for code, number in prompt.reasons:
        _match(code, "reason", _is_code)
        require_number(number, "number of a reason", least=-MAX_REASON_NUMBER, most=MAX_REASON_NUMBER)


def _is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def _match(value: Any, what: str, fits: Callable[[str], bool]) -> None:
    if type(value) is not str or not fits(value):
        raise garbage(f"the {what} does not have the form of a name")
