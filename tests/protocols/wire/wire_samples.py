"""Messages drawn for the wire's property tests, and the published key they are signed with."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from protocols.quantities import SENT_GAPS, Gap, Mark, Measure
from protocols.wire.messages import AnswerChoice, ConsentNotice, PromptAnswer, PromptNotice
from protocols.wire.readings import MAX_ENERGY_WH, SPANS, Batch, ClockTrust, Column, DeviceState, Liveness, LongInterval
from protocols.wire.receipts import Receipt
from protocols.wire.refusal_reasons import RefusalReason
from protocols.wire.revocations import RevocationCause, RevocationNotice

# RFC 8032 section 7.1, TEST 1.
KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
# RFC 8032 section 7.1, TEST 2.
HUB_KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
)

IDS = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
NUMBERS = st.integers(1, 2**32 - 1)
HASHES = st.binary(min_size=32, max_size=32).filter(any)
SECONDS = st.integers(0, 2**40)
REASONS = st.sampled_from(sorted(SENT_GAPS - {Gap.NONE}))
ENERGIES = st.integers(0, 30_000) | st.integers(0, MAX_ENERGY_WH // 1000)

BATCH = Batch(
    *("a1", 1, 2, bytes([7]) * 32),
    boot=1,
    clock=ClockTrust.TRUSTED,
    consent_version=1,
    made_at=1_764_000_000,
    slot=1_960_003,
    columns=(
        Column(Measure.GRID_IMPORT, 1, 250, 0, Mark.MEASURED, Gap.NONE),
        Column(Measure.GRID_EXPORT, 1, 0, 0, Mark.MEASURED, Gap.NONE),
        Column(Measure.PV_PRODUCTION, 4, None, 0, Mark.MISSING, Gap.DEVICE_SILENT),
    ),
    long_intervals=(LongInterval(Measure.GRID_IMPORT, 1_960_000, 3, 900),),
    devices=(DeviceState("inverter", Liveness.ASLEEP, 30_000), DeviceState("meter", Liveness.OK, 2)),
)


@st.composite
def _links(draw: st.DrawFn) -> tuple[str, int, int, bytes]:
    seq = draw(st.just(1) | NUMBERS)
    return draw(IDS), draw(NUMBERS), seq, bytes(32) if seq == 1 else draw(HASHES)


@st.composite
def _columns(draw: st.DrawFn, measure: Measure, slot: int) -> Column:
    span = draw(st.sampled_from([span for span in SPANS if (slot + 1) % span == 0]))
    mark = draw(st.sampled_from(Mark))
    gap = draw(REASONS) if mark in (Mark.PARTIAL, Mark.MISSING) else Gap.NONE
    energy = None if mark is Mark.MISSING else draw(ENERGIES)
    return Column(measure, span, energy, draw(st.integers(0, 3)), mark, gap)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    slot = draw(st.integers(0, 2**32 - 97).map(lambda n: n // 96 * 96 + 95) | st.integers(96, 2**32 - 1))
    measures = sorted(draw(st.sets(st.sampled_from(Measure))))
    keys = sorted(draw(st.sets(st.tuples(st.sampled_from(Measure), st.integers(0, slot)), max_size=4)))
    names = sorted(draw(st.sets(IDS, max_size=4)))
    agent, epoch, seq, previous = draw(_links())
    return Batch(
        *(agent, epoch, seq, previous),
        boot=draw(NUMBERS),
        clock=draw(st.sampled_from(ClockTrust)),
        consent_version=draw(NUMBERS),
        made_at=draw(SECONDS),
        slot=slot,
        columns=tuple(draw(_columns(measure, slot)) for measure in measures),
        long_intervals=tuple(
            LongInterval(measure, first, draw(st.integers(1, min(slot + 1 - first, 35_000))), draw(ENERGIES))
            for measure, first in keys
        ),
        devices=tuple(
            DeviceState(name, draw(st.sampled_from(Liveness)), draw(st.integers(0, 2**32 - 1))) for name in names
        ),
    )


@st.composite
def answers(draw: st.DrawFn) -> PromptAnswer:
    return PromptAnswer(
        *draw(_links()), prompt_id=draw(IDS), choice=draw(st.sampled_from(AnswerChoice)), at=draw(SECONDS)
    )


@st.composite
def consent_notices(draw: st.DrawFn) -> ConsentNotice:
    return ConsentNotice(*draw(_links()), consent=draw(st.binary(min_size=1, max_size=2000)))


@st.composite
def prompts(draw: st.DrawFn) -> PromptNotice:
    codes = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
    usual, proposed = draw(st.integers(0, 10**7)), draw(st.integers(0, 10**7))
    return PromptNotice(
        prompt_id=draw(IDS),
        appliance=draw(codes),
        usual_first_slot=usual,
        usual_last_slot=usual + draw(st.integers(0, 40)),
        proposed_first_slot=proposed,
        proposed_last_slot=proposed + draw(st.integers(0, 40)),
        energy_wh=draw(st.integers(0, 10**6)),
        reasons=tuple(draw(st.lists(st.tuples(codes, st.integers(-(10**9), 10**9)), max_size=8))),
        answer_by=draw(SECONDS),
    )


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    through = draw(st.integers(0, 10**6))
    edges = sorted(draw(st.sets(st.integers(through + 1, through + 2**20), max_size=20)))
    pairs = [(edges[n], edges[n + 1] - 1) for n in range(0, len(edges) - 1, 2)]
    content = [reason for reason in RefusalReason if reason.settles_the_number]
    refused = sorted(draw(st.sets(st.integers(1, through), max_size=6))) if through else []
    return Receipt(
        agent=draw(IDS),
        epoch=draw(NUMBERS),
        through_seq=through,
        head=draw(HASHES) if through else bytes(32),
        gaps=tuple(pairs),
        stored_at=draw(SECONDS),
        refused=tuple((seq, draw(st.sampled_from(content))) for seq in refused),
    )


@st.composite
def revocations(draw: st.DrawFn) -> RevocationNotice:
    return RevocationNotice(draw(IDS), draw(SECONDS), draw(st.sampled_from(RevocationCause)))
