"""Opening the next group while one is stored changes nothing: rows, counts and receipts are those of one by one."""

import asyncio
import tempfile
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.broker.connection import Delivery
from hub.intake import receiver
from hub.intake.receiver import Intake
from hub.storage.errors import StoreError
from hub.storage.records import AcceptedMessage, Access
from hub.storage.sqlite.store import SqliteStore
from protocols.quantities import Gap, Mark, Measure
from protocols.timeline import Clock
from protocols.wire.envelope import open_sealed
from protocols.wire.readings import Column
from protocols.wire.receipts import Receipt, decode_receipt
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, open_store

KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
LOOK = Access("verify", "job", "verify", "")
HOMES = 3
GROUP = 6
"""So small that a short stream is several groups, and each of them but the last is opened ahead."""

KINDS = ("batch", "batch", "batch", "refused", "skipped", "twice", "old", "forged", "replayed", "epoch", "junk")
STREAMS = st.lists(st.tuples(st.integers(0, HOMES - 1), st.sampled_from(KINDS)), min_size=8, max_size=60)
Sent = tuple[str, bytes]


def stream_of(made: Sequence[tuple[int, str]]) -> tuple[list[SendingHome], list[Sent], dict[str, list[Sent]]]:
    """The homes, what arrives of them in order, and what each of them has signed, to be sent until it is receipted."""
    homes = [SendingHome(f"h{n}", Ed25519PrivateKey.from_private_bytes(bytes([n + 1]) * 32)) for n in range(HOMES)]
    whole: dict[str, list[Sent]] = {home.agent: [] for home in homes}
    arrives: list[Sent] = []
    for number, kind in made:
        home, signed = homes[number], whole[homes[number].agent]
        if kind in ("old", "replayed", "forged") and not signed:
            continue
        if kind == "old":
            arrives.append(signed[len(arrives) % len(signed)])
        elif kind == "forged":
            topic, sealed = signed[-1]
            arrives.append((topic, sealed[:-1] + bytes([sealed[-1] ^ 1])))
        elif kind == "replayed":
            copy = replace(home, seq=home.seq - 1)
            if copy.seq > 0:
                arrives.append(copy.batch(FIRST_SLOT + 400))
        elif kind == "junk":
            arrives.append((f"cw1/{COOP.id}/1/a-nobody/up/batch", b"junk"))
        else:
            if kind == "epoch":
                home.new_epoch()
            pv = [Column(Measure.PV_PRODUCTION, 1, 4, 0, Mark.MEASURED, Gap.NONE)] if kind == "refused" else None
            signed.append(home.batch(FIRST_SLOT + len(signed), columns=pv))
            arrives += [] if kind == "skipped" else signed[-1:] * (2 if kind == "twice" else 1)
    return homes, arrives, whole


@dataclass
class Broker:
    """Holds each receipt against what is committed when it is sent."""

    committed: set[tuple[str, int, int]] = field(default_factory=set)
    receipts: list[Receipt] = field(default_factory=list)
    acknowledged: int = 0

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += len(deliveries)

    def publish(self, topic: str, sealed: bytes) -> None: ...

    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None:
        receipt = decode_receipt(open_sealed(seal(), topic, KEY.public_key()))
        told = {(receipt.agent, receipt.epoch, seq) for seq in range(1, receipt.through_seq + 1)}
        assert told <= self.committed, "a receipt before the commit that it reports"
        self.receipts.append(receipt)

    def through(self, agent: str) -> dict[int, int]:
        """The last number receipted of each epoch."""
        found: dict[int, int] = {}
        for each in self.receipts:
            if each.agent == agent:
                found[each.epoch] = max(found.get(each.epoch, 0), each.through_seq)
        return found


