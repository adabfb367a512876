"""Takes messages from the broker, stores in group commits those that acceptance.py accepts, and answers with receipts.

A receipt is sent only after the commit that it reports. Refused messages are counted by reason and not stored.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import Delivery
from hub.folder.intake_settings import IntakeLimits
from hub.health.intake_tally import LEFT, IntakeTally
from hub.health.trail import batch_id, new_id, step, working
from hub.intake.acceptance import judge_message, needs_stored_hash
from hub.intake.admission import Admission
from hub.intake.answering import revocation_notices, times_told
from hub.intake.conduct import DAY_S, Excess, HubReason, outcome_of
from hub.intake.fair_queues import MAX_GROUP
from hub.intake.group.answers import Answers
from hub.intake.group.asking_again import AskingAgain
from hub.intake.group.counting import RefusalLog, counted, say_cut_off
from hub.intake.group.opening import Group, Opened, Opening
from hub.intake.group.reading import forget_agents, read_agents, read_prompts
from hub.intake.group.receipts import Receipts, asked_for
from hub.intake.group.writing import BrokerClient, IntakeStore, all_ended
from hub.intake.leases.work import AllAgents
from hub.intake.state import (
    UNKNOWN,
    Acceptance,
    IntakeState,
    IntakeVerdict,
    OpenedMessage,
    Rejection,
    ToldNotice,
)
from hub.storage.errors import HomesChangedError, LeaseLostError, StoreError
from protocols.slots import slot_of, start_of
from protocols.timeline import Clock
from protocols.wire.refusal_reasons import RefusalReason

log = logging.getLogger(__name__)

GROUP_WAIT_S: Final = 0.05
QUIET_S: Final = 0.01
"""A group is closed early if nothing arrives for this long."""

AT_ONCE: Final = 32
"""How many messages are checked before other tasks get a turn, so that pages still respond during a flood."""

AHEAD_FROM: Final = MAX_GROUP // 2
"""So many have to wait for the next group to be opened before this one is stored."""

AGENTS_FRESH_S: Final = 10.0
STORE_RETRY_S: Final = 1.0
ASK_AFTER_FAILURE_S: Final = 5.0
"""How long after a failure of the store the agents are asked for what it could not take."""

COUNT_EACH_S: Final = 1.0
"""How often what was left for later is written down: a flood costs few commits."""

BEHIND_S: Final = 2 * 3600
"""An agent whose newest batch is older than this catches up, and waits for those that are up to date."""
JUDGED_MOST: Final = 5
"""How often a group is judged while other workers change what it is judged by."""


class Intake:
    """One worker. `offer` queues deliveries in the event loop; `run` handles them until it is cancelled.

    `work` says which agents' messages it takes: all of them, unless it shares them with other workers.
    """

    def __init__(
        self,
        store: IntakeStore,
        *,
        coop: str,
        key: Ed25519PrivateKey,
        clock: Clock,
        broker: BrokerClient,
        limits: IntakeLimits | None = None,
        work: AllAgents | None = None,
    ) -> None:
        self._store = store
        self._work = work or AllAgents(store)
        self._coop = coop
        self._clock = clock
        self._broker = broker
        self._state = IntakeState(coop)
        self._agents_read_at = float("-inf")
        self._reading = asyncio.Lock()
        # As they were last read: also while the store is away, when the state is empty.
        self._known = self._enrolled = frozenset[str]()
        self._refusal_log = RefusalLog()
        self._limits = limits or IntakeLimits()
        self._admission = Admission(coop, self._limits)
        self._answers = Answers(store, broker, coop=coop, key=key, limits=self._limits)
        self._asking = AskingAgain(coop, has_waiting=self._has_waiting)
        self._opening = Opening()
        self._opens_ahead = False
        self._arrived = asyncio.Event()
        self._counted_at = float("-inf")
        self.tally = IntakeTally(
            refusals=RefusalReason, left=(HubReason.TOO_MANY, HubReason.DAY_LIMIT, HubReason.CUT_OFF)
        )
        self._receipts = Receipts(store, broker, coop=coop, key=key, clock=clock, tally=self.tally)

    @property
    def admission(self) -> Admission:
        """What waits, and who is cut off."""
        return self._admission

    def offer(self, deliveries: Sequence[Delivery]) -> None:
        """Queue deliveries. Those without room are left and counted, and receipts ask the agents for them."""
        deliveries = self._work.own(deliveries)
        self.tally.received += len(deliveries)
        left = self._admission.arrive(deliveries, self._known, steady_s=_steady_s())
        if left:
            self._asking.note(self._admission.to_ask_for(), self._enrolled, due_s=_steady_s())
            self._broker.acknowledge(left)
        self._arrived.set()

    async def run(self) -> None:
        """Handle messages until cancelled. While the store is failing, it keeps trying and sends no receipts.

        While a group is stored, the next one is opened, if that is a large one already.
        """
        await self._reload()
        self._opens_ahead = True
        while True:
            await self.work_once()

    async def work_once(self) -> None:
        """Wait for messages, collect a group, store it and send the receipts; write down what was left for later."""
        group = Group()
        try:
            await self.follow_shards()
            ahead = self._opening.take_ahead()
            group = Group(await self._collect()) if ahead is None else ahead.only(self._work.own(ahead.deliveries))
            if group.deliveries:
                with working("group", group=new_id()) as work:
                    work.note(messages=len(group.deliveries))
                    await self._handle(group)
            await self._ask_again()
            await self._count_left()
        except LeaseLostError as error:
            self._work.note_lost(error)
        except StoreError as error:
            # Acknowledged to the broker but without a receipt: the agents keep these messages and are asked for them.
            if not error.is_said:
                log.error("intake: %s; trying again", error)
            self.tally.note_store_error(str(error))
            self._asking.note(group.deliveries, self._enrolled, due_s=_steady_s() + ASK_AFTER_FAILURE_S)
            await asyncio.sleep(STORE_RETRY_S)
            await self._reload_when_possible()
        self._broker.acknowledge(group.deliveries)

    def shards_changed(self) -> None:
        """This worker has other shards: take them up when the group in hand is done."""
        self._arrived.set()

    async def agents_changed(self) -> None:
        """Read newly enrolled and revoked agents from the store now."""
        await self._read_agents()

    async def _collect(self) -> list[Delivery]:
        """The next group; empty if nothing is ready and it is time to write down what was left."""
        admission = self._admission
        while not self._work.is_behind and (wait_s := admission.ready_in_s(_steady_s())) != 0:
            count_s = self._counted_at + COUNT_EACH_S - _steady_s() if admission.has_counts else None
            due_s = [each for each in (count_s, self._asking.due_in_s(steady_s=_steady_s())) if each is not None]
            if due_s and min(due_s) <= 0:
                return []
            wait_s = min([*due_s, wait_s] if wait_s is not None else due_s, default=None)
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait_s)
        if self._work.is_behind:
            return []
        deadline = _steady_s() + GROUP_WAIT_S
        seen = 0
        while seen < (ready := admission.ready_count(_steady_s())) < MAX_GROUP and _steady_s() < deadline:
            seen = ready
            await asyncio.sleep(QUIET_S)
        group, left = admission.take(_steady_s())
        self._broker.acknowledge(left)
        return group

    async def _ask_again(self) -> None:
        """Ask for what was left, once nothing of its agent waits here. Raises: StoreError."""
        if self._asking.due_in_s(steady_s=_steady_s()) == 0 and self._agents_read_at == float("-inf"):
            await self._read_agents()  # after a failure of the store the chains are empty
        due = self._asking.take_due(steady_s=_steady_s())
        known = [each for each in due if each[0] in self._state.chains]
        if known:
            at = await self._work.confirmed(self._clock.now(), is_proven=False)
            await self._receipts.send(known, self._state.chains, self._asking, stored_at=at)

    async def _count_left(self) -> None:
        """Write down what was left for later and who is cut off, once in a while. Raises: StoreError."""
        if _steady_s() - self._counted_at < COUNT_EACH_S:
            return
        self._counted_at = _steady_s()
        at = int(self._clock.now())
        if counts := self._admission.counts(at=at):
            for left in counts:
                self.tally.note(LEFT, left.reason, steady_s=_steady_s(), count=left.count)
            await self._store.count_refusals(counts)
            self._refusal_log.say(counts)
        if found := self._admission.new_cut_offs(at=at, steady_s=_steady_s()):
            await self._store.cut_off_agents(found)
            say_cut_off(found)
        if _steady_s() - self._agents_read_at > AGENTS_FRESH_S:
            await self._read_agents()

    async def _handle(self, group: Group) -> None:
        for _ in range(JUDGED_MOST):
            try:
                await self._handle_once(group)
                return
            except LeaseLostError as error:
                self._work.note_lost(error)
            except HomesChangedError as error:
                log.info("a group is judged again: %s (%s)", error, ", ".join(sorted(error.homes)))
            # What was judged is not stored: the state is read again, without the agents that others have now.
            await self.follow_shards()
            await self._reload()
            group = group.only(self._work.own(group.deliveries))
        raise StoreError("other workers change the same homes again and again")

    async def _handle_once(self, group: Group) -> None:
        now_s, began_s = self._clock.now(), _steady_s()
        await self._look_up(group.deliveries, now_s=now_s)
        verdicts: list[IntakeVerdict | Excess] = []
        opened = await (group.opening or self._opening.open_all(group.deliveries, self._state, received_at=int(now_s)))
        before = self._work.before(self._state, (each.agent for each in opened))
        for done, each in enumerate(opened, start=1):
            verdicts.extend(await self._check(each, now_s=now_s))
            if done % AT_ONCE == 0:
                await asyncio.sleep(0)
        accepted = [verdict.message for verdict in verdicts if isinstance(verdict, Acceptance)]
        refusals = counted(verdicts, at=int(now_s))
        times, clocks = times_told(verdicts, at=int(now_s))
        meters = [verdict.received for verdict in verdicts if isinstance(verdict, ToldNotice)]
        self._open_ahead(now_s)
        # If power fails before this returns, no receipt was sent: every agent still has its messages.
        await all_ended(
            *([self._store.note_clocks(clocks)] if clocks else []),
            *([self._store.note_meters(meters)] if meters else []),
            *([self._work.store_messages(accepted, before, self._state)] if accepted else []),
        )
        stored_at = await self._work.confirmed(now_s, is_proven=bool(accepted))
        self._receipts.note_stored(accepted)
        self._note(verdicts, now_s=now_s)
        asked = asked_for(verdicts, accepted)
        await self._receipts.send(asked, self._state.chains, self._asking, stored_at=stored_at)
        self.tally.groups.note(_steady_s() - began_s)
        homes, waiting = len(self._state.chains), self._waiting
        await self._answers.tell(verdicts, times, waiting=waiting, homes=homes, at=int(now_s), steady_s=_steady_s())
        # Counted after the receipts, so that an honest agent does not wait for what a flood leaves behind.
        if refusals:
            await self._store.count_refusals(refusals)
            self._refusal_log.say(refusals)

    def _open_ahead(self, now_s: float) -> None:
        """Begin to open the next group while this one is stored. It is judged afterwards, on what became of this one.

        A small one is left to grow: each group costs a commit, and its agents a receipt each.
        """
        ready = self._admission.ready_count(_steady_s()) if self._opens_ahead and self._opening.ahead is None else 0
        if ready >= AHEAD_FROM:
            deliveries, left = self._admission.take(_steady_s())
            self._broker.acknowledge(left)
            self._opening.begin(deliveries, self._state, received_at=int(now_s))

    @property
    def _waiting(self) -> int:
        return self._admission.waiting + len((self._opening.ahead or Group()).deliveries)

    def _has_waiting(self, agent: str) -> bool:
        return self._admission.has_waiting(agent) or self._opening.has_ahead(agent)

    async def follow_shards(self) -> None:
        """Take up the shards that this worker was given and forget those that others have. Raises: StoreError."""
        if not self._work.is_behind:
            return
        has_new = self._work.begin_change()
        self._work.give_back(self._admission.forget(lambda agent: not self._work.covers(agent)))
        async with self._reading:
            forget_agents(self._state, covers=self._work.covers)
        await (self._reload() if has_new else self._read_agents())
        self._work.complete_change()

    def _note(self, verdicts: Sequence[IntakeVerdict | Excess], *, now_s: float) -> None:
        steady_s = _steady_s()
        self._admission.note_refused(verdicts, steady_s=steady_s)
        self.tally.note_stored()
        for outcome, count in Counter(map(outcome_of, verdicts)).items():
            self.tally.note(*outcome, steady_s=steady_s, count=count)
        accepted = [verdict.message for verdict in verdicts if isinstance(verdict, Acceptance)]
        newest = {message.agent: message.slot for message in accepted if message.slot is not None}
        for agent, slot in newest.items():
            self._admission.note_behind(agent, is_behind=start_of(slot + 1) < now_s - BEHIND_S)

    async def _check(self, opened: Opened, *, now_s: float) -> tuple[IntakeVerdict | Excess, ...]:
        if not isinstance(opened, OpenedMessage):
            return (opened,)
        step("batch opened", batch=batch_id(opened.hash))
        chain = self._state.chains.get(opened.agent)
        if chain is None:  # the state was begun again while it was opened
            return (Rejection(UNKNOWN, RefusalReason.UNKNOWN_AGENT, f"no agent {opened.agent} is enrolled"),)
        if chain.is_revoked:  # while it was opened
            return (Rejection(opened.agent, RefusalReason.REVOKED, "the agent's key was revoked"),)
        excess = self._admission.excess(opened, chain, now_s=now_s)
        if excess is not None:
            return (excess,)
        held_hash = await self._stored_hash(opened) if needs_stored_hash(opened, self._state) else None
        verdicts = judge_message(opened, self._state, held_hash=held_hash, now_s=now_s)
        self._admission.note_taken(verdicts, now_s=now_s)
        self._note_unkept(opened)
        return verdicts

    def _note_unkept(self, opened: OpenedMessage) -> None:
        """What is too far ahead of a gap is not kept: if the hub itself made the gap, it asks for that as well."""
        chain, key = self._state.chains[opened.agent], (opened.header.epoch, opened.header.seq)
        is_ahead = key > (chain.position.epoch, chain.position.seq) and key not in chain.ahead
        if is_ahead and self._asking.misses(opened.agent):
            self._asking.note_number(opened.agent, epoch=key[0], seq=key[1], due_s=_steady_s())

    async def _stored_hash(self, opened: OpenedMessage) -> bytes | None:
        return await self._store.message_hash(opened.agent, epoch=opened.header.epoch, seq=opened.header.seq)

    async def _look_up(self, group: Sequence[Delivery], *, now_s: float) -> None:
        """Read what the checks of this group may need: changed agents and answered prompts."""
        if _steady_s() - self._agents_read_at > AGENTS_FRESH_S:
            await self._read_agents()
        if any(delivery.topic.endswith("/up/answer") for delivery in group):
            self._state.prompts = await read_prompts(self._store, slot_of(now_s))

    async def _reload_when_possible(self) -> None:
        try:
            await self._reload()
        except StoreError as error:
            if not error.is_said:
                log.error("intake: %s", error)

    async def _reload(self) -> None:
        """Begin again with what the store has. Until it can be read, an empty state refuses everything."""
        async with self._reading:
            self._state, self._agents_read_at = IntakeState(self._coop), float("-inf")
            await self._bring_up_to_date(self._state)
        now_s = self._clock.now()
        taken = await self._store.taken_since(int(now_s - now_s % DAY_S), newest=self._limits.messages_a_day)
        self._admission.resume(taken, now_s=now_s)

    async def _read_agents(self) -> None:
        """Bring the state up to date with the store; chains that are already known stay as they are.

        It takes turns with beginning again: what is read for one state is of no use to the next.
        """
        async with self._reading:
            await self._bring_up_to_date(self._state)

    async def _bring_up_to_date(self, state: IntakeState) -> None:
        before = {name for name, chain in state.chains.items() if chain.is_revoked}
        read = await read_agents(self._store, state, covers=self._work.covers)
        self._known = frozenset(state.chains)
        self._enrolled = frozenset(name for name, chain in state.chains.items() if not chain.is_revoked)
        self._admission.cut_off_only(read.cut_off)
        notices = revocation_notices(read.agents)
        own = {name: notice for name, notice in notices.items() if self._work.covers(name)}
        self._answers.tell_revoked(self._answers.know_revoked(own) - before - read.fresh)
        self._asking.forget_others(self._enrolled)
        self._agents_read_at = _steady_s()


def _steady_s() -> float:
    return asyncio.get_running_loop().time()
