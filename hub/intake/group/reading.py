"""Brings what groups are judged by up to date with the store: agents, chains, consents, sources. It decides nothing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.homes.measure_sources import MeterSource
from hub.intake.state import AgentChain, AskedPrompt, IntakeState, OtherAgent
from hub.storage.contract import MemberStore, PromptStore, ReadingStore
from hub.storage.fleet_records import CutOffStore
from hub.storage.records import Agent, ChainHead, RefusedNumber
from protocols.consent.rules import ConsentSet, decode_consent
from protocols.public_keys import is_sound_key
from protocols.slots import Slot, slot_of, start_of
from protocols.wire.chain import Position
from protocols.wire.receipts import MAX_REFUSED
from protocols.wire.refusal_reasons import RefusalReason

PROMPT_SLOTS: Final = 10 * 96
"""How long ago a prompt may have been issued that is answered now: its day, its deadline, and the grace after it."""


PIECE: Final = 200
"""How many agents or consents are made at a time before others get a turn: some milliseconds' work."""


class AgentStore(MemberStore, ReadingStore, CutOffStore, Protocol):
    """The slices of the store that are read here."""


@dataclass(frozen=True, slots=True)
class AgentsRead:
    """All agents, those of intake's own that it did not know, and all that are cut off."""

    agents: tuple[Agent, ...]
    fresh: frozenset[str]
    cut_off: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Stored:
    heads: Mapping[str, ChainHead]
    refused: Mapping[str, Sequence[RefusedNumber]]
    consents: Mapping[tuple[str, int], ConsentSet]
    sources: Sequence[MeterSource]


async def read_agents(store: AgentStore, state: IntakeState, *, covers: Callable[[str], bool]) -> AgentsRead:
    """Bring the state up to date; chains that are already known stay as they are. Raises: StoreError.

    `covers` says whether an agent is intake's own. Of the others only those are kept that share a home with one.
    """
    agents = await store.agents()
    own = tuple(agent for agent in agents if covers(agent.id))
    fresh = [agent for agent in own if agent.id not in state.chains]
    others = _others(agents, own)
    last_slots: dict[str, Slot] = {}
    if fresh or any(each.revoked_at is not None and not _is_known_ended(each, state) for each in others):
        last_slots = await store.received_through()
    stored = await _read_stored(store) if fresh else None
    chains = await _made_chains(fresh, stored, last_slots) if stored is not None else {}
    cut_off = frozenset(each.agent for each in await store.cut_offs())
    ends = await _ends(store)
    # Nothing is awaited from here on: a group that is judged meanwhile sees all of it or nothing.
    if stored is not None:
        state.consents = {**stored.consents, **state.consents}
        state.sources = {(each.home, each.meter): each for each in stored.sources} | state.sources
        state.chains |= {name: chain for name, chain in chains.items() if name not in state.chains}
    state.ends = ends
    for agent in own:
        state.chains[agent.id].is_revoked = _is_ended(agent)
    _note_homes(state, own, others, last_slots)
    return AgentsRead(agents, frozenset(agent.id for agent in fresh), cut_off)


async def read_prompts(store: PromptStore, now_slot: Slot) -> dict[str, AskedPrompt]:
    """The prompts that may be answered now, by id. Raises: StoreError."""
    prompts = await store.prompts(home=None, issued=range(now_slot - PROMPT_SLOTS, now_slot + 2))
    return {p.id: AskedPrompt(p.home, start_of(p.answer_by_slot + 1), p.answer, p.answered_at) for p in prompts}


def forget_agents(state: IntakeState, *, covers: Callable[[str], bool]) -> None:
    """Forget every agent that is not intake's own any more."""
    for name in [name for name in state.chains if not covers(name)]:
        state.ahead_bytes -= sum(len(each.sealed) for each in state.chains.pop(name).ahead.values())


def _is_ended(agent: Agent) -> bool:
    # Anybody can sign under a weak key, so one that an older release enrolled counts as revoked.
    return agent.revoked_at is not None or not is_sound_key(agent.public_key)


def _others(agents: Sequence[Agent], own: Sequence[Agent]) -> list[Agent]:
    """Agents that are not intake's own, of homes that have one that is."""
    if len(own) == len(agents):
        return []
    homes, names = {agent.home_id for agent in own}, {agent.id for agent in own}
    return [agent for agent in agents if agent.home_id in homes and agent.id not in names]


def _is_known_ended(agent: Agent, state: IntakeState) -> bool:
    known = state.others.get(agent.id)
    return known is not None and known.is_revoked


def _note_homes(state: IntakeState, own: Sequence[Agent], others: Sequence[Agent], last_slots: dict[str, Slot]) -> None:
    known, state.others = state.others, {}
    for agent in others:
        before = known.get(agent.id)
        last_slot = last_slots.get(agent.id, None if before is None else before.last_slot)
        state.others[agent.id] = OtherAgent(agent.home_id, agent.seat, _is_ended(agent), last_slot)
    seats: dict[str, set[int]] = {}
    for agent in (*own, *others):
        seats.setdefault(agent.home_id, set()).add(agent.seat)
    state.seats = {home: tuple(sorted(held)) for home, held in seats.items()}
    state.shared = frozenset(agent.home_id for agent in others)
    state.agents_of = {}
    for agent in (*own, *others):
        state.agents_of.setdefault(agent.home_id, []).append(agent.id)


async def _read_stored(store: AgentStore) -> _Stored:
    heads = await store.chain_heads()
    refused: dict[str, list[RefusedNumber]] = {}
    for row in await store.refused_numbers(newest=MAX_REFUSED):
        refused.setdefault(row.agent, []).append(row)
    consents: dict[tuple[str, int], ConsentSet] = {}
    for home, seat, document in await store.seat_consents():
        consents[home, seat] = decode_consent(document)
        if len(consents) % PIECE == 0:
            await asyncio.sleep(0)
    return _Stored(heads, refused, consents, await store.meter_sources())


async def _made_chains(
    fresh: Sequence[Agent], stored: _Stored, last_slots: Mapping[str, Slot]
) -> dict[str, AgentChain]:
    chains: dict[str, AgentChain] = {}
    for agent in fresh:
        chain = AgentChain(agent.home_id, Ed25519PublicKey.from_public_bytes(agent.public_key), seat=agent.seat)
        _continue_from(chain, stored.heads.get(agent.id))
        chain.last_slot = last_slots.get(agent.id)
        for row in stored.refused.get(agent.id, ()):
            chain.refused.append((row.epoch, row.seq, RefusalReason(row.reason)))
        chains[agent.id] = chain
        if len(chains) % PIECE == 0:
            await asyncio.sleep(0)
    return chains


def _continue_from(chain: AgentChain, head: ChainHead | None) -> None:
    if head is not None:
        chain.position = Position(head.epoch, head.seq, head.hash)
        chain.recent.add(head.epoch, head.seq, head.hash)


async def _ends(store: MemberStore) -> dict[str, int]:
    """The first slot after the membership, for each home whose member moves or has moved out."""
    left = {member.id: member.left_at for member in await store.members() if member.left_at is not None}
    homes = await store.homes() if left else ()
    return {home.id: slot_of(left[home.member_id]) for home in homes if home.member_id in left}
