"""Checks what one home sent against what the store has of it: every message, or those behind a checkpoint.

Behind a checkpoint, only new messages are opened. The rows that they do not explain must be those of the checkpoint;
where anything is not as expected, the home is checked from its first message on, and that verdict counts.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.homes.measure_sources import SourceHistory
from hub.storage.audit_records import LoggedHomes, StoredHome, StoredPeople, StoredRowsView
from hub.storage.records import Access, Agent
from hub.verify.check_result import CheckResult
from hub.verify.homes.chain import Body, FollowedChain, opened, row_problem
from hub.verify.homes.checkpoints import (
    AgentCheckpoint,
    CheckpointSeals,
    HomeCheckpoint,
    ReadingDigest,
    consent_rows,
    reading_line,
    readings_digest,
    total_rows,
)
from hub.verify.homes.signed_rows import FirstEnergy, SignedHome
from protocols.wire.messages import ConsentNotice
from protocols.wire.readings import Batch
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import Topic

PAGE: Final = 500
ACCESS: Final = Access(actor="job:verify", role="job", purpose="settle.share", reason="recomputing the books")
_AFTER_ALL: Final = 2**62
"""Later than any slot."""

Opened = Callable[[int], None]
"""Told how many more messages were opened."""


@dataclass
class HomeCheck(CheckResult):
    """What was checked of one home; `checkpoint` is where the next verification may go on, None unless all holds.

    `is_since` says that only messages behind an earlier checkpoint were opened. `chains` is each agent's chain as one
    hash, of homes that were checked from the first message on.
    """

    home: str = ""
    is_since: bool = False
    messages: int = 0
    readings: int = 0
    consents: int = 0
    chains: dict[str, str] = field(default_factory=dict)
    checkpoint: HomeCheckpoint | None = None


class _Walk:
    """The messages of one home as they are followed, and what they say together."""

    def __init__(self, home: str, people: StoredPeople, *, coop: str, told: Opened) -> None:
        seats = {agent.id: agent.seat for agent in people.agents}
        self.home, self.people, self.coop, self.told = home, people, coop, told
        self.signed = SignedHome(history=SourceHistory(people.sources, seats=seats))
        self.energy = FirstEnergy(people.agents)
        self.chains: dict[str, FollowedChain] = {}

    async def follow(self, view: StoredRowsView, agent: Agent, chain: FollowedChain, check: HomeCheck) -> None:
        """Open this agent's messages behind the chain's end; every contradiction goes to `check`."""
        try:
            key = Ed25519PublicKey.from_public_bytes(agent.public_key)
        except ValueError:
            check.note(f"{agent.id}: its public key is not one")
            return
        head, lines, is_erased = await view.head(agent.id), hashlib.sha256(), self.people.erasure is not None
        is_head_there = head is None or (head.epoch, head.seq, head.hash) == (chain.epoch, chain.seq, chain.head)
        while page := await view.messages(agent.id, after=(chain.epoch, chain.seq), limit=PAGE):
            for row in page:
                check.messages += 1
                lines.update(f"{row.epoch} {row.seq} {row.hash.hex()}\n".encode())
                topic = Topic(self.coop, agent.shard, agent.id, "up", row.kind)
                body = opened(row, topic, key) if row.sealed else None
                if problem := row_problem(chain, row, body, self.signed.history, is_erased=is_erased):
                    check.note(f"{agent.id} message {row.epoch}/{row.seq}: {problem}")
                chain.follow(row, body, is_erased=is_erased)
                is_head_there |= head is not None and (head.epoch, head.seq, head.hash) == (
                    row.epoch,
                    row.seq,
                    row.hash,
                )
                self._remember(row.position, row.received_at, body, agent, check)
            self.told(len(page))
        self.chains[agent.id] = chain
        check.chains[agent.id] = lines.hexdigest()
        if head is not None and not is_head_there:
            check.note(f"{agent.id} message {head.epoch}/{head.seq}: it was receipted and is missing")
        elif chain.position and head != chain.stored_head():
            check.note(f"{agent.id} chain_head: it is not the end of the agent's messages")

    def _remember(self, position: int, received_at: int, body: Body | None, agent: Agent, check: HomeCheck) -> None:
        if isinstance(body, Batch):
            self.signed.add_batch(body, position=position, seat=agent.seat)
            self.energy.add(body, agent, position=position, received_at=received_at)
        elif isinstance(body, ConsentNotice):
            check.consents += 1
            try:
                self.signed.add_consent(body.consent, position=position, received_at=received_at, seat=agent.seat)
            except WireError as error:
                check.note(f"{agent.home_id}: a consent it signed cannot be read ({error.detail})")

    def checkpoint(self, stored: StoredHome, *, readings: bytes, seals: CheckpointSeals) -> HomeCheckpoint:
        """Where the next verification may go on; `readings` is the digest of all of them."""
        return HomeCheckpoint(
            people=seals.people(self.people),
            agents={agent: AgentCheckpoint.of(chain) for agent, chain in self.chains.items()},
            readings=seals.readings(readings),
            totals=seals.rows("totals", total_rows(stored)),
            consents=seals.rows("consents", consent_rows(stored)),
            devices=seals.devices(stored.devices),
            first=self.energy.known(),
        )


async def check_home(
    rows: LoggedHomes,
    home: str,
    *,
    coop: str,
    seals: CheckpointSeals | None,
    since: HomeCheckpoint | None = None,
    trusts_checkpoint: bool = True,
    told: Opened = lambda _: None,
) -> HomeCheck:
    """Check everything of one home at one moment, of messages up to `since` only that they are those of then.

    That the rows of the messages up to there are as they were is found by hub.verify.homes.old_messages. With
    `trusts_checkpoint` False it has found otherwise, and all messages are opened. Without `seals` no new one is made.
    """
    check = HomeCheck(home=home)
    seals = None if seals is None else seals.of_home(home)
    with check.reading(f"home {home}"):
        async with rows.view(home) as view:
            people = await view.people(home)
            if since is not None and seals is not None and trusts_checkpoint:
                walk = _Walk(home, people, coop=coop, told=told)
                found = await _check_since(view, walk, since, seals)
                if found is not None:
                    return found
            await _check_whole(view, _Walk(home, people, coop=coop, told=told), check, seals=seals, since=since)
    return check


async def _check_whole(
    view: StoredRowsView, walk: _Walk, check: HomeCheck, *, seals: CheckpointSeals | None, since: HomeCheckpoint | None
) -> None:
    for agent in walk.people.agents:
        await walk.follow(view, agent, FollowedChain(), check)
    stored = await view.home(walk.home)
    check.readings += len(walk.signed.readings)
    for sentence in walk.signed.differences(walk.home, stored):
        check.note(sentence)
    is_erased = walk.people.erasure is not None
    # Once a home's messages are erased, nobody can say any more who sent energy first.
    for sentence in walk.energy.contradictions(walk.home, walk.people.sources) if not is_erased else ():
        check.note(sentence)
    if since is not None:
        await _check_heads_of(view, since, check)
    if seals is not None and not check.wrong and not is_erased:
        check.checkpoint = walk.checkpoint(stored, readings=readings_digest(stored), seals=seals)


async def _check_heads_of(view: StoredRowsView, since: HomeCheckpoint, check: HomeCheck) -> None:
    """The chain of hashes pins all earlier messages, whoever holds which key: so its old end must still be in it."""
    for agent, checkpoint in since.agents.items():
        if not checkpoint.position:
            continue
        row = next(iter(await view.messages(agent, after=(checkpoint.epoch, checkpoint.seq - 1), limit=1)), None)
        if row is None or (row.epoch, row.seq, row.hash.hex()) != (checkpoint.epoch, checkpoint.seq, checkpoint.head):
            check.note(f"{agent} message {checkpoint.epoch}/{checkpoint.seq}: it is not the one of the checkpoint")


async def _check_since(
    view: StoredRowsView, walk: _Walk, since: HomeCheckpoint, seals: CheckpointSeals
) -> HomeCheck | None:
    """The result if everything is as expected; None if the home has to be checked from its first message on."""
    check = HomeCheck(home=walk.home, is_since=True)
    agents = {agent.id for agent in walk.people.agents}
    if walk.people.erasure is not None or seals.people(walk.people) != since.people or agents != since.agents.keys():
        return None
    walk.energy.go_on_from(since.first)
    for agent in walk.people.agents:
        await walk.follow(view, agent, since.agents[agent.id].chain(), check)
    check.chains.clear()
    check.readings = len(walk.signed.readings)
    cut = min((slot for _, slot, _ in walk.signed.readings), default=_AFTER_ALL)
    stored = await view.home_from(walk.home, slot=cut)
    old, every = ReadingDigest(), ReadingDigest()
    early = dict(await view.reading_lines(walk.home, before=cut))
    late = _late_lines(walk.signed, stored)
    for measure in sorted(early.keys() | late.keys()):
        old_text, whole_text = late.get(measure, ("", ""))
        old.add(measure, early.get(measure, ""))
        every.add(measure, early.get(measure, ""))
        old.add(measure, old_text)
        every.add(measure, whole_text)
    is_as_expected = (
        not check.wrong
        and seals.readings(old.digest()) == since.readings
        and _rest_is_as_then(walk.signed, stored, since, seals)
        and not any(True for _ in walk.energy.contradictions(walk.home, walk.people.sources))
    )
    if not is_as_expected:
        return None
    check.checkpoint = walk.checkpoint(stored, readings=every.digest(), seals=seals)
    return check


def _late_lines(signed: SignedHome, stored: StoredHome) -> dict[int, tuple[str, str]]:
    """Of each measure: the lines that no new message explains, and all lines."""
    lines: dict[int, tuple[list[str], list[str]]] = {}
    for place in sorted(stored.readings):
        held, said = stored.readings[place], signed.readings.get(place)
        line = reading_line(place, held)
        old, every = lines.setdefault(place[0], ([], []))
        every.append(line)
        if said is None or held != (said[2], said[0], said[3]):
            old.append(line)
    return {measure: ("".join(old), "".join(every)) for measure, (old, every) in lines.items()}


def _rest_is_as_then(signed: SignedHome, stored: StoredHome, since: HomeCheckpoint, seals: CheckpointSeals) -> bool:
    """Whether each row is what new messages say, or one of the rows of then that the new ones leave as they are."""
    for reading, (quality, *_) in signed.readings.items():
        if reading not in stored.readings or stored.readings[reading][1] > quality:
            return False
    if signed.long_intervals.keys() - stored.long_intervals.keys() or signed.consents.keys() - stored.consents.keys():
        return False
    rest = StoredHome(
        long_intervals={
            place: held
            for place, held in stored.long_intervals.items()
            if place not in signed.long_intervals or signed.long_intervals[place][1] != held
        },
        consents={
            place: held
            for place, held in stored.consents.items()
            if place not in signed.consents or signed.consents[place][1:] != held
        },
        devices={name: held for name, held in stored.devices.items() if name not in signed.devices},
    )
    for name, (_, report) in signed.devices.items():
        held = stored.devices.get(name)
        if held != report and (held is None or held not in signed.stepped.get(name, ())):
            return False
    new = seals.devices(dict.fromkeys(signed.devices, ("", 0, 0)))
    as_then = {name: report for name, report in since.devices.items() if name not in new}
    return (
        seals.rows("totals", total_rows(rest)) == since.totals
        and seals.rows("consents", consent_rows(rest)) == since.consents
        and seals.devices(rest.devices) == as_then
    )