async def fed(made: Sequence[tuple[int, str]], folder: Path, *, ahead: bool, fails: set[int]) -> object:
    """What is left of a stream, handled by groups that are opened ahead or one message after the other.

    The store fails at these of its writes. Then each home sends everything again, as agents do without a receipt. (Once
    a later epoch is stored, nothing more of the one before is taken: what a failure then costs depends on the group.)
    """
    made = [(home, "batch" if fails and kind == "epoch" else kind) for home, kind in made]
    homes, arrives, whole = stream_of(made)
    store = await open_store(folder, homes)
    broker = Broker()
    _fail(store, broker, fails)
    intake = Intake(store, coop=COOP.id, key=KEY, clock=Clock(real=lambda: float(NOW_S)), broker=broker)
    await _send(intake, broker, arrives, ahead=ahead)
    counted = dict(intake.tally._outcomes)
    for _ in range(len(fails) + 3):
        again = [message for home in homes for message in whole[home.agent]]
        await _send(intake, broker, again, ahead=ahead)
    found: dict[str, object] = {}
    for home in homes:
        rows = await store.stored_messages(home.agent, after=(0, 0), limit=200)
        async with (await store.stored_rows([home.home], access=LOOK)).view(home.home) as view:
            stored = await view.home(home.home)
        found[home.home] = (
            [(row.epoch, row.seq, row.hash, row.sealed, row.refused) for row in rows],
            sorted(stored.readings.items()),
            broker.through(home.agent),
            _last(broker, home.agent),
        )
    found["counts"] = None if fails else (counted, [(r.agent, r.reason) for r in await store.refusals()])
    await store.close()
    return found


def _last(broker: Broker, agent: str) -> object:
    told = [each for each in broker.receipts if each.agent == agent]
    return (told[-1].epoch, told[-1].through_seq, told[-1].head, told[-1].gaps, told[-1].refused) if told else None


def _fail(store: SqliteStore, broker: Broker, fails: set[int]) -> None:
    stores, count = store.store_messages, 0

    async def store_messages(messages: Sequence[AcceptedMessage]) -> None:
        nonlocal count
        count += 1
        if count in fails:
            await asyncio.sleep(0)
            raise StoreError("the disk is full")
        await stores(messages)
        broker.committed |= {(each.agent, each.epoch, each.seq) for each in messages}

    store.store_messages = store_messages  # type: ignore[method-assign]


async def _send(intake: Intake, broker: Broker, messages: Sequence[Sent], *, ahead: bool) -> None:
    deliveries = [Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(messages)]
    intake._opens_ahead = ahead
    done = broker.acknowledged
    async with asyncio.timeout(60):
        for lot in [deliveries] if ahead else [[each] for each in deliveries]:
            intake.offer(lot)
            done += len(lot)
            while broker.acknowledged < done:
                await intake.work_once()


@settings(max_examples=12, deadline=None)
@given(made=STREAMS, fails=st.sets(st.integers(1, 6), max_size=2))
def test_groups_opened_ahead_leave_what_single_messages_would(made: list[tuple[int, str]], fails: set[int]) -> None:
    begun: list[int] = []
    begin = receiver.Opening.begin

    def counting(*group: object, **more: object) -> object:
        begun.append(len(group[1]))  # type: ignore[arg-type]
        return begin(*group, **more)  # type: ignore[arg-type]

    async def both() -> tuple[object, object]:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            by_groups = await fed(made, Path(one), ahead=True, fails=fails)
            assert begun or len(stream_of(made)[1]) < 2 * GROUP, "nothing was opened ahead"
            return by_groups, await fed(made, Path(other), ahead=False, fails=fails)

    with (
        patch("hub.intake.fair_queues.MAX_GROUP", GROUP),
        patch.multiple(receiver, AHEAD_FROM=2, STORE_RETRY_S=0.0, ASK_AFTER_FAILURE_S=0.0, QUIET_S=0.0),
        patch.object(receiver.Opening, "begin", counting),
    ):
        by_groups, one_by_one = asyncio.run(both())
    assert by_groups == one_by_one
