"""All that a message says can be read at home: each value, gap and device, a consent, an answer to a prompt."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.__main__ import main
from edge_agent.outbox.contents import message_text
from edge_agent.outbox.messages import ChainLink, OutboxError, SealedMessage
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.view import read_message
from protocols.consent.rules import default_consent, encode_consent
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import parse_slot, start_of
from protocols.wire.envelope import seal
from protocols.wire.messages import AnswerChoice, ConsentNotice, PromptAnswer, encode_answer, encode_consent_notice
from protocols.wire.readings import (
    Batch,
    ClockTrust,
    Column,
    DeviceState,
    Liveness,
    LongInterval,
    encode_batch,
)

KEY = Ed25519PrivateKey.generate()
SLOT = parse_slot("2026-06-01T10:45Z")
MADE_AT = start_of(SLOT) + 905
TZ = "Europe/Berlin"
ZERO, EARLIER = bytes(32), bytes([1]) * 32
BATCH = Batch(
    "a", 1, 2, EARLIER, 3, ClockTrust.TRUSTED, 4, MADE_AT, SLOT,
    (
        Column(Measure.GRID_IMPORT, 1, 25, 1, Mark.MEASURED, Gap.NONE),
        Column(Measure.GRID_EXPORT, 1, None, 0, Mark.MISSING, Gap.DEVICE_SILENT),
        Column(Measure.PV_PRODUCTION, 4, 900, 0, Mark.PARTIAL, Gap.AGENT_OFF),
    ),
    (LongInterval(Measure.GRID_EXPORT, SLOT - 8, 8, 1200),),
    (DeviceState("meter", Liveness.SLOW, 12),),
)  # fmt: skip


def sealed(payload: bytes) -> bytes:
    return seal(KEY, "t", payload)


def test_a_batch_says_every_value_gap_total_and_device() -> None:
    assert message_text("batch", sealed(encode_batch(BATCH)), TZ).splitlines() == [
        "quarter hour 2026-06-01 12:45 to 13:00, under version 4 of your consent",
        "  taken from the grid: 250 Wh, read from a meter's counter",
        "  given to the grid: no value, the device did not answer",
        "  made by the solar panels (2026-06-01 12:00 to 13:00): 900 Wh, only part of the time is covered,"
        " the agent was not running",
        "  given to the grid: 1200 Wh in all, 2026-06-01 10:45 to 12:45",
        "  device meter: slow, last heard 12 s before",
        "  made 2026-06-01 13:00; the agent's start number 3",
        "  trust in the clock: trusted",
    ]


def test_a_batch_without_values_says_so() -> None:
    empty = replace(BATCH, columns=(), long_intervals=(), devices=())
    assert message_text("batch", sealed(encode_batch(empty)), TZ).splitlines()[1] == "  no values and no devices"


def test_a_consent_and_an_answer_are_told() -> None:
    notice = ConsentNotice("a", 1, 1, ZERO, encode_consent(default_consent("h01", version=7)))
    told = message_text("consent", sealed(encode_consent_notice(notice)), TZ)
    assert told.startswith("the consent, version 7, in force for every message after it:\n\n")
    assert 'home = "h01"' in told
    answer = PromptAnswer("a", 1, 3, EARLIER, "p-7", AnswerChoice.YES, MADE_AT)
    assert message_text("answer", sealed(encode_answer(answer)), TZ) == (
        "answer to prompt p-7: yes, given 2026-06-01 13:00"
    )


async def test_a_message_is_found_by_its_number(tmp_path: Path) -> None:
    def sealing(link: ChainLink) -> SealedMessage:
        return SealedMessage("batch", "t", sealed(encode_batch(BATCH)))

    async with open_outbox(tmp_path, max_mb=4, now_s=MADE_AT) as (outbox, _):
        epoch = outbox.next_link.epoch
        await outbox.append([sealing], now_s=MADE_AT)
    assert read_message(tmp_path, epoch, 1) == ("batch", sealed(encode_batch(BATCH)))
    with pytest.raises(OutboxError, match=rf"^message {epoch}/2 is not kept here: "):
        read_message(tmp_path, epoch, 2)


@pytest.mark.parametrize("text", ["", "1", "1/", "/2", "1/2/3", "a/b", "1/-2", "1/99999999999"])
def test_another_number_is_refused_in_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["outbox", f"--message={text}"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not a message's number like 1/42" in line
