"""Builds the running agent's side towards the hub: the uplink, and what renews its certificate and root."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from edge_agent.home_store.credit_days import CreditBook
from edge_agent.maps.files import map_digests
from edge_agent.metering.clock.trusted import BootClock
from edge_agent.outbox.store import Outbox
from edge_agent.settings import Settings
from edge_agent.setup.hub_site import fetch_root_of, post_question, post_renewal
from edge_agent.timekeeping import Timekeeper
from edge_agent.uplink.beside import BROKER, RENEWAL, ROOT
from edge_agent.uplink.hub_keys import Take
from edge_agent.uplink.identity import Identity, hub_keys_of
from edge_agent.uplink.map_fetching import CoopMaps
from edge_agent.uplink.meter_teller import MeterTeller
from edge_agent.uplink.moving.asking import AskingParts, keep_asking
from edge_agent.uplink.moving.place import BrokerPlace
from edge_agent.uplink.mqtt_link import Uplink
from edge_agent.uplink.pace.told import HubPace
from edge_agent.uplink.sealing import reseal_message
from edge_agent.uplink.tls.new_root import RootParts, keep_root
from edge_agent.uplink.tls.renewal import RenewalParts, keep_certificate
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import DOWN_KINDS, downlink_topic

log = logging.getLogger("commonwatt.agent")


def make_uplink(
    settings: Settings,
    identity: Identity,
    *,
    outbox: Outbox,
    timekeeper: Timekeeper,
    boot_clock: BootClock | None,
    is_stopped: Callable[[], bool],
    credit_book: CreditBook,
) -> Uplink:
    """The connection to the hub, not yet open."""
    enrolment = identity.enrolment
    hub_keys = hub_keys_of(settings.data, enrolment, now=_real_now(timekeeper, boot_clock))
    place = BrokerPlace(
        (enrolment.broker_host, enrolment.broker_port),
        agent=enrolment.agent,
        # Without a certificate the broker is on this computer, and stays there.
        folder=None if identity.tls is None else settings.data,
        now=timekeeper.clock.now,
        monotonic=time.monotonic,
    )
    uplink = Uplink(
        outbox,
        coop=enrolment.coop,
        agent=enrolment.agent,
        hub_keys=hub_keys,
        broker=place,
        now=timekeeper.clock.now,
        monotonic=time.monotonic,
        reseal=partial(reseal_message, identity.signer),
        hub_time=timekeeper.hub_time,
        tls=identity.tls,
        is_stopped=is_stopped,
        pace=HubPace(enrolment.agent, folder=settings.data, now=timekeeper.clock.now, monotonic=time.monotonic),
    )
    down = {kind: downlink_topic(enrolment.coop, enrolment.agent, kind=kind) for kind in DOWN_KINDS}
    place.moved, place.is_up = uplink.wake, lambda: uplink.is_connected
    if timekeeper.hub_time is not None:
        timekeeper.hub_time.note_answered = place.note_answered
    else:
        # On a developer's timeline no time is asked for: any word of the hub will do.
        hub_keys.note_opened = place.note_answered
    uplink.takers[down["broker"]] = unharmed("broker", place.note)
    uplink.takers[down["pace"]] = unharmed("pace", uplink.pace.note)
    uplink.takers[down["credits"]] = unharmed("credits", lambda payload, _sealed: credit_book.note(payload))
    note = timekeeper.beside.note
    uplink.meter = MeterTeller(identity.signer, monotonic=time.monotonic, now=timekeeper.clock.now, note=note)
    used = map_digests({each.map for each in settings.devices}, settings.maps, settings.data)
    uplink.maps = CoopMaps(
        settings.data,
        coop=enrolment.coop,
        signer=identity.signer,
        now=timekeeper.clock.now,
        monotonic=time.monotonic,
        used=used,
        note_asked=note,
        certificates=lambda: hub_keys.certificates,
    )
    uplink.takers[down["maps"]] = unharmed("maps", uplink.maps.note)
    return uplink


def unharmed(kind: str, take: Take) -> Take:
    """Takes in one kind of what the hub tells beside receipts; a fault in that ends neither sending nor measuring."""

    async def taken(payload: bytes, sealed: bytes) -> None:
        try:
            await take(payload, sealed)
        except WireError:
            raise
        except Exception as error:
            log.error("%s from the hub: taking them in failed with %s; measuring goes on", kind, type(error).__name__)

    return taken


def renewing(
    identity: Identity,
    uplink: Uplink,
    *,
    timekeeper: Timekeeper,
    boot_clock: BootClock | None,
    is_stopped: Callable[[], bool],
) -> list[Coroutine[Any, Any, None]]:
    """The work that keeps certificate, root and the broker's place current; none for an agent without a certificate."""
    enrolment, tls = identity.enrolment, identity.tls
    if tls is None:
        return []

    def post(body: bytes) -> bytes:
        timekeeper.beside.note(RENEWAL, body)
        # The root may have changed since the start.
        return post_renewal(enrolment.broker_host, enrolment.enrol_port, root=tls.root)(body)

    def fetch() -> bytes:
        timekeeper.beside.note(ROOT, b"")
        return fetch_root_of(enrolment.broker_host, enrolment.enrol_port)

    renewal = RenewalParts(
        tls,
        identity.signer,
        post=post,
        now=_real_now(timekeeper, boot_clock),
        random=random.random,
        renewed=uplink.use_renewed,
        is_stopped=is_stopped,
    )

    def ask(body: bytes) -> bytes:
        timekeeper.beside.note(BROKER, body)
        return post_question(enrolment.broker_host, enrolment.enrol_port, root=tls.root)(body)

    asking = AskingParts(
        uplink.broker,
        uplink.hub_keys,
        enrolment.coop,
        enrolment.agent,
        post=ask,
        is_out_of_reach=lambda: uplink.is_out_of_reach and not is_stopped(),
        random=random.random,
    )
    root = RootParts(
        renewal,
        identity=enrolment.hub_public_key,
        fetch=fetch,
        # Looking for a new root is talking to the hub too.
        is_out_of_reach=lambda: uplink.is_out_of_reach and not is_stopped(),
    )
    return [keep_certificate(renewal), keep_root(root), keep_asking(asking)]


def _real_now(timekeeper: Timekeeper, boot_clock: BootClock | None) -> Callable[[], float]:
    """What certificates go by: real time, also where a developer's timeline is ahead of it."""
    return time.time if boot_clock is None else timekeeper.clock.now
