"""Sends prompts to homes, signed for the topic of the home's agent. Receipts are sent by intake."""

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.storage.contract import MemberStore
from hub.storage.records import PromptRow
from protocols.slots import start_of
from protocols.wire import topics
from protocols.wire.envelope import seal
from protocols.wire.messages import PromptNotice, encode_prompt


class Publisher(Protocol):
    """The part of the broker link that is needed here."""

    def publish(self, topic: str, sealed: bytes) -> None: ...


class PromptSender:
    """Sends prompts to homes' agents. The pages show them as well, so a home without an agent misses nothing."""

    def __init__(self, members: MemberStore, *, coop: str, key: Ed25519PrivateKey, link: Publisher) -> None:
        self._members = members
        self._coop = coop
        self._key = key
        self._link = link

    async def send(self, prompt: PromptRow) -> bool:
        """Hand a prompt to the broker for each of its home's agents; False if the home has none at present."""
        known = await self._members.agents(home=prompt.home)
        agents = [agent.id for agent in known if agent.revoked_at is None]
        for agent in agents:
            topic = topics.downlink_topic(self._coop, agent, kind="prompt")
            self._link.publish(topic, seal(self._key, topic, encode_prompt(notice_of(prompt))))
        return bool(agents)


def notice_of(prompt: PromptRow) -> PromptNotice:
    """A stored prompt as it is sent to agents: values only, no text."""
    return PromptNotice(
        prompt_id=prompt.id,
        appliance=prompt.appliance,
        usual_first_slot=prompt.usual_slot,
        usual_last_slot=prompt.usual_slot + prompt.duration_slots - 1,
        proposed_first_slot=prompt.proposed_slot,
        proposed_last_slot=prompt.proposed_slot + prompt.duration_slots - 1,
        energy_wh=prompt.energy_wh,
        reasons=prompt.reasons,
        answer_by=start_of(prompt.answer_by_slot + 1),
    )
