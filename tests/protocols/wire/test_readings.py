"""Batches: no contradiction is written or read, and every limit holds on both sides."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.quantities import Gap, Mark, Measure
from protocols.wire import padding, readings
from protocols.wire.readings import Batch, ClockTrust, DeviceState, Liveness, LongInterval
from protocols.wire.refusal_reasons import RefusalReason, WireError
from tests.protocols.wire.wire_samples import BATCH, batches

COLUMN = BATCH.columns[0]
MISPLACED = st.sampled_from([None, -1, 0, 1, 4, 2**32, 2**64 - 1, b"", bytes(32), "", "meter", [], [[]], [1, "a"], {}])
"""Everything that the strict form of CBOR can carry, at a place where it may not belong."""


@pytest.mark.parametrize(
    "wrong",
    [
        replace(BATCH, columns=BATCH.columns[::-1]),
        replace(BATCH, columns=(COLUMN, COLUMN)),
        replace(BATCH, columns=(COLUMN._replace(energy=-1),)),
        replace(BATCH, columns=(COLUMN._replace(energy=True),)),
        replace(BATCH, columns=(COLUMN._replace(energy=1.0),)),
        replace(BATCH, columns=(COLUMN._replace(energy=None),)),
        replace(BATCH, columns=(COLUMN._replace(energy=10**9, scale=1),)),
        replace(BATCH, columns=(COLUMN._replace(scale=4),)),
        replace(BATCH, columns=(COLUMN._replace(scale=-1),)),
        replace(BATCH, columns=(COLUMN._replace(span=2),)),
        replace(BATCH, columns=(COLUMN._replace(span=96),)),
        replace(BATCH, columns=(COLUMN._replace(mark=Mark.PARTIAL),)),
        replace(BATCH, columns=(COLUMN._replace(mark=Mark.MISSING, gap=Gap.AGENT_OFF),)),
        replace(BATCH, columns=(COLUMN._replace(gap=Gap.AGENT_OFF),)),
        replace(BATCH, columns=(COLUMN._replace(energy=None, mark=Mark.MISSING),)),
        replace(BATCH, columns=(COLUMN._replace(energy=None, mark=Mark.MISSING, gap=Gap.NEVER_ARRIVED),)),
        replace(BATCH, seq=1),
        replace(BATCH, previous=bytes(32)),
        replace(BATCH, previous=bytes(31)),
        replace(BATCH, seq=0),
        replace(BATCH, epoch=0),
        replace(BATCH, agent="A"),
        replace(BATCH, slot=-1),
        replace(BATCH, slot=2**32),
        replace(BATCH, devices=(DeviceState("Inverter", Liveness.OK, 0),)),
        replace(BATCH, devices=BATCH.devices[::-1]),
        replace(BATCH, devices=(DeviceState("meter", Liveness.OK, -1),)),
        replace(BATCH, long_intervals=(LongInterval(Measure.GRID_IMPORT, 1_960_002, 3, 1),)),
        replace(BATCH, long_intervals=(LongInterval(Measure.GRID_IMPORT, 1_960_002, 0, 1),)),
    ],
)
def test_a_batch_that_contradicts_itself_is_neither_written_nor_read(wrong: Batch) -> None:
    with pytest.raises(WireError) as caught:
        readings.encode_batch(wrong)
    assert caught.value.reason is RefusalReason.GARBAGE
    fields = cbor2.loads(readings.encode_batch(BATCH))
    fields |= {2: wrong.agent, 3: wrong.epoch, 4: wrong.seq, 5: wrong.previous, 10: wrong.slot}
    fields[11] = [[int(c.measure), c.span, c.energy, c.scale, int(c.mark), int(c.gap)] for c in wrong.columns]
    fields[12] = [[int(i.measure), i.first_slot, i.slots, i.energy_wh] for i in wrong.long_intervals]
    fields[13] = [[d.name, list(Liveness).index(d.state), d.age_s] for d in wrong.devices]
    del fields[padding.PAD_KEY]
    with pytest.raises(WireError) as caught:
        readings.decode_batch(padding.encode_padded(fields))
    assert caught.value.reason is RefusalReason.GARBAGE


INSIDE = [(key, row, at) for key in (11, 12, 13) for row in (0, 1) for at in range(6)]
PLACES = st.sampled_from([*((key, None, None) for key in range(1, 14)), *INSIDE])


@given(st.lists(st.tuples(PLACES, MISPLACED), min_size=1, max_size=3))
@example([((13, 0, 0), 1)])  # a number among the names of devices
def test_a_value_of_the_wrong_kind_is_refused_wherever_it_stands(put: list[tuple[tuple[int, Any, Any], Any]]) -> None:
    """Whoever may sign can sign anything: each of it is either a batch in its one form, or refused with a reason."""
    fields = cbor2.loads(readings.encode_batch(BATCH))
    del fields[padding.PAD_KEY]
    for (key, row, at), value in put:
        if row is None:
            fields[key] = value
        elif isinstance(fields[key], list) and row < len(fields[key]) and isinstance(fields[key][row], list):
            fields[key][row][at : at + 1] = [value]
    payload = padding.encode_padded(fields)
    with suppress(WireError):
        assert readings.encode_batch(readings.decode_batch(payload)) == payload


@given(
    batches() | batches().map(lambda batch: replace(batch, long_intervals=(), made_at=batch.made_at % 2**32)),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=2),
    st.integers(0, 2),
)
def test_the_quick_way_reads_what_the_slow_one_reads_or_leaves_it_to_that(
    batch: Batch, altered: list[tuple[int, int]], cut: int
) -> None:
    payload = bytearray(readings.encode_batch(batch))
    usual = readings._usual_batch(bytes(payload))
    assert (usual is not None) is (not batch.long_intervals and batch.made_at < 2**32)
    assert usual is None or (repr(usual), usual) == (repr(batch), batch)
    for place, value in altered:
        payload[place % len(payload)] = value
    data = bytes(payload[: len(payload) - cut])
    usual = readings._usual_batch(data)
    if usual is not None:
        assert repr(usual) == repr(readings._any_batch(data))


def test_energy_with_a_scale() -> None:
    assert COLUMN._replace(energy=12, scale=2).energy_wh == 1200
    assert BATCH.columns[2].energy_wh is None


def refusal_of(batch: Batch) -> str:
    with pytest.raises(WireError) as caught:
        readings.encode_batch(batch)
    assert caught.value.reason is RefusalReason.GARBAGE
    return caught.value.detail


def fields_of(batch: Batch) -> dict[int, Any]:
    fields: dict[int, Any] = cbor2.loads(readings.encode_batch(batch))
    del fields[padding.PAD_KEY]
    return fields


def test_the_fields_are_the_documented_ones() -> None:
    assert fields_of(BATCH) == {
        1: 1,
        2: "a1",
        3: 1,
        4: 2,
        5: bytes([7]) * 32,
        6: 1,
        7: 0,
        8: 1,
        9: 1_764_000_000,
        10: 1_960_003,
        11: [[1, 1, 250, 0, 0, 0], [2, 1, 0, 0, 0, 0], [3, 4, None, 0, 3, 1]],
        12: [[1, 1_960_000, 3, 900]],
        13: [["inverter", 4, 30_000], ["meter", 0, 2]],
    }


def test_clock_and_liveness_have_their_documented_numbers() -> None:
    assert [(trust.name, int(trust)) for trust in ClockTrust] == [("TRUSTED", 0), ("BACKFILLED", 1), ("ESTIMATED", 2)]
    states = [
        fields_of(replace(BATCH, devices=(DeviceState("meter", state, 0),)))[13][0][1]
        for state in (Liveness.OK, Liveness.SLOW, Liveness.SILENT, Liveness.REFUSING, Liveness.ASLEEP)
    ]
    assert states == [0, 1, 2, 3, 4]


LAST_SLOT = replace(BATCH, slot=readings.MAX_SLOT, long_intervals=(), columns=())


@pytest.mark.parametrize(
    "edge",
    [
        replace(BATCH, boot=2**32 - 1, consent_version=2**32 - 1, made_at=2**40, clock=ClockTrust.ESTIMATED),
        replace(BATCH, boot=0, consent_version=0, made_at=0),
        replace(BATCH, columns=(COLUMN._replace(energy=10**9),)),
        replace(BATCH, columns=(COLUMN._replace(energy=10**6, scale=3),)),
        LAST_SLOT,
        replace(LAST_SLOT, long_intervals=(LongInterval(Measure.SUBMETER, 2**32 - 35_136, 35_136, 10**9),)),
        replace(
            BATCH,
            long_intervals=tuple(LongInterval(Measure.GRID_IMPORT, 1_960_004 - n, n, 0) for n in range(32, 0, -1)),
        ),
        replace(BATCH, devices=tuple(DeviceState(f"d{n:02}", Liveness.OK, 2**32 - 1) for n in range(32))),
        replace(BATCH, columns=(COLUMN._replace(span=4, mark=Mark.PARTIAL, gap=Gap.NOT_KEPT),)),
    ],
)
def test_the_limits_of_a_batch_are_allowed(edge: Batch) -> None:
    assert readings.decode_batch(readings.encode_batch(edge)) == edge


@pytest.mark.parametrize(
    ("beyond", "named"),
    [
        (replace(BATCH, boot=2**32), "boot is not a whole number from 0 to 4294967295"),
        (replace(BATCH, consent_version=2**32), "consent version"),
        (replace(BATCH, made_at=2**40 + 1), "the time made in Unix seconds is not"),
        (replace(BATCH, columns=(COLUMN._replace(energy=10**9 + 1),)), "energy"),
        (replace(BATCH, columns=(COLUMN._replace(energy=10**6 + 1, scale=3),)), "energy in Wh is not"),
        (replace(BATCH, columns=(COLUMN._replace(span=4),), slot=1_960_002), "does not end with"),
        (replace(BATCH, columns=(COLUMN._replace(span=8),), slot=1_960_007), "does not end with"),
        (replace(BATCH, columns=(COLUMN._replace(gap=Gap.NEVER_ARRIVED),)), "only the hub may report"),
        (replace(BATCH, columns=(COLUMN._replace(mark=Mark.DERIVED, gap=Gap.AGENT_OFF),)), "contradict"),
        (replace(LAST_SLOT, long_intervals=(LongInterval(Measure.SUBMETER, 1, 35_137, 1),)), "number of slots"),
        (replace(BATCH, long_intervals=(LongInterval(Measure.SUBMETER, 1, 1, 10**9 + 1),)), "energy"),
        (
            replace(BATCH, long_intervals=tuple(LongInterval(Measure.SUBMETER, n, 1, 0) for n in range(33))),
            "more than 32 long intervals",
        ),
        (replace(BATCH, long_intervals=(LongInterval(Measure.SUBMETER, 1, 1, 0),) * 2), "ascending order"),
        (
            replace(BATCH, devices=tuple(DeviceState(f"d{n:02}", Liveness.OK, 0) for n in range(33))),
            "more than 32 devices",
        ),
        (replace(BATCH, devices=(DeviceState("meter", Liveness.OK, 2**32),)), "the age of a device in seconds is not"),
        (replace(BATCH, devices=(DeviceState("meter", Liveness.OK, 0),) * 2), "ascending order of name"),
    ],
)
def test_a_batch_beyond_a_limit_is_not_written(beyond: Batch, named: str) -> None:
    assert named in refusal_of(beyond)


def test_a_total_may_end_with_the_batchs_slot_and_not_after_it() -> None:
    last = replace(BATCH, long_intervals=(LongInterval(Measure.GRID_IMPORT, BATCH.slot, 1, 5),))
    assert readings.decode_batch(readings.encode_batch(last)) == last
    after = replace(BATCH, long_intervals=(LongInterval(Measure.GRID_IMPORT, BATCH.slot, 2, 5),))
    assert "ends after the batch's slot" in refusal_of(after)


@pytest.mark.parametrize(
    "change",
    [
        {7: 3},
        {7: []},
        {11: [[8, 1, 0, 0, 0, 0]]},
        {11: [[1, 1, 0, 0, 4, 0]]},
        {11: [[1, 1, None, 0, 3, 8]]},
        {11: [[1, 1, None, 0, 3, 9]]},
        {11: [[1, 1, 0, 0, 0]]},
        {12: [[0, 1, 1, 1]]},
        {12: [[1, 1, 1]]},
        {13: [["meter", 5, 0]]},
        {13: [["meter", -1, 0]]},
        {13: [["meter", "ok", 0]]},
        {13: [[5, 0, 0]]},
    ],
)
def test_an_unknown_code_is_garbage(change: dict[int, Any]) -> None:
    with pytest.raises(WireError) as caught:
        readings.decode_batch(padding.encode_padded(fields_of(BATCH) | change))
    assert caught.value.reason is RefusalReason.GARBAGE
