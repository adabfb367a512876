"""What leaves the home is what its consent lets out, and a new consent enters the chain before anything under it."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.household import consent_in_force, read_consent, rules_to_come
from edge_agent.metering.home_meter import ClosedSlot
from edge_agent.outbox.messages import ChainLink
from edge_agent.outbox.opening import open_outbox
from edge_agent.uplink.identity import Identity
from edge_agent.uplink.sealing import AgentSigner, BatchContext, ConsentFilter
from protocols.consent.reduction import SlotValue, find_violations
from protocols.consent.rules import ConsentSet, decode_consent, default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.answer import EnrolAnswer
from protocols.errors import SettingsError
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import parse_slot, slot_of
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.envelope import open_sealed
from protocols.wire.messages import decode_consent_notice
from protocols.wire.readings import Batch, ClockTrust, DeviceState, Liveness, LongInterval, decode_batch
from protocols.wire.topics import shard_of

NOW = 1_790_000_000.0
SIGNER = AgentSigner("c", "a-1", Ed25519PrivateKey.generate())
FIRST = 96 * 20_000
HOURLY = """
home = "h01"
version = 2
off = ["device.health"]
[[rule]]
purpose = "peers.view"
measures = ["pv_production"]
resolution = "PT1H"
valid_from = "2020-01-01T00:00Z"
"""


def closed(at: int, pv_wh: int | None = 100, totals: tuple[LongInterval, ...] = ()) -> ClosedSlot:
    pv = SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT) if pv_wh is None else SlotValue(pv_wh, Mark.MEASURED)
    values = {
        Measure.GRID_IMPORT: SlotValue(10 + at, Mark.MEASURED),
        Measure.GRID_EXPORT: SlotValue(0, Mark.MEASURED),
        Measure.PV_PRODUCTION: pv,
        Measure.BATTERY_CHARGE: SlotValue(4321, Mark.MEASURED),
    }
    return ClosedSlot(FIRST + at, values, totals)


def batch_of(gate: ConsentFilter, slot: ClosedSlot) -> Batch:
    states = [DeviceState("sun", Liveness.OK, 3), DeviceState("meter", Liveness.SILENT, 70)]
    sealing = gate.batch(SIGNER, slot, devices=states, context=BatchContext(1, ClockTrust.TRUSTED, int(NOW)))
    sealed = sealing(ChainLink(5, 1, FIRST_PREVIOUS))
    batch = decode_batch(open_sealed(sealed.sealed, sealed.topic, SIGNER.key.public_key()))
    assert find_violations(gate.consent, batch) == ()
    assert len(sealed.sealed) == 512, "the size tells nothing of the content"
    return batch


def test_by_default_only_the_contract_and_liveness_leave() -> None:
    batch = batch_of(ConsentFilter(default_consent("h01")), closed(0))
    assert [column.measure for column in batch.columns] == [Measure.GRID_IMPORT, Measure.GRID_EXPORT]
    assert [device.name for device in batch.devices] == ["meter", "sun"]


def test_an_hourly_consent_lets_out_the_hours_sum_and_objected_states_stay() -> None:
    gate = ConsentFilter(read_consent(HOURLY, name="consent.toml", home="h01"))
    batches = [batch_of(gate, closed(at)) for at in range(8)]
    pv = [[c.energy_wh for c in batch.columns if c.measure is Measure.PV_PRODUCTION] for batch in batches]
    assert pv == [[], [], [], [400], [], [], [], [400]]
    assert all(batch.devices == () for batch in batches)


def test_a_gap_within_the_hour_is_told_and_an_outage_total_only_in_whole_hours() -> None:
    gate = ConsentFilter(read_consent(HOURLY, name="consent.toml", home="h01"))
    odd = (LongInterval(Measure.PV_PRODUCTION, FIRST + 1, 2, 250),)
    whole = (LongInterval(Measure.PV_PRODUCTION, FIRST, 4, 400),)
    batches = [batch_of(gate, closed(0)), batch_of(gate, closed(1, None)), batch_of(gate, closed(2, 5, odd))]
    batches.append(batch_of(gate, closed(3, 100, whole)))
    assert batches[2].long_intervals == ()
    assert batches[3].long_intervals == whole
    (column,) = [c for c in batches[3].columns if c.measure is Measure.PV_PRODUCTION]
    assert (column.energy_wh, column.mark, column.gap) == (205, Mark.PARTIAL, Gap.DEVICE_SILENT)


def identity(consent: ConsentSet) -> Identity:
    answer = EnrolAnswer("c", "h01", "a-1", shard_of("a-1"), bytes(32), "127.0.0.1", 1, "UTC", consent_toml(consent))
    return Identity(SIGNER, answer)


async def test_a_new_consent_enters_the_chain_once_and_before_everything_else(tmp_path: Path) -> None:
    enrolled = identity(default_consent("h01"))
    wanted = read_consent(HOURLY, name="consent.toml", home="h01")
    for start in range(2):
        async with open_outbox(tmp_path, max_mb=1, now_s=NOW + start) as (outbox, _):
            found = await consent_in_force(outbox, enrolled, wanted=wanted, name="consent.toml", now_s=NOW)
            assert found == wanted
            waiting = await outbox.waiting(after=0, limit=9)
    (notice,) = waiting
    payload = open_sealed(notice.sealed, notice.topic, SIGNER.key.public_key())
    assert decode_consent(decode_consent_notice(payload).consent) == wanted


async def test_an_empty_outbox_begins_with_the_consent_of_the_enrolment_once(tmp_path: Path) -> None:
    enrolled = identity(default_consent("h01"))
    for _start in range(2):
        async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
            assert await consent_in_force(outbox, enrolled, wanted=None, name="-", now_s=NOW) == default_consent("h01")
            (first,) = await outbox.waiting(after=0, limit=9)
            assert (first.seq, first.topic.rpartition("/")[2]) == (1, "consent")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HOURLY.replace("version = 2", "version = 1"), "the rules differ from version 1, expected 2"),
        (HOURLY.replace('"h01"', '"h02"'), "home: expected 'h01'"),
        (HOURLY.replace("peers.view", "peers.sell"), "purpose: expected a code of the catalogue"),
        ("[[", "not TOML"),
    ],
)
async def test_a_consent_that_cannot_be_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        enrolled = identity(default_consent("h01"))

        async def use() -> None:
            wanted = read_consent(text, name="consent.toml", home="h01")
            await consent_in_force(outbox, enrolled, wanted=wanted, name="consent.toml", now_s=NOW)

        with pytest.raises(SettingsError) as caught:
            await use()
        assert words in str(caught.value)
        assert str(caught.value).startswith("consent.toml")
        assert await outbox.waiting(after=0, limit=9) == []


async def test_an_older_consent_never_comes_back(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        enrolled = identity(default_consent("h01"))
        wanted = read_consent(HOURLY, name="consent.toml", home="h01")
        await consent_in_force(outbox, enrolled, wanted=wanted, name="consent.toml", now_s=NOW)
        with pytest.raises(SettingsError, match="version: 2 is in force"):
            await consent_in_force(outbox, enrolled, wanted=default_consent("h01"), name="consent.toml", now_s=NOW)


def test_a_rule_that_begins_later_is_said_and_a_slip_in_the_year_is_refused() -> None:
    consent = read_consent(HOURLY, name="consent.toml", home="h01")
    (rule, *others) = consent.rules
    now_s = 1_800_000_000.0
    now = slot_of(now_s)

    def lines(valid_from: int, at_s: float = now_s) -> list[str]:
        later = replace(consent, rules=(replace(rule, valid_from=valid_from, valid_until=None), *others))
        return rules_to_come(later, name="consent.toml", now_s=at_s)

    assert lines(now) == []
    (line,) = lines(now + 96)
    assert line.startswith(f"consent.toml: the rule for {rule.purpose} starts at ")
    with pytest.raises(SettingsError, match="valid_from 2099-01-01T00:00Z is more than five years away: is the year"):
        lines(parse_slot("2099-01-01T00:00Z"))
    assert lines(now, at_s=0.0) != [], "a clock that is not set makes no rule look years away"
