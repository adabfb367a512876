"""From the outbox to the hub and back: paho-mqtt in its own thread, at most 20 messages in flight without a receipt.

A broker's acknowledgement proves nothing and is ignored. Only the hub's signed receipt counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from math import inf

from edge_agent.outbox.messages import OutboxError, ReceiptState, Reseal
from edge_agent.outbox.store import Outbox
from edge_agent.outbox.waking import Signal, to_the_beat
from edge_agent.uplink.broker_connection import BrokerConnection
from edge_agent.uplink.broker_session import IN_FLIGHT, BrokerSession
from edge_agent.uplink.hub_keys import KnownHubKeys, Take
from edge_agent.uplink.hub_time import HubTime
from edge_agent.uplink.map_fetching import CoopMaps
from edge_agent.uplink.meter_teller import MeterTeller
from edge_agent.uplink.moving.place import BrokerPlace
from edge_agent.uplink.moving.reach import BrokerReach
from edge_agent.uplink.pace.told import HubPace
from edge_agent.uplink.pace.waits import ReconnectWaits
from edge_agent.uplink.receipt_effects import ReceiptMeaning, advance_receipts, age_of, epoch_words, meaning_of
from edge_agent.uplink.revoked import RevocationWatch
from edge_agent.uplink.silence import HubSilence
from edge_agent.uplink.tls.files import TlsFiles
from protocols.wire import topics
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.messages import decode_prompt
from protocols.wire.receipts import Receipt, decode_receipt
from protocols.wire.refusal_notices import RefusalNotice, decode_refusal
from protocols.wire.refusal_reasons import RefusalReason, WireError

log = logging.getLogger("commonwatt.agent")

RESEND_FIRST_S = 20.0
RESEND_MAX_S = 600.0
SAVE_EVERY_S = 1.0
SENT_SAVED_AFTER_S = 60.0
"""When something was sent is written together with its receipt; alone only where none comes."""

IDLE_S = 10.0
GAP_AGAIN_S = 5.0
STUCK_S = 5.0
EPOCH_PAUSE_S = 60.0
"""Two computers with the same key would otherwise answer each other with new epochs for ever."""

INBOX_MAX = 200


class Uplink:
    """The connection to the broker and the window of messages in flight. One task runs `run`."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        coop: str,
        agent: str,
        hub_keys: KnownHubKeys,
        broker: BrokerPlace,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        reseal: Reseal,
        resend_first_s: float = RESEND_FIRST_S,
        hub_time: HubTime | None = None,
        tls: TlsFiles | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
        pace: HubPace | None = None,
    ) -> None:
        self._outbox = outbox
        self._agent = agent
        self.hub_keys = hub_keys
        self.broker = broker
        self._now = now
        self._monotonic = monotonic
        self._reseal = reseal
        self._topics = {kind: topics.downlink_topic(coop, agent, kind=kind) for kind in topics.DOWN_KINDS}
        self._hub_time = hub_time
        self._is_stopped = is_stopped
        self.meter: MeterTeller | None = None
        self.maps: CoopMaps | None = None
        self._revocation = RevocationWatch(outbox, agent=agent)
        self.takers: dict[str, Take] = {self._topics["revoked"]: self._revocation.note}
        self.pace = pace or HubPace(agent)
        waits = ReconnectWaits(
            self.pace.uniform, within_s=lambda: self.pace.reconnect_s, longest_s=lambda: broker.longest_wait_s
        )
        down = topics.down_filter(coop, agent)
        self._client = BrokerConnection(
            lambda context: BrokerSession(self, client_id=agent, topic_filter=down, waits=waits, context=context),
            broker=broker,
            tls=tls,
            now=hub_keys.real_now,
            note_down=self.note_down,
            is_stopped=is_stopped,
        )
        self._wake = Signal()
        self._inbox: deque[tuple[str, bytes]] = deque(maxlen=INBOX_MAX)
        self._reach = BrokerReach()
        self._in_flight: deque[int] = deque()
        self._unnoted: set[int] = set()
        self._sent_through = 0
        self._receipted = ReceiptState(0)
        self._epoch_begun_at = -inf
        self._resend_first_s = self._resend_s = resend_first_s
        self._progress_at = monotonic()
        self._unsaved: Receipt | None = None
        self._saved_at = self._unnoted_at = monotonic()
        self._probe: int | None = None
        self._asked_at: dict[int, float] = {}
        self._said: set[RefusalReason] = set()
        self._silence = HubSilence()
        self.ignored = 0

    @property
    def is_connected(self) -> bool:
        """Whether the broker knows the subscription now."""
        return self._reach.is_connected

    @property
    def is_out_of_reach(self) -> bool:
        """Whether connecting has failed since the last connection; False while the agent still waits for its turn."""
        return self._reach.has_failed

    def wake(self, *, for_slot: bool = False) -> None:
        """Signal that the outbox has something new. It goes at once; a slot goes when the hub's pace lets it."""
        if not for_slot:
            self.pace.release()
        self._wake.set()

    def hold_for_slot(self) -> None:
        """A slot is about to be stored: its moment is drawn now, unless more waits and the agent catches up."""
        if self._receipted.through == self._outbox.next_link.seq - 1:
            self.pace.hold()

    def use_renewed(self) -> None:
        """Go on with the certificate that was stored just now."""
        self._client.use_renewed()
        self._wake.set()

    async def run(self) -> None:
        """Send and listen until cancelled. Never raises for anything the broker or the hub does."""
        self._receipted = await self._outbox.receipted()
        await self._revocation.start()
        await asyncio.sleep(self.pace.first_wait_s())
        try:
            while True:
                await self._client.keep()
                await self._wait()
                try:
                    await self._take_inbox()
                    self._ask_time()
                    await self._push()
                    await self._save()
                except OutboxError as error:
                    log.error("sending is on hold: %s", error)
                    await asyncio.sleep(STUCK_S)
                    self._wake.set()
        finally:
            try:
                await self._save(at_once=True)
            except OutboxError as error:
                log.error("could not record what was sent last; it will be sent again: %s", error)
            await self._client.leave()

    async def _wait(self) -> None:
        """Wait until there is something to do or something is due."""
        due_s = min(self._resend_s, to_the_beat(IDLE_S) if self._unsaved is None else SAVE_EVERY_S)
        await self._wake.wait(min(due_s, self.pace.held_s() or due_s))
        self._wake.take()

    def note_up(self) -> None:
        """The broker knows the subscription."""
        self._reach.note_up(self.broker.address)
        # Homes that come back are spread by when they connect.
        self.pace.release()
        for ask_again in (each.ask_again for each in (self._hub_time, self.maps) if each is not None):
            ask_again()
        self._start_over()

    def note_down(self, words: str | None) -> None:
        """There is no connection now; None if the agent ended it itself."""
        self._reach.note_down(self.broker.address, words)

    def note_message(self, topic: str, sealed: bytes) -> None:
        """Something came down, not yet checked."""
        self._inbox.append((topic, sealed))
        self._wake.set()

    def _start_over(self) -> None:
        """Send everything without a receipt again, oldest first."""
        self._in_flight.clear()
        self._sent_through = self._receipted.through
        self._progress_at = self._monotonic()
        self._wake.set()

    async def _push(self) -> None:
        """Fill the window from the outbox, in order."""
        now = self._monotonic()
        if self._reach.is_connected:
            self._silence.check(now)
        if self._reach.is_connected and self._in_flight and now - self._progress_at >= self._resend_s:
            self._resend_s = min(RESEND_MAX_S, self._resend_s * 2)
            self._progress_at = now
            self._probe = self._in_flight[0]
            # One message is enough to get an answer; resending the whole window would fill a broker's queue.
            await self._publish_again(self._probe)
        if self._reach.is_connected:
            is_behind = self._sent_through < self._outbox.next_link.seq - 1 and not self.pace.held_s()
            room = IN_FLIGHT - len(self._in_flight) if is_behind else 0
            for waiting in await self._outbox.waiting(after=self._sent_through, limit=room) if room > 0 else ():
                if not self._publish(waiting.seq, waiting.topic, waiting.sealed):
                    break
                self._sent_through = waiting.seq
                self._in_flight.append(waiting.seq)

    def _publish(self, seq: int, topic: str, sealed: bytes) -> bool:
        if not self._in_flight:
            self._progress_at = self._monotonic()
        if not self._client.publish(topic, sealed):
            return False
        self._silence.note_sent(self._monotonic())
        self._unnoted_at = self._unnoted_at if self._unnoted else self._monotonic()
        self._unnoted.add(seq)
        return True

    async def _save(self, *, at_once: bool = False) -> None:
        """Record what was sent and receipted, at most once a second: each write wears the SD card.

        If power fails before, messages are sent again and the hub answers with the same receipt.
        """
        if not at_once and self._monotonic() - self._saved_at < SAVE_EVERY_S:
            return
        receipt, published = self._unsaved, self._unnoted
        if receipt is None and not at_once and self._monotonic() - self._unnoted_at < SENT_SAVED_AFTER_S:
            return
        self._unsaved, self._unnoted, self._saved_at = None, set(), self._monotonic()
        if receipt is not None:
            await self._outbox.note_receipt(receipt, published=published, now_s=self._now(), state=self._receipted)
        elif published:
            await self._outbox.note_published(published, now_s=self._now())

    async def _take_inbox(self) -> None:
        newest: Receipt | None = None
        refused: RefusalNotice | None = None
        # First the hub's keys, by which the others are checked: a broker may change the order of different topics.
        arrived = sorted(self._inbox, key=lambda message: message[0] != self._topics["keys"])
        self._inbox.clear()
        for topic, sealed in arrived:
            try:
                if topic == self._topics["keys"]:
                    self.hub_keys.note(sealed)
                elif topic == self._topics["receipt"]:
                    receipt = decode_receipt(self.hub_keys.open(sealed, topic))
                    newest = receipt if self._is_newer(receipt, newest) else newest
                elif topic == self._topics["prompt"]:
                    payload = self.hub_keys.open(sealed, topic)
                    prompt = decode_prompt(payload)
                    await self._outbox.keep_prompt(prompt.prompt_id, payload, now_s=self._now())
                elif topic == self._topics["refused"]:
                    refused = decode_refusal(self.hub_keys.open(sealed, topic))
                elif topic == self._topics["time"] and self._hub_time is not None:
                    self._hub_time.note(self.hub_keys.open(sealed, topic))
                elif topic in self.takers:
                    await self.takers[topic](self.hub_keys.open(sealed, topic), sealed)
            except WireError as error:
                self.ignored += 1
                if self.ignored == 1 or self.ignored % 1000 == 0:
                    log.warning("ignored %d messages that the hub did not sign (%s)", self.ignored, error.reason)
        if newest is not None:
            self._silence.note_heard()
            await self._revocation.note_receipt(newest)
            await self._settle(newest)
        if refused is not None:
            self._silence.note_heard()
            # After the receipts that came before it, so that nothing receipted is sealed again.
            await self._put_aside(refused)

    def _is_newer(self, receipt: Receipt, than: Receipt | None) -> bool:
        return receipt.agent == self._agent and (than is None or age_of(receipt) >= age_of(than))

    async def _settle(self, receipt: Receipt) -> None:
        """Release what the hub has receipted, resend what it asks for, and notice restores on either side."""
        meaning = meaning_of(
            receipt,
            next_link=self._outbox.next_link,
            own_hash=await self._own_hash(receipt),
            so_far=self._receipted,
            now_s=self._now(),
        )
        if meaning is ReceiptMeaning.COPY:
            await self._begin_epoch(receipt, everything=False)
        elif meaning is ReceiptMeaning.BACK:
            await self._go_back(receipt)
        elif receipt.epoch == self._outbox.next_link.epoch:
            if meaning is ReceiptMeaning.ONWARD:
                self._go_on(receipt)
            await self._send_wanted(receipt)

    def _go_on(self, receipt: Receipt) -> None:
        has_moved = receipt.through_seq > self._receipted.through
        if has_moved and self._receipted.through == 0:
            log.info("the hub has signed for the first message: the link works")
        self._receipted = advance_receipts(receipt, self._receipted, now_s=self._now())
        if has_moved:
            self._unsaved = receipt
            self._sent_through = max(self._sent_through, receipt.through_seq)
            self._progress_at, self._resend_s = self._monotonic(), self._resend_first_s
        for seq, reason in receipt.refused:
            if seq in self._in_flight:
                self._say_refused(seq, reason)
        while self._in_flight and self._in_flight[0] <= receipt.through_seq:
            self._in_flight.popleft()
        if self._probe is not None and receipt.through_seq >= self._probe:
            self._probe = None
            self._start_over()

    def _say_refused(self, seq: int, reason: RefusalReason) -> None:
        """Each reason once; `outbox` lists every refused message."""
        if reason not in self._said:
            self._said.add(reason)
            log.error("the hub refused message %d: %s `outbox` lists all that it refused", seq, reason.plain_words)

    async def _send_wanted(self, receipt: Receipt) -> None:
        """Fill the holes a receipt names, each number at most once in GAP_AGAIN_S."""
        wanted = [seq for first, last in receipt.gaps for seq in range(first, min(last, first + IN_FLIGHT) + 1)]
        for seq in wanted[:IN_FLIGHT]:
            if seq <= self._sent_through and self._monotonic() - self._asked_at.get(seq, -inf) > GAP_AGAIN_S:
                self._asked_at[seq] = self._monotonic()
                await self._publish_again(seq)
        self._asked_at = {seq: at for seq, at in self._asked_at.items() if seq > receipt.through_seq}

    async def _go_back(self, receipt: Receipt) -> None:
        """The hub holds less than it had receipted: messages above lose their receipt and are sent again."""
        if not await self._outbox.can_send_again(receipt.through_seq):
            await self._begin_epoch(receipt, everything=True)
            return
        told = advance_receipts(receipt, self._receipted, now_s=self._now())
        again = await self._outbox.reopen_messages(told, now_s=self._now())
        log.warning(
            "the hub has our messages up to %d only, though it had receipted %d (was it restored from a backup?):"
            " sending %d messages again",
            told.through,
            self._receipted.through,
            again,
        )
        self._forget_window(told)

    def _ask_time(self) -> None:
        if self._reach.is_connected and self._hub_time is not None and self._hub_time.is_due():
            self._client.publish(*self._hub_time.question())
        for teller in (self.meter, self.maps) if self._reach.is_connected and not self._is_stopped() else ():
            if teller is not None and (notice := teller.due()) and self._client.publish(*notice):
                teller.told()

    async def _put_aside(self, notice: RefusalNotice) -> None:
        """The hub will never take one of our messages: leave it behind and go on without it, in a new epoch."""
        if notice.agent != self._agent or self._monotonic() - self._epoch_begun_at < EPOCH_PAUSE_S:
            return
        seq = await self._outbox.put_aside(notice.hash, reason=notice.reason, now_s=self._now())
        if seq is None:
            return
        log.error("the hub refused message %d and will never accept it: %s", seq, notice.reason.plain_words)
        await self._save(at_once=True)
        sealed, _ = await self._outbox.begin_epoch(self._reseal, later_than=0, everything=False, now_s=self._now())
        self._epoch_begun_at = self._monotonic()
        log.warning("starting epoch %d without it: %d messages are sealed again", self._outbox.next_link.epoch, sealed)
        self._forget_window(replace(self._receipted, through=0))

    async def _begin_epoch(self, receipt: Receipt, *, everything: bool) -> None:
        if self._monotonic() - self._epoch_begun_at < EPOCH_PAUSE_S:
            self.ignored += 1
            return
        await self._save(at_once=True)
        sealed, left = await self._outbox.begin_epoch(
            self._reseal, later_than=receipt.epoch, everything=everything, now_s=self._now()
        )
        self._epoch_begun_at = self._monotonic()
        log.warning("%s", epoch_words(self._outbox.next_link.epoch, everything=everything, sealed=sealed, left=left))
        self._forget_window(replace(self._receipted, through=0))

    def _forget_window(self, receipted: ReceiptState) -> None:
        """Restart sending above what is receipted; an unsaved receipt for more must never be stored."""
        self._unsaved, self._unnoted, self._probe, self._asked_at = None, set(), None, {}
        self._receipted = receipted
        self._resend_s = self._resend_first_s
        self._start_over()

    async def _publish_again(self, seq: int) -> None:
        if message := await self._outbox.message(seq):
            self._publish(message.seq, message.topic, message.sealed)

    async def _own_hash(self, receipt: Receipt) -> bytes | None:
        return FIRST_PREVIOUS if receipt.through_seq == 0 else await self._outbox.hash_of(receipt.through_seq)
