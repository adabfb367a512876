"""Meters that send by themselves: listens for a moment on a line the person named, and says what it heard."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.finding.probe import Sighting
from edge_agent.finding.proposals import FamilyProposal
from edge_agent.finding.search import FoundDevice
from edge_agent.finding.text import connect_text
from edge_agent.settings import Endpoint, Wire
from edge_agent.setup.conversation import Conversation
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import DeviceChoice
from protocols.errors import CommonwattError
from protocols.maps.identity_plan import IdentityKnowledge

KINDS: dict[Wire, tuple[str, str, str]] = {
    "p1": ("p1-dsmr", "a P1 port", "Netbeheer Nederland, Fluvius"),
    "sml": ("sml-d0", "an optical head with SML", "meters with SML"),
}
SURE_PERCENT = 98


async def hear_meter(talk: Conversation, parts: SetupParts, endpoint: Endpoint) -> FoundDevice | None:
    """The meter that sends on this line; None, with what was heard instead, if there is none."""
    troubles: list[str] = []
    for each in _ways(endpoint):
        family, words, vendor = KINDS["sml" if each.wire.startswith("sml") else "p1"]
        await talk.say(f"Listening at {each.shown} for {words}; this takes up to 15 seconds ...")
        choice = DeviceChoice("meter", family, "grid", connect_text(each), 1, 10_000_000)
        try:
            live, said = await parts.read([choice])
        except CommonwattError as cause:
            live, said = [], [str(cause)]
        if any(role.has_values for role in live):
            reason = f"it sends what {words} sends"
            proposal = FamilyProposal(family, vendor, SURE_PERCENT, reason, ("grid",), "silver")
            return FoundDevice(each, 1, reason, Sighting(1, IdentityKnowledge(), 1, 1), (proposal,))
        troubles += said or ["it sent no value"]
    for trouble in dict.fromkeys(troubles):
        await talk.say(f"  {trouble}")
    return None


def _ways(endpoint: Endpoint) -> list[Endpoint]:
    """As it was named, or both ways on a serial port that was only named by its path."""
    if endpoint.framing is not None:
        return [endpoint]
    bare = replace(endpoint, baud=None, parity=None, stop=None)
    return [replace(bare, wire=wire) for wire in KINDS]
