"""Readings that come again, late, or twice in a group: what counts is what one message after the other would leave."""

import random

from hub.storage.records import AcceptedMessage, Access, Agent, Coop, Home, Member, ReadingRow
from protocols.quantities import Gap, Mark, Measure
from tests.hub.storage.backends import OpenBackend

FIRST = 2_000_000
LOOK = Access("verify", "job", "verify", "")
AGENTS = {"a": 1, "b": 2}
"""Two agents of one home, with their seats."""

Stored = dict[tuple[int, int, int], tuple[int | None, int, int]]


async def test_the_readings_are_those_that_single_messages_would_leave(open_backend: OpenBackend) -> None:
    store = await open_backend(now=lambda: 1.0)
    await store.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    await store.add_member(Member("m01", "One", "m1@x.org", "en", True, 1), Home("h01", "Home", "m01"))
    for name, seat in AGENTS.items():
        token = name.encode().ljust(32)
        await store.add_invite(token, home_id="h01", expires_at=2**40, is_further=seat > 1)
        assert await store.redeem_invite(token, agent=Agent(name, "", 3, token, 1, None), now=1) is None
    dice, numbers, expected = random.Random(7), dict.fromkeys(AGENTS, 0), Stored()
    newest = FIRST
    for _ in range(40):
        group = []
        for _ in range(dice.randint(1, 6)):
            agent = dice.choice(sorted(AGENTS))
            numbers[agent] += 1
            slot = dice.choice([newest + 1, newest, FIRST, dice.randint(FIRST, newest)])
            newest = max(newest, slot)
            message = _message(dice, agent, seq=numbers[agent], slot=slot)
            group.append(message)
            for row in message.readings:
                held = expected.get((row.measure, row.slot, row.span))
                if held is None or row.mark < held[1]:
                    expected[row.measure, row.slot, row.span] = row[4:]
        await store.store_messages(group)
        await store.store_messages(group[-1:])  # comes again, and changes nothing
        async with (await store.stored_rows(["h01"], access=LOOK)).view("h01") as view:
            assert (await view.home("h01")).readings == expected
    assert any(mark is not Mark.MEASURED for _, mark, _ in expected.values())
    await store.close()


def _message(dice: random.Random, agent: str, *, seq: int, slot: int) -> AcceptedMessage:
    rows = []
    for measure in dice.sample(sorted(Measure), dice.randint(1, 3)):
        mark = dice.choice(sorted(Mark))
        gap = Gap.AGENT_OFF if mark in (Mark.PARTIAL, Mark.MISSING) else Gap.NONE
        wh = None if mark is Mark.MISSING else dice.randint(0, 900)
        rows.append(ReadingRow("h01", measure, slot, dice.choice([1, 4]), wh, mark, gap))
    made = seq.to_bytes(16) + agent.encode().ljust(16)
    return AcceptedMessage(
        *(agent, "h01", 1, seq, "batch", made, b"s", 1, slot, tuple(rows), (), (), None, None, None),
        seat=AGENTS[agent],
    )
