"""A data logger's recording goes through the same meter and seals as live readings, and may be cut anywhere."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.history import RecordingError, RecordingRow, read_rows, replay
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, read_checkpoint
from edge_agent.outbox.messages import OutboxError, SealMessage
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.store import Outbox
from edge_agent.program import history_lines
from edge_agent.run_loop import LoopParts, SlotCloser
from edge_agent.uplink.sealing import AgentSigner, ConsentFilter
from protocols.consent.text import parse_consent
from protocols.errors import SettingsError
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot, start_of
from protocols.timeline import Clock
from protocols.wire.envelope import open_sealed
from protocols.wire.readings import Batch, decode_batch

FIRST = 2_000_000
KEY = Ed25519PrivateKey.generate()
PLACES = [MeasuringPoint("meter", "grid", 15_000), MeasuringPoint("sun", "pv", 10_000)]
CONSENT = parse_consent('home="h01"\nversion=2\n[[rule]]\npurpose="forecast.hood"\nvalid_from="2020-01-01T00:00Z"\n')


def recording(slots: int, leave_out: tuple[int, ...] = ()) -> list[str]:
    lines = ["commonwatt-recording,1\n"]
    for at in range(slots + 1):
        if at not in leave_out:
            at_s = start_of(FIRST + at)
            lines += [f"{at_s},meter,import_wh,{10_000 + 90 * at}.5\n", f"{at_s},meter,export_wh,{20 * at}\n"]
            lines.append(f"{at_s},sun,production_wh,{70_000 + 33 * at}\n")
    return lines


async def put(folder: Path, lines: Iterable[str]) -> list[Batch]:
    """Replay into the outbox of this folder, going on where it stands; all its batches."""
    clock = Clock(lambda: float(start_of(FIRST + 10_000)))
    async with open_outbox(folder, max_mb=8, now_s=clock.now()) as (outbox, _):
        parts = LoopParts(clock, AgentSigner("c", "a-1", KEY), ConsentFilter(CONSENT), outbox, 7, lambda: True)
        kept = await outbox.checkpoint()

        def make(first: Slot) -> tuple[HomeMeter, SlotCloser]:
            next_slot, bases = read_checkpoint(kept) if kept else (first, {})
            metering = HomeMeter(PLACES, next_slot=next_slot, longest_hole_s=900, bases=bases)
            return metering, SlotCloser(parts, metering)

        rows = read_rows(lines, name="history.csv")
        await replay(rows, make=make, window_s=240, stored=lambda: None)
        waiting = await outbox.waiting(after=0, limit=100_000)
    return [decode_batch(open_sealed(each.sealed, each.topic, KEY.public_key())) for each in waiting]


def energies(batch: Batch) -> dict[Measure, int | None]:
    return {column.measure: column.energy_wh for column in batch.columns}


async def test_every_slot_of_a_recording_becomes_a_batch(tmp_path: Path) -> None:
    batches = await put(tmp_path, recording(200))
    assert [batch.slot for batch in batches] == list(range(FIRST, FIRST + 200))
    assert [batch.seq for batch in batches] == list(range(1, 201))
    expected = {Measure.GRID_IMPORT: 90, Measure.GRID_EXPORT: 20, Measure.PV_PRODUCTION: 33}
    assert all(energies(batch) == expected for batch in batches)
    marks = {column.mark for batch in batches for column in batch.columns}
    assert marks == {Mark.MEASURED}, "a recording has no power beside its counters, and settles all the same"


async def test_a_recording_cut_anywhere_goes_on_without_loss_or_double(tmp_path: Path) -> None:
    lines = recording(300)
    for cut in (1, 2, 100, 101, 102, 500, 901):
        batches = await put(tmp_path, lines[:cut])
    batches = await put(tmp_path, lines)
    assert [batch.slot for batch in batches] == list(range(FIRST, FIRST + 300))
    # A cut in the middle of a moment ends a slot without the device that was cut off; totals make up for it.
    for measure, rise in ((Measure.GRID_IMPORT, 90), (Measure.GRID_EXPORT, 20), (Measure.PV_PRODUCTION, 33)):
        told = sum(energies(batch).get(measure) or 0 for batch in batches)
        totals = sum(each.energy_wh for batch in batches for each in batch.long_intervals if each.measure is measure)
        assert told + totals == 300 * rise


async def test_a_hole_in_a_recording_is_a_gap_and_a_total(tmp_path: Path) -> None:
    batches = await put(tmp_path, recording(10, leave_out=(4, 5)))
    marks = [next(c for c in batch.columns if c.measure is Measure.PV_PRODUCTION) for batch in batches]
    assert [column.mark is Mark.MISSING for column in marks] == [at in (3, 4, 5) for at in range(10)]
    assert all(column.gap in (Gap.NONE, Gap.DEVICE_SILENT) for column in marks)
    total = next(each for each in batches[5].long_intervals if each.measure is Measure.PV_PRODUCTION)
    assert (total.first_slot, total.slots, total.energy_wh) == (FIRST + 3, 3, 99)


async def test_a_bad_row_at_a_boundary_leaves_it_to_the_next_row_in_the_window(tmp_path: Path) -> None:
    lines = recording(4)
    at_s = start_of(FIRST + 2)
    wrong = lines.index(f"{at_s},sun,production_wh,{70_000 + 66}\n")
    lines[wrong : wrong + 1] = [f"{at_s},sun,production_wh,69000\n", f"{at_s + 60},sun,production_wh,70070\n"]
    made = [energies(batch)[Measure.PV_PRODUCTION] for batch in await put(tmp_path, lines)]
    assert made == [33, 37, 29, 33]


async def test_a_week_costs_little(tmp_path: Path) -> None:
    lines = recording(7 * 96)
    began = time.process_time()
    await put(tmp_path, lines)
    assert time.process_time() - began < 2, "672 batches, the reading back of this test included"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "row 1: expected 'commonwatt-recording,1'"),
        (["time,value\n"], "row 1: expected"),
        (["1,meter,import_wh"], "row 2: expected unix_s,device,point,value"),
        (["1,meter,colour,5"], "row 2: 'colour': expected one of"),
        (["1,meter,import_wh,five"], "row 2: expected a whole number of seconds and a decimal number"),
        (["one,meter,import_wh,5"], "row 2: expected a whole number"),
        (["1,meter,import_wh,NaN"], "row 2: time or value is out of range"),
        (["1,meter,import_wh,1e99"], "row 2: time or value is out of range"),
        (["1790000000000,meter,import_wh,5"], "row 2: time or value is out of range"),
        (["1,meter,import_wh,5\n", "1790000000,meter,import_wh,6"], "row 3: more than 400 days after the row before"),
        (["5,meter,import_wh,5\n", "4,meter,import_wh,5"], "row 3: expected rows in time order"),
        (["1,meter,import_wh," + "1" * 300], "row 2: expected unix_s"),
    ],
)
def test_a_wrong_recording_is_one_line_with_its_row(lines: list[str], words: str) -> None:
    header = [] if not lines or lines[0].startswith("time") else ["commonwatt-recording,1\n"]
    with pytest.raises(RecordingError) as caught:
        list(read_rows(header + lines, name="history.csv"))
    assert str(caught.value).startswith("history.csv: ")
    assert words in str(caught.value)


def test_a_recording_that_is_no_text_is_one_line_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(b"commonwatt-recording,1\n" + b"1,meter,import_wh,5\n" * 1000 + b"2,meter,import_wh,\xff\n")
    with (
        path.open(encoding="utf-8") as lines,
        pytest.raises(RecordingError, match=r"history\.csv: cannot be read after"),
    ):
        list(read_rows(lines, name="history.csv"))


async def test_a_device_nobody_configured_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="device 'attic' is not configured, expected one of meter, sun"):
        await put(tmp_path, [*recording(1), f"{start_of(FIRST + 1)},attic,import_wh,5\n"])


def test_a_recording_that_cannot_be_opened_is_said_and_no_other_error_is_blamed_on_it(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match=r"none\.csv: cannot be read: No such file"),
        history_lines(tmp_path / "none.csv"),
    ):
        pass
    (tmp_path / "some.csv").write_text("commonwatt-recording,1\n")
    with pytest.raises(OSError, match="the line is cut"), history_lines(tmp_path / "some.csv"):
        raise OSError("the line is cut")


async def test_a_recording_waits_for_room_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([True] * 5)
    append = Outbox.append

    async def full_for_a_while(self: Outbox, sealings: Sequence[SealMessage], **more: object) -> None:
        if next(refusals, False):
            raise OutboxError("no room")
        await append(self, sealings, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("edge_agent.history.STUCK_S", 0)
    monkeypatch.setattr(Outbox, "append", full_for_a_while)
    batches = await put(tmp_path, recording(400))
    assert [energies(batch)[Measure.GRID_IMPORT] for batch in batches] == [90] * 400


def test_values_are_exact() -> None:
    rows = list(read_rows(["commonwatt-recording,1\n", "7,meter,import_wh,0.1\n", "\n"], name="-"))
    assert rows == [RecordingRow(7, "meter", "import_wh", rows[0].value)]
    assert str(rows[0].value) == "0.1"
