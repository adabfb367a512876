"""A message the hub will never take is put aside, said and shown; everything else goes on in a new epoch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.outbox.text import outbox_table
from edge_agent.outbox.view import read_overview
from edge_agent.uplink import mqtt_link
from protocols.wire.refusal_notices import RefusalNotice, encode_refusal
from protocols.wire.refusal_reasons import RefusalReason
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import NOW, Line, line
from tests.edge_agent.stub_hub import AGENT, BrokerProcess, running_broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with running_broker(tmp_path) as running:
        yield running


async def notice(made: Line, seq: int, agent: str = AGENT) -> bytes:
    digest = await made.outbox.hash_of(seq)
    return encode_refusal(RefusalNotice(agent, int(NOW), digest or bytes(32), RefusalReason.GARBAGE))


async def test_the_chain_goes_on_without_the_message_the_hub_never_takes(
    tmp_path: Path, broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with line(tmp_path, broker) as made:
        await made.add(5)
        made.hub.unreadable.add(await made.outbox.hash_of(3) or b"")
        first_epoch = made.outbox.next_link.epoch
        async with made.running():
            await until(lambda: made.outbox.next_link.epoch > first_epoch, what="a new epoch")
            await until(lambda: made.hub.position.epoch > first_epoch and made.hub.position.seq == 2, what="the rest")
            await made.add(1)
            await made.all_receipted(3)
        assert [batch.slot - 2_000_000 for batch in made.hub.batches] == [0, 1, 3, 4, 5]
        said = [record.getMessage() for record in caplog.records if "never accept" in record.getMessage()]
        assert len(said) == 1
        assert "message 3" in said[0]
        shown = read_overview(tmp_path / "data", limit=9)
        assert (shown.waiting, shown.refused) == (0, 1)
        assert f"{first_epoch}/3 refused: The message was not in the agreed form" in outbox_table(
            shown, "Europe/Berlin"
        )


async def test_a_notice_about_anything_else_changes_nothing(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(2)
        await made.all_receipted(2)
        epoch = made.outbox.next_link.epoch
        made.hub.publish("refused", await notice(made, 1))
        made.hub.publish("refused", await notice(made, 9))
        made.hub.publish("refused", await notice(made, 2, agent="a-other"))
        made.hub.publish("refused", b"junk")
        await until(lambda: made.uplink.ignored == 1)
        await made.add(1)
        await made.all_receipted(3)
        assert made.outbox.next_link.epoch == epoch
    assert mqtt_link.EPOCH_PAUSE_S == 60
