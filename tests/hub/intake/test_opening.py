"""Messages opened in several threads: the same verdicts in the same order, and a revocation in between holds."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import Delivery
from hub.intake.acceptance import open_message
from hub.intake.group.opening import FEW, PIECE, Opening
from hub.intake.state import AgentChain, IncomingMessage, IntakeState, OpenedMessage, Rejection
from tests.hub.intake.test_receiver import bench_on
from tests.hub.sending_home import COOP, NOW_S, SendingHome, open_store


def deliveries(*messages: tuple[str, bytes]) -> list[Delivery]:
    return [Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(messages)]


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 5 * PIECE + 3])
async def test_each_is_what_it_would_be_alone_and_in_its_place(count: int) -> None:
    homes = [SendingHome(f"h{n}", Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in range(1, 5)]
    state = IntakeState(COOP.id, {home.agent: AgentChain(home.home, home.key.public_key()) for home in homes[:3]})
    sent = [homes[n % 4].batch() for n in range(count)]
    sent[count // 2] = (sent[count // 2][0], sent[count // 2][1][:-1] + b"!")
    group = deliveries(*sent)
    found = await Opening().open_all(group, state, received_at=NOW_S)
    alone = [open_message(IncomingMessage(each.topic, each.payload, NOW_S), state) for each in group]
    assert found == alone
    assert any(isinstance(each, Rejection) for each in found)
    genuine = [each.sealed for each in found if isinstance(each, OpenedMessage)]
    assert genuine == [sealed for n, (_, sealed) in enumerate(sent) if n % 4 != 3 and n != count // 2]


async def test_what_was_opened_before_a_revocation_is_refused_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    bench = bench_on(store)
    await bench.intake.agents_changed()
    opening = bench.intake._opening
    open_all = opening.open_all

    async def revoked_meanwhile(group: list[Delivery], state: IntakeState, *, received_at: int) -> list[object]:
        found = await open_all(group, state, received_at=received_at)
        await store.write(lambda db: db.execute("UPDATE agent SET revoked_at = ? WHERE id = ?", (NOW_S, home.agent)))
        await bench.intake.agents_changed()
        return list(found)

    monkeypatch.setattr(opening, "open_all", revoked_meanwhile)
    await bench.receive(*(home.batch() for _ in range(3)))
    assert await store.message_count() == 0
    assert [(each.reason, each.count) for each in await store.refusals()] == [("revoked", 3)]
    await store.close()
