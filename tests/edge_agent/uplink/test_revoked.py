"""A revoked agent says so in one line, keeps the notice over restarts, shows it in `outbox`, and goes on measuring."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.outbox.text import outbox_record, outbox_table
from edge_agent.outbox.view import read_overview
from protocols.wire.revocations import RevocationCause, RevocationNotice, encode_revocation
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import NOW, line
from tests.edge_agent.stub_hub import AGENT, BrokerProcess, running_broker

NOTICE = RevocationNotice(AGENT, int(NOW) - 60, RevocationCause.REPLACED)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with running_broker(tmp_path) as running:
        yield running


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "accepts" in record.getMessage()]


async def test_a_notice_is_said_once_kept_and_shown(
    tmp_path: Path, broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with line(tmp_path, broker, answers=False) as made:
        async with made.running():
            await made.add(2)
            await until(lambda: made.hub.position.seq == 2)
            stranger, other = Ed25519PrivateKey.generate(), RevocationNotice("a-other", 5, RevocationCause.REVOKED)
            made.hub.publish("revoked", encode_revocation(NOTICE), key=stranger)
            made.hub.publish("revoked", encode_revocation(other))
            await until(lambda: made.uplink.ignored == 1)
            assert not said(caplog), "only the hub's own word about this very agent counts"
            made.hub.publish("revoked", encode_revocation(NOTICE))
            made.hub.publish("revoked", encode_revocation(NOTICE))
            await until(lambda: said(caplog))
        (line_said,) = said(caplog)
        assert "another agent was enrolled for this home" in line_said
        assert "switch this agent off, or ask the co-op for a new invitation" in line_said
        shown = read_overview(tmp_path / "data", limit=5)
        assert shown.revoked == NOTICE
        assert "REVOKED at" in outbox_table(shown, "Europe/Berlin")
        assert json.loads(outbox_record(shown))["revoked"] == {"agent": AGENT, "at": NOTICE.at, "cause": "replaced"}
        assert await made.waiting() == 2, "nothing is thrown away"
        made.uplink = made.make_uplink()
        async with made.running():
            await until(lambda: len(said(caplog)) == 2, what="a new start says it again")


async def test_a_later_receipt_takes_the_notice_back(
    tmp_path: Path, broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with line(tmp_path, broker) as made, made.running():
        await until(lambda: made.uplink.is_connected)
        made.hub.publish("revoked", encode_revocation(NOTICE))
        await until(lambda: said(caplog))
        made.hub.at_s = NOTICE.at
        await made.add(1)
        await made.all_receipted(1)
        assert len(said(caplog)) == 1, "a receipt from before proves nothing"
        made.hub.at_s = NOTICE.at + 1
        await made.add(1)
        await made.all_receipted(2)
        assert said(caplog)[1:] == ["the hub accepts this agent again"]
        assert read_overview(tmp_path / "data", limit=5).revoked is None
