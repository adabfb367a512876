"""What the demonstration reads of a running agent's outbox is what the agent's own store keeps there."""

from pathlib import Path

from edge_agent.outbox.messages import ChainLink, SealedMessage
from edge_agent.outbox.opening import open_outbox
from simulator.demo.outbox import next_slot, overview, waiting

NOW = 1_790_000_000.0


def sealing(link: ChainLink) -> SealedMessage:
    return SealedMessage("batch", "t", b"%d" % link.seq)


async def test_the_next_slot_and_what_waits_are_read_from_a_real_outbox(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        assert next_slot(tmp_path) == 0
        await outbox.append([sealing, sealing], now_s=NOW, checkpoint=b'{"next_slot":1988888}')
        assert next_slot(tmp_path) == 1_988_888
        assert waiting(tmp_path) == 2
        found = overview(tmp_path, newest=1)
    assert (found["messages"], found["waiting"], found["dropped"]) == (2, 2, 0)
    assert [each["seq"] for each in found["newest"]] == [2]
